//! Connections and servers that go away in the middle of a run.

use std::collections::HashSet;
use std::time::Duration;

use futures::{StreamExt, stream};
use protocol::{ConfiguredCatalog, Message, MessageStream, Payload, SourceStateMessage};
use test_utils::postgres::{Cluster, Settings};

use crate::harness::{Place, catalog, plain_stream, record, state};

const STREAMS: [&str; 3] = ["a", "b", "c"];

/// A server of its own: what happens to it must not disturb the other tests.
async fn own_server() -> (Cluster, Place, ConfiguredCatalog) {
    let cluster = Cluster::start_with(Settings::default());
    let place = Place { url: cluster.database("chaos").await, schema: "stripe".to_owned() };
    let catalog = catalog(STREAMS.map(plain_stream));
    place.setup(&catalog).await.unwrap();
    (cluster, place, catalog)
}

/// Records of three streams with a state after every hundredth of a stream, taking about two seconds.
fn slow_input() -> MessageStream {
    let messages = (0..6000_usize).flat_map(|number| {
        let name = STREAMS[number % STREAMS.len()];
        let number = number / STREAMS.len();
        let row = record(name, &format!(r#"{{"id":"{name}{number}","n":{number},"updated":1}}"#));
        let mark = (number % 100 == 99).then(|| state(name, &number.to_string()));
        [Some(row), mark].into_iter().flatten()
    });
    stream::iter(messages)
        .chunks(30)
        .then(|chunk| async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            stream::iter(chunk.into_iter().map(Ok))
        })
        .flatten()
        .boxed()
}

/// Collects what comes back, and says how much that is.
#[derive(Default)]
struct Acknowledged {
    records: HashSet<String>,
    states: Vec<(String, u64)>,
}

impl Acknowledged {
    fn take(&mut self, message: &Message) {
        match &message.payload {
            Payload::Record(record) => {
                let [id] = record.data.members(["id"]).unwrap();
                self.records.insert(id.unwrap().get().trim_matches('"').to_owned());
            }
            Payload::SourceState(SourceStateMessage::Stream { stream, data }) => {
                self.states.push((stream.to_string(), data.as_str().parse().unwrap()));
            }
            other => panic!("{other:?}"),
        }
    }

    /// Everything handed back is in the tables, and no stored state is ahead of the rows.
    async fn verify(&self, place: &Place) {
        let mut stored = HashSet::new();
        for name in STREAMS {
            stored.extend(place.query(&format!("SELECT id FROM stripe.{name}")).await);
        }
        let lost: Vec<_> = self.records.difference(&stored).collect();
        assert!(lost.is_empty(), "acknowledged but not stored: {lost:?}");
        let states = place.state().await.map(|state| state.streams).unwrap_or_default();
        let kept = states.iter().map(|(name, state)| (name.clone(), state.as_str().parse().unwrap()));
        for (name, number) in self.states.iter().cloned().chain(kept.collect::<Vec<(String, u64)>>()) {
            let missing: Vec<_> =
                (0..=number).map(|n| format!("{name}{n}")).filter(|id| !stored.contains(id)).collect();
            assert!(missing.is_empty(), "state {number} of {name} without {missing:?}");
        }
    }
}

#[tokio::test]
async fn killed_connections_lose_nothing() {
    let (cluster, place, catalog) = own_server().await;
    let mut back = place.write_stream(&catalog, slow_input());
    let (mut seen, mut killed) = (Acknowledged::default(), 0);
    let mut rounds = 0;
    while let Some(message) = back.next().await {
        seen.take(&message.unwrap());
        if seen.records.len() / 700 > rounds {
            rounds += 1;
            killed += cluster.kill_backends().await;
        }
    }
    assert!(killed > 0);
    assert_eq!((seen.records.len(), seen.states.len()), (6000, 60));
    seen.verify(&place).await;
}

#[tokio::test]
async fn a_server_that_crashes_and_comes_back_loses_nothing() {
    let (cluster, place, catalog) = own_server().await;
    let mut back = place.write_stream(&catalog, slow_input());
    let mut seen = Acknowledged::default();
    let mut crashed = false;
    while let Some(message) = back.next().await {
        seen.take(&message.unwrap());
        if !crashed && seen.records.len() > 2000 {
            crashed = true;
            cluster.stop_immediate();
            tokio::task::yield_now().await;
            cluster.resume();
            seen.verify(&place).await;
        }
    }
    assert!(crashed);
    assert_eq!((seen.records.len(), seen.states.len()), (6000, 60));
    seen.verify(&place).await;
}

/// The streams fail, and what was acknowledged before is there.
pub(crate) async fn a_server_that_stays_away() {
    let (cluster, place, catalog) = own_server().await;
    let mut back = place.write_stream(&catalog, slow_input());
    let mut seen = Acknowledged::default();
    let mut errors = 0;
    while let Some(message) = back.next().await {
        let message = message.unwrap();
        match &message.payload {
            Payload::StreamStatus(status) => {
                errors += 1;
                let text = format!("{:?}", status.status);
                assert!(text.contains("PostgreSQL at 127.0.0.1:"), "{text}");
            }
            _ => seen.take(&message),
        }
        if seen.records.len() > 1000 {
            cluster.stop_immediate();
        }
    }
    assert_eq!(errors, STREAMS.len());
    cluster.resume();
    seen.verify(&place).await;
}

#[tokio::test]
async fn a_run_that_is_dropped_leaves_states_that_hold() {
    let (_cluster, place, catalog) = own_server().await;
    for limit in [100, 1000, 2500] {
        let mut back = place.write_stream(&catalog, slow_input());
        let mut seen = Acknowledged::default();
        while let Some(message) = back.next().await {
            seen.take(&message.unwrap());
            if seen.records.len() > limit {
                break;
            }
        }
        drop(back);
        seen.verify(&place).await;
    }
}

#[tokio::test]
async fn a_deadlock_is_survived() {
    let (_cluster, place, catalog) = own_server().await;
    let rows = |updated: u32| {
        ["x", "y"]
            .map(|id| record("a", &format!(r#"{{"id":"{id}","n":{updated},"updated":{updated}}}"#)))
            .to_vec()
    };
    place.write(&catalog, rows(1)).await;
    let client = place.client().await;
    // The writer notices first and gives way.
    let first = "SET deadlock_timeout = '60s'; BEGIN; UPDATE stripe.a SET _synced_at = now() WHERE id = 'y'";
    client.batch_execute(first).await.unwrap();
    let other = async {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                       AND application_name = 'sync-engine'";
        while place.query(waiting).await != ["1"] {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        client.batch_execute("UPDATE stripe.a SET _synced_at = now() WHERE id = 'x'; COMMIT").await.unwrap();
    };
    let (back, ()) = tokio::join!(place.write(&catalog, rows(2)), other);
    assert_eq!(back.len(), 2, "{back:?}");
    assert_eq!(place.query("SELECT _raw_data->>'updated' FROM stripe.a").await, ["2", "2"]);
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    while place.query(deadlocks).await != ["1"] {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_server_that_is_full_is_waited_for() {
    let (cluster, place, catalog) = own_server().await;
    cluster.execute("CREATE ROLE narrow LOGIN SUPERUSER CONNECTION LIMIT 0").await;
    cluster.execute("ALTER ROLE narrow NOSUPERUSER").await;
    cluster.execute("ALTER DATABASE chaos OWNER TO narrow").await;
    let socket = cluster.socket_directory().display().to_string();
    let url = format!("host={socket} port={} user=narrow dbname=chaos", cluster.port());
    let narrow = Place { url, schema: place.schema.clone() };
    let text = narrow.check().await.unwrap_err().to_string();
    assert!(
        text.contains("too many connections for role") && text.contains("raise max_connections"),
        "{text}"
    );
    place
        .execute("GRANT ALL ON SCHEMA stripe TO narrow; GRANT ALL ON ALL TABLES IN SCHEMA stripe TO narrow")
        .await;
    let widen = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        cluster.execute("ALTER ROLE narrow CONNECTION LIMIT -1").await;
    };
    let row = vec![record("a", r#"{"id":"1","updated":1}"#)];
    let (back, ()) = tokio::join!(narrow.write(&catalog, row), widen);
    assert_eq!(back.len(), 1, "{back:?}");
}
