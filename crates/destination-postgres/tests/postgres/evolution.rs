//! Tables that hold many rows when the catalog grows.

use protocol::{ConfiguredCatalog, ConfiguredStream, Message, Payload};
use serde_json::json;

use crate::harness::{Place, catalog, place, plain_stream, record, state, stream_errors, stripe_stream};

const ROWS: usize = 3000;

/// A stream with these fields.
fn thing(fields: &serde_json::Value) -> ConfiguredStream {
    let mut stream = plain_stream("thing");
    stream.stream.json_schema = json!({"properties": fields}).as_object().cloned();
    stream
}

/// A table that is too large to be changed at once: about three megabytes.
async fn large() -> (Place, ConfiguredCatalog) {
    let place = place().await;
    let first = catalog([thing(&json!({"amount": {"type": "integer"}}))]);
    place.setup(&first).await.unwrap();
    place
        .execute(&format!(
            "INSERT INTO stripe.thing (_updated_at, _raw_data) SELECT to_timestamp(1), jsonb_build_object('id', 'x_' || n, 'amount', n, 'status', \
             CASE n % 3 WHEN 0 THEN 'paid' WHEN 1 THEN 'open' END, 'paid', n % 2 = 0, 'owner', jsonb_build_object('id', n), \
             'updated', 1, 'note', (SELECT string_agg(md5(n::text || m), '') FROM generate_series(1, 25) AS m)) \
             FROM generate_series(1, {ROWS}) AS n"
        ))
        .await;
    (place, first)
}

fn grown() -> ConfiguredCatalog {
    catalog([thing(&json!({
        "amount": {"type": "integer"},
        "owner": {"type": "object"},
        "paid": {"type": "boolean"},
        "status": {"type": "string"},
    }))])
}

fn said(messages: &[Message]) -> String {
    let words = messages.iter().filter_map(|message| match &message.payload {
        Payload::Log(log) => Some(log.message.clone()),
        _ => None,
    });
    words.collect::<Vec<_>>().join("\n")
}

/// Rows whose late columns are not what their payload says.
const WRONG: &str = "SELECT count(*) FROM stripe.thing WHERE status IS DISTINCT FROM _raw_data->>'status' \
                     OR paid IS DISTINCT FROM (_raw_data->>'paid')::boolean OR owner IS DISTINCT FROM _raw_data->'owner' \
                     OR amount IS DISTINCT FROM (_raw_data->>'amount')::bigint";

const FILE: &str = "SELECT pg_relation_filenode('stripe.thing')";

#[tokio::test]
async fn columns_come_without_rewriting_the_table() {
    let (place, _) = large().await;
    let file = place.query(FILE).await;
    let words = said(&place.setup(&grown()).await.unwrap());
    assert!(
        words.contains("adding 3 columns (owner, paid, status)") && words.contains("3000 were filled"),
        "{words}"
    );
    assert_eq!(place.query(FILE).await, file, "it was not rewritten");
    assert_eq!(place.query(WRONG).await, ["0"]);
    let types = "SELECT column_name || ' ' || data_type FROM information_schema.columns \
                 WHERE table_schema = 'stripe' AND table_name = 'thing' AND ordinal_position > 5 ORDER BY 1";
    assert_eq!(place.query(types).await, ["owner jsonb", "paid boolean", "status text"]);

    // Whoever writes, they are right.
    let row = |id: &str, status: &str, updated: i64| {
        record("thing", &format!(r#"{{"id":"{id}","status":"{status}","paid":true,"updated":{updated}}}"#))
    };
    let messages = vec![row("x_1", "void", 2), row("new", "paid", 1), state("thing", "1")];
    assert_eq!(stream_errors(&place.write(&grown(), messages).await), [""; 0]);
    place.execute("UPDATE stripe.thing SET _raw_data = jsonb_set(_raw_data, '{status}', '\"mine\"') WHERE id = 'x_2'").await;
    assert_eq!(place.query(WRONG).await, ["0"]);
    let statuses = "SELECT status FROM stripe.thing WHERE id IN ('x_1', 'x_2', 'new') ORDER BY id";
    assert_eq!(place.query(statuses).await, ["paid", "void", "mine"]);
    let refused = record("thing", r#"{"id":"odd","paid":"perhaps","updated":1}"#);
    let back = place.write(&grown(), vec![refused]).await;
    assert!(stream_errors(&back)[0].contains("row odd is refused"), "{back:?}");

    // Nothing is left to do, and nobody's lock is in the way of that.
    let client = place.client().await;
    client.batch_execute("BEGIN; LOCK TABLE stripe.thing IN ACCESS SHARE MODE").await.unwrap();
    let words = said(&place.setup(&grown()).await.unwrap());
    assert_eq!(words, "schema \"stripe\": 1 table ready, 0 of them new");
    client.batch_execute("COMMIT").await.unwrap();
    place.teardown().await.unwrap();
    let left = "SELECT count(*) FROM pg_proc WHERE proname LIKE '\\_sync%'";
    assert_eq!(place.query(left).await, ["0"]);
    assert_eq!(place.query("SELECT count(*) FROM pg_namespace WHERE nspname = 'stripe'").await, ["0"]);
}

#[tokio::test]
async fn a_fill_that_was_broken_off_is_taken_up() {
    let (place, _) = large().await;
    place.setup(&grown()).await.unwrap();
    place
        .execute(
            "UPDATE stripe._sync_columns SET filled = false WHERE column_name = 'status'; \
             UPDATE stripe.thing SET status = NULL WHERE id LIKE '%7'",
        )
        .await;
    assert_ne!(place.query(WRONG).await, ["0"]);
    place.setup(&grown()).await.unwrap();
    assert_eq!(place.query(WRONG).await, ["0"]);
    // Who drops a column gets it again.
    place.execute("ALTER TABLE stripe.thing DROP COLUMN paid").await;
    place.setup(&grown()).await.unwrap();
    assert_eq!(place.query(WRONG).await, ["0"]);
    // Who no longer selects a field may drop its column.
    let without = catalog([thing(&json!({"amount": {"type": "integer"}, "owner": {"type": "object"}}))]);
    place.execute("ALTER TABLE stripe.thing DROP COLUMN paid").await;
    place.setup(&without).await.unwrap();
    let row = record("thing", r#"{"id":"new","status":"paid","updated":1}"#);
    assert_eq!(stream_errors(&place.write(&without, vec![row]).await), [""; 0]);
    assert_eq!(place.query("SELECT status FROM stripe.thing WHERE id = 'new'").await, ["paid"]);
}

#[tokio::test]
async fn rows_that_somebody_holds_are_come_back_to() {
    let (place, _) = large().await;
    let client = place.client().await;
    let catalog = grown();
    let setup = place.setup(&catalog);
    let hold = async {
        let there = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'thing' AND column_name = 'owner'";
        while place.query(there).await != ["1"] {
            tokio::task::yield_now().await;
        }
        client.batch_execute("BEGIN; SELECT FROM stripe.thing WHERE id = 'x_2990' FOR UPDATE").await.unwrap();
        // Everything else is filled while the row is held.
        let missing = "SELECT count(*) FROM stripe.thing WHERE owner IS NULL";
        while place.query(missing).await != ["1"] {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        client.batch_execute("ROLLBACK").await.unwrap();
    };
    let (result, ()) = tokio::join!(setup, hold);
    result.unwrap();
    assert_eq!(place.query(WRONG).await, ["0"]);
}

#[tokio::test]
async fn a_value_that_does_not_fit_a_new_column_is_named() {
    let (place, first) = large().await;
    place
        .execute("UPDATE stripe.thing SET _raw_data = jsonb_set(_raw_data, '{paid}', '\"perhaps\"') WHERE id = 'x_2000'")
        .await;
    let error = place.setup(&grown()).await.unwrap_err().to_string();
    assert!(error.contains("the value of row x_2000 does not fit the new column \"paid\""), "{error}");
    // The old catalog goes on, once the column is dropped as advised.
    place.execute("ALTER TABLE stripe.thing DROP COLUMN paid").await;
    place.setup(&first).await.unwrap();
    let row = record("thing", r#"{"id":"x_2000","paid":"perhaps","amount":1,"updated":3}"#);
    assert_eq!(stream_errors(&place.write(&first, vec![row]).await), [""; 0]);
}

#[tokio::test]
async fn constraints_of_large_tables_are_checked_beside_the_work() {
    let place = place().await;
    let mut open = stripe_stream("charge");
    let account = |stream: &mut ConfiguredStream, values: serde_json::Value| {
        stream.stream.json_schema.as_mut().unwrap()["properties"]["_account_id"]["enum"] = values;
    };
    account(&mut open, json!([]));
    place.setup(&catalog([open])).await.unwrap();
    place
        .execute(
            "INSERT INTO stripe.charge (_raw_data) SELECT jsonb_build_object('id', n, '_account_id', \
             CASE n WHEN 77 THEN 'acct_9' ELSE 'acct_1' END, 'note', repeat(md5(n::text), 20)) FROM generate_series(1, 9000) AS n",
        )
        .await;
    let closed = catalog([stripe_stream("charge")]);
    let error = place.setup(&closed).await.unwrap_err().to_string();
    assert!(error.contains("chk_charge__account_id") && error.contains("is violated by some row"), "{error}");
    let checks = "SELECT pg_get_constraintdef(oid) LIKE '%acct_2%' AND convalidated FROM pg_constraint WHERE contype = 'c' \
                  AND conname = 'chk_charge__account_id'";
    assert_eq!(place.query(checks).await, [""; 0]);
    place.execute("DELETE FROM stripe.charge WHERE id = '77'").await;
    place.setup(&closed).await.unwrap();
    assert_eq!(place.query(checks).await, ["true"]);
}

/// An index that another run began and did not finish.
#[tokio::test]
async fn indexes_of_large_tables_are_made_beside_the_work() {
    let (place, first) = large().await;
    let mut indexed = first.clone();
    indexed.streams[0].system_columns =
        Some(vec![serde_json::from_value(json!({"name": "_origin", "index": true})).unwrap()]);
    place
        .execute(
            "ALTER TABLE stripe.thing ADD COLUMN _origin text; CREATE INDEX idx_thing__origin ON stripe.thing (_origin); \
             UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'stripe.idx_thing__origin'::regclass",
        )
        .await;
    let words = said(&place.setup(&indexed).await.unwrap());
    assert!(words.contains("making index \"idx_thing__origin\""), "{words}");
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'stripe.idx_thing__origin'::regclass";
    assert_eq!(place.query(valid).await, ["true"]);
    let setups = (0..3).map(|_| place.setup(&indexed));
    for result in futures::future::join_all(setups).await {
        result.unwrap();
    }
}

/// A table that somebody else made stays at teardown, with what fills its columns.
#[tokio::test]
async fn tables_of_others_keep_their_columns() {
    let (place, _) = large().await;
    place.execute("DELETE FROM stripe._sync_tables WHERE name = 'thing'").await;
    place.setup(&grown()).await.unwrap();
    place.teardown().await.unwrap();
    let left = "SELECT tablename FROM pg_tables WHERE schemaname = 'stripe' ORDER BY 1";
    assert_eq!(place.query(left).await, ["_sync_columns", "thing"]);
    let more = catalog([thing(&json!({
        "amount": {"type": "integer"}, "note": {"type": "string"}, "owner": {"type": "object"},
        "paid": {"type": "boolean"}, "status": {"type": "string"},
    }))]);
    place.setup(&more).await.unwrap();
    let row = record("thing", r#"{"id":"new","status":"paid","note":"n","updated":1}"#);
    assert_eq!(stream_errors(&place.write(&more, vec![row]).await), [""; 0]);
    assert_eq!(place.query(WRONG).await, ["0"]);
    let notes = "SELECT count(*) FROM stripe.thing WHERE note IS DISTINCT FROM _raw_data->>'note'";
    assert_eq!(place.query(notes).await, ["0"]);
}
