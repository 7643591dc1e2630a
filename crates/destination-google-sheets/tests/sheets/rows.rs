//! What records do to rows.

use serde_json::json;
use test_utils::sheets::Cell;

use crate::world::{World, customers, expected, page, record, state, stream_of, upsert};

#[tokio::test]
async fn rows_are_made_updated_in_place_and_deleted() {
    let world = World::new().await;
    let stream = customers();
    let back = world.write(&[&stream], page(&stream, 3, 10)).await;
    assert_eq!((back.records, back.errors.len()), (3, 0), "{back:?}");
    assert_eq!(back.states, [r#"{"at":10}"#]);
    assert_eq!(world.names("customer"), expected(3, 10));
    let sheet = world.server.spreadsheet(&world.id).sheet("customer").unwrap().clone();
    assert_eq!(sheet.headers(), ["id", "name", "_updated_at", "_synced_at"]);
    assert_eq!((sheet.cell(1, 2), sheet.frozen_rows), (&Cell::Number(10.0), 1));

    let messages = vec![
        // An equal version replaces, an older one does not.
        upsert(&stream, &json!({"id": "cus_0", "name": "again", "_updated_at": 10})),
        upsert(&stream, &json!({"id": "cus_1", "name": "stale", "_updated_at": 9})),
        upsert(&stream, &json!({"id": "cus_3", "name": "new", "_updated_at": 11})),
        record(&stream, &json!({"id": "cus_2", "_updated_at": 11}), true),
        // An older write does not undo a deletion; a newer one does.
        upsert(&stream, &json!({"id": "cus_2", "name": "ghost", "_updated_at": 10})),
        record(&stream, &json!({"id": "cus_9", "_updated_at": 5}), true),
    ];
    world.write(&[&stream], messages).await;
    let names = world.names("customer");
    let names: Vec<_> = names.iter().map(|(id, name)| (id.as_str(), name.as_str())).collect();
    assert_eq!(names, [("cus_0", "again"), ("cus_1", "N1 v10"), ("cus_3", "new")]);
    let sheet = world.server.spreadsheet(&world.id).sheet("customer").unwrap().clone();
    assert_eq!(sheet.cell(1, 0).shown(), "cus_0", "rows stay where they are");

    // In another run the deletions are still known, and the row that became free is filled.
    let messages = vec![
        upsert(&stream, &json!({"id": "cus_2", "name": "ghost", "_updated_at": 11})),
        upsert(&stream, &json!({"id": "cus_9", "name": "late", "_updated_at": 6})),
    ];
    world.write(&[&stream], messages).await;
    let names = world.names("customer");
    assert_eq!((names.len(), names["cus_9"].as_str()), (4, "late"));
    let sheet = world.server.spreadsheet(&world.id).sheet("customer").unwrap().clone();
    assert_eq!((sheet.data().count(), sheet.cell(5, 0)), (4, &Cell::Empty));
}

#[tokio::test]
async fn columns_are_added_at_the_right() {
    let world = World::new().await;
    let stream = customers();
    world.write(&[&stream], page(&stream, 1, 10)).await;
    let wide = stream_of("customer", &json!({"id": {}, "a": {}, "name": {}}));
    let more = json!({"id": "cus_0", "name": "x", "a": 1, "z": {"b": [1, "x"]}, "_updated_at": 11});
    world.write(&[&wide], vec![upsert(&wide, &more)]).await;
    let sheet = world.server.spreadsheet(&world.id).sheet("customer").unwrap().clone();
    assert_eq!(sheet.headers(), ["id", "name", "_updated_at", "_synced_at", "a", "z"]);
    let rows = world.rows("customer");
    assert_eq!((rows["cus_0"]["a"].as_str(), rows["cus_0"]["z"].as_str()), ("1", r#"{"b":[1,"x"]}"#));
    // What is no longer there is emptied.
    world.write(&[&wide], vec![upsert(&wide, &json!({"id": "cus_0", "name": "y", "_updated_at": 12}))]).await;
    assert_eq!(world.rows("customer")["cus_0"].get("z").map(String::as_str).unwrap_or_default(), "");
}

#[tokio::test]
async fn texts_stay_texts_and_numbers_keep_their_digits() {
    let world = World::new().await;
    let stream = customers();
    let data = json!({
        "id": "007", "name": "=HYPERLINK(\"x\")", "plus": "+1", "big": 9_007_199_254_740_993_i64, "small": 5,
        "yes": true, "none": null, "_updated_at": 1,
    });
    world.write(&[&stream], vec![upsert(&stream, &data)]).await;
    let sheet = world.server.spreadsheet(&world.id).sheet("customer").unwrap().clone();
    let at =
        |name: &str| sheet.cell(1, sheet.headers().iter().position(|header| header == name).unwrap()).clone();
    assert_eq!(at("id"), Cell::Text("007".to_owned()));
    assert_eq!(at("name"), Cell::Text("=HYPERLINK(\"x\")".to_owned()));
    assert_eq!(at("plus"), Cell::Text("+1".to_owned()));
    assert_eq!(at("big"), Cell::Text("9007199254740993".to_owned()));
    assert_eq!((at("small"), at("yes")), (Cell::Number(5.0), Cell::Bool(true)));
    // The same key again is the same row.
    world
        .write(&[&stream], vec![upsert(&stream, &json!({"id": "007", "name": "b", "_updated_at": 2}))])
        .await;
    assert_eq!(world.names("customer").len(), 1);
}

#[tokio::test]
async fn children_that_are_gone_are_swept() {
    let world = World::new().await;
    let stream = stream_of("item", &json!({"id": {}, "_parent_id": {}, "_account_id": {}}));
    let child = |id: &str, parent: &str| {
        upsert(&stream, &json!({"id": id, "_parent_id": parent, "_account_id": "a", "_updated_at": 5}))
    };
    let children = ["1", "2", "3"].map(|id| child(id, "p")).into_iter().chain([child("4", "q")]).collect();
    world.write(&[&stream], children).await;
    let sweep = json!({"id": "", "_parent_id": "p", "_keep": ["2"], "_updated_at": 6, "_account_id": "a"});
    world.write(&[&stream], vec![record(&stream, &sweep, true), child("1", "p")]).await;
    assert_eq!(world.rows("item").into_keys().collect::<Vec<_>>(), ["2", "4"]);
}

#[tokio::test]
async fn a_record_that_cannot_be_written_fails_its_stream_alone() {
    let world = World::new().await;
    let (good, bad) = (customers(), stream_of("bad", &json!({"id": {}})));
    let mut messages = page(&good, 2, 1);
    messages.push(upsert(&bad, &json!({"id": "x", "_updated_at": "soon"})));
    messages.push(state(&bad, &json!(1)));
    let back = world.write(&[&good, &bad], messages).await;
    assert_eq!((back.states.len(), back.errors.len()), (1, 1));
    assert!(back.errors[0].contains("`_updated_at`"), "{:?}", back.errors);
    assert_eq!(world.names("customer"), expected(2, 1));
}

#[tokio::test]
async fn states_are_kept_beside_the_rows() {
    let world = World::new().await;
    let stream = customers();
    assert!(world.stored().await.is_none());
    world.write(&[&stream], page(&stream, 2, 10)).await;
    assert_eq!(world.stored().await.unwrap().streams["customer"].as_str(), r#"{"at":10}"#);
}
