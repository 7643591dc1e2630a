//! Rows as the value ranges of a request. Decides only.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::a1;

/// Most bytes of one range, so that requests can be cut between ranges.
const RANGE: usize = 1 << 20;

/// The JSON of value ranges that set whole rows, each the JSON of a list of cells: one range for neighbours.
/// `columns` is the most cells of a row.
pub(crate) fn of_rows(title: &str, rows: &BTreeMap<usize, String>, columns: usize) -> Vec<String> {
    let mut ranges = Vec::new();
    let mut rows = rows.iter().peekable();
    while let Some((first, cells)) = rows.next() {
        let mut values = cells.clone();
        let mut last = *first;
        while let Some((row, cells)) =
            rows.next_if(|(row, cells)| **row == last + 1 && values.len() + cells.len() < RANGE)
        {
            values.push(',');
            values.push_str(cells);
            last = *row;
        }
        ranges.push(range(&a1::rows(title, *first, last, columns), &values));
    }
    ranges
}

/// The JSON of a value range; `values` are its rows without the outer brackets.
pub(crate) fn range(range: &str, values: &str) -> String {
    format!("{{\"range\":{},\"values\":[{values}]}}", Value::from(range))
}

/// A row of texts as JSON.
pub(crate) fn texts<T: AsRef<str>>(texts: &[T]) -> String {
    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    // Texts can always be written.
    serde_json::to_string(&texts).unwrap_or_default()
}

/// Ranges put together into the data of requests of at most `most` bytes, where a single range is not longer.
pub(crate) fn requests(ranges: impl IntoIterator<Item = String>, most: usize) -> Vec<Vec<u8>> {
    let mut requests: Vec<Vec<u8>> = Vec::new();
    for range in ranges {
        match requests.last_mut().filter(|request| request.len() + range.len() < most) {
            Some(request) => {
                request.push(b',');
                request.extend_from_slice(range.as_bytes());
            }
            None => requests.push(range.into_bytes()),
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_a_range() {
        let rows = BTreeMap::from([(2, "[1]".to_owned()), (3, "[2,3]".to_owned()), (5, "[4]".to_owned())]);
        assert_eq!(
            of_rows("a'b", &rows, 2),
            [
                "{\"range\":\"'a''b'!A2:B3\",\"values\":[[1],[2,3]]}",
                "{\"range\":\"'a''b'!A5:B5\",\"values\":[[4]]}"
            ]
        );
        assert_eq!(
            requests(["aa".to_owned(), "bb".to_owned(), "cc".to_owned()], 4),
            [&b"aa"[..], b"bb", b"cc"]
        );
        assert_eq!(requests(["aa".to_owned(), "bb".to_owned(), "c".to_owned()], 6), [&b"aa,bb"[..], b"c"]);
    }
}
