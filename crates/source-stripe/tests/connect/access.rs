//! Accounts that let nobody in, and keys that may not do everything.

use protocol::{ConnectionState, StreamStatus};
use serde_json::json;
use stripe_simulator::{Fault, FaultRule, Permissions};

use crate::platform::{Platform, simulation, wait_until};

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_access_is_left_out_of_all() {
    let platform = Platform::start(simulation(3), &["charge", "customer"]).await;
    let accounts = platform.connected();
    let chosen = platform.with("accounts", json!(accounts));
    chosen.control().revoke(&accounts[1]).unwrap();
    let checked = chosen.check().await;
    assert_eq!(checked.status, ConnectionState::Failed);
    let message = checked.message.unwrap();
    assert!(
        message.contains(&format!("1 of the accounts cannot be accessed with this key: {}", accounts[1])),
        "{message}"
    );
    chosen.sync().await;
    {
        let copy = chosen.copy.lock().unwrap();
        for stream in ["customer", "charge"] {
            // It was asked for by name.
            let [StreamStatus::Error { error }] = &copy.ends(stream)[..] else {
                panic!("{:?}", copy.ends(stream))
            };
            assert!(
                error.starts_with(&format!("{}: ", accounts[1])) && error.contains("does not have access"),
                "{error}"
            );
        }
        assert_eq!(copy.connection, None, "the key is good");
    }
    chosen.assert_equal(&[accounts[0].clone(), accounts[2].clone()], "the others");
    let few = chosen.control().account(&accounts[1]).unwrap().counters();
    assert!(few.requests_to("/v1/customers") <= 1, "it is not asked again and again");
    // Of all accounts it is none.
    let all = chosen.with("accounts", json!("all"));
    all.copy.lock().unwrap().statuses.clear();
    all.sync().await;
    assert_eq!(all.copy.lock().unwrap().ends("customer"), [StreamStatus::Complete]);
}

#[tokio::test(flavor = "multi_thread")]
async fn access_may_end_in_the_middle_and_come_back() {
    let platform = Platform::start(simulation(3), &["charge", "customer"]).await;
    let [own, accounts] = [vec![platform.own()], platform.connected()];
    let all = [own, accounts.clone()].concat();
    let lost = accounts[2].clone();
    // Slow enough to be interrupted.
    let fault = platform.control().add_fault(FaultRule::always("*", Fault::Latency { ms: 30, jitter_ms: 0 }));
    let revoke = async {
        wait_until(|| platform.control().account(&lost).unwrap().counters().requests_to("/v1/customers") > 0)
            .await;
        platform.control().revoke(&lost).unwrap();
    };
    futures::join!(platform.sync(), revoke);
    platform.control().remove_fault(fault);
    let others: Vec<String> = all.iter().filter(|id| **id != lost).cloned().collect();
    platform.assert_equal(&others, "the others are whole");
    {
        let copy = platform.copy.lock().unwrap();
        for stream in ["customer", "charge"] {
            assert_eq!(copy.ends(stream), [StreamStatus::Complete], "of all that let us in");
        }
        assert!(
            copy.logs.iter().any(|log| log.starts_with(&format!("{lost}: it is not read any more"))),
            "{:?}",
            copy.logs
        );
    }
    platform.control().restore(&lost).unwrap();
    platform.sync().await;
    platform.assert_equal(&all, "all again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_skipped_only_where_it_is_refused() {
    let key = "rk_test_connect";
    let may =
        Permissions::only(["rak_customer_read", "rak_accounts_kyc_basic_read", "rak_connected_account_read"]);
    let builder = simulation(2).restricted_key(key, may);
    let platform = Platform::start(builder, &["charge", "customer"]).await.with("api_key", json!(key));
    let accounts = platform.connected();
    let chosen = platform
        .with("accounts", json!(accounts))
        .with("account_id", json!("acct_other"))
        .with("account_created", json!(0));
    assert_eq!(chosen.check().await.status, ConnectionState::Succeeded);
    chosen.sync().await;
    let copy = chosen.copy.lock().unwrap();
    assert_eq!(copy.ends("customer"), [StreamStatus::Complete], "{:?}", copy.logs);
    let [StreamStatus::Skip { reason }] = &copy.ends("charge")[..] else {
        panic!("{:?}", copy.ends("charge"))
    };
    for account in &accounts {
        assert!(reason.contains(account), "{reason}");
    }
    assert!(reason.contains("rak_charge_read"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_account_s_failure_is_told_with_its_name() {
    let platform = Platform::start(simulation(2), &["charge", "customer"]).await;
    let refused = Fault::Refused { status: 400, message: "Out of paper.".to_owned(), code: None };
    let fault = FaultRule::nth("/v1/charges", &[3], refused);
    platform.control().add_fault(fault);
    platform.sync().await;
    let copy = platform.copy.lock().unwrap();
    assert_eq!(copy.ends("customer"), [StreamStatus::Complete]);
    let [StreamStatus::Error { error }] = &copy.ends("charge")[..] else {
        panic!("{:?}", copy.ends("charge"))
    };
    assert!(error.starts_with("acct_"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_fails_the_read_once() {
    let platform =
        Platform::start(simulation(2), &["customer"]).await.with("api_key", json!("sk_test_other"));
    platform.sync().await;
    let copy = platform.copy.lock().unwrap();
    assert!(copy.connection.as_ref().is_some_and(|message| message.contains("refuses the API key")));
    assert_eq!(copy.statuses, []);
}
