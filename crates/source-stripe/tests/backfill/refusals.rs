//! Keys and accounts that may not read everything.

use protocol::{ConnectionState, Payload, Source, StreamStatus};
use serde_json::json;
use source_stripe::StripeSource;
use stripe_simulator::{Fault, FaultRule, SimulatorBuilder};

use crate::reading::{Account, newest, simulation};

fn refused(path: &str, status: u16, message: &str) -> FaultRule {
    FaultRule::always(path, Fault::Refused { status, message: message.to_owned(), code: None })
}

fn small() -> SimulatorBuilder {
    simulation(&newest()).table("charge", 150).table("refund", 2).table("dispute", 2)
}

async fn check(account: &Account) -> (ConnectionState, String) {
    let messages = StripeSource::default().check(account.config());
    let found = protocol::once(async move {
        let mut messages = messages;
        futures::StreamExt::next(&mut messages).await.unwrap()
    });
    let mut found = found;
    let Payload::ConnectionStatus(status) =
        futures::StreamExt::next(&mut found).await.unwrap().unwrap().payload
    else {
        panic!("no connection status");
    };
    (status.status, status.message.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_a_restricted_key_may_not_read_are_skipped_by_name() {
    let builder = small()
        .fault(FaultRule::always("/v1/disputes", Fault::Forbidden))
        .fault(FaultRule::always("/v1/account", Fault::Forbidden));
    let mut account = Account::start(&newest(), builder).await;
    let streams = account.streams(&["charge", "dispute"]).await;

    // Without an id nothing can be stamped: said once, with what to do.
    let said = account.read(streams.clone(), None).await;
    assert!(
        said.connection.as_ref().is_some_and(|text| text.contains("set account_id")),
        "{:?}",
        said.connection
    );
    assert!(said.ends.is_empty());
    assert!(check(&account).await.1.contains("set account_id"));

    account.config = json!({"account_id": "acct_mine"});
    assert_eq!(check(&account).await.0, ConnectionState::Succeeded);
    let said = account.read(streams, None).await;
    assert_eq!(said.end_of("charge"), &StreamStatus::Complete);
    assert_eq!(said.rows_of("charge").len(), 150);
    match said.end_of("dispute") {
        StreamStatus::Skip { reason } => assert!(reason.contains("rak_"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_is_said_once() {
    let mut account = Account::start(&newest(), small().api_key("sk_test_other")).await;
    let streams = account.streams(&["charge", "refund", "dispute"]).await;
    // With and without a look-up of the account before.
    for config in [json!({}), json!({"account_id": "acct_1", "account_created": 1_600_000_000})] {
        account.config = config;
        let said = account.read(streams.clone(), None).await;
        assert!(
            said.connection.as_ref().is_some_and(|text| text.contains("Invalid API Key")),
            "{:?}",
            said.connection
        );
        assert!(said.ends.is_empty(), "{:?}", said.ends);
    }
    let (status, message) = check(&account).await;
    assert_eq!(status, ConnectionState::Failed);
    assert!(message.contains("api_key"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_one_list_refuses_fails_that_stream_only() {
    let rule = refused("/v1/charges", 401, "Invalid API Key provided: sk_test_***");
    let mut account = Account::start(&newest(), small().fault(rule)).await;
    let streams = account.streams(&["charge", "refund"]).await;
    for config in [json!({}), json!({"account_id": "acct_1", "account_created": 1_600_000_000})] {
        account.config = config;
        let said = account.read(streams.clone(), None).await;
        assert_eq!(said.connection, None);
        assert_eq!(said.end_of("refund"), &StreamStatus::Complete);
        assert_eq!(said.rows_of("refund").len(), 2);
        match said.end_of("charge") {
            StreamStatus::Error { error } => assert!(error.contains("Invalid API Key"), "{error}"),
            other => panic!("{other:?}"),
        }
        assert!(said.rows_of("charge").is_empty() && !said.state.streams.contains_key("charge"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn known_refusals_skip_and_unknown_ones_fail() {
    let builder = small()
        .fault(refused("/v1/issuing/cards", 400, "Your account is not set up to use Issuing."))
        .fault(refused("/v1/disputes", 400, "Something new."));
    let account = Account::start(&newest(), builder).await;
    let said = account.read(account.streams(&["issuing_card", "dispute", "charge"]).await, None).await;
    match said.end_of("issuing_card") {
        StreamStatus::Skip { reason } => assert!(reason.contains("Issuing is not enabled"), "{reason}"),
        other => panic!("{other:?}"),
    }
    match said.end_of("dispute") {
        StreamStatus::Error { error } => {
            assert!(error.starts_with("Something new. [GET /v1/disputes (400)] {request-id="), "{error}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(said.end_of("charge"), &StreamStatus::Complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_stream_and_an_unreadable_state_concern_that_stream_only() {
    let account = Account::start(&newest(), small()).await;
    let mut streams = account.streams(&["charge", "refund"]).await;
    let mut unknown = streams.streams[0].clone();
    unknown.stream.name = "unicorn".into();
    streams.streams.push(unknown);
    let first = account.read(streams.clone(), None).await;
    match first.end_of("unicorn") {
        StreamStatus::Error { error } => assert!(error.starts_with("Unknown stream: unicorn"), "{error}"),
        other => panic!("{other:?}"),
    }

    let mut state = first.state.clone();
    let legacy = protocol::RawJson::parse(r#"{"eventId":"evt_1","eventCreated":7}"#).unwrap();
    state.streams.insert("charge".to_owned(), legacy);
    streams.streams.pop();
    let ceiling =
        state.streams["refund"].read::<serde_json::Value>().unwrap()["accounted_range"]["lt"].clone();
    for stream in &mut streams.streams {
        let lt = protocol::Timestamp::parse_bound(ceiling.as_str().unwrap()).unwrap();
        stream.time_range = Some(protocol::TimeRange { gte: None, lt: Some(lt) });
    }
    let again = account.read(streams, Some(state)).await;
    assert_eq!(again.rows_of("charge").len(), 150);
    assert!(again.rows_of("refund").is_empty());
    let warned = again.messages.iter().any(|message| match &message.payload {
        Payload::Log(log) => log.level == protocol::LogLevel::Warn && log.message.starts_with("charge: "),
        _ => false,
    });
    assert!(warned);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_host_is_named_with_the_cause() {
    let mut account = Account::start(&newest(), small()).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    account.config = json!({"base_url": format!("http://{free}")});
    let (status, message) = check(&account).await;
    assert_eq!(status, ConnectionState::Failed);
    assert!(message.contains(&format!("cannot reach {free}")), "{message}");
    assert!(message.to_lowercase().contains("refused"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_version_is_refused_with_its_neighbours() {
    let account = Account::start(&newest(), small()).await;
    let mut config = account.config();
    config.api_version = "not-a-version".to_owned();
    let mut messages = StripeSource::default().check(config);
    let error = futures::StreamExt::next(&mut messages).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), protocol::ErrorKind::Config);
    assert!(error.to_string().contains("YYYY-MM-DD"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_further_list_that_is_refused_or_gone_does_not_fail_the_stream() {
    let builder = small()
        .table("account", 5)
        .table("customer", 5)
        .table("test_helpers_test_clock", 1)
        .fault(FaultRule::always("/v1/account", Fault::Forbidden));
    let mut account = Account::start(&newest(), builder).await;
    account.config = json!({"account_id": "acct_mine"});
    let streams = account.streams(&["account", "customer"]).await;
    // A key that may list connected accounts but not read its own.
    let said = account.read(streams.clone(), None).await;
    assert_eq!(said.end_of("account"), &StreamStatus::Complete);
    assert_eq!(said.rows_of("account").len(), 5);
    let warned = said.messages.iter().any(|message| match &message.payload {
        Payload::Log(log) => log.message.starts_with("account: some objects are left out"),
        _ => false,
    });
    assert!(warned);

    // A clock that is deleted after it was listed.
    let gone = Fault::Refused {
        status: 404,
        message: "No such test clock".to_owned(),
        code: Some("resource_missing".to_owned()),
    };
    account.control().add_fault(FaultRule::nth("/v1/customers", &[2], gone));
    // A fifth of a second apart, so that the list of the clock is surely the second to be asked.
    account.config = json!({"account_id": "acct_mine", "endpoint_rate_limit": 5});
    let said = account.read(streams, None).await;
    assert_eq!(said.end_of("customer"), &StreamStatus::Complete);
}
