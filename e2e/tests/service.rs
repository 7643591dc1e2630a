//! A short slice of `prove service`: kill -9 of the service while accounts change and webhooks arrive.
#![allow(clippy::unwrap_used)]

use e2e::database::Database;
use e2e::service::{Kept, survive};
use tempfile::TempDir;

#[tokio::test]
async fn a_service_over_a_file_survives() {
    let folder = TempDir::new().unwrap();
    let seen = survive(1, &Database::Sqlite(folder.path().join("copy.db")), &Kept::File).await.unwrap();
    assert!(seen.survived.rows > 0 && seen.acknowledged > 0, "{seen:?}");
}

#[tokio::test]
async fn a_service_over_postgres_survives() {
    let database = Database::Postgres(test_utils::postgres::shared_database().await);
    let kept = Kept::Postgres(test_utils::postgres::shared_database().await);
    let seen = survive(2, &database, &kept).await.unwrap();
    assert!(seen.survived.rows > 0 && seen.acknowledged > 0, "{seen:?}");
}
