//! What setup adds beside the tables, for those who ask.

use destination_postgres::{PostgresConfig, PostgresDestination};
use protocol::{ConfiguredCatalog, Destination, run_to_end};
use serde_json::{Value, json};

use crate::harness::{Place, catalog, place, plain_stream, record, stream_errors, stripe_stream};

async fn setup(place: &Place, catalog: &ConfiguredCatalog, packs: &Value) -> Result<String, String> {
    let config = json!({"url": place.url, "schema": place.schema, "packs": packs, "retry_for_ms": 3000});
    let config: PostgresConfig = serde_json::from_value(config).unwrap();
    let messages = run_to_end(PostgresDestination.setup(config, catalog.clone()).unwrap()).await;
    messages.map(|messages| format!("{messages:?}")).map_err(|error| error.to_string())
}

/// A table with rows of two accounts, and one that `charge.customer` refers to.
async fn filled() -> (Place, ConfiguredCatalog) {
    let place = place().await;
    let catalog = catalog([stripe_stream("charge"), stripe_stream("customer"), plain_stream("thing")]);
    place.setup(&catalog).await.unwrap();
    let rows = ["acct_1", "acct_2", "acct_2"].into_iter().enumerate().map(|(number, account)| {
        let row = format!(
            r#"{{"id":"ch_{number}","customer":"cus_gone","_account_id":"{account}","_updated_at":1}}"#
        );
        record("charge", &row)
    });
    assert_eq!(stream_errors(&place.write(&catalog, rows.collect()).await), [""; 0]);
    (place, catalog)
}

#[tokio::test]
async fn there_is_nothing_unless_asked_for() {
    let (place, _) = filled().await;
    let extra = "SELECT count(*) FROM pg_indexes WHERE schemaname = 'stripe' AND indexname LIKE 'idx%' \
                 UNION ALL SELECT count(*) FROM pg_policies UNION ALL SELECT count(*) FROM pg_constraint WHERE contype = 'f' \
                 UNION ALL SELECT count(*) FROM pg_description WHERE objoid = 'stripe.charge'::regclass";
    assert_eq!(place.query(extra).await, ["0", "0", "0", "0"]);
}

#[tokio::test]
async fn indexes_are_on_references() {
    let (place, catalog) = filled().await;
    setup(&place, &catalog, &json!({"indexes": true})).await.unwrap();
    setup(&place, &catalog, &json!({"indexes": true})).await.unwrap();
    let indexes =
        "SELECT indexname FROM pg_indexes WHERE schemaname = 'stripe' AND indexname LIKE 'idx%' ORDER BY 1";
    assert_eq!(place.query(indexes).await, ["idx_charge_customer", "idx_customer_customer"]);
    // As well when the tables are made with them.
    let fresh = crate::harness::place().await;
    setup(&fresh, &catalog, &json!({"indexes": true})).await.unwrap();
    assert_eq!(fresh.query(indexes).await.len(), 2);
}

#[tokio::test]
async fn comments_say_what_things_are_and_leave_others_alone() {
    let (place, mut catalog) = filled().await;
    let schema = catalog.streams[0].stream.json_schema.as_mut().unwrap();
    schema["properties"]["amount"]["description"] = json!("It's the \\ amount");
    place.execute("COMMENT ON TABLE stripe.charge IS 'ours'").await;
    for _ in 0..2 {
        setup(&place, &catalog, &json!({"comments": true})).await.unwrap();
    }
    let table = |name: &str| format!("SELECT obj_description('stripe.{name}'::regclass, 'pg_class')");
    assert_eq!(place.query(&table("charge")).await, ["ours"]);
    assert_eq!(
        place.query(&table("customer")).await,
        ["The stream \"customer\": one row for each of its objects."]
    );
    let column = "SELECT col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = 'stripe.charge'::regclass \
                  AND attname IN ('amount', 'customer', '_raw_data') ORDER BY attname";
    let expected = ["The object as the source sent it.", "It's the \\ amount", "Id of another object."];
    assert_eq!(place.query(column).await, expected);
}

/// Declared where the server can leave it at that; never in the way of a row.
#[tokio::test]
async fn foreign_keys_are_not_enforced() {
    let (place, catalog) = filled().await;
    let version: i32 = place.query("SELECT current_setting('server_version_num')").await[0].parse().unwrap();
    let said = setup(&place, &catalog, &json!({"foreign_keys": true})).await.unwrap();
    setup(&place, &catalog, &json!({"foreign_keys": true})).await.unwrap();
    let keys = place
        .query("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' ORDER BY conname")
        .await;
    if version >= 180_000 {
        assert_eq!(keys.len(), 2);
        assert!(
            keys[0].contains("(customer, _account_id) REFERENCES stripe.customer(id, _account_id)"),
            "{keys:?}"
        );
        assert!(keys[0].contains("NOT ENFORCED"), "{keys:?}");
    } else {
        assert!(
            keys.is_empty() && said.contains("foreign keys were left out: before PostgreSQL 18"),
            "{said}"
        );
    }
    let row =
        record("charge", r#"{"id":"ch_9","customer":"cus_unknown","_account_id":"acct_1","_updated_at":1}"#);
    assert_eq!(stream_errors(&place.write(&catalog, vec![row]).await), [""; 0]);
    place.teardown().await.unwrap();
}

/// Roles belong to the whole server: this one to this test.
#[tokio::test]
async fn a_reader_reads_what_belongs_to_its_accounts() {
    let (place, catalog) = filled().await;
    let packs = json!({"reader_role": "the \"reader\"", "row_level_security": true});
    for _ in 0..2 {
        setup(&place, &catalog, &packs).await.unwrap();
    }
    let client = place.client().await;
    client.batch_execute("SET ROLE \"the \"\"reader\"\"\"").await.unwrap();
    let count = async |accounts: &str| {
        client.batch_execute(&format!("SET sync.account_ids = '{accounts}'")).await.unwrap();
        client.query_one("SELECT count(*) FROM stripe.charge", &[]).await.unwrap().get::<_, i64>(0)
    };
    assert_eq!(
        client.query_one("SELECT count(*) FROM stripe.charge", &[]).await.unwrap().get::<_, i64>(0),
        0
    );
    assert_eq!((count("acct_1").await, count("acct_2").await, count("acct_1,acct_2").await), (1, 2, 3));
    client.query("SELECT * FROM stripe.thing", &[]).await.unwrap();
    for forbidden in
        ["SELECT FROM stripe._sync_state", "DELETE FROM stripe.charge", "CREATE TABLE stripe.mine ()"]
    {
        assert!(client.batch_execute(forbidden).await.is_err(), "{forbidden}");
    }
    // The writer goes on as before.
    let row = record("charge", r#"{"id":"ch_0","status":"new","_account_id":"acct_1","_updated_at":2}"#);
    assert_eq!(stream_errors(&place.write(&catalog, vec![row]).await), [""; 0]);
    assert_eq!(place.query("SELECT status FROM stripe.charge WHERE id = 'ch_0'").await, ["new"]);
}

#[tokio::test]
async fn views_have_what_tables_have_but_protection_by_rows() {
    let place = place().await;
    let catalog = catalog([stripe_stream("charge"), stripe_stream("customer")]);
    let setup = async |packs: Value| {
        let config = json!({"url": place.url, "schema": place.schema, "packs": packs, "projection": "view"});
        let config: PostgresConfig = serde_json::from_value(config).unwrap();
        let done = run_to_end(PostgresDestination.setup(config, catalog.clone()).unwrap()).await;
        done.map(drop).map_err(|error| error.to_string())
    };
    let refusal = setup(json!({"row_level_security": true})).await.unwrap_err();
    assert!(refusal.contains("`packs.row_level_security`") && refusal.contains("typed"), "{refusal}");
    let packs = json!({"indexes": true, "comments": true, "foreign_keys": true, "reader_role": "looks"});
    for _ in 0..2 {
        setup(packs.clone()).await.unwrap();
    }
    place
        .execute(
            "CREATE FUNCTION plan_of(sql text) RETURNS SETOF text LANGUAGE plpgsql SET enable_seqscan = off \
             AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN ' || sql; END $$",
        )
        .await;
    let plan = "SELECT plan_of($q$SELECT * FROM stripe.charge WHERE customer = 'cus_1'$q$)";
    let plan = place.query(plan).await.join("\n");
    assert!(plan.contains("idx_charge_customer"), "{plan}");
    let comment = "SELECT obj_description('stripe.charge'::regclass, 'pg_class')";
    assert_eq!(place.query(comment).await, ["The stream \"charge\": one row for each of its objects."]);
    let may = "SELECT has_table_privilege('looks', name, 'SELECT') FROM \
               unnest(ARRAY['stripe.charge', 'stripe.customer', 'stripe._raw_charge']) AS name";
    assert_eq!(place.query(may).await, ["true", "true", "false"]);
}
