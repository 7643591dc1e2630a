//! Reading back what is stored.

use anyhow::ensure;
use protocol::{InspectedRows, StoredRow, Stream};
use serde_json::json;

use super::DestinationFixture;
use super::place::{Place, child_stream, key_of, raw, stream, upsert};

/// A stream whose rows say when they were created.
fn charges() -> Stream {
    let mut stream = child_stream("charge");
    if let Some(properties) =
        stream.json_schema.as_mut().and_then(|schema| schema.get_mut("properties")?.as_object_mut())
    {
        properties.insert("created".to_owned(), json!({"type": "integer"}));
    }
    stream
}

fn charge(id: &str, created: &str) -> String {
    format!(r#"{{"id":"{id}","created":{created},"_account_id":"acct_1","_updated_at":77}}"#)
}

fn ids(rows: &[StoredRow]) -> Vec<&str> {
    rows.iter().map(|row| row.key[0].as_str()).collect()
}

pub(super) async fn rows_are_read_back_as_they_were_written<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let stream = charges();
    let place = Place::new(fixture, std::slice::from_ref(&stream)).await?;
    let payloads = [
        charge("a", "12"),
        r#"{"id":"b\u00e9\"", "_account_id":"acct_1","_updated_at":78,"created":null,"_parent_id":"p", "n":[1.50,1e2,123456789012345678901234567890,-0.0]}"#.to_owned(),
        r#"{"z":{"b":1,"a":{"\u0062":"x\ty","_k":null}},"_updated_at":79,"id":"c","_account_id":"acct_2","s":"a\u0000b"}"#.to_owned(),
    ];
    place.write_well(payloads.iter().map(|payload| upsert(&stream, payload)).collect()).await?;
    let Some(rows) = place.inspect(&stream, None, InspectedRows::All).await? else { return Ok(()) };
    ensure!(rows.len() == payloads.len(), "{} rows instead of {}", rows.len(), payloads.len());
    for payload in &payloads {
        let key = key_of(&stream, payload)?;
        let expected = StoredRow::of(key.clone(), &raw(payload), &stream.newer_than_field)?;
        let found = rows.iter().find(|row| row.key == key);
        ensure!(found == Some(&expected), "{found:?} instead of {expected:?} for {payload}");
    }
    Ok(())
}

pub(super) async fn only_the_rows_that_are_asked_for_are_read_back<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let stream = charges();
    let place = Place::new(fixture, std::slice::from_ref(&stream)).await?;
    let mut payloads: Vec<String> =
        (0..20).map(|at| charge(&format!("ch_{at:02}"), &at.to_string())).collect();
    payloads.push(charge("none", "null"));
    payloads.push(charge("other", "5").replace("acct_1", "acct_2"));
    place.write_well(payloads.iter().map(|payload| upsert(&stream, payload)).collect()).await?;
    let created = |gte, lt| InspectedRows::Created { gte, lt, newest: None };
    let key = |id: &str, account: &str| vec![id.to_owned(), account.to_owned()];
    let keys =
        vec![key("ch_07", "acct_1"), key("never", "acct_1"), key("other", "acct_2"), key("ch_03", "acct_1")];
    for (account, rows, expected) in [
        (None, created(5, 7), vec!["ch_05", "ch_06", "other"]),
        (Some("acct_1"), created(5, 7), vec!["ch_05", "ch_06"]),
        (Some("acct_2"), InspectedRows::All, vec!["other"]),
        (Some("acct_1"), created(-1, 2), vec!["ch_00", "ch_01", "none"]),
        (None, created(3, 3), vec![]),
        (None, InspectedRows::Keys(keys.clone()), vec!["ch_03", "ch_07", "other"]),
        (Some("acct_1"), InspectedRows::Keys(keys), vec!["ch_03", "ch_07"]),
        (None, InspectedRows::Keys(Vec::new()), vec![]),
    ] {
        let told = format!("{account:?} {rows:?}");
        let Some(found) = place.inspect(&stream, account, rows).await? else { return Ok(()) };
        ensure!(ids(&found) == expected, "{told}: {:?} instead of {expected:?}", ids(&found));
    }
    Ok(())
}

pub(super) async fn the_newest_rows_come_in_whole_seconds<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let stream = charges();
    let place = Place::new(fixture, std::slice::from_ref(&stream)).await?;
    let seconds = [9, 8, 8, 8, 7, 2, 0];
    let payloads: Vec<String> =
        (0..).zip(seconds).map(|(at, second)| charge(&format!("ch_{at}"), &second.to_string())).collect();
    place.write_well(payloads.iter().map(|payload| upsert(&stream, payload)).collect()).await?;
    for (gte, lt, newest, expected) in [
        (0, 10, 1, 0..1),
        (0, 10, 2, 0..4),
        (0, 9, 1, 1..4),
        (0, 10, 5, 0..5),
        (0, 10, 7, 0..7),
        (2, 9, 99, 1..6),
    ] {
        let rows = InspectedRows::Created { gte, lt, newest: Some(newest) };
        let Some(found) = place.inspect(&stream, Some("acct_1"), rows.clone()).await? else { return Ok(()) };
        let expected: Vec<String> = expected.map(|at| format!("ch_{at}")).collect();
        ensure!(ids(&found) == expected, "{rows:?}: {:?} instead of {expected:?}", ids(&found));
    }
    Ok(())
}

pub(super) async fn what_is_not_there_has_no_rows<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    let place = Place::new(fixture, &[stream("customer")]).await?;
    for missing in [stream("customer"), charges()] {
        let Some(found) = place.inspect(&missing, None, InspectedRows::All).await? else { return Ok(()) };
        ensure!(found.is_empty(), "`{}` has rows: {found:?}", missing.name);
    }
    Ok(())
}
