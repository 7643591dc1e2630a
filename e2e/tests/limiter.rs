//! A short slice of `prove limiter`, `prove share` and `prove backfill`. How fast it goes is measured there, not
//! asserted here: what the simulated Stripe refused is.
#![allow(clippy::unwrap_used)]

use e2e::limiter;

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_one_limit() {
    let url = test_utils::postgres::shared_database().await;
    let seen = limiter::share(48_000, 50, &url).await.unwrap();
    assert_eq!(seen.rows, [48_000, 48_000]);
    assert!(seen.both.rate <= 90.0, "{seen:?}");
    assert!(seen.both.refused < 0.005, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_at_the_limit_is_not_refused() {
    let seen = limiter::backfill(60_000, 50, 100).await.unwrap();
    assert!(seen.refused < 0.005, "{seen:?}");
}
