//! The table in a real server.
#![allow(clippy::unwrap_used)]

use protocol::{RawJson, SourceState};
use state_postgres::{GLOBAL, StateTable};
use test_utils::postgres::shared_database;
use util_postgres::{Address, ConnectOptions, Connection, Database};

async fn connect() -> Connection {
    let address = Address::parse(&shared_database().await).unwrap();
    let options =
        ConnectOptions { application_name: "test".to_owned(), connections: 1, ..ConnectOptions::default() };
    Database::new(&address, &options).unwrap().connect().await.unwrap()
}

fn json(text: &'static str) -> RawJson {
    RawJson::parse(text).unwrap()
}

#[tokio::test]
async fn nothing_stored_is_no_state() {
    let client = connect().await;
    for schema in ["public", "not \"there\""] {
        let table = StateTable::in_schema(schema);
        assert_eq!(table.load(&*client, "a").await.unwrap(), None);
        table.clear(&*client, "a").await.unwrap();
    }
}

#[tokio::test]
async fn keeps_the_newest_of_each_sync_and_schema() {
    let mut client = connect().await;
    client.batch_execute("CREATE SCHEMA \"o\"\"ther\"").await.unwrap();
    let (table, other) = (StateTable::in_schema("public"), StateTable::in_schema("o\"ther"));
    for table in [&table, &other, &table] {
        client.batch_execute(&table.create_sql()).await.unwrap();
    }
    let transaction = client.transaction().await.unwrap();
    table.save(&transaction, "one", "charge", &json(r#"{"at": 1}"#)).await.unwrap();
    table.save(&transaction, "one", "charge", &json(r#"{"at": 12345678901234567890.10}"#)).await.unwrap();
    table.save(&transaction, "one", GLOBAL, &json(r#"{"events": "evt_1"}"#)).await.unwrap();
    table.save(&transaction, "two", "charge", &json("[]")).await.unwrap();
    other.save(&transaction, "one", "refund", &json("null")).await.unwrap();
    transaction.commit().await.unwrap();
    let transaction = client.transaction().await.unwrap();
    table.save(&transaction, "one", "charge", &json(r#""lost""#)).await.unwrap();
    transaction.rollback().await.unwrap();

    let one = table.load(&*client, "one").await.unwrap().unwrap();
    assert_eq!(one.global, json(r#"{"events": "evt_1"}"#));
    let streams: Vec<_> = one.streams.into_iter().collect();
    assert_eq!(streams, [("charge".to_owned(), json(r#"{"at": 12345678901234567890.10}"#))]);
    let only_global = other.load(&*client, "one").await.unwrap().unwrap().global;
    assert_eq!(only_global, SourceState::default().global);

    table.clear(&*client, "one").await.unwrap();
    assert_eq!(table.load(&*client, "one").await.unwrap(), None);
    assert!(table.load(&*client, "two").await.unwrap().is_some());
    assert!(other.load(&*client, "one").await.unwrap().is_some());
}
