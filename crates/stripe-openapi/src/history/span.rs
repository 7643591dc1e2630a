//! Spans of versions: `2017-08-15..2020-08-27, 2023-08-16..`.

use std::collections::BTreeSet;

/// The indexes of the versions that `text` spans; the error is a sentence.
pub(super) fn read(versions: &[String], text: &str) -> Result<BTreeSet<usize>, String> {
    let index = |name: &str| {
        versions
            .iter()
            .position(|version| version == name)
            .ok_or_else(|| format!("`{name}` is no version of these facts"))
    };
    let mut indexes = BTreeSet::new();
    for span in text.split(", ") {
        // A release name has one dot, a span two.
        let (first, last) = match span.split_once("..") {
            Some((first, "")) => (index(first)?, versions.len().saturating_sub(1)),
            Some((first, last)) => (index(first)?, index(last)?),
            None => (index(span)?, index(span)?),
        };
        if first > last {
            return Err(format!("the span `{span}` ends before it begins"));
        }
        indexes.extend(first..=last);
    }
    Ok(indexes)
}

/// The shortest text that spans exactly the versions at `indexes`.
pub(super) fn write(versions: &[&str], indexes: &BTreeSet<usize>) -> String {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for &index in indexes {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == index => *last = index,
            _ => spans.push((index, index)),
        }
    }
    let text = |(first, last): (usize, usize)| match (versions[first], versions[last]) {
        (from, _) if last + 1 == versions.len() => format!("{from}.."),
        (from, _) if first == last => from.to_owned(),
        (from, to) => format!("{from}..{to}"),
    };
    spans.into_iter().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn versions() -> Vec<String> {
        ["2017-08-15", "2018-01-23", "2024-09-30.acacia", "2025-03-31.basil", "2026-03-25.dahlia"]
            .map(str::to_owned)
            .to_vec()
    }

    #[test]
    fn spans_are_inclusive_and_the_last_may_be_open() {
        let versions = versions();
        let names: Vec<&str> = versions.iter().map(String::as_str).collect();
        let text = "2017-08-15, 2024-09-30.acacia..2025-03-31.basil";
        assert_eq!(read(&versions, text), Ok(BTreeSet::from([0, 2, 3])));
        assert_eq!(write(&names, &BTreeSet::from([0, 2, 3])), text);
        assert_eq!(write(&names, &BTreeSet::from([4])), "2026-03-25.dahlia..");
        assert!(read(&versions, "2018").unwrap_err().contains("`2018`"));
        assert!(read(&versions, "2018-01-23..2017-08-15").unwrap_err().contains("ends before"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(indexes in proptest::collection::btree_set(0_usize..5, 1..5)) {
            let versions = versions();
            let names: Vec<&str> = versions.iter().map(String::as_str).collect();
            prop_assert_eq!(read(&versions, &write(&names, &indexes)), Ok(indexes));
        }
    }
}
