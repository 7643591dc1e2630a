//! What a key may read is known before anything is read (fidelity K2).

use std::collections::BTreeMap;

use futures::StreamExt;
use protocol::{ConnectionState, LogLevel, Payload, Source, StreamStatus};
use serde_json::json;
use source_stripe::StripeSource;
use stripe_simulator::{Fault, FaultRule, Permissions, SimulatorBuilder};

use crate::reading::{Account, newest, simulation};

#[derive(Default)]
struct Told {
    streams: BTreeMap<String, StreamStatus>,
    warnings: Vec<String>,
    failed: Option<String>,
}

impl Told {
    fn reason(&self, stream: &str) -> &str {
        match &self.streams[stream] {
            StreamStatus::Skip { reason } => reason,
            other => panic!("{stream}: {other:?}"),
        }
    }

    fn is_readable(&self, stream: &str) -> bool {
        matches!(self.streams[stream], StreamStatus::Start { .. })
    }
}

const KEY: &str = "rk_test_restricted";

async fn preflight(builder: SimulatorBuilder, names: &[&str]) -> (Account, Told) {
    let mut account = Account::start(&newest(), builder).await;
    account.config = json!({"account_id": "acct_mine"});
    if account.control().keys().iter().any(|(key, _)| key == KEY) {
        account.config["api_key"] = json!(KEY);
    }
    let streams = account.streams(names).await;
    let mut messages = StripeSource::default().preflight(account.config(), streams).unwrap();
    let mut told = Told::default();
    while let Some(message) = messages.next().await {
        match message.unwrap().payload {
            Payload::StreamStatus(status) => {
                let again = told.streams.insert(status.stream.to_string(), status.status);
                assert_eq!(again, None, "{} is told of twice", status.stream);
            }
            Payload::Log(log) if log.level == LogLevel::Warn => told.warnings.push(log.message),
            Payload::ConnectionStatus(status) if status.status == ConnectionState::Failed => {
                told.failed = status.message;
            }
            _ => {}
        }
    }
    (account, told)
}

fn small() -> SimulatorBuilder {
    simulation(&newest()).table("charge", 3).table("dispute", 2).table("customer", 3).table("subscription", 3)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_key_may_read_everything_at_one_request_a_list() {
    let (account, told) = preflight(small(), &[]).await;
    let unreadable: Vec<_> = told.streams.keys().filter(|name| !told.is_readable(name)).collect();
    assert!(unreadable.is_empty(), "{unreadable:?}");
    assert!(told.streams.len() > 70 && told.warnings.is_empty(), "{:?}", told.warnings);
    let lists = account.catalog.listable().count() as u64;
    let requests = account.running.control().counters().requests;
    // Each list once, those under a parent, and the key's own account.
    assert!(requests <= lists + 40, "{requests} requests for {lists} lists");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_stream_names_the_permission_that_it_lacks() {
    let lacking = ["rak_dispute_read", "rak_subscription_read", "rak_billing_clock_read", "rak_event_read"];
    let builder = small()
        .restricted_key(KEY, Permissions::read_all_but(lacking))
        .fault(FaultRule::always("/v1/account", Fault::Forbidden))
        .fault(FaultRule::always("/v1/customers/*/balance_transactions", Fault::Forbidden));
    let names = [
        "charge",
        "dispute",
        "subscription",
        "subscription_item",
        "customer",
        "customer_balance_transaction",
        "account",
    ];
    let (account, told) = preflight(builder, &names).await;
    assert!(told.is_readable("charge") && told.is_readable("customer") && told.is_readable("account"));
    assert!(told.reason("dispute").contains("permission rak_dispute_read:"), "{}", told.reason("dispute"));
    // A child without rows of its own to ask for names its parent's permission.
    let items = told.reason("subscription_item");
    assert!(items.contains("by way of subscription") && items.contains("rak_subscription_read"), "{items}");
    let balance = told.reason("customer_balance_transaction");
    assert!(balance.contains("rak_") && !balance.contains("by way of"), "{balance}");
    let warned = |start: &str, permission: &str| {
        let found = told.warnings.iter().any(|text| text.starts_with(start) && text.contains(permission));
        assert!(found, "{start} {permission}: {:?}", told.warnings);
    };
    warned("customer: objects attached to a test clock", "rak_billing_clock_read");
    warned("account: some objects would be left out", "rak_connected_account_read");
    warned("changes cannot be told by events", "rak_event_read");

    // And so it is when they are read.
    let said = account.read(account.streams(&["charge", "dispute", "subscription_item"]).await, None).await;
    assert_eq!(said.end_of("charge"), &StreamStatus::Complete);
    for skipped in ["dispute", "subscription_item"] {
        assert!(matches!(said.end_of(skipped), StreamStatus::Skip { .. }), "{skipped}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn features_that_are_off_and_failures_are_told_apart() {
    let refused = |path: &str, message: &str| {
        FaultRule::always(path, Fault::Refused { status: 400, message: message.to_owned(), code: None })
    };
    let builder = small()
        .fault(refused("/v1/issuing/cards", "Your account is not set up to use Issuing."))
        .fault(refused("/v1/disputes", "Something new."));
    let (_account, told) = preflight(builder, &["issuing_card", "dispute", "charge"]).await;
    assert!(told.reason("issuing_card").starts_with("Issuing is not enabled"));
    match &told.streams["dispute"] {
        StreamStatus::Error { error } => assert!(error.starts_with("Something new."), "{error}"),
        other => panic!("{other:?}"),
    }
    assert!(told.is_readable("charge"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_is_said_once() {
    let (_account, told) = preflight(small().api_key("sk_test_other"), &["charge", "dispute"]).await;
    assert!(told.failed.is_some_and(|text| text.contains("Invalid API Key")));
    assert!(told.streams.is_empty());
}
