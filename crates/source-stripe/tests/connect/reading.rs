//! All chosen accounts, once.

use protocol::{ConnectionState, Payload, StreamStatus};
use serde_json::{Value, json};
use stripe_simulator::Simulator;

use crate::platform::{Platform, newest, simulation};

#[tokio::test(flavor = "multi_thread")]
async fn all_accounts_are_told_apart_in_the_same_tables() {
    let platform = Platform::start(simulation(3), &["account", "charge", "customer"]).await;
    let accounts = [vec![platform.own()], platform.connected()].concat();
    // The same id in several accounts is as many rows.
    for account in &accounts {
        let control = platform.control().account(account).unwrap();
        control.create("customer", json!({"id": "cus_shared", "name": account})).unwrap();
    }
    let said = platform.sync().await;
    {
        let copy = platform.copy.lock().unwrap();
        let mut expected = accounts.clone();
        expected.sort();
        assert_eq!(copy.accounts("customer"), expected);
        for account in &accounts {
            for table in ["customer", "charge"] {
                assert_eq!(copy.rows(table, account), platform.truth(account, table), "{table} of {account}");
            }
            let shared: Value = serde_json::from_str(&copy.rows("customer", account)["cus_shared"]).unwrap();
            assert_eq!(shared["name"], json!(account));
        }
        // As their platform sees them, and as each of them sees itself.
        let mut seen: Vec<String> = copy.rows("account", &platform.own()).into_keys().collect();
        seen.sort();
        assert_eq!(seen, expected);
        for account in &accounts[1..] {
            assert_eq!(
                copy.rows("account", account).into_keys().collect::<Vec<_>>(),
                std::slice::from_ref(account)
            );
        }
        for table in ["account", "customer", "charge"] {
            assert_eq!(copy.ends(table), [StreamStatus::Complete], "{table} ends once");
        }
        for (number, account) in accounts.iter().enumerate() {
            let begins = format!("{account} (");
            let log = copy.logs.iter().find(|log| log.starts_with(&begins));
            let log = log.unwrap_or_else(|| panic!("no log of {account}: {:?}", copy.logs));
            assert!(log.contains("of 4): ") && log.ends_with(" rows"), "{number}: {log}");
        }
    }
    let starts = said.iter().filter(|message| {
        matches!(&message.payload, Payload::StreamStatus(said) if matches!(said.status, StreamStatus::Start { .. }))
    });
    assert_eq!(starts.count(), 3);
    assert!(!said.iter().any(|message| matches!(&message.payload, Payload::StreamStatus(said)
        if matches!(said.status, StreamStatus::RangeComplete { .. }))));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_chosen_accounts_are_read() {
    let platform = Platform::start(simulation(4), &["charge", "customer"]).await;
    let mut chosen = platform.connected()[1..3].to_vec();
    let platform = platform.with("accounts", json!(chosen));
    platform.sync().await;
    platform.assert_equal(&chosen, "the chosen ones");
    chosen.sort();
    assert_eq!(platform.copy.lock().unwrap().accounts("customer"), chosen, "and no others");
    let state: Value = platform.state().streams["customer"].read().unwrap();
    assert_eq!(state["remaining"], json!([]));
    assert_eq!(state.get("accounted_range"), None, "the own account was not read");
    assert_eq!(
        state["accounts"].as_object().unwrap().keys().collect::<Vec<_>>(),
        chosen.iter().collect::<Vec<_>>()
    );
    assert_eq!(platform.control().counters().requests_to("/v1/customers"), 0);
    let discovered = platform.discover().await;
    let schema = discovered[0].stream.json_schema.as_ref().unwrap();
    let mut listed: Vec<String> =
        serde_json::from_value(schema["properties"]["_account_id"]["enum"].clone()).unwrap();
    listed.sort();
    assert_eq!(listed, chosen);
    assert_eq!(platform.check().await.status, ConnectionState::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_accounts_may_be_any() {
    let platform = Platform::start(simulation(1), &["customer"]).await;
    let schema = platform.discover().await[0].stream.json_schema.clone().unwrap();
    assert_eq!(schema["properties"]["_account_id"], json!({"type": "string"}));
    assert_eq!(platform.check().await.status, ConnectionState::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn organisations_name_each_account() {
    let key = "sk_org_test_1234567890";
    let platform = Platform::start(simulation(2).api_key(key), &["charge", "customer"])
        .await
        .with("api_key", json!(key));
    let all = [vec![platform.own()], platform.connected()].concat();
    let chosen = platform.with("accounts", json!([format!("{}/{}", all[0], all[1]), all[2]]));
    chosen.sync().await;
    chosen.assert_equal(&all[1..], "chosen ones");
    assert_eq!(chosen.copy.lock().unwrap().accounts("customer").len(), 2);
    let every = chosen.with("accounts", json!("all")).with("account_id", json!(all[0]));
    every.copy.lock().unwrap().state = protocol::SourceState::default();
    every.sync().await;
    every.assert_equal(&all, "all");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_no_platform_has_one_account() {
    let builder = Simulator::builder(newest()).table("customer", 5);
    let platform = Platform::start(builder, &["customer"]).await;
    platform.sync().await;
    platform.assert_equal(&[platform.own()], "alone");
    assert_eq!(platform.copy.lock().unwrap().ends("customer"), [StreamStatus::Complete]);
}
