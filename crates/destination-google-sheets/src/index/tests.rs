#![allow(clippy::unwrap_used)]

use super::*;
use serde_json::json;

fn watched(key: &[&str], version: &[i64]) -> Watched {
    let key = key.iter().map(|text| json!(text)).collect();
    Watched { key: vec![key], version: version.iter().map(|v| json!(v)).collect(), ..Watched::default() }
}

fn row(index: &Index, id: &str) -> Option<usize> {
    index.get(&key_of([id].into_iter())).map(|entry| entry.row)
}

#[test]
fn rows_are_found_where_they_are() {
    let (mut index, emptied) = Index::read(&watched(&["b", "", "a"], &[1, 0, 1]));
    assert_eq!((row(&index, "b"), row(&index, "a"), row(&index, "c")), (Some(2), Some(4), None));
    // The row without a key has a version left.
    assert_eq!(emptied, [3]);
    assert_eq!([index.allocate(), index.allocate(), index.allocate()], [3, 5, 6]);
}

#[test]
fn of_twins_the_newer_stays() {
    let (index, emptied) = Index::read(&watched(&["a", "a", "b", "b"], &[1, 2, 5, 4]));
    assert_eq!((row(&index, "a"), row(&index, "b")), (Some(3), Some(4)));
    assert_eq!(emptied, [2, 5]);
    assert_eq!(index.count().keys, 2);
}

#[test]
fn the_count_tells_sets_of_keys_apart() {
    let (sorted, _) = Index::read(&watched(&["a", "b"], &[1, 1]));
    let (other_way, _) = Index::read(&watched(&["b", "a"], &[7, 1]));
    let (other, _) = Index::read(&watched(&["b", "c"], &[1, 1]));
    assert_eq!(sorted.count(), other_way.count());
    assert_ne!(sorted.count(), other.count());
    let mut changed = other;
    changed.remove(&key_of(["c"].into_iter()));
    let row = changed.allocate();
    changed.put(key_of(["a"].into_iter()), Entry { row, version: 1, child: None });
    assert_eq!((changed.count(), row), (sorted.count(), 3));
    assert_eq!(Count::parse(&sorted.count().to_text()), Some(sorted.count()));
    let (empty, _) = Index::read(&Watched::default());
    assert_eq!(empty.count(), Count { keys: 0, sum: 0 });
    assert_eq!(empty.clone().allocate(), FIRST_ROW);
}
