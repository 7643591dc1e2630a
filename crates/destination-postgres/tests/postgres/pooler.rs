//! With a pooler in between that hands each transaction to another session.

use futures::future::join_all;
use test_utils::postgres::{Cluster, Pooler};

use crate::harness::{Place, catalog, deletion, place, record, state, stream_errors, stripe_stream};

/// Several syncs at once share two sessions, so that what one leaves behind in a session the others find.
#[tokio::test(flavor = "multi_thread")]
async fn transactions_share_sessions() {
    let cluster = Cluster::start();
    cluster.database("pooled").await;
    let pooler = Pooler::before(&cluster, 2);
    let places: Vec<Place> = (0..4)
        .map(|number| Place { url: pooler.url_of("pooled"), schema: format!("sync {number}") })
        .collect();
    let syncs = places.iter().enumerate().map(|(number, place)| async move {
        let names = ["charge", "refund", "payout"];
        let catalog = catalog(names.map(stripe_stream));
        place.check().await.unwrap();
        place.setup(&catalog).await.unwrap();
        for round in 1..=5 {
            let mut messages = Vec::new();
            for name in names {
                let row = |id: usize| {
                    format!(
                        r#"{{"id":"{name}_{id}","amount":{round},"status":"of {number}","_account_id":"acct_1","_updated_at":{round}}}"#
                    )
                };
                messages.extend((0..40).map(|id| record(name, &row(id))));
                messages.push(deletion(name, &row(7)));
                messages.push(state(name, &round.to_string()));
            }
            let back = place.write(&catalog, messages).await;
            assert_eq!(stream_errors(&back), [""; 0]);
        }
        let state = place.state().await.unwrap();
        assert!(names.iter().all(|name| state.streams[*name].as_str() == "5"));
    });
    join_all(syncs).await;
    let direct = Place { url: cluster.url_of("pooled"), schema: String::new() };
    for number in 0..4 {
        for name in ["charge", "refund", "payout"] {
            let sql = format!(
                "SELECT count(*) FILTER (WHERE id LIKE '{name}\\_%' AND status = 'of {number}' AND amount = 5) \
                 || ' of ' || count(*) FROM \"sync {number}\".{name}"
            );
            assert_eq!(direct.query(&sql).await, ["39 of 39"], "sync {number}, {name}");
        }
        direct.execute(&format!("SELECT FROM \"sync {number}\"._sync_state")).await;
    }
    let left = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
    assert_eq!(direct.query(left).await, ["0"]);
    for place in &places {
        place.teardown().await.unwrap();
    }
}

#[tokio::test]
async fn limits_end_with_their_transaction() {
    let place = place().await;
    let config = serde_json::json!({"url": place.url, "schema": "stripe", "statement_timeout_ms": 400, "lock_timeout_ms": 300});
    let catalog = catalog([stripe_stream("charge")]);
    place.setup(&catalog).await.unwrap();
    let blocker = place.client().await;
    blocker.batch_execute("BEGIN; LOCK TABLE stripe.charge IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let input =
        futures::stream::iter([Ok(record("charge", r#"{"id":"1","_account_id":"acct_1","_updated_at":1}"#))]);
    let request = protocol::WriteRequest { catalog, input: Box::pin(input), sync_id: None };
    let written = protocol::Destination::write(
        &destination_postgres::PostgresDestination,
        serde_json::from_value(config).unwrap(),
        request,
    );
    let release = async {
        tokio::time::sleep(std::time::Duration::from_millis(900)).await;
        blocker.batch_execute("COMMIT").await.unwrap();
    };
    let (back, ()) = tokio::join!(protocol::run_to_end(written), release);
    assert_eq!(
        stream_errors(&back.unwrap()),
        [""; 0],
        "a lock that is not granted in time is asked for again"
    );
}
