//! Past events, as they are handed to those who push them in.

use std::num::NonZeroU64;

use futures::{StreamExt, TryStreamExt};
use protocol::{ConnectorError, ErrorKind, RawJson};
use serde::Deserialize;
use serde_json::json;
use source_stripe::StripeSource;
use stripe_simulator::{Fault, FaultRule};

use crate::account::{Account, simulation};

#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Event {
    id: String,
    created: i64,
}

async fn stirred() -> Account {
    let account = Account::start(simulation().table("customer", 30), &["customer"]).await;
    account.control().stir(1, 240).unwrap();
    account
}

async fn past(account: &Account, since: i64, most: u64) -> Result<Vec<Event>, ConnectorError> {
    let events = StripeSource::default().past_events(account.config(), since, NonZeroU64::new(most));
    let events: Vec<RawJson> = events.try_collect().await?;
    Ok(events.iter().map(|event| event.read().unwrap()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn past_events_come_oldest_first() {
    let account = stirred().await;
    let all = past(&account, 0, 0).await.unwrap();
    assert!(all.len() >= 240, "{}", all.len());
    assert!(all.is_sorted_by_key(|event| event.created));
    let first = past(&account, 0, 7).await.unwrap();
    assert_eq!(first, all[..7]);
    let after = all.last().unwrap().created + 3600;
    assert_eq!(past(&account, after, 0).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_asked_for_as_a_read_asks() {
    let account = stirred().await;
    let source = StripeSource::default();
    let mut events = source.past_events(account.config(), 0, None);
    assert_eq!(source.meter().requests_sent(), 0, "nobody pulls yet");
    events.next().await.unwrap().unwrap();
    assert!(source.meter().requests_sent() >= 2, "by the source's own client");

    let refusal = FaultRule::always("/v1/events", Fault::Forbidden);
    let rule = account.control().add_fault(refusal);
    let refused = past(&account, 0, 0).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Auth);
    assert!(refused.to_string().contains("grant it read access to Events"), "{refused}");
    account.control().remove_fault(rule);

    let passing = FaultRule::nth("/v1/events", &[1], Fault::Status(500));
    account.control().add_fault(passing);
    assert!(!past(&account, 0, 1).await.unwrap().is_empty(), "asked again");

    let account = account.with("ca_certificate", json!("/nowhere/ca.pem"));
    let refused = past(&account, 0, 0).await.unwrap_err();
    assert!(refused.to_string().contains("ca_certificate"), "{refused}");
}
