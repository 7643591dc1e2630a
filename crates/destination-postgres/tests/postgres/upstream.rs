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
