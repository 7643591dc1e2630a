//! A short slice of `prove economy`: requests near the floor. Use of the rate is measured, not asserted.
#![allow(clippy::unwrap_used)]

use e2e::economy;
use stripe_simulator::Distribution;

async fn requests_stay_near_the_floor(distribution: Distribution) {
    let seen = economy::prove(40_000, distribution, 400, 20).await.unwrap();
    let most = seen.floor + seen.floor / 20 + 3;
    assert!(seen.requests <= most, "{} requests, at most {most} for {} pages", seen.requests, seen.floor);
}

#[tokio::test]
async fn uniform() {
    requests_stay_near_the_floor(Distribution::Uniform).await;
}

#[tokio::test]
async fn clustered() {
    requests_stay_near_the_floor(Distribution::Clustered { bursts: 7 }).await;
}

#[tokio::test]
async fn skewed() {
    requests_stay_near_the_floor(Distribution::Skewed { exponent: 4.0 }).await;
}
