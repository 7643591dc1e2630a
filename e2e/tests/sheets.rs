//! A short slice of `prove sheets`: kill -9 and edits by hand.
#![allow(clippy::unwrap_used)]

#[tokio::test]
async fn a_spreadsheet_is_healed() {
    for seed in [1, 2] {
        let seen = e2e::sheets::prove(1_500, seed).await.unwrap();
        assert!(seen.rows > 100, "{seen:?}");
    }
}
