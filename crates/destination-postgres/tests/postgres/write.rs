//! Rows.

use std::num::NonZeroUsize;

use destination_postgres::{PostgresConfig, PostgresDestination};
use futures::{StreamExt, stream};
use protocol::{Destination, Message, Payload, WriteRequest, run_to_end};
use test_utils::postgres::{Cluster, Settings};

use crate::harness::{
    Place, catalog, global_state, place, plain_stream, record, state, stream_errors, stripe_stream,
};

#[tokio::test]
async fn payloads_columns_and_state_arrive_together() {
    let place = place().await;
    let catalog = catalog([stripe_stream("charge")]);
    place.setup(&catalog).await.unwrap();
    assert_eq!(place.state().await, None);
    let charge = r#"{"id":"ch_1","amount":900719925474099312,"customer":{"id":"cus_1","name":"N"},"livemode":true,"metadata":{"a":"1"},"percent":12.50,"status":"ok","extra":[1,2],"_account_id":"acct_1","_updated_at":1700000000}"#;
    let other = r#"{"id":"ch_1","amount":null,"customer":"cus_2","livemode":false,"_account_id":"acct_2","_updated_at":1700000001}"#;
    let back = place
        .write(
            &catalog,
            vec![
                record("charge", charge),
                record("charge", other),
                state("charge", r#"{"cursor":"ch_1"}"#),
                global_state(r#"{"events":1}"#),
            ],
        )
        .await;
    assert_eq!(back.len(), 4, "{back:?}");
    let columns = "concat_ws('|', id, _account_id, amount, customer, livemode, metadata, percent, status, \
                   extract(epoch FROM _updated_at)::bigint, _raw_data->'extra')";
    assert_eq!(
        place.query(&format!("SELECT {columns} FROM stripe.charge ORDER BY _account_id")).await,
        [
            "ch_1|acct_1|900719925474099312|cus_1|t|{\"a\": \"1\"}|12.50|ok|1700000000|[1, 2]",
            "ch_1|acct_2|cus_2|f|1700000001",
        ]
    );
    let synced =
        "SELECT count(DISTINCT _synced_at) FROM stripe.charge WHERE _synced_at > now() - interval '1 minute'";
    assert_eq!(place.query(synced).await, ["1"]);
    let stored = place.state().await.unwrap();
    assert_eq!(stored.streams["charge"].as_str(), r#"{"cursor": "ch_1"}"#);
    assert_eq!(stored.global.as_str(), r#"{"events": 1}"#);
}

#[tokio::test]
async fn the_newer_version_stays() {
    let place = place().await;
    let catalog = catalog([plain_stream("thing")]);
    place.setup(&catalog).await.unwrap();
    let version = |updated: &str, text: &str| {
        record("thing", &format!(r#"{{"id":"1","t":"{text}","updated":{updated}}}"#))
    };
    let stored = "SELECT _raw_data->>'t' FROM stripe.thing";
    for (updated, text, expected) in [
        ("100", "first", "first"),
        ("99", "older", "first"),
        ("100", "same second", "same second"),
        ("101", "newer", "newer"),
        // Beyond what a timestamp can say, the numbers themselves count.
        ("9223372036854775806", "far", "far"),
        ("9223372036854775805", "less far", "far"),
        ("9223372036854775807", "farthest", "farthest"),
    ] {
        let back = place.write(&catalog, vec![version(updated, text)]).await;
        assert_eq!(stream_errors(&back), [""; 0]);
        assert_eq!(place.query(stored).await, [expected]);
    }
    assert_eq!(place.query("SELECT extract(year FROM _updated_at) FROM stripe.thing").await, ["9999"]);
}

/// Of the two parts that such a batch is written in, one has nothing to write and takes longer to find that out. Its
/// commit must not be what makes the other durable.
#[tokio::test]
async fn what_comes_back_is_in_the_log_on_disk_also_without_a_state() {
    let options = [("wal_writer_delay", "10000"), ("autovacuum", "off")];
    let options = options.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let cluster = Cluster::start_with(Settings { options, ..Settings::default() });
    let place = Place { url: cluster.database("durable").await, schema: "stripe".to_owned() };
    let catalog = catalog([plain_stream("thing")]);
    place.setup(&catalog).await.unwrap();
    let config = PostgresConfig { connections: NonZeroUsize::new(2).unwrap(), ..place.config() };
    let write = async |records: Vec<Message>| {
        let input = stream::iter(records).map(Ok).boxed();
        let request = WriteRequest { catalog: catalog.clone(), input, sync_id: None };
        run_to_end(PostgresDestination.write(config.clone(), request)).await.unwrap()
    };
    let rows = |name: &str, bytes: usize| -> Vec<Message> {
        // Nothing that compresses well.
        let mut seed = 7_u64;
        let mut letter = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'a' + (seed >> 60) as u8)
        };
        let mut row = |at| {
            let text: String = (0..bytes).map(|_| letter()).collect();
            format!(r#"{{"id":"{name}{at:02}","text":"{text}","updated":5}}"#)
        };
        (0..20).map(|at| record("thing", &row(at))).collect()
    };
    let large = rows("a", 100_000);
    write(large.clone()).await;
    let back = write([large, rows("z", 3000)].concat()).await;
    assert_eq!(back.len(), 40);
    let behind = place.query("SELECT pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn()").await;
    let behind: f64 = behind[0].parse().unwrap();
    assert!(behind < 8192.0, "{behind} bytes of the log are not on disk yet");
}

#[tokio::test]
async fn an_identical_row_is_not_rewritten() {
    let place = place().await;
    let catalog = catalog([plain_stream("thing")]);
    place.setup(&catalog).await.unwrap();
    let row = || vec![record("thing", r#"{"id":"1","a":[1,{"b":2}],"updated":5}"#)];
    place.write(&catalog, row()).await;
    let before = place.query("SELECT xmin || ' ' || ctid FROM stripe.thing").await;
    place.write(&catalog, row()).await;
    assert_eq!(place.query("SELECT xmin || ' ' || ctid FROM stripe.thing").await, before);
    place.write(&catalog, vec![record("thing", r#"{"id":"1","a":[1,{"b":3}],"updated":5}"#)]).await;
    assert_ne!(place.query("SELECT xmin || ' ' || ctid FROM stripe.thing").await, before);
}

#[tokio::test]
async fn a_row_that_is_merely_read_again_keeps_its_payload_and_is_newer() {
    let place = place().await;
    let catalog = catalog([plain_stream("thing")]);
    place.setup(&catalog).await.unwrap();
    // Long enough to lie in the TOAST table, and hardly compressible.
    let long: String =
        (0..3000_u64).map(|n| format!("{:x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
    let row = |text: &str, updated: u32| {
        vec![record(
            "thing",
            &format!(r#"{{"id":"1","long":"{long}","t":"{text}","n":1.50,"updated":{updated}}}"#),
        )]
    };
    let toasted = "SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE oid = 'stripe.thing'::regclass";
    let seen = "SELECT concat_ws(' ', _raw_data->>'t', _raw_data->>'updated', extract(epoch FROM _updated_at)::bigint) \
                FROM stripe.thing";
    place.write(&catalog, row("a", 10)).await;
    let size = place.query(toasted).await;
    assert_ne!(size, ["0"]);
    for updated in 20..40 {
        place.write(&catalog, row("a", updated)).await;
    }
    assert_eq!(place.query(seen).await, ["a 10 39"]);
    assert_eq!(place.query(toasted).await, size);
    // What was true in between must not undo what was read later.
    place.write(&catalog, row("b", 38)).await;
    assert_eq!(place.query(seen).await, ["a 10 39"]);
    place.write(&catalog, row("b", 39)).await;
    assert_eq!(place.query(seen).await, ["b 39 39"]);
    // Equal as numbers, but not the same.
    let other = row("b", 39).remove(0);
    let Payload::Record(mut other) = other.payload else { panic!("a record") };
    other.data = protocol::RawJson::parse(other.data.as_str().replace("1.50", "1.5")).unwrap();
    place.write(&catalog, vec![Payload::Record(other).into()]).await;
    assert_eq!(place.query("SELECT _raw_data->>'n' FROM stripe.thing").await, ["1.5"]);
}

#[tokio::test]
async fn rows_of_a_partitioned_table_are_told_apart() {
    let place = place().await;
    let catalog = catalog([plain_stream("thing")]);
    place.setup(&catalog).await.unwrap();
    // As an administrator might make it: rows of different parts have the same `ctid`.
    place
        .execute(
            "DROP TABLE stripe.thing; CREATE TABLE stripe.thing (_raw_data jsonb NOT NULL, \
             _synced_at timestamptz NOT NULL DEFAULT now(), _updated_at timestamptz NOT NULL DEFAULT now(), \
             id text PRIMARY KEY) PARTITION BY HASH (id); \
             CREATE TABLE stripe.p0 PARTITION OF stripe.thing FOR VALUES WITH (MODULUS 2, REMAINDER 0); \
             CREATE TABLE stripe.p1 PARTITION OF stripe.thing FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
        )
        .await;
    // Generated columns cannot be part of a partition's key, so the rows come from elsewhere.
    place
        .execute(
            "INSERT INTO stripe.thing SELECT jsonb_build_object('id', n::text, 't', 'old', 'updated', 1), now(), \
             to_timestamp(1), n::text FROM generate_series(1, 40) AS n",
        )
        .await;
    let changed = (1..=40).filter(|n| n % 3 == 0);
    let rows =
        changed.map(|n| record("thing", &format!(r#"{{"id":"{n}","t":"new","updated":2}}"#))).collect();
    let back = place.write(&catalog, rows).await;
    assert_eq!(stream_errors(&back), [""; 0]);
    let wrong = "SELECT id FROM stripe.thing WHERE (_raw_data->>'t' = 'new') <> (id::int % 3 = 0) OR _raw_data->>'id' <> id";
    assert_eq!(place.query(wrong).await, [""; 0]);
}

#[tokio::test]
async fn one_key_many_times_in_a_batch() {
    let place = place().await;
    let catalog = catalog([plain_stream("thing")]);
    place.setup(&catalog).await.unwrap();
    let rows = [(5, "a"), (7, "b"), (6, "c"), (7, "d"), (1, "e")];
    let rows = rows
        .map(|(updated, text)| record("thing", &format!(r#"{{"id":"1","t":"{text}","updated":{updated}}}"#)));
    let back = place.write(&catalog, rows.to_vec()).await;
    assert_eq!(back.len(), 5);
    assert_eq!(place.query("SELECT _raw_data->>'t' FROM stripe.thing").await, ["d"]);
}

#[tokio::test]
async fn names_may_be_anything() {
    let place = crate::harness::Place { schema: "we\"ird schemä".to_owned(), ..place().await };
    let long = |end: &str| format!("{}{end}", "a very long name ".repeat(6));
    let names =
        ["a\"b".to_owned(), "x.y".to_owned(), "日本語".to_owned(), "'; --".to_owned(), long("1"), long("2")];
    let streams = names.iter().map(|name| {
        let mut stream = stripe_stream(name);
        let properties = &mut stream.stream.json_schema.as_mut().unwrap()["properties"];
        properties["it's \"odd\" \\"] = serde_json::json!({"type": "integer"});
        properties[&long("a")] = serde_json::json!({"type": "string"});
        properties[&long("b")] = serde_json::json!({"type": "string"});
        stream
    });
    let catalog = catalog(streams);
    place.setup(&catalog).await.unwrap();
    place.setup(&catalog).await.unwrap();
    let row = serde_json::json!({"id": "i'\"\\", "_account_id": "acct_1", "_updated_at": 1,
        "it's \"odd\" \\": 7, (long("a")): "A", (long("b")): "B"});
    let messages: Vec<_> =
        names.iter().flat_map(|name| [record(name, &row.to_string()), state(name, "1")]).collect();
    let back = place.write(&catalog, messages).await;
    assert_eq!(stream_errors(&back), [""; 0]);
    assert_eq!(back.len(), 2 * names.len());
    assert_eq!(
        place.query("SELECT \"it's \"\"odd\"\" \\\" FROM \"we\"\"ird schemä\".\"a\"\"b\"").await,
        ["7"]
    );
    assert_eq!(place.state().await.unwrap().streams.len(), names.len());
    let made = "SELECT count(*) FROM pg_tables WHERE schemaname = 'we\"ird schemä'";
    assert_eq!(place.query(made).await, ["9"]);
    place.teardown().await.unwrap();
    assert_eq!(place.query("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'we%'").await, ["0"]);
}

#[tokio::test]
async fn what_jsonb_cannot_store_is_replaced_and_the_row_kept() {
    let place = place().await;
    let catalog = catalog([plain_stream("thing")]);
    place.setup(&catalog).await.unwrap();
    let row = r#"{"id":"a\u0000b","t":"x\u0000y \ud800 \\u0000 \ud83d\ude00","updated":1}"#;
    let back =
        place.write(&catalog, vec![record("thing", row), record("thing", r#"{"id":"2","updated":1}"#)]).await;
    assert_eq!(stream_errors(&back), [""; 0]);
    // What is handed back is what came.
    assert!(matches!(&back[0].payload, Payload::Record(record) if record.data.as_str() == row));
    assert_eq!(
        place
            .query("SELECT id || ' ' || coalesce(_raw_data->>'t', '-') FROM stripe.thing ORDER BY id DESC")
            .await,
        ["a\u{fffd}b x\u{fffd}y \u{fffd} \\u0000 😀", "2 -"]
    );
}

#[tokio::test]
async fn many_batches_of_many_streams() {
    let place = place().await;
    let names = ["a", "b", "c", "d", "e"];
    let catalog = catalog(names.map(stripe_stream));
    place.setup(&catalog).await.unwrap();
    let mut messages = Vec::new();
    for number in 0..3000 {
        let name = names[number % names.len()];
        let data = format!(r#"{{"id":"id_{number}","_account_id":"acct_1","_updated_at":{number}}}"#);
        messages.push(record(name, &data));
        if number % 500 == 499 {
            messages.push(state(name, &number.to_string()));
        }
    }
    let sent = messages.len();
    let back = place.write(&catalog, messages).await;
    assert_eq!(back.len(), sent);
    for name in names {
        assert_eq!(place.query(&format!("SELECT count(*) FROM stripe.{name}")).await, ["600"]);
    }
}
