use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use secrecy::SecretString;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::accounts::AccountLimiters;
use super::gate::Gate;
use super::limiter::{Answer, Limits};

fn limits(account_rate: f64, in_flight: usize) -> Limits {
    Limits { account_rate, endpoint_rate: account_rate, in_flight }
}

fn gate(limiters: &AccountLimiters, key: &str, limits: Limits) -> Arc<Gate> {
    limiters.gate(&SecretString::from(key), None, limits, None, Arc::default())
}

/// Sends one request after the other for `seconds`, each taking `latency`, and counts them.
async fn read(gate: Arc<Gate>, latency: Duration, seconds: u64) -> u64 {
    let (endpoint, sent) = (Arc::from("/v1/charges"), AtomicU64::new(0));
    let end = Instant::now() + Duration::from_secs(seconds);
    let _ = timeout_at(end, async {
        loop {
            let admission = gate.admit(&endpoint).await;
            sent.fetch_add(1, Relaxed);
            sleep(latency).await;
            admission.end(Answer::Other);
        }
    })
    .await;
    sent.load(Relaxed)
}

async fn read_all(gates: Vec<Arc<Gate>>, latency: Duration, seconds: u64) -> Vec<u64> {
    let mut reads: JoinSet<u64> = gates.into_iter().map(|gate| read(gate, latency, seconds)).collect();
    let mut counts = Vec::new();
    while let Some(count) = reads.join_next().await {
        counts.push(count.unwrap());
    }
    counts
}

#[tokio::test(start_paused = true)]
async fn reads_of_one_account_use_its_rate_up_and_share_it_evenly() {
    let limiters = AccountLimiters::default();
    let gates = (0..40).map(|_| gate(&limiters.clone(), "a", limits(50.0, 100))).collect();
    let counts = read_all(gates, Duration::from_millis(100), 60).await;
    let all: u64 = counts.iter().sum();
    assert!((2_950..=3_010).contains(&all), "{all} of 3,000");
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(most - least <= most / 10, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn what_the_slow_leave_the_others_take() {
    let limiters = AccountLimiters::default();
    let slow = gate(&limiters, "a", limits(50.0, 100));
    let quick = gate(&limiters, "a", limits(50.0, 100));
    let (slow, quick) =
        tokio::join!(read(slow, Duration::from_secs(5), 60), read_all(vec![quick; 8], Duration::ZERO, 60));
    let quick: u64 = quick.iter().sum();
    assert!((11..=13).contains(&slow), "{slow}");
    assert!(slow + quick >= 2_950, "{quick}");
}

#[tokio::test(start_paused = true)]
async fn accounts_do_not_share() {
    let limiters = AccountLimiters::default();
    let gates = ["a", "b"].map(|key| gate(&limiters, key, limits(50.0, 100)));
    for count in read_all(gates.to_vec(), Duration::ZERO, 60).await {
        assert!((2_950..=3_010).contains(&count), "{count}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_most_careful_reader_counts_as_long_as_it_reads() {
    let limiters = AccountLimiters::default();
    let hasty = gate(&limiters, "a", limits(50.0, 100));
    let careful = gate(&limiters, "a", limits(20.0, 100));
    let count = read(Arc::clone(&hasty), Duration::ZERO, 60).await;
    assert!((1_190..=1_210).contains(&count), "{count}");
    drop(careful);
    let count = read(Arc::clone(&hasty), Duration::ZERO, 60).await;
    assert!((2_990..=3_010).contains(&count), "{count}");
}

#[tokio::test(start_paused = true)]
async fn whoever_no_longer_comes_is_passed_over() {
    let limiters = AccountLimiters::default();
    let gates: Vec<_> = (0..3).map(|_| gate(&limiters, "a", limits(1.0, 1))).collect();
    let endpoint = Arc::from("/v1/charges");
    let first = gates[0].admit(&endpoint).await;
    // Each waits for a while, then never asks again: for the request to end, and for the rate.
    for gate in &gates[1..] {
        assert!(timeout_at(Instant::now() + Duration::from_millis(1), gate.admit(&endpoint)).await.is_err());
    }
    first.end(Answer::Other);
    let count = read(Arc::clone(&gates[0]), Duration::ZERO, 60).await;
    // Their turns are kept for them for a moment, once.
    assert!((57..=60).contains(&count), "{count}");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_ends_makes_room_for_whoever_waits() {
    let limiters = AccountLimiters::default();
    let gates = (0..4).map(|_| gate(&limiters, "a", limits(50.0, 2))).collect();
    let counts = read_all(gates, Duration::from_secs(1), 60).await;
    // Each has 30 that end, and perhaps one that does not.
    assert!(counts.iter().all(|count| (30..=31).contains(count)), "{counts:?}");
}
