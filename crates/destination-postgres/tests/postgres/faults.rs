//! A connection that breaks at each message of a commit.

use protocol::Message;
use test_utils::postgres::{Break, Cluster, FaultyProxy};

use crate::harness::{Place, catalog, deletion, plain_stream, record, state, stream_errors};

/// More messages than a run needs.
const MOST_MESSAGES: usize = 200;

/// Two batches: one that fills the table, and one in which rows change, stay, go and come back.
fn batches() -> [Vec<Message>; 2] {
    let row = |id: &str, n: i64, updated: i64| {
        record("thing", &format!(r#"{{"id":"{id}","n":{n},"updated":{updated}}}"#))
    };
    let gone = |id: &str, updated: i64| deletion("thing", &format!(r#"{{"id":"{id}","updated":{updated}}}"#));
    [
        vec![
            row("changed", 1, 1),
            row("kept", 1, 1),
            row("gone", 1, 1),
            row("newer", 9, 9),
            state("thing", "1"),
        ],
        vec![
            row("changed", 2, 2),
            row("kept", 1, 1),
            gone("gone", 2),
            row("gone", 3, 1),
            row("newer", 1, 2),
            row("twice", 1, 2),
            row("twice", 2, 3),
            gone("back", 2),
            row("back", 4, 3),
            state("thing", "2"),
        ],
    ]
}

const EXPECTED: [&str; 5] = ["back 4", "changed 2", "kept 1", "newer 9", "twice 2"];

/// Whatever the message and however it breaks: the batches are handed back, and the table, the tombstones and the
/// state are what they are without a failure.
#[tokio::test(flavor = "multi_thread")]
async fn a_break_at_any_message_loses_and_doubles_nothing() {
    let cluster = Cluster::start();
    let breaks = [Break::BeforeIt, Break::AfterIt, Break::WithinTheAnswer];
    futures::future::join_all(breaks.map(|breaks| break_everywhere(&cluster, breaks))).await;
}

async fn break_everywhere(cluster: &Cluster, breaks: Break) {
    let catalog = catalog([plain_stream("thing")]);
    let mut victims = Vec::new();
    while victims.len() < MOST_MESSAGES {
        let schema = format!("{breaks:?} {}", victims.len());
        let direct = Place { url: cluster.url(), schema: schema.clone() };
        direct.setup(&catalog).await.unwrap();
        let proxy = FaultyProxy::before(cluster, victims.len(), breaks).await;
        let broken = Place { url: proxy.url_of("postgres"), schema: schema.clone() };
        for messages in batches() {
            let count = messages.len();
            let back = broken.write(&catalog, messages).await;
            assert_eq!(stream_errors(&back), [""; 0], "{schema}: {:?}", proxy.victim());
            assert_eq!(back.len(), count, "{schema}: {:?}", proxy.victim());
        }
        let victim = proxy.victim();
        let rows = format!("SELECT id || ' ' || (_raw_data->>'n') FROM \"{schema}\".thing ORDER BY 1");
        assert_eq!(direct.query(&rows).await, EXPECTED, "{schema}: {victim:?}");
        let tombstones = format!("SELECT key || updated_at FROM \"{schema}\"._sync_tombstones");
        assert_eq!(direct.query(&tombstones).await, [r#"["gone"]2"#], "{schema}: {victim:?}");
        assert_eq!(direct.state().await.unwrap().streams["thing"].as_str(), "2", "{schema}: {victim:?}");
        let Some(victim) = victim else { break };
        victims.push(victim);
    }
    assert!(victims.len() < MOST_MESSAGES, "the last message was not reached");
    let of = |word: &str| victims.iter().filter(|victim| victim.contains(word)).count();
    assert_eq!(of("COMMIT"), 2, "{victims:?}");
    assert!(of("_sync_state") > 0 && of("INSERT INTO") > 0, "{victims:?}");
}

/// Setup is one transaction: it is made whole, or made again.
#[tokio::test(flavor = "multi_thread")]
async fn setup_survives_a_break_at_any_message() {
    let cluster = Cluster::start();
    let catalog = catalog([plain_stream("thing"), plain_stream("other")]);
    for breaks in [Break::BeforeIt, Break::AfterIt] {
        let mut committed = false;
        for at in 0..MOST_MESSAGES {
            let name = format!("{breaks:?}{at}").to_lowercase();
            let proxy = FaultyProxy::before(&cluster, at, breaks).await;
            let broken = Place { url: proxy.url_of("postgres"), schema: name.clone() };
            broken.setup(&catalog).await.unwrap();
            let direct = Place { url: cluster.url(), schema: name.clone() };
            let made = format!("SELECT name FROM \"{name}\"._sync_tables WHERE kind = 'table' ORDER BY 1");
            assert_eq!(direct.query(&made).await, ["_sync_state", "_sync_tombstones", "other", "thing"]);
            let Some(victim) = proxy.victim() else { break };
            committed |= victim.contains("COMMIT");
        }
        assert!(committed);
    }
}
