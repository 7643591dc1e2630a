//! A short slice of `prove service`: kill -9 of the service, and of Temporal and its workers, while accounts change and webhooks
//! arrive.
#![allow(clippy::unwrap_used)]

use e2e::database::Database;
use e2e::service::{Kept, On, survive};
use tempfile::TempDir;

#[tokio::test]
async fn a_service_over_a_file_survives() {
    let folder = TempDir::new().unwrap();
    let database = Database::Sqlite(folder.path().join("copy.db"));
    let seen = survive(1, &database, &Kept::File, On::Process, None).await.unwrap();
    assert!(seen.survived.rows > 0 && seen.acknowledged > 0, "{seen:?}");
}

#[tokio::test]
async fn a_service_over_postgres_survives() {
    let database = Database::Postgres(test_utils::postgres::shared_database().await);
    let kept = Kept::Postgres(test_utils::postgres::shared_database().await);
    let cluster = test_utils::postgres::shared_cluster();
    let seen = survive(2, &database, &kept, On::Process, Some(cluster)).await.unwrap();
    assert!(seen.survived.rows > 0 && seen.acknowledged > 0, "{seen:?}");
}

#[tokio::test]
async fn a_service_on_temporal_survives() {
    let folder = TempDir::new().unwrap();
    let database = Database::Sqlite(folder.path().join("copy.db"));
    let seen = survive(4, &database, &Kept::File, On::Temporal, None).await.unwrap();
    assert!(seen.survived.rows > 0 && seen.acknowledged > 0, "{seen:?}");
}
