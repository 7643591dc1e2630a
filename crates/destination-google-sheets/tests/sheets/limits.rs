//! What does not fit.

use std::time::Duration;

use serde_json::{Value, json};
use test_utils::sheets::Cell;

use crate::world::{World, customers, page, state, stream_of, upsert};

#[tokio::test]
async fn long_texts_are_cut_and_said() {
    let world = World::new().await;
    let stream = customers();
    let long = "é".repeat(60_000);
    let rows = ["a", "b"].map(|id| upsert(&stream, &json!({"id": id, "name": long, "_updated_at": 1})));
    let back = world.write(&[&stream], rows.into()).await;
    assert_eq!((back.warnings.len(), back.errors.len()), (1, 0), "{back:?}");
    assert!(back.warnings[0].contains("`name`") && back.warnings[0].contains("50000"), "{back:?}");
    let names = world.names("customer");
    assert!(names["a"].chars().count() == 50_000 && names["a"].ends_with("(cut by sync-engine)"));
}

#[tokio::test]
async fn a_full_spreadsheet_is_refused_before_anything_is_lost() {
    let world = World::new().await;
    let stream = customers();
    world.write(&[&stream], page(&stream, 2, 10)).await;
    world.server.edit(&world.id, |spreadsheet| {
        // Another tab of the user's takes the room.
        let sheet = spreadsheet.sheet_mut("Sheet1").unwrap();
        (sheet.rows, sheet.columns) = (99_900, 100);
        let left = 10_000_000 - spreadsheet.cells();
        assert!(left < 10_000);
    });
    let mut messages = page(&stream, 4000, 11);
    messages.truncate(4000);
    messages.push(state(&stream, &json!({"at": 11})));
    let back = world.write(&[&stream], messages).await;
    assert!(back.states.is_empty(), "{:?}", back.states);
    assert!(back.errors[0].contains("10,000,000 cells"), "{back:?}");
    assert_eq!(world.names("customer"), crate::world::expected(2, 10));
}

/// The least is a request for each 2 MB of cells, as Google recommends, and one for each of: describing the spreadsheet and
/// reading its first rows, both once more after tabs were made, making the tabs, naming the columns, making room, and reading
/// the keys.
#[tokio::test]
async fn five_thousand_rows_take_few_requests() {
    let world = World::with_minute(Duration::from_secs(600)).await;
    let columns: Vec<String> = (0..17).map(|number| format!("column_{number}")).collect();
    let properties: serde_json::Map<String, Value> =
        columns.iter().map(|name| (name.clone(), json!({"type": "string"}))).collect();
    let stream = stream_of("charge", &Value::Object(properties));
    let mut messages = Vec::new();
    for number in 0..5000 {
        let mut row = json!({"id": format!("ch_{number:06}"), "_updated_at": 1});
        for column in &columns {
            row[column] = json!(format!("value {number}"));
        }
        messages.push(upsert(&stream, &row));
        if number % 100 == 99 {
            messages.push(state(&stream, &json!(number)));
        }
    }
    let back = world.write(&[&stream], messages).await;
    let calls = world.server.calls();
    let sheet = world.server.spreadsheet(&world.id).sheet("charge").unwrap().clone();
    assert_eq!((sheet.data().count(), sheet.headers().len(), back.states.len()), (5000, 20, 50));
    let rows = calls.value_bytes.div_ceil(2 << 20);
    let least = rows + 8;
    assert!(calls.reads + calls.writes <= least * 12 / 10, "{calls:?}, at least {least}");
    assert_eq!(calls.refused, 0);
}

#[tokio::test]
async fn many_streams_share_requests() {
    let world = World::new().await;
    let streams: Vec<_> =
        (0..20).map(|number| stream_of(&format!("s{number}"), &json!({"id": {}}))).collect();
    let all: Vec<_> = streams.iter().collect();
    world.write(&all, Vec::new()).await;
    let before = world.server.calls();
    let rows =
        |stream| (0..50).map(move |id| upsert(stream, &json!({"id": id.to_string(), "_updated_at": 1})));
    world.write(&all, streams.iter().flat_map(rows).collect()).await;
    let after = world.server.calls();
    assert!(after.writes - before.writes <= 4, "{before:?} {after:?}");
    for stream in &streams {
        assert_eq!(world.rows(&stream.name).len(), 50);
    }
    assert_eq!(
        world.server.spreadsheet(&world.id).sheet("s3").unwrap().cell(1, 0),
        &Cell::Text("0".to_owned())
    );
}
