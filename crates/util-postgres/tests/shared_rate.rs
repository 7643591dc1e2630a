//! Leases in a real database.
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use test_utils::postgres::shared_database;
use util_postgres::shared_rate::{SharedRate, Want};
use util_postgres::{Address, ConnectOptions, Database};

fn shared(url: &str, schema: &str) -> SharedRate {
    let options =
        ConnectOptions { application_name: "test".to_owned(), connections: 1, ..ConnectOptions::default() };
    let database = Database::new(&Address::parse(url).unwrap(), &options).unwrap();
    SharedRate::in_schema(database, schema)
}

fn want(level: &str, wanted: f64) -> Want {
    Want { level: level.to_owned(), full_rate: 80.0, wanted, exceeded: false }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_begin_at_once_share_one_table_and_never_exceed_the_rate() {
    let url = shared_database().await;
    let tasks: Vec<_> = (0..8)
        .map(|process| {
            let shared = shared(&url, "my \"schema\"");
            tokio::spawn(async move {
                let name = format!("process {process}");
                let mut held = Vec::new();
                for _ in 0..6 {
                    let leased = shared.lease("account", &name, &[want("*", 80.0)]).await.unwrap();
                    held.push(leased.grants[0].per_second);
                }
                held
            })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap().iter().all(|held| (0.0..=80.0).contains(held)));
    }
    // What is in force now.
    let one = shared(&url, "my \"schema\"");
    let mut granted = [0.0; 8];
    // Once each, so that everybody has given back what is above its share; then everybody has it.
    for process in (0..8).chain(0..8) {
        let name = format!("process {process}");
        let leased = one.lease("account", &name, &[want("*", 80.0)]).await.unwrap();
        assert_eq!(leased.processes, 8);
        granted[process] = leased.grants[0].per_second;
    }
    let sum: f64 = granted.iter().sum();
    assert!((sum - 80.0).abs() < 0.1, "{granted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn levels_and_accounts_are_apart_and_leases_can_be_given_back() {
    let url = shared_database().await;
    let (one, two) = (shared(&url, "public"), shared(&url, "public"));
    let wants = [want("*", 80.0), want("/v1/charges", 10.0)];
    let leased = one.lease("account", "one", &wants).await.unwrap();
    let rates: Vec<f64> = leased.grants.iter().map(|grant| grant.per_second).collect();
    assert_eq!(rates, [80.0, 10.0]);
    let other = two.lease("another", "two", &wants).await.unwrap();
    assert_eq!(other.grants[0].per_second, 80.0);
    assert_eq!(two.lease("account", "two", &wants[..1]).await.unwrap().grants[0].per_second, 0.0);
    one.lease("account", "one", &[]).await.unwrap();
    assert_eq!(two.lease("account", "two", &wants[..1]).await.unwrap().grants[0].per_second, 80.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there_is_an_error() {
    let shared = shared("postgres://nobody@127.0.0.1:1/nothing", "public");
    let error = shared.lease("account", "one", &[want("*", 1.0)]).await.unwrap_err();
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}
