//! A short slice of `prove kill`: kill -9 at random moments, then resume.
#![allow(clippy::unwrap_used)]

use e2e::database::Database;
use e2e::kill;
use tempfile::TempDir;

const OBJECTS: u64 = 3_000;
/// The account behind the key is a row too.
const OWN_ACCOUNT: u64 = 1;

async fn prove(seed: u64, database: &Database) {
    let seen = kill::prove("2020-08-27", OBJECTS, seed, database).await.unwrap();
    assert_eq!(seen.rows, OBJECTS + OWN_ACCOUNT);
    assert!(seen.exceeded.is_empty(), "{seen:?}");
}

#[tokio::test]
async fn sqlite_resumes() {
    for seed in [1, 2] {
        let folder = TempDir::new().unwrap();
        prove(seed, &Database::Sqlite(folder.path().join("stripe.db"))).await;
    }
}

#[tokio::test]
async fn postgres_resumes() {
    for seed in [3, 4] {
        prove(seed, &Database::Postgres(test_utils::postgres::shared_database().await)).await;
    }
}
