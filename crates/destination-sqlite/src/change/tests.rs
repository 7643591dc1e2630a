use super::*;
use proptest::prelude::*;
use protocol::{Stream, Timestamp};

const NOW: i64 = 5;

fn layout(key: &[&str]) -> Layout {
    Layout::of_stream(&Stream {
        name: "thing".into(),
        primary_key: key.iter().map(|field| vec![(*field).to_owned()]).collect(),
        newer_than_field: "_updated_at".to_owned(),
        json_schema: None,
        metadata: None,
        soft_delete_field: None,
    })
    .unwrap()
}

fn record(data: &str, deleted: bool) -> Record {
    Record {
        stream: "thing".into(),
        data: RawJson::parse(data.to_owned()).unwrap(),
        deleted,
        emitted_at: Timestamp::UNIX_EPOCH,
    }
}

/// What is stored under one key.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stored {
    Nothing,
    Row(i64, String),
    Tombstone(i64),
}

/// The rules for one change, as the issue states them.
fn apply(stored: Stored, change: &Change<'_>) -> Stored {
    let stored = match stored {
        Stored::Row(..) if change.forced => Stored::Nothing,
        other => other,
    };
    match (&change.end, stored) {
        (End::Upsert(_), Stored::Row(version, old)) if change.version < version => Stored::Row(version, old),
        (End::Upsert(_), Stored::Tombstone(version)) if change.version <= version => {
            Stored::Tombstone(version)
        }
        (End::Upsert(payload), _) => Stored::Row(change.version, payload.to_string()),
        (End::Delete, Stored::Row(version, old)) if change.version < version => Stored::Row(version, old),
        (End::Delete, Stored::Tombstone(version)) => Stored::Tombstone(version.max(change.version)),
        (End::Delete, _) => Stored::Tombstone(change.version),
    }
}

fn stored() -> impl Strategy<Value = Stored> {
    prop_oneof![
        Just(Stored::Nothing),
        (0..10i64).prop_map(|version| Stored::Row(version, "old".to_owned())),
        (0..=NOW).prop_map(Stored::Tombstone),
    ]
}

proptest! {
    #[test]
    fn one_change_does_what_the_records_do_one_by_one(
        before in stored(),
        steps in prop::collection::vec((any::<bool>(), prop::option::weighted(0.8, 0..10i64)), 1..8),
    ) {
        let records: Vec<Record> = steps
            .iter()
            .enumerate()
            .map(|(at, (deleted, version))| match (deleted, version) {
                (true, None) => record(r#"{"id":"a"}"#, true),
                (deleted, version) => {
                    // A delete is not from the future; see `Change`.
                    let latest = if *deleted { NOW } else { i64::MAX };
                    let version = version.unwrap_or(7).min(latest);
                    record(&format!(r#"{{"id":"a","n":{at},"_updated_at":{version}}}"#), *deleted)
                }
            })
            .collect();
        let layout = layout(&["id"]);
        let mut one_by_one = before.clone();
        for record in &records {
            let single = changes(&layout, std::iter::once(record), NOW).unwrap();
            one_by_one = apply(one_by_one, &single[0].1);
        }
        let at_once = changes(&layout, records.iter(), NOW).unwrap();
        prop_assert_eq!(at_once.len(), 1);
        prop_assert_eq!(apply(before, &at_once[0].1), one_by_one);
    }
}

#[test]
fn keys_are_texts_numbers_and_booleans() {
    // The version is part of the key, and there are more names than one scan looks for.
    let layout = Layout { newer_than: "e".to_owned(), ..layout(&["a", "e", "b", "c", "d"]) };
    let data = r#"{"b":12345678901234567890123,"a":"x\u00e9","c":true,"d":"","e":-3}"#;
    let record = record(data, false);
    let found = changes(&layout, std::iter::once(&record), NOW).unwrap();
    assert_eq!(found[0].0.0, ["xé", "-3", "12345678901234567890123", "true", ""]);
    assert_eq!(found[0].0.to_json(), r#"["xé","-3","12345678901234567890123","true",""]"#);
    assert_eq!(found[0].1.version, -3);
}

#[test]
fn a_record_without_key_or_version_is_named() {
    let layout = layout(&["id", "_account_id"]);
    for (data, expected) in [
        (r#"{"id":"cus_1","_updated_at":1}"#, "`_account_id` (id: cus_1)"),
        (r#"{"id":null,"_account_id":"acct_1","_updated_at":1}"#, "`id` (_account_id: acct_1)"),
        (r#"{"_updated_at":1}"#, "`id` (no other key field is set)"),
        (
            r#"{"id":"cus_1","_account_id":"acct_1"}"#,
            r#"["cus_1","acct_1"] has no usable value in `_updated_at`: it is missing"#,
        ),
        (r#"{"id":"cus_1","_account_id":"acct_1","_updated_at":"7"}"#, r#"it is `"7"`"#),
        (r#"{"id":"cus_1","_account_id":"acct_1","_updated_at":1.5}"#, "it is `1.5`"),
        (
            r#"{"id":"cus_1","_account_id":"acct_1","_updated_at":9223372036854775808}"#,
            "it is `9223372036854775808`",
        ),
    ] {
        let record = record(data, false);
        let error = changes(&layout, std::iter::once(&record), NOW).unwrap_err().to_string();
        assert!(error.contains("stream `thing`") && error.contains(expected), "{error}");
    }
}

#[test]
fn keys_keep_the_order_of_their_first_record() {
    let layout = layout(&["id"]);
    let records: Vec<Record> = ["a", "b", "a", "c"]
        .iter()
        .map(|id| record(&format!(r#"{{"id":"{id}","_updated_at":1}}"#), false))
        .collect();
    let keys: Vec<String> =
        changes(&layout, records.iter(), NOW).unwrap().iter().map(|(key, _)| key.to_json()).collect();
    assert_eq!(keys, [r#"["a"]"#, r#"["b"]"#, r#"["c"]"#]);
}
