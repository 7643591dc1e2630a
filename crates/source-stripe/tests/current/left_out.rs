//! Streams that are not wanted for a while.

use std::time::Duration;

use protocol::ConfiguredCatalog;
use serde_json::json;
use stripe_simulator::Clock;

use crate::account::{Account, simulation};

/// The account, with other streams of it.
async fn sync_only(account: &mut Account, streams: &[&str]) {
    let all = account.streams.clone();
    let wanted = all.streams.iter().filter(|configured| streams.contains(&&*configured.stream.name));
    account.streams = ConfiguredCatalog { streams: wanted.cloned().collect() };
    account.sync().await;
    account.streams = all;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_meanwhile_is_found_when_they_come_back() {
    let clock = Clock::manual(1_900_000_000);
    let builder = simulation().clock(clock.clone()).table("customer", 30).table("product", 30);
    let mut account = Account::start(builder, &["customer", "product"]).await;
    account.sync().await;
    let control = account.control();
    let ids = control.ids("product").unwrap();

    // Longer than events are looked at again in any case.
    let later = || clock.advance(Duration::from_secs(600));
    later();
    control.update("product", &ids[0], json!({"name": "changed while left out"})).unwrap();
    later();
    sync_only(&mut account, &["customer"]).await;
    control.delete("product", &ids[1]).unwrap();
    control.update("customer", &control.ids("customer").unwrap()[0], json!({"name": "Anna"})).unwrap();
    // The position passes what changed, twice.
    later();
    sync_only(&mut account, &["customer"]).await;

    later();
    account.sync().await;
    account.assert_equal("with all streams again");
}
