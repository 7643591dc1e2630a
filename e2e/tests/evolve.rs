//! A short slice of `prove evolve`: a table that is in use gains columns.
#![allow(clippy::unwrap_used)]

#[tokio::test]
async fn a_table_in_use_gains_columns() {
    let seen = e2e::evolve::prove(5000).await.unwrap();
    assert!(seen.rows > 5000 && seen.statements > 0, "{seen:?}");
}
