use protocol::SourceState;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::*;

const NOW: Duration = Duration::ZERO;

/// A read of the own account and of `acct_1` and `acct_2`, of which streams `a` and `b` are wanted.
fn merger(states: &SourceState) -> (Merger, mpsc::UnboundedReceiver<Delivery>) {
    let (sender, told) = mpsc::unbounded_channel();
    let mut merger = Merger::new(["a".into(), "b".into()], States::read(Some(states)), sender, NOW);
    for (number, id) in ["acct_own", "acct_1", "acct_2"].into_iter().enumerate() {
        assert_eq!(merger.begin(id, number == 0), number);
    }
    (merger, told)
}

fn raw(value: &Value) -> RawJson {
    RawJson::from_value(value).unwrap()
}

fn state(stream: &str, value: &Value) -> Delivery {
    Delivery::Message(Message::stream_state(&stream.into(), raw(value)))
}

fn global(cursor: i64) -> Delivery {
    let data = raw(&json!({"events_cursor": cursor}));
    Delivery::Message(Payload::SourceState(SourceStateMessage::Global { data }).into())
}

fn status(stream: &str, status: StreamStatus) -> Delivery {
    Delivery::Message(Message::stream_status(&stream.into(), status))
}

/// What was told, in short.
fn told(receiver: &mut mpsc::UnboundedReceiver<Delivery>) -> Vec<String> {
    let mut told = Vec::new();
    while let Ok(delivery) = receiver.try_recv() {
        told.push(match delivery {
            Delivery::Message(message) => match message.payload {
                Payload::SourceState(SourceStateMessage::Stream { stream, data }) => {
                    format!("{stream} {}", data.as_str())
                }
                Payload::SourceState(SourceStateMessage::Global { data }) => {
                    format!("global {}", data.as_str())
                }
                Payload::StreamStatus(said) => {
                    format!(
                        "{} {}",
                        said.stream,
                        serde_json::to_value(&said.status).unwrap()["status"].as_str().unwrap()
                    )
                }
                Payload::Log(log) => format!("log {}", log.message),
                other => format!("{other:?}"),
            },
            other => format!("{other:?}"),
        });
    }
    told
}

#[test]
fn states_of_all_accounts_are_one() {
    let (mut merger, mut receiver) = merger(&SourceState::default());
    merger.take(1, state("a", &json!({"n": 1})), NOW).unwrap();
    merger.take(0, state("a", &json!({"n": 0})), NOW).unwrap();
    merger.take(2, global(7), NOW).unwrap();
    assert_eq!(
        told(&mut receiver),
        [
            r#"a {"remaining":[],"accounts":{"acct_1":{"n":1}}}"#,
            r#"a {"n":0,"accounts":{"acct_1":{"n":1}}}"#,
            r#"global {"accounts":{"acct_2":{"events_cursor":7}}}"#,
        ]
    );
    assert_eq!(merger.state_of(1).streams["a"].as_str(), r#"{"n":1}"#);
}

#[test]
fn accounts_that_are_not_read_keep_their_states() {
    let streams =
        BTreeMap::from([("a".to_owned(), raw(&json!({"remaining": [], "accounts": {"acct_9": {"n": 9}}})))]);
    let (mut merger, mut receiver) = merger(&SourceState { streams, ..SourceState::default() });
    merger.take(1, state("a", &json!({"n": 1})), NOW).unwrap();
    assert_eq!(told(&mut receiver), [r#"a {"remaining":[],"accounts":{"acct_1":{"n":1},"acct_9":{"n":9}}}"#]);
}

/// A merger that has told so much that states have to wait.
fn spent(merger: &mut Merger, receiver: &mut mpsc::UnboundedReceiver<Delivery>) {
    merger.budget.spend(8 << 20);
    assert!(merger.next().is_none());
    told(receiver);
}

#[test]
fn large_states_wait_but_not_for_ever() {
    let (mut merger, mut receiver) = merger(&SourceState::default());
    spent(&mut merger, &mut receiver);
    for n in 0..10 {
        merger.take(0, state("a", &json!({ "n": n })), NOW).unwrap();
    }
    assert_eq!(told(&mut receiver), Vec::<String>::new());
    let next = merger.next().unwrap();
    merger.tell_states(next).unwrap();
    assert_eq!(told(&mut receiver), [r#"a {"n":9}"#], "once");
    assert_eq!(merger.next(), None);
}

#[test]
fn a_stream_s_end_follows_its_state() {
    let (mut merger, mut receiver) = merger(&SourceState::default());
    spent(&mut merger, &mut receiver);
    merger.take(0, state("a", &json!({"n": 1})), NOW).unwrap();
    for account in 0..3 {
        merger
            .take(account, status("a", StreamStatus::Start { time_range: None, reason: None }), NOW)
            .unwrap();
        merger.take(account, status("a", StreamStatus::Complete), NOW).unwrap();
    }
    assert_eq!(told(&mut receiver), ["a start", r#"a {"n":1}"#, "a complete"]);
}

#[test]
fn a_position_is_stored_before_what_is_read_after_it() {
    let (mut merger, mut receiver) = merger(&SourceState::default());
    spent(&mut merger, &mut receiver);
    // What was read is taken back, and only then events are followed from now on.
    merger.take(1, state("a", &json!({"n": 0})), NOW).unwrap();
    merger.take(1, global(7), NOW).unwrap();
    merger.take(1, state("b", &json!({"n": 1})), NOW).unwrap();
    merger.tell_states(merger.next().unwrap()).unwrap();
    assert_eq!(
        told(&mut receiver),
        [
            r#"a {"remaining":[],"accounts":{"acct_1":{"n":0}}}"#,
            r#"global {"accounts":{"acct_1":{"events_cursor":7}}}"#,
            r#"b {"remaining":[],"accounts":{"acct_1":{"n":1}}}"#,
        ]
    );
}

#[test]
fn each_account_counts_its_own_durable_states() {
    let (mut merger, mut receiver) = merger(&SourceState::default());
    let (one, two) = (merger.durable_of(1), merger.durable_of(2));
    let count = |durable: &watch::Receiver<u64>| *durable.borrow();
    merger.take(1, global(1), NOW).unwrap();
    spent(&mut merger, &mut receiver);
    merger.take(1, global(2), NOW).unwrap();
    merger.take(1, global(3), NOW).unwrap();
    merger.take(2, global(1), NOW).unwrap();
    merger.is_durable(1);
    assert_eq!((count(&one), count(&two)), (1, 0));
    merger.is_durable(2);
    assert_eq!((count(&one), count(&two)), (1, 0), "the second was not told yet");
    merger.tell_states(merger.next().unwrap()).unwrap();
    merger.is_durable(2);
    assert_eq!((count(&one), count(&two)), (3, 1), "one global state held three");
}

#[test]
fn an_account_s_words_are_told_with_its_name() {
    let (mut merger, mut receiver) = merger(&SourceState::default());
    merger.take(1, Delivery::Message(Message::log(LogLevel::Warn, "odd")), NOW).unwrap();
    merger.take(1, status("a", StreamStatus::Skip { reason: "no".to_owned() }), NOW).unwrap();
    merger.take(1, status("b", StreamStatus::Error { error: "broken".to_owned() }), NOW).unwrap();
    merger.end(2, Some(&Trouble::Skipped("revoked".to_owned()))).unwrap();
    assert_eq!(
        told(&mut receiver),
        [
            "log acct_1: odd",
            "log acct_1: b: broken",
            "log acct_1 (2 of 3): 0 rows, skipped: a, failed: b",
            "log acct_2: it is not read any more: revoked",
            "log acct_2 (3 of 3): 0 rows, skipped: a, b",
        ]
    );
    merger.end(0, None).unwrap();
    assert_eq!(told(&mut receiver), ["a complete", "b error", "log acct_own (1 of 3): 0 rows"]);
}

#[test]
fn a_refused_key_ends_all() {
    let (mut merger, mut receiver) = merger(&SourceState::default());
    let failed = protocol::ConnectionStatus::failed("no such key".to_owned());
    merger.take(1, Delivery::Message(Message::connection_status(failed)), NOW).unwrap_err();
    assert_eq!(told(&mut receiver).len(), 1);
}
