//! Sweeps: as they stand on the wire, and a batch with sweeps as segments.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use protocol::{Message, Payload, RawJson, Record, Sweep, Timestamp, encode_line, segments};

fn record(data: &str, deleted: bool) -> Record {
    let data = RawJson::parse(data.to_owned()).unwrap();
    Record { stream: "subscription_item".into(), data, deleted, emitted_at: Timestamp::UNIX_EPOCH }
}

fn swept(sweep: &Sweep) -> Record {
    record(sweep.write().as_str(), true)
}

#[test]
fn the_golden_line_is_written_and_read() {
    let golden = r#"{"type":"record","record":{"stream":"subscription_item","data":{"id":"","_parent_id":"sub_1","_keep":["si_1","si_2"],"_updated_at":1700000000,"_account_id":"acct_1"},"recordDeleted":true,"emitted_at":"1970-01-01T00:00:00.000Z"}}"#;
    let sweep = Sweep {
        parent: "sub_1".to_owned(),
        account: "acct_1".to_owned(),
        keep: vec!["si_1".to_owned(), "si_2".to_owned()],
        version: 1_700_000_000,
    };
    let mut line = Vec::new();
    encode_line(&Payload::Record(swept(&sweep)).into(), &mut line).unwrap();
    assert_eq!(String::from_utf8(line).unwrap(), format!("{golden}\n"));
    let message: Message = serde_json::from_str(golden).unwrap();
    let Payload::Record(read) = message.payload else { panic!("not a record") };
    assert_eq!(Sweep::of(&read).unwrap().unwrap(), sweep);
}

#[test]
fn only_deletions_without_an_id_are_sweeps() {
    let data = r#"{"id":"","_parent_id":"p","_keep":[],"_updated_at":1,"_account_id":"a"}"#;
    assert!(Sweep::of(&record(data, false)).is_none());
    assert!(Sweep::of(&record(&data.replace("\"\"", "\"x\""), true)).is_none());
    assert!(Sweep::of(&record(r#"{"id":"","_updated_at":1}"#, true)).is_none());
    assert_eq!(Sweep::of(&record(data, true)).unwrap().unwrap().keep, Vec::<String>::new());
}

#[test]
fn a_malformed_sweep_is_refused_in_words() {
    for data in [
        r#"{"id":"","_keep":[],"_updated_at":1,"_account_id":"a"}"#,
        r#"{"id":"","_parent_id":"p","_keep":"x","_updated_at":1,"_account_id":"a"}"#,
        r#"{"id":"","_parent_id":"p","_keep":[],"_updated_at":"1","_account_id":"a"}"#,
        r#"{"id":"","_parent_id":"p","_keep":[],"_updated_at":1}"#,
    ] {
        let error = Sweep::of(&record(data, true)).unwrap().unwrap_err().to_string();
        assert!(error.contains("stream `subscription_item`: a sweep needs"), "{error}");
    }
}

#[test]
fn parents_in_turn_are_one_segment() {
    let mut records = Vec::new();
    for parent in 0..50 {
        records.push(record(
            &format!(
                r#"{{"id":"si_{parent}","_parent_id":"sub_{parent}","_account_id":"a","_updated_at":7}}"#
            ),
            false,
        ));
        let keep = vec![format!("si_{parent}")];
        let sweep = Sweep { parent: format!("sub_{parent}"), account: "a".to_owned(), keep, version: 7 };
        records.push(swept(&sweep));
    }
    let cut = segments(records.iter(), "_updated_at").unwrap();
    assert_eq!(cut.len(), 1);
    assert_eq!((cut[0].records.len(), cut[0].sweeps.len()), (50, 50));
    assert_eq!(segments(std::iter::empty(), "_updated_at").unwrap().len(), 0);
}

#[derive(Debug, Clone, PartialEq)]
enum Known {
    Row { version: i64, parent: u8, content: usize },
    Gone(i64),
}

#[derive(Debug, Clone)]
enum Step {
    Upsert { key: u8, parent: u8, version: i64 },
    Delete { key: u8, version: i64 },
    Sweep { parent: u8, keep: Vec<u8>, version: i64 },
}

/// The rules, one record at a time.
fn apply(table: &mut BTreeMap<u8, Known>, step: &Step, content: usize) {
    match step {
        Step::Upsert { key, parent, version } => {
            let blocked = match table.get(key) {
                Some(Known::Row { version: stored, .. }) => version < stored,
                Some(Known::Gone(deleted)) => version <= deleted,
                None => false,
            };
            if !blocked {
                table.insert(*key, Known::Row { version: *version, parent: *parent, content });
            }
        }
        Step::Delete { key, version } => match table.get(key) {
            Some(Known::Row { version: stored, .. }) if version < stored => {}
            Some(Known::Gone(deleted)) if version < deleted => {}
            _ => drop(table.insert(*key, Known::Gone(*version))),
        },
        Step::Sweep { parent, keep, version } => {
            for (key, known) in &mut *table {
                if matches!(known, Known::Row { version: stored, parent: of, .. } if *of == *parent && *stored <= *version)
                    && !keep.contains(key)
                {
                    *known = Known::Gone(version - 1);
                }
            }
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4_u8, 0..2_u8, 1..6_i64).prop_map(|(key, parent, version)| Step::Upsert { key, parent, version }),
        1 => (0..4_u8, 1..6_i64).prop_map(|(key, version)| Step::Delete { key, version }),
        3 => (0..2_u8, prop::collection::vec(0..4_u8, 0..3), 1..6_i64)
            .prop_map(|(parent, keep, version)| Step::Sweep { parent, keep, version }),
    ]
}

fn written(step: &Step, content: usize) -> Record {
    match step {
        Step::Upsert { key, parent, version } => record(
            &format!(
                r#"{{"id":"{key}","_parent_id":"{parent}","_account_id":"a","_updated_at":{version},"n":{content}}}"#
            ),
            false,
        ),
        Step::Delete { key, version } => {
            record(&format!(r#"{{"id":"{key}","_account_id":"a","_updated_at":{version}}}"#), true)
        }
        Step::Sweep { parent, keep, version } => swept(&Sweep {
            parent: parent.to_string(),
            account: "a".to_owned(),
            keep: keep.iter().map(ToString::to_string).collect(),
            version: *version,
        }),
    }
}

proptest! {
    #[test]
    fn segments_do_what_the_records_would_do(
        before in prop::collection::vec(step(), 0..8),
        steps in prop::collection::vec(step(), 0..12),
    ) {
        let mut one_by_one = BTreeMap::new();
        for (at, step) in before.iter().enumerate() {
            apply(&mut one_by_one, step, 100 + at);
        }
        let mut cut = one_by_one.clone();
        for (at, step) in steps.iter().enumerate() {
            apply(&mut one_by_one, step, at);
        }
        let records: Vec<Record> = steps.iter().enumerate().map(|(at, step)| written(step, at)).collect();
        for segment in segments(records.iter(), "_updated_at").unwrap() {
            for record in segment.records {
                let at = records.iter().position(|one| std::ptr::eq(one, record)).unwrap();
                apply(&mut cut, &steps[at], at);
            }
            for sweep in segment.sweeps {
                let keep = sweep.keep.iter().map(|key| key.parse().unwrap()).collect();
                let parent = sweep.parent.parse().unwrap();
                apply(&mut cut, &Step::Sweep { parent, keep, version: sweep.version }, 0);
            }
        }
        prop_assert_eq!(cut, one_by_one);
    }
}
