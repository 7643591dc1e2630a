//! What the destination makes of files: new ones, grown ones, those of others.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod messages;

use destination_sqlite::{SqliteConfig, SqliteDestination, summary};
use messages::{catalog, check, config, record, stream_of, upsert, value, write};
use protocol::{
    ConnectionState, ConnectorError, Destination, ErrorKind, LogLevel, Message, Payload, Stream, run_to_end,
};
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

async fn setup(config: SqliteConfig, streams: &[&Stream]) -> Result<Vec<Message>, ConnectorError> {
    run_to_end(SqliteDestination.setup(config, catalog(streams)).unwrap()).await
}

fn customer() -> Stream {
    stream_of(
        "customer",
        &json!({
            "id": {"type": "string"},
            "email": {"oneOf": [{"type": "string"}, {"type": "null"}]},
            "balance": {"type": "integer"},
            "delinquent": {"type": "boolean"},
            "address": {"type": "object"},
            "default_source": {"oneOf": [{"type": "string", "x-expandable-reference": true}, {"type": "null"}]},
            "_account_id": {"type": "string", "enum": ["acct_1"]},
            "_updated_at": {"type": "integer"},
        }),
    )
}

#[tokio::test]
async fn properties_can_be_queried() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("stripe.db");
    let row = json!({
        "id": "cus_1", "email": "jenny@example.com", "balance": -9007199254740993_i64, "delinquent": true,
        "address": {"city": "Brno"}, "default_source": {"id": "card_1"}, "new": 1,
        "_account_id": "acct_1", "_updated_at": 1_700_000_000,
    });
    assert!(write(config(&path), &[&customer()], vec![upsert(&customer(), &row)]).await.unwrap().is_empty());
    let found: String = value(
        &path,
        "SELECT id || ' ' || _account_id || ' ' || email || ' ' || balance || ' ' || delinquent || ' ' || address \
         || ' ' || default_source || ' ' || _updated_at FROM customer",
    );
    assert_eq!(
        found,
        r#"cus_1 acct_1 jenny@example.com -9007199254740993 1 {"city":"Brno"} card_1 2023-11-14T22:13:20.000Z"#
    );
    assert_eq!(value::<String>(&path, "SELECT typeof(balance) FROM customer"), "integer");
    assert_eq!(value::<String>(&path, "SELECT _raw_data FROM customer"), row.to_string());
    let plan: String = Connection::open(&path)
        .unwrap()
        .query_row("EXPLAIN QUERY PLAN SELECT email FROM customer WHERE id = 'cus_1'", [], |row| row.get(3))
        .unwrap();
    assert!(plan.contains("USING INDEX"), "{plan}");
    assert_eq!(summary(path.to_str().unwrap()).unwrap(), [("customer".to_owned(), 1)]);
}

#[tokio::test]
async fn columns_are_added_and_none_is_changed() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("stripe.db");
    setup(config(&path), &[&customer()]).await.unwrap();
    let grown = stream_of(
        "customer",
        &json!({"balance": {"type": "string"}, "phone": {"type": "string"}, "EMAIL": {"type": "string"}}),
    );
    let said = setup(config(&path), &[&grown]).await.unwrap();
    assert!(
        matches!(&said[..], [warning] if matches!(&warning.payload, Payload::Log(log)
        if log.level == LogLevel::Warn && log.message.contains("EMAIL"))),
        "{said:?}"
    );
    let columns: String = value(&path, "SELECT group_concat(name) FROM pragma_table_info('customer')");
    assert_eq!(
        columns,
        "id,_account_id,_raw_data,_synced_at,_updated_at,email,balance,delinquent,address,default_source,phone"
    );
    let row = json!({"id": "cus_1", "balance": 5, "phone": "1", "_account_id": "acct_1", "_updated_at": 1});
    write(config(&path), &[&grown], vec![upsert(&grown, &row)]).await.unwrap();
    assert_eq!(value::<String>(&path, "SELECT typeof(balance) FROM customer"), "integer");
}

/// A file as the TypeScript engine leaves it, with a view and an index of the user.
fn made_by_upstream(path: &std::path::Path) {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            r#"PRAGMA journal_mode = WAL;
            CREATE TABLE "customer" ("id" TEXT NOT NULL, "_account_id" TEXT NOT NULL, "_raw_data" TEXT NOT NULL,
              "_synced_at" TEXT NOT NULL, "_updated_at" TEXT NOT NULL, PRIMARY KEY ("id", "_account_id"));
            INSERT INTO "customer" VALUES ('cus_1', 'acct_1',
              '{"id":"cus_1","email":"old@example.com","_account_id":"acct_1","_updated_at":1700000000}',
              '2024-01-01T00:00:00.000Z', '2023-11-14T22:13:20.000Z');
            CREATE VIEW mails AS SELECT json_extract(_raw_data, '$.email') AS mail FROM customer;
            CREATE VIEW broken AS SELECT * FROM nowhere;
            CREATE INDEX by_time ON customer (_updated_at);
            CREATE TABLE charge (amount INTEGER);
            INSERT INTO charge VALUES (7);"#,
        )
        .unwrap();
}

#[tokio::test]
async fn a_file_of_the_typescript_engine_is_taken_over() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("stripe.db");
    made_by_upstream(&path);
    let row = |id: &str, email: &str, at: i64| {
        upsert(&customer(), &json!({"id": id, "email": email, "_account_id": "acct_1", "_updated_at": at}))
    };
    let stale = row("cus_1", "stale@example.com", 1_699_999_999);
    assert!(write(config(&path), &[&customer()], vec![stale]).await.unwrap().is_empty());
    assert_eq!(value::<String>(&path, "SELECT email FROM customer"), "old@example.com");
    assert_eq!(value::<String>(&path, "SELECT mail FROM mails"), "old@example.com");
    let changes = vec![row("cus_1", "new@example.com", 1_700_000_001), row("cus_2", "b@example.com", 1)];
    assert!(write(config(&path), &[&customer()], changes).await.unwrap().is_empty());
    let mails: String = value(&path, "SELECT group_concat(mail) FROM (SELECT mail FROM mails ORDER BY mail)");
    assert_eq!(mails, "b@example.com,new@example.com");
    let old_delete = json!({"id": "cus_1", "_account_id": "acct_1", "_updated_at": 1_700_000_000});
    write(config(&path), &[&customer()], vec![record(&customer(), &old_delete, true)]).await.unwrap();
    assert_eq!(value::<i64>(&path, "SELECT count(*) FROM customer"), 2);
}

#[tokio::test]
async fn a_table_of_someone_else_is_refused_and_kept() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("stripe.db");
    made_by_upstream(&path);
    let charge = stream_of("charge", &json!({}));
    let error = setup(config(&path), &[&customer(), &charge]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("already has `charge`"), "{error}");
    // The other stream can be written all the same.
    let row = json!({"id": "x", "_account_id": "acct_1", "_updated_at": 1});
    let messages = vec![upsert(&charge, &row), upsert(&customer(), &row)];
    let errors = write(config(&path), &[&customer(), &charge], messages).await.unwrap();
    assert!(matches!(&errors[..], [error] if error.contains("already has `charge`")), "{errors:?}");
    assert_eq!(value::<i64>(&path, "SELECT count(*) FROM customer"), 2);
    assert_eq!(value::<i64>(&path, "SELECT amount FROM charge"), 7);

    run_to_end(SqliteDestination.teardown(config(&path)).unwrap()).await.unwrap();
    let left: String =
        value(&path, "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema ORDER BY name)");
    assert_eq!(left, "broken,charge,mails");
}

#[tokio::test]
async fn a_changed_primary_key_is_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("stripe.db");
    setup(config(&path), &[&customer()]).await.unwrap();
    let mut other = customer();
    other.primary_key = vec![vec!["id".to_owned()]];
    let error = setup(config(&path), &[&other]).await.unwrap_err();
    assert!(error.to_string().contains("primary key (id)"), "{error}");
    let upper = stream_of("CUSTOMER", &json!({}));
    let error = setup(config(&path), &[&upper]).await.unwrap_err();
    assert!(error.to_string().contains("`CUSTOMER`") && error.to_string().contains("`customer`"), "{error}");
}

#[tokio::test]
async fn teardown_removes_a_file_that_is_empty_then() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("stripe.db");
    setup(config(&path), &[&customer()]).await.unwrap();
    run_to_end(SqliteDestination.teardown(config(&path)).unwrap()).await.unwrap();
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);

    setup(config(&path), &[&customer()]).await.unwrap();
    let reader = Connection::open(&path).unwrap();
    assert_eq!(reader.query_row("SELECT count(*) FROM customer", [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    run_to_end(SqliteDestination.teardown(config(&path)).unwrap()).await.unwrap();
    assert!(path.exists(), "a file that someone has open is kept");
}

#[tokio::test]
async fn a_database_in_memory_can_be_written() {
    let memory = || SqliteConfig::new(":memory:");
    assert_eq!(check(memory()).await.status, ConnectionState::Succeeded);
    let row = json!({"id": "x", "_account_id": "acct_1", "_updated_at": 1});
    assert!(write(memory(), &[&customer()], vec![upsert(&customer(), &row)]).await.unwrap().is_empty());
    assert!(!std::path::Path::new(":memory:").exists());
}

#[tokio::test]
async fn unusable_paths_are_explained() {
    let directory = TempDir::new().unwrap();
    let text = directory.path().join("notes.txt");
    std::fs::write(&text, "This is a text, not a database. ".repeat(40)).unwrap();
    for (path, expected, then) in [
        (text.clone(), "is not a SQLite database", "Choose another `path`"),
        (directory.path().to_owned(), "cannot be opened", "Check that the path is a file"),
        (text.join("below").join("stripe.db"), "cannot create the directory", "choose another `path`"),
        ("".into(), "`path` is empty", "name the SQLite file"),
    ] {
        let error = write(config(&path), &[&customer()], Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains(expected) && error.to_string().contains(then), "{error}");
        assert!(
            error.to_string().contains(path.to_str().unwrap_or_default()) || then.contains("path"),
            "{error}"
        );
        assert_eq!(check(config(&path)).await.status, ConnectionState::Failed, "{}", path.display());
    }
    assert_eq!(std::fs::read_to_string(&text).unwrap().len(), 32 * 40);
}
