//! What the limiter makes of Stripe's limits: how much it uses, and how seldom it is refused.

use std::ops::Range;
use std::time::Duration;

use super::limiter::Limits;
use super::simulation::{Second, Server, run};

/// Stripe's own limits, without the share that is left to others by default.
const ALL: Limits = Limits { account_rate: 100.0, endpoint_rate: 25.0, in_flight: 64 };

/// What is used by default.
const SHARE: Limits = Limits { account_rate: 80.0, endpoint_rate: 20.0, in_flight: 64 };

const BUSY: usize = 8;

fn answered(told: &[Second], seconds: Range<usize>) -> f64 {
    let length = seconds.len() as f64;
    told[seconds].iter().map(|second| f64::from(second.answered)).sum::<f64>() / length
}

fn refused_share(told: &[Second], seconds: Range<usize>) -> f64 {
    let sum = |count: fn(&Second) -> u32| told[seconds.clone()].iter().map(count).sum::<u32>();
    let (refused, answered) = (sum(|second| second.refused), sum(|second| second.answered));
    f64::from(refused) / f64::from(refused + answered)
}

fn with_others(latency: u64, retry_after: Option<u64>) -> Server {
    Server {
        others: 50.0,
        others_from: Duration::from_secs(20),
        others_until: Duration::from_secs(60),
        latency: Duration::from_millis(latency),
        retry_after: retry_after.map(Duration::from_secs),
        ..Server::live()
    }
}

#[test]
fn alone_it_uses_what_there_is_and_is_not_refused() {
    for burst in [1.0, 0.3, 0.1] {
        for (limits, endpoints, there) in [(ALL, BUSY, 100.0), (ALL, 3, 75.0), (SHARE, BUSY, 80.0)] {
            let server = Server { burst, ..Server::live() };
            let told = run(&server, limits, endpoints, 60, 3);
            let used = answered(&told, 5..60) / there;
            assert!(used >= 0.95, "{used:.3} of {there}/s with a burst of {burst} s");
            let refused = refused_share(&told, 5..60);
            assert!(refused < 0.005, "{refused:.4} refused of {there}/s with a burst of {burst} s");
        }
    }
}

#[test]
fn it_makes_room_for_another_client_and_takes_back_what_that_leaves() {
    for seed in 1..=3 {
        for (latency, retry_after) in [(20, None), (200, None), (200, Some(1)), (20, Some(3))] {
            for limits in [ALL, SHARE] {
                let told = run(&with_others(latency, retry_after), limits, BUSY, 120, seed);
                let name = format!("{}/s, {latency} ms, {retry_after:?}, {seed}", limits.account_rate);
                let shared = answered(&told, 25..60);
                assert!((40.0..56.0).contains(&shared), "{name}: {shared:.1}/s beside another client");
                let after = answered(&told, 85..120) / limits.account_rate;
                assert!(after > 0.95, "{name}: only {after:.2} after the other client left");
                let refused = refused_share(&told, 5..120);
                assert!(refused < 0.005, "{name}: {refused:.4} refused");
            }
        }
    }
}

#[test]
fn it_finds_a_limit_that_is_half_of_what_it_was_told() {
    let server = Server { account_rate: 50.0, endpoint_rate: 12.5, ..Server::live() };
    for seed in 1..=4 {
        let told = run(&server, ALL, BUSY, 200, seed);
        let used = answered(&told, 10..200) / 50.0;
        assert!(used > 0.9, "seed {seed}: {used:.3} of what there is");
        let refused = refused_share(&told, 10..200);
        assert!(refused < 0.006, "seed {seed}: {refused:.4} refused");
    }
}

#[test]
fn a_flood_of_others_is_not_answered_by_a_flood() {
    let mut server = with_others(200, None);
    server.others = 500.0;
    let told = run(&server, ALL, BUSY, 120, 5);
    let asked: u32 = told[30..60].iter().map(|second| second.answered + second.refused).sum();
    assert!(asked < 30 * 10, "{asked} requests in 30 s");
    assert!(answered(&told, 85..120) > 95.0, "{:?}", &told[85..]);
}
