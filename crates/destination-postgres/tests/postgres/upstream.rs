//! A database that the TypeScript engine made keeps working.

use crate::harness::{catalog, deletion, place, record, state, stream_errors, stripe_stream};

/// What the TypeScript engine's setup runs for such a stream, and a row it wrote.
const UPSTREAM: &str = r#"
CREATE SCHEMA "stripe";
CREATE FUNCTION "stripe".set_updated_at() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN NEW._updated_at = now(); RETURN NEW; END; $$;
CREATE TABLE "stripe"."charge" (
  "_raw_data" jsonb NOT NULL,
  "_synced_at" timestamptz NOT NULL DEFAULT now(),
  "_updated_at" timestamptz NOT NULL DEFAULT now(),
  "id" text GENERATED ALWAYS AS ((_raw_data->>'id')::text) STORED,
  "_account_id" text GENERATED ALWAYS AS ((_raw_data->>'_account_id')::text) STORED,
  "amount" bigint GENERATED ALWAYS AS ((NULLIF(_raw_data->>'amount', ''))::bigint) STORED,
  "livemode" boolean GENERATED ALWAYS AS ((NULLIF(_raw_data->>'livemode', ''))::boolean) STORED,
  PRIMARY KEY ("id", "_account_id")
);
ALTER TABLE "stripe"."charge" ADD CONSTRAINT "chk_charge__account_id"
  CHECK ((_raw_data->>'_account_id') IS NOT NULL AND (_raw_data->>'_account_id') IN ('acct_1', 'acct_2'));
CREATE TABLE "stripe"."_sync_state" (
  sync_id text, stream text, state jsonb NOT NULL, updated_at timestamptz DEFAULT now(),
  PRIMARY KEY (sync_id, stream));
INSERT INTO "stripe"."_sync_state" VALUES ('the sync', 'charge', '{"remaining": []}');
INSERT INTO "stripe"."charge" (_raw_data, _updated_at) VALUES
  ('{"id":"ch_1","amount":5,"_account_id":"acct_1","_updated_at":1700000000}', to_timestamp(1700000000));
CREATE TRIGGER handle_updated_at BEFORE UPDATE ON "stripe"."charge"
  FOR EACH ROW EXECUTE FUNCTION "stripe".set_updated_at();
"#;

#[tokio::test]
async fn its_tables_are_adopted() {
    let place = place().await;
    place.execute(UPSTREAM).await;
    assert_eq!(place.state().await.unwrap().streams["charge"].as_str(), r#"{"remaining": []}"#);
    let catalog = catalog([stripe_stream("charge"), stripe_stream("refund")]);
    place.setup(&catalog).await.unwrap();
    let row = |id: &str, updated: u64| {
        format!(
            r#"{{"id":"{id}","amount":6,"status":"paid","_account_id":"acct_1","_updated_at":{updated}}}"#
        )
    };
    let back = place
        .write(
            &catalog,
            vec![
                record("charge", &row("ch_1", 1_600_000_000)),
                record("charge", &row("ch_2", 1_700_000_001)),
                state("charge", r#""next""#),
            ],
        )
        .await;
    assert_eq!(stream_errors(&back), [""; 0]);
    let rows = "SELECT concat_ws('|', id, amount, status, extract(epoch FROM _updated_at)::bigint) FROM stripe.charge ORDER BY 1";
    assert_eq!(place.query(rows).await, ["ch_1|5|1700000000", "ch_2|6|paid|1700000001"]);
    place
        .write(
            &catalog,
            vec![
                record("charge", &row("ch_1", 1_700_000_002)),
                deletion("charge", &row("ch_2", 1_800_000_000)),
            ],
        )
        .await;
    assert_eq!(place.query(rows).await, ["ch_1|6|paid|1700000002"]);
    assert_eq!(place.state().await.unwrap().streams["charge"].as_str(), r#""next""#);

    // What it made stays its own.
    place.teardown().await.unwrap();
    let left = "SELECT tablename FROM pg_tables WHERE schemaname = 'stripe' ORDER BY 1";
    assert_eq!(place.query(left).await, ["_sync_state", "charge"]);
}

#[tokio::test]
async fn our_tables_have_its_columns() {
    let (ours, theirs) = (place().await, place().await);
    theirs.execute(UPSTREAM).await;
    let mut charge = stripe_stream("charge");
    let properties = charge.stream.json_schema.as_mut().unwrap()["properties"].as_object_mut().unwrap();
    for extra in ["customer", "metadata", "percent", "status"] {
        properties.shift_remove(extra);
    }
    ours.setup(&catalog([charge])).await.unwrap();
    let columns = "SELECT concat_ws(' ', ordinal_position, column_name, data_type, is_nullable, column_default, \
                   generation_expression) FROM information_schema.columns \
                   WHERE table_schema = 'stripe' AND table_name = 'charge' ORDER BY ordinal_position";
    let constraints = "SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint \
                       WHERE conrelid = 'stripe.charge'::regclass ORDER BY 1";
    for sql in [columns, constraints] {
        assert_eq!(ours.query(sql).await, theirs.query(sql).await);
    }
}

/// What the TypeScript engine's setup runs for a stream with a field of each kind, a system column with an index, and a
/// name so long that those of its index and constraint are shortened.
const UPSTREAM_IN_FULL: &str = r#"
CREATE SCHEMA IF NOT EXISTS "stripe";
DROP FUNCTION IF EXISTS "stripe".set_updated_at() CASCADE;
DO $ddl$ BEGIN
  BEGIN
    CREATE TABLE "stripe"."a_stream_with_a_name_of_about_fifty_characters_long" (
      "_raw_data" jsonb NOT NULL,
      "_synced_at" timestamptz NOT NULL DEFAULT now(),
      "_updated_at" timestamptz NOT NULL DEFAULT now(),
      "_tenant_name" text,
      "id" text GENERATED ALWAYS AS ((_raw_data->>'id')::text) STORED,
      "_account_id" text GENERATED ALWAYS AS ((_raw_data->>'_account_id')::text) STORED,
      PRIMARY KEY ("id", "_account_id")
    );
  EXCEPTION WHEN duplicate_table OR duplicate_object OR invalid_table_definition THEN NULL; END;
  BEGIN
    ALTER TABLE "stripe"."a_stream_with_a_name_of_about_fifty_characters_long"
      ADD COLUMN IF NOT EXISTS "amount" bigint GENERATED ALWAYS AS ((NULLIF(_raw_data->>'amount', ''))::bigint) STORED,
      ADD COLUMN IF NOT EXISTS "customer" text GENERATED ALWAYS AS (CASE WHEN jsonb_typeof(_raw_data->'customer') = 'object'
        AND _raw_data->'customer' ? 'id' THEN (_raw_data->'customer'->>'id') ELSE (_raw_data->>'customer') END) STORED,
      ADD COLUMN IF NOT EXISTS "livemode" boolean GENERATED ALWAYS AS ((NULLIF(_raw_data->>'livemode', ''))::boolean) STORED,
      ADD COLUMN IF NOT EXISTS "metadata" jsonb GENERATED ALWAYS AS ((_raw_data->'metadata')::jsonb) STORED,
      ADD COLUMN IF NOT EXISTS "percent" numeric GENERATED ALWAYS AS ((NULLIF(_raw_data->>'percent', ''))::numeric) STORED,
      ADD COLUMN IF NOT EXISTS "status" text GENERATED ALWAYS AS ((_raw_data->>'status')::text) STORED;
  EXCEPTION WHEN duplicate_column THEN NULL; END;
  BEGIN
    ALTER TABLE "stripe"."a_stream_with_a_name_of_about_fifty_characters_long"
      ADD CONSTRAINT "CHK" CHECK ((_raw_data->>'_account_id') IS NOT NULL
        AND (_raw_data->>'_account_id') IN ('acct_1', 'acct_2'));
  EXCEPTION WHEN duplicate_object THEN NULL; END;
  CREATE INDEX "IDX" ON "stripe"."a_stream_with_a_name_of_about_fifty_characters_long" ("_tenant_name");
  DROP TRIGGER IF EXISTS handle_updated_at ON "stripe"."a_stream_with_a_name_of_about_fifty_characters_long";
END $ddl$;
CREATE TABLE "stripe"."_migrations" (id int PRIMARY KEY, name varchar(100) UNIQUE, hash varchar(40), executed_at timestamp);
INSERT INTO "stripe"."_migrations" VALUES (-1, 'openapi:stripe:2020-08-27:0123456789abcdef', '');
"#;

#[tokio::test]
async fn what_it_made_needs_no_change() {
    let place = place().await;
    let name = "a_stream_with_a_name_of_about_fifty_characters_long";
    let sql = UPSTREAM_IN_FULL
        .replace("CHK", "chk_a_stream_with_a_name_of_about_fifty_characters_lo_h4dbce6b2")
        .replace("IDX", "idx_a_stream_with_a_name_of_about_fifty_characters_lo_he8be26fe");
    place.execute(&sql).await;
    let mut stream = stripe_stream(name);
    stream.system_columns = Some(vec![
        serde_json::from_value(serde_json::json!({"name": "_tenant_name", "index": true})).unwrap(),
    ]);
    let catalog = catalog([stream]);
    let looks = format!(
        "SELECT concat_ws(' ', attname, attnum, atttypid, attgenerated) FROM pg_attribute WHERE attrelid = 'stripe.{name}'::regclass \
         UNION ALL SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'stripe.{name}'::regclass \
         UNION ALL SELECT indexdef FROM pg_indexes WHERE tablename = '{name}' \
         UNION ALL SELECT tgname FROM pg_trigger WHERE tgrelid = 'stripe.{name}'::regclass \
         UNION ALL SELECT pg_relation_filenode('stripe.{name}'::regclass)::text ORDER BY 1"
    );
    let before = place.query(&looks).await;
    // Any change of the table would have to wait for this lock, and would not get it.
    let client = place.client().await;
    client.batch_execute(&format!("BEGIN; LOCK TABLE stripe.{name} IN ACCESS SHARE MODE")).await.unwrap();
    place.setup(&catalog).await.unwrap();
    assert_eq!(place.query(&looks).await, before);
    let row = r#"{"id":"x_1","amount":5,"customer":{"id":"cus_1"},"livemode":true,"metadata":{"a":"b"},"percent":1.50,
        "status":"ok","_account_id":"acct_2","_updated_at":1700000000}"#;
    let messages = vec![record(name, row), state(name, "1")];
    assert_eq!(stream_errors(&place.write(&catalog, messages).await), [""; 0]);
    let values = format!(
        "SELECT concat_ws('|', id, amount, customer, livemode, metadata, percent, status) FROM stripe.{name}"
    );
    assert_eq!(place.query(&values).await, [r#"x_1|5|cus_1|t|{"a": "b"}|1.50|ok"#]);
    client.batch_execute("COMMIT").await.unwrap();
    // Its tables, and its record of migrations, are not ours to drop.
    place.teardown().await.unwrap();
    let left = "SELECT tablename FROM pg_tables WHERE schemaname = 'stripe' ORDER BY 1";
    assert_eq!(place.query(left).await, ["_migrations", name]);
}
