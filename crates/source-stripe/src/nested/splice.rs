//! Puts the missing items into the text of an object.

use super::scan::Cut;

/// The items that a cut list lacks, as text with commas between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rest {
    /// To be put behind those that are there.
    Append(Vec<u8>),
    /// All of the list: put in place of those that are there.
    Replace(Vec<u8>),
}

/// A part of the text, and what is put in its place.
type Edit<'a> = (std::ops::Range<usize>, Vec<&'a [u8]>);

/// `text` with the rest of each of the cut lists, which then have no more; all else stays as it is. `cuts` are
/// in the order of the text and do not overlap.
pub(super) fn splice(text: &[u8], cuts: &[(Cut, Rest)]) -> Vec<u8> {
    let mut edits: Vec<Edit<'_>> = Vec::new();
    for (cut, rest) in cuts {
        let edit = match rest {
            Rest::Replace(items) => (cut.items.clone(), vec![&items[..]]),
            Rest::Append(items) => {
                let comma: &[u8] = if cut.items.is_empty() || items.is_empty() { b"" } else { b"," };
                (cut.items.end..cut.items.end, vec![comma, &items[..]])
            }
        };
        edits.push(edit);
        edits.push((cut.more.clone(), vec![b"false"]));
    }
    edits.sort_by_key(|(range, _)| range.start);
    let added: usize = edits.iter().flat_map(|(_, parts)| parts).map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(text.len() + added);
    let mut copied = 0;
    for (range, parts) in edits {
        out.extend_from_slice(&text[copied..range.start]);
        parts.iter().for_each(|part| out.extend_from_slice(part));
        copied = range.end;
    }
    out.extend_from_slice(&text[copied..]);
    out
}

#[cfg(test)]
mod tests {
    use super::super::scan::cut_lists;
    use super::*;

    fn spliced(text: &str, rests: &[Rest]) -> String {
        let cuts = cut_lists(text.as_bytes()).into_iter().zip(rests.iter().cloned()).collect::<Vec<_>>();
        assert_eq!(cuts.len(), rests.len());
        String::from_utf8(splice(text.as_bytes(), &cuts)).unwrap()
    }

    #[test]
    fn items_are_put_behind_those_that_are_there() {
        let text = |data: &str, more: &str| {
            format!(
                r#"{{"id":"a","l":{{"has_more":{more},"object":"list","data":[{data}],"n":1.0,"url":"/v1/l"}},"z":2}}"#
            )
        };
        let rest = Rest::Append(br#"{"id":"y"}"#.to_vec());
        assert_eq!(
            spliced(&text(r#"{"id":"x"}"#, "true"), std::slice::from_ref(&rest)),
            text(r#"{"id":"x"},{"id":"y"}"#, "false")
        );
        assert_eq!(spliced(&text("", "true"), &[rest]), text(r#"{"id":"y"}"#, "false"));
        assert_eq!(
            spliced(&text(r#"{"id":"x"}"#, "true"), &[Rest::Append(Vec::new())]),
            text(r#"{"id":"x"}"#, "false")
        );
        let all = Rest::Replace(br#"{"id":"w"}"#.to_vec());
        assert_eq!(spliced(&text(r#"{"id":"x"}"#, "true"), &[all]), text(r#"{"id":"w"}"#, "false"));
    }

    #[test]
    fn several_lists_are_completed_at_once() {
        let list = |data: &str, more: bool, url: &str| {
            format!(r#"{{"object":"list","data":[{data}],"has_more":{more},"url":"{url}"}}"#)
        };
        let text = format!(r#"{{"a":{},"b":{}}}"#, list("1", true, "/a"), list("2", true, "/b"));
        let rests = [Rest::Append(b"3".to_vec()), Rest::Append(b"4".to_vec())];
        let whole = format!(r#"{{"a":{},"b":{}}}"#, list("1,3", false, "/a"), list("2,4", false, "/b"));
        assert_eq!(spliced(&text, &rests), whole);
    }
}
