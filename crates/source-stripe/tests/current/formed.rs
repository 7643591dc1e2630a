//! Streams whose rows are wanted in another form than they were read in.

use std::time::Duration;

use protocol::Payload;
use serde_json::json;
use stripe_simulator::{Clock, SimulatorBuilder};

use crate::account::{Account, simulation};

const STREAMS: [&str; 2] = ["customer", "product"];

/// An account that was read.
async fn read(builder: SimulatorBuilder) -> Account {
    let account = Account::start(builder, &STREAMS).await;
    account.sync().await;
    account
}

/// Products are kept otherwise from now on, and rows say what wrote them.
fn keep_otherwise(account: &mut Account, revision: Option<&str>) {
    let product = account.streams.streams.iter_mut().find(|configured| &*configured.stream.name == "product");
    product.unwrap().revision = revision.map(str::to_owned);
    account.config["provenance"] = json!(true);
}

/// How many rows of a stream were written since they say what wrote them, of how many.
fn written(account: &Account, stream: &str) -> (usize, usize) {
    let sources = account.copy.lock().unwrap().sources(stream);
    (sources.values().flatten().count(), sources.len())
}

fn records(account: &Account) -> u64 {
    account.copy.lock().unwrap().records
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_kept_otherwise_is_read_again_and_keeps_its_place_in_the_events() {
    let clock = Clock::manual(1_900_000_000);
    let builder = simulation().clock(clock.clone()).table("customer", 30).table("product", 250);
    let mut account = read(builder).await.with("revalidate_objects", json!(["product"]));
    let control = account.control();
    let ids = control.ids("product").unwrap();
    clock.advance(Duration::from_secs(600));
    control.update("product", &ids[0], json!({"name": "changed"})).unwrap();
    clock.advance(Duration::from_secs(600));
    // It is read again, so that its row is newer than what the product says of itself.
    account.sync().await;
    control.delete("product", &ids[1]).unwrap();
    clock.advance(Duration::from_secs(600));
    keep_otherwise(&mut account, Some("narrow"));
    account.sync().await;
    account.assert_equal("after the change");
    assert_eq!((written(&account, "product"), written(&account, "customer").0), ((249, 249), 0));
    let reason = account.copy.lock().unwrap().starts["product"].clone().unwrap();
    assert!(reason.contains("transforms"), "{reason}");

    let before = records(&account);
    clock.advance(Duration::from_secs(600));
    account.sync().await;
    assert_eq!(records(&account), before, "once");
    keep_otherwise(&mut account, None);
    account.sync().await;
    assert_eq!(records(&account), before + 249, "and back");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_reading_goes_on() {
    // It was begun, said so as a whole, and some of it is durable.
    for states in [1, 2, 4] {
        let mut account = read(simulation().table("customer", 30).table("product", 450)).await;
        keep_otherwise(&mut account, Some("narrow"));
        let said = account.held_back().await;
        let is_state = |at: &usize| matches!(said[*at].payload, Payload::SourceState(_));
        let cut = (0..said.len()).filter(is_state).nth(states - 1).unwrap();
        account.take(&said[..=cut]);
        assert!(written(&account, "product").0 < 450, "after {states} states");
        account.sync().await;
        assert_eq!(written(&account, "product"), (450, 450), "after {states} states");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_an_event_has_just_written_is_written_again() {
    let clock = Clock::manual(1_900_000_000);
    let builder = simulation().clock(clock.clone()).table("customer", 3).table("product", 3);
    let mut account = read(builder).await;
    clock.advance(Duration::from_secs(600));
    let ids = account.control().ids("product").unwrap();
    account.control().update("product", &ids[0], json!({"name": "changed"})).unwrap();
    clock.advance(Duration::from_secs(1));
    account.sync().await;
    keep_otherwise(&mut account, Some("narrow"));
    account.sync().await;
    assert_eq!(written(&account, "product"), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_remembered_where_no_events_are_followed() {
    let builder = simulation().table("customer", 30).table("product", 30);
    let mut account = Account::start(builder, &STREAMS).await.with("poll_events", json!(false));
    account.sync().await;
    let before = account.copy.lock().unwrap().global_states;
    keep_otherwise(&mut account, Some("narrow"));
    account.sync().await;
    assert_eq!((before, written(&account, "product"), written(&account, "customer").0), (0, (30, 30), 0));
    let before = records(&account);
    account.sync().await;
    assert_eq!(records(&account), before, "once");
}
