use proptest::prelude::*;

use super::*;

const MILLI: Duration = Duration::from_millis(1);

fn limits(account_rate: f64, endpoint_rate: f64, in_flight: usize) -> Limits {
    Limits { account_rate, endpoint_rate, in_flight }
}

fn path(name: &str) -> Arc<str> {
    Arc::from(name)
}

/// Sends as often as allowed for `seconds`, each request ending at once, and counts per second.
fn saturate(limiter: &mut Limiter, endpoint: &Arc<str>, from: Duration, seconds: u32) -> Vec<u32> {
    let mut sent = vec![0; seconds as usize];
    let mut now = from;
    while now < from + Duration::from_secs(u64::from(seconds)) {
        match limiter.admit(endpoint, now) {
            Ok(()) => {
                sent[(now - from).as_secs() as usize] += 1;
                limiter.ended(endpoint, now, Answer::Other, now);
            }
            Err(Refused::Until(at)) => now = at,
            Err(Refused::Busy) => unreachable!("nothing is under way"),
        }
    }
    sent
}

#[test]
fn the_rate_is_used_fully_and_begins_without_a_flood() {
    let mut limiter = Limiter::new(limits(80.0, 1000.0, 10), Duration::ZERO);
    let sent = saturate(&mut limiter, &path("/v1/charges"), Duration::ZERO, 10);
    assert!(sent[0] <= 80 + 16, "{sent:?}");
    assert!(sent[1..].iter().all(|&count| (79..=81).contains(&count)), "{sent:?}");
}

#[test]
fn each_endpoint_has_a_rate_of_its_own() {
    let mut limiter = Limiter::new(limits(80.0, 20.0, 10), Duration::ZERO);
    let sent = saturate(&mut limiter, &path("/v1/charges"), Duration::ZERO, 4);
    assert!(sent[1..].iter().all(|&count| (19..=21).contains(&count)), "{sent:?}");
    assert_eq!(limiter.admit(&path("/v1/refunds"), Duration::from_secs(4)), Ok(()));
}

#[test]
fn no_more_than_allowed_are_under_way() {
    let mut limiter = Limiter::new(limits(1000.0, 1000.0, 2), Duration::ZERO);
    let charges = path("/v1/charges");
    assert_eq!(limiter.admit(&charges, Duration::ZERO), Ok(()));
    assert_eq!(limiter.admit(&charges, Duration::ZERO), Ok(()));
    assert_eq!(limiter.admit(&charges, Duration::ZERO), Err(Refused::Busy));
    limiter.ended(&charges, Duration::ZERO, Answer::Other, MILLI);
    assert_eq!(limiter.admit(&charges, MILLI), Ok(()));
}

#[test]
fn after_a_429_nothing_is_sent_before_retry_after_and_then_much_less() {
    let mut limiter = Limiter::new(limits(100.0, 1000.0, 10), Duration::ZERO);
    let charges = path("/v1/charges");
    limiter.admit(&charges, Duration::ZERO).unwrap();
    let pause = Some(Duration::from_secs(3));
    let answer = Answer::Limited { reason: Some("global-rate"), retry_after: pause };
    limiter.ended(&charges, Duration::ZERO, answer, MILLI);
    let resumed = Duration::from_secs(3) + MILLI;
    assert_eq!(limiter.admit(&path("/v1/other"), 2 * MILLI), Err(Refused::Until(resumed)));
    let sent = saturate(&mut limiter, &charges, resumed, 18);
    assert!((50..=80).contains(&sent[0]), "{sent:?}");
    assert!((90..=99).contains(&sent[8]), "{sent:?}");
    assert!(sent[17] >= 99, "{sent:?}");
}

#[test]
fn refusals_of_one_volley_count_once() {
    let mut limiter = Limiter::new(limits(100.0, 100.0, 10), Duration::ZERO);
    let charges = path("/v1/charges");
    for _ in 0..8 {
        limiter.admit(&charges, Duration::ZERO).unwrap();
    }
    for _ in 0..8 {
        limiter.ended(&charges, Duration::ZERO, Answer::Limited { reason: None, retry_after: None }, MILLI);
    }
    assert!((limiter.rate() - 70.0).abs() < 1.0, "{}", limiter.rate());
}

#[test]
fn a_refusal_meets_the_level_it_names() {
    let (charges, refunds) = (path("/v1/charges"), path("/v1/refunds"));
    let refuse = |limiter: &mut Limiter, reason| {
        limiter.admit(&charges, Duration::ZERO).unwrap();
        let retry_after = Some(Duration::from_secs(9));
        limiter.ended(&charges, Duration::ZERO, Answer::Limited { reason: Some(reason), retry_after }, MILLI);
    };
    let mut limiter = Limiter::new(limits(100.0, 100.0, 10), Duration::ZERO);
    refuse(&mut limiter, "endpoint-rate");
    assert!(limiter.would_admit(&charges, Duration::from_secs(1)).is_err());
    assert_eq!(limiter.would_admit(&refunds, Duration::from_secs(1)), Ok(()));

    let mut limiter = Limiter::new(limits(100.0, 100.0, 10), Duration::ZERO);
    refuse(&mut limiter, "global-concurrency");
    limiter.admit(&refunds, Duration::from_secs(1)).unwrap();
    assert_eq!(limiter.would_admit(&refunds, Duration::from_secs(1)), Err(Refused::Busy));

    let mut limiter = Limiter::new(limits(100.0, 100.0, 10), Duration::ZERO);
    refuse(&mut limiter, "endpoint-concurrency");
    limiter.admit(&charges, Duration::from_secs(1)).unwrap();
    assert_eq!(limiter.would_admit(&charges, Duration::from_secs(1)), Err(Refused::Busy));
    assert_eq!(limiter.would_admit(&refunds, Duration::from_secs(1)), Ok(()));
}

proptest! {
    /// Whatever is asked when: no second sees more than the rate and one burst, and whoever waits as
    /// long as told may send.
    #[test]
    fn never_faster_than_the_rate(rate in 1.0..200.0f64, steps in prop::collection::vec(0..300u64, 1..300)) {
        let mut limiter = Limiter::new(limits(rate, 1e6, 1000), Duration::ZERO);
        let endpoint = path("/v1/charges");
        let mut now = Duration::ZERO;
        let mut sent: Vec<Duration> = Vec::new();
        for step in steps {
            now += Duration::from_millis(step);
            let mut waits = 0;
            while let Err(Refused::Until(at)) = limiter.would_admit(&endpoint, now) {
                prop_assert!(at > now);
                now = at;
                waits += 1;
            }
            // Rounding to whole nanoseconds may ask for a second, tiny wait.
            prop_assert!(waits <= 2);
            prop_assert_eq!(limiter.admit(&endpoint, now), Ok(()));
            limiter.ended(&endpoint, now, Answer::Other, now);
            sent.push(now);
        }
        for (index, from) in sent.iter().enumerate() {
            let within = sent[index..].iter().filter(|at| **at < *from + Duration::from_secs(1)).count();
            prop_assert!(within as f64 <= rate + (rate * 0.2).max(1.0) + 1.0);
        }
    }
}
