//! Setup, teardown and check.

use protocol::{ErrorKind, Payload};
use serde_json::json;

use crate::harness::{Place, catalog, place, plain_stream, record, stream_errors, stripe_stream};

#[tokio::test]
async fn setup_adds_what_is_missing_and_drops_nothing() {
    let place = place().await;
    let first = catalog([plain_stream("thing")]);
    place.setup(&first).await.unwrap();
    place.write(&first, vec![record("thing", r#"{"id":"1","amount":"5","updated":1}"#)]).await;
    place.execute("ALTER TABLE stripe.thing ADD COLUMN mine text; UPDATE stripe.thing SET mine = 'x'").await;

    let mut grown = plain_stream("thing");
    grown.stream.json_schema = json!({"properties": {"amount": {"type": "integer"}}}).as_object().cloned();
    grown.system_columns =
        Some(vec![serde_json::from_value(json!({"name": "_origin", "index": true})).unwrap()]);
    let grown = catalog([grown, plain_stream("other")]);
    place.setup(&grown).await.unwrap();
    place.setup(&grown).await.unwrap();
    place.setup(&first).await.unwrap();
    assert_eq!(place.query("SELECT concat_ws('|', mine, amount, _origin) FROM stripe.thing").await, ["x|5"]);
    let indexes = "SELECT indexname FROM pg_indexes WHERE indexname LIKE 'idx%'";
    assert_eq!(place.query(indexes).await, ["idx_thing__origin"]);
}

#[tokio::test]
async fn tables_of_children_get_an_index_also_later() {
    let place = place().await;
    place.setup(&catalog([plain_stream("item"), plain_stream("other")])).await.unwrap();
    let mut child = plain_stream("item");
    child.stream.json_schema = json!({"properties": {"_parent_id": {"type": "string"}}}).as_object().cloned();
    let mut keyed = child.clone();
    keyed.stream.name = "keyed".into();
    keyed.stream.primary_key.push(vec!["_parent_id".to_owned()]);
    let children = catalog([child, keyed]);
    place.setup(&children).await.unwrap();
    place.setup(&children).await.unwrap();
    let indexes = "SELECT indexname FROM pg_indexes WHERE indexname LIKE 'idx%' ORDER BY 1";
    assert_eq!(place.query(indexes).await, ["idx_item__parent_id", "idx_keyed__parent_id"]);
}

#[tokio::test]
async fn many_setups_at_once() {
    let place = place().await;
    let catalog = catalog((0..20).map(|n| stripe_stream(&format!("s{n}"))));
    let setups = (0..6).map(|_| place.setup(&catalog));
    for result in futures::future::join_all(setups).await {
        result.unwrap();
    }
    assert_eq!(place.query("SELECT count(*) FROM stripe._sync_tables").await, ["23"]);
}

#[tokio::test]
async fn a_table_that_lacks_nothing_is_not_locked_and_one_that_does_not_for_long() {
    let place = place().await;
    place.setup(&catalog([plain_stream("thing")])).await.unwrap();
    let client = place.client().await;
    client.batch_execute("BEGIN; LOCK TABLE stripe.thing IN ACCESS SHARE MODE").await.unwrap();
    place.setup(&catalog([plain_stream("thing"), plain_stream("other")])).await.unwrap();
    let mut grown = plain_stream("thing");
    grown.stream.json_schema = json!({"properties": {"amount": {"type": "integer"}}}).as_object().cloned();
    let error = place.setup(&catalog([grown])).await.unwrap_err().to_string();
    assert!(error.contains("Another session holds a lock on the table"), "{error}");
}

#[tokio::test]
async fn foreign_tables_are_refused() {
    let place = place().await;
    place
        .execute(
            "CREATE SCHEMA stripe; CREATE TABLE stripe.thing (id int); CREATE VIEW stripe.seen AS SELECT 1",
        )
        .await;
    for (name, why) in [("thing", "no column \"_raw_data\""), ("seen", "not a table")] {
        let error = place.setup(&catalog([plain_stream(name)])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(why), "{error}");
    }
    place.setup(&catalog([plain_stream("fine")])).await.unwrap();
    let mut other_key = plain_stream("fine");
    other_key.stream.primary_key = vec![vec!["id".to_owned()], vec!["part".to_owned()]];
    let error = place.setup(&catalog([other_key])).await.unwrap_err().to_string();
    assert!(error.contains("has the primary key (id), but stream \"fine\" needs (id, part)"), "{error}");
}

#[tokio::test]
async fn another_account_needs_a_word() {
    let place = place().await;
    place.setup(&catalog([stripe_stream("charge")])).await.unwrap();
    place.setup(&catalog([stripe_stream("charge")])).await.unwrap();
    let mut changed = stripe_stream("charge");
    changed.stream.json_schema.as_mut().unwrap()["properties"]["_account_id"]["enum"] = json!(["acct_3"]);
    let error = place.setup(&catalog([changed.clone()])).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "Postgres destination: enum values changed for \"stripe\".\"charge\".\"_account_id\". Existing CHECK \
         \"chk_charge__account_id\" allows [acct_1, acct_2]; new catalog wants [acct_3]. Drop manually before \
         re-running setup: ALTER TABLE \"stripe\".\"charge\" DROP CONSTRAINT \"chk_charge__account_id\";"
    );
    place.execute("ALTER TABLE stripe.charge DROP CONSTRAINT chk_charge__account_id").await;
    place.setup(&catalog([changed])).await.unwrap();
}

#[tokio::test]
async fn more_accounts_need_none() {
    let place = place().await;
    let of = |accounts: Option<&[&str]>| {
        let mut stream = stripe_stream("charge");
        let account = match accounts {
            Some(accounts) => json!({"type": "string", "enum": accounts}),
            None => json!({"type": "string"}),
        };
        stream.stream.json_schema.as_mut().unwrap()["properties"]["_account_id"] = account;
        catalog([stream])
    };
    let insert =
        "INSERT INTO stripe.charge (_raw_data) VALUES ('{\"id\": \"ch_1\", \"_account_id\": \"acct_3\"}')";
    place.setup(&of(Some(&["acct_1"]))).await.unwrap();
    place.setup(&of(Some(&["acct_2", "acct_1"]))).await.unwrap();
    assert!(place.client().await.batch_execute(insert).await.is_err(), "still only these");
    place.setup(&of(None)).await.unwrap();
    place.execute(insert).await;
    place.setup(&of(None)).await.unwrap();
}

#[tokio::test]
async fn payloads_are_compressed_by_lz4_where_the_server_can() {
    let place = place().await;
    place.setup(&catalog([stripe_stream("charge")])).await.unwrap();
    let available = "SELECT CASE WHEN 'lz4' = ANY (enumvals) THEN 'l' ELSE '' END FROM pg_settings \
                     WHERE name = 'default_toast_compression'";
    let used = "SELECT attcompression FROM pg_attribute \
                WHERE attrelid = 'stripe.charge'::regclass AND attname = '_raw_data'";
    assert_eq!(place.query(used).await, place.query(available).await);
}

#[tokio::test]
async fn teardown_drops_only_what_setup_made() {
    let place = place().await;
    place.setup(&catalog([plain_stream("thing")])).await.unwrap();
    place.execute("CREATE TABLE stripe.mine (x int)").await;
    place.teardown().await.unwrap();
    assert_eq!(place.query("SELECT tablename FROM pg_tables WHERE schemaname = 'stripe'").await, ["mine"]);
    place.teardown().await.unwrap();
    place.execute("DROP TABLE stripe.mine").await;
    place.setup(&catalog([plain_stream("thing")])).await.unwrap();
    place.teardown().await.unwrap();
    // The schema was there before the last setup.
    assert_eq!(place.query("SELECT count(*) FROM pg_namespace WHERE nspname = 'stripe'").await, ["1"]);
}

#[tokio::test]
async fn teardown_in_the_default_schema_leaves_the_rest() {
    let place = Place { schema: "public".to_owned(), ..place().await };
    place.execute("CREATE TABLE mine (x int)").await;
    place.setup(&catalog([plain_stream("thing")])).await.unwrap();
    place.teardown().await.unwrap();
    assert_eq!(place.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").await, ["mine"]);
    for schema in ["information_schema", "pg_catalog", "pg_toast"] {
        let protected = Place { schema: schema.to_owned(), url: place.url.clone() };
        let error = protected.teardown().await.unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "Refusing to drop protected schema \"{schema}\" — teardown only drops user-created schemas"
            )
        );
    }
}

#[tokio::test]
async fn teardown_stops_at_a_view_of_the_user() {
    let place = place().await;
    place.setup(&catalog([plain_stream("thing")])).await.unwrap();
    place.execute("CREATE VIEW public.report AS SELECT id FROM stripe.thing").await;
    let error = place.teardown().await.unwrap_err().to_string();
    assert!(error.contains("view report depends on table stripe.thing"), "{error}");
    assert_eq!(place.query("SELECT count(*) FROM stripe.thing").await, ["0"]);
}

#[tokio::test]
async fn check_leaves_nothing_behind() {
    let place = place().await;
    place.check().await.unwrap();
    assert_eq!(place.query("SELECT count(*) FROM pg_namespace WHERE nspname = 'stripe'").await, ["0"]);
}

#[tokio::test]
async fn writing_without_setup_says_so() {
    let place = place().await;
    let back = place
        .write(&catalog([plain_stream("thing")]), vec![record("thing", r#"{"id":"1","updated":1}"#)])
        .await;
    let [error] = &stream_errors(&back)[..] else { panic!("{back:?}") };
    assert!(error.contains("\"stripe\".\"thing\"") && error.contains("Run setup"), "{error}");
    assert!(!back.iter().any(|message| matches!(message.payload, Payload::Record(_))));
}
