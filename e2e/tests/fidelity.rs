//! A short slice of `prove fidelity`: every table equals Stripe's truth.
#![allow(clippy::unwrap_used)]

use e2e::database::Database;
use e2e::fidelity;
use tempfile::TempDir;

const OBJECTS: u64 = 4_000;
/// The account behind the key is a row too.
const OWN_ACCOUNT: u64 = 1;

#[tokio::test]
async fn newest_version_into_postgres() {
    let database = Database::Postgres(test_utils::postgres::shared_database().await);
    let seen =
        fidelity::prove(stripe_openapi::embedded::newest_version(), OBJECTS, 1, &database).await.unwrap();
    assert_eq!(seen.rows, OBJECTS + OWN_ACCOUNT);
    assert!(seen.streams >= 30, "only {} streams", seen.streams);
}

#[tokio::test]
async fn version_2020_into_postgres() {
    let database = Database::Postgres(test_utils::postgres::shared_database().await);
    assert_eq!(
        fidelity::prove("2020-08-27", OBJECTS, 2, &database).await.unwrap().rows,
        OBJECTS + OWN_ACCOUNT
    );
}

#[tokio::test]
async fn oldest_version_into_sqlite() {
    let folder = TempDir::new().unwrap();
    let database = Database::Sqlite(folder.path().join("stripe.db"));
    assert_eq!(
        fidelity::prove("2017-08-15", OBJECTS, 3, &database).await.unwrap().rows,
        OBJECTS + OWN_ACCOUNT
    );
}
