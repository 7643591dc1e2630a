//! The table in a real server.
#![allow(clippy::unwrap_used)]

use protocol::{RawJson, SourceState};
use state_postgres::{DEFAULT_SYNC, GLOBAL, ScopedStates, StateTable, migrate};
use test_utils::postgres::shared_database;
use util_postgres::{Address, ConnectOptions, Connection, Database};

async fn database() -> Database {
    let address = Address::parse(&shared_database().await).unwrap();
    let options =
        ConnectOptions { application_name: "test".to_owned(), connections: 4, ..ConnectOptions::default() };
    Database::new(&address, &options).unwrap()
}

async fn connect() -> Connection {
    database().await.connect().await.unwrap()
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

#[tokio::test]
async fn scopes_do_not_see_each_other() {
    let database = database().await;
    for schema in ["one", "two"] {
        migrate(&database, schema).await.unwrap();
    }
    let scope = |schema: &str, sync: &str| ScopedStates::new(database.clone(), schema, sync);
    let (default, other, elsewhere) =
        (scope("one", DEFAULT_SYNC), scope("one", "other"), scope("two", DEFAULT_SYNC));
    default.set("charge", &json("1")).await.unwrap();
    other.set("charge", &json("2")).await.unwrap();
    elsewhere.set_global(&json("3")).await.unwrap();
    other.clear().await.unwrap();
    assert_eq!(default.load().await.unwrap().unwrap().streams["charge"], json("1"));
    assert_eq!(other.load().await.unwrap(), None);
    assert_eq!(elsewhere.load().await.unwrap().unwrap().global, json("3"));
}

/// What upstream's migrations leave, with states in it; in one schema `_migrations` is empty.
#[tokio::test]
async fn migrations_keep_what_is_there() {
    let database = database().await;
    let client = database.connect().await.unwrap();
    client
        .batch_execute(
            "CREATE SCHEMA stripe; CREATE TABLE stripe._migrations (id int PRIMARY KEY, name varchar(100) UNIQUE NOT NULL, \
             hash varchar(40) NOT NULL, executed_at timestamp DEFAULT current_timestamp); \
             INSERT INTO stripe._migrations VALUES (0, 'initial', 'another'), (2, 'sync_state', 'hash'), (-7, 'openapi:stripe:x', ''); \
             CREATE TABLE stripe._sync_state (sync_id text, stream text, state jsonb NOT NULL, \
             updated_at timestamptz DEFAULT now(), PRIMARY KEY (sync_id, stream)); \
             INSERT INTO stripe._sync_state VALUES ('default', 'charge', '5'); \
             CREATE SCHEMA emptied; CREATE TABLE emptied._migrations (LIKE stripe._migrations INCLUDING ALL); \
             CREATE TABLE emptied.mine AS SELECT 1 AS one; \
             CREATE SCHEMA old; CREATE TABLE old._migrations (migration_name text PRIMARY KEY); \
             INSERT INTO old._migrations VALUES ('openapi:old:2020-08-27:abc')",
        )
        .await
        .unwrap();
    let starts = (0..6).map(|_| migrate(&database, "stripe"));
    let done: usize = futures::future::try_join_all(starts).await.unwrap().into_iter().sum();
    assert_eq!(done, 1, "those that start at once do each step once");
    let states = ScopedStates::new(database.clone(), "stripe", DEFAULT_SYNC);
    assert_eq!(states.load().await.unwrap().unwrap().streams["charge"], json("5"));
    client.batch_execute("UPDATE stripe._migrations SET hash = 'changed'").await.unwrap();
    assert_eq!(migrate(&database, "stripe").await.unwrap(), 0);
    assert_eq!(states.load().await.unwrap().unwrap().streams["charge"], json("5"));

    for schema in ["emptied", "old"] {
        assert_eq!(migrate(&database, schema).await.unwrap(), 1);
        assert_eq!(migrate(&database, schema).await.unwrap(), 0);
    }
    client.batch_execute("SELECT one FROM emptied.mine").await.unwrap();
    // A renamed schema is the same schema.
    client.batch_execute("ALTER SCHEMA stripe RENAME TO billing").await.unwrap();
    assert_eq!(migrate(&database, "billing").await.unwrap(), 0);
    assert_eq!(migrate(&database, "fresh \"one\"").await.unwrap(), 1);
}
