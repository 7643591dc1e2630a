use proptest::prelude::*;

use super::budget::{Budget, Want};

const VALID: i64 = 2_000;
const RATE: f64 = 80.0;

fn want(wanted: f64) -> Want {
    Want { level: "*".to_owned(), full_rate: RATE, wanted, exceeded: false }
}

fn ask(budget: &mut Budget, process: &str, wanted: f64, now: i64) -> f64 {
    budget.lease(process, &[want(wanted)], now, VALID)[0].per_second
}

#[test]
fn who_is_alone_gets_what_it_wants() {
    let mut budget = Budget::default();
    assert_eq!(ask(&mut budget, "a", 1000.0, 0), RATE);
    assert_eq!(ask(&mut budget, "a", 5.0, 500), 5.0);
    assert_eq!(budget.processes(), 1);
}

#[test]
fn a_newcomer_gets_its_half_as_soon_as_the_other_asks_again() {
    let mut budget = Budget::default();
    ask(&mut budget, "a", RATE, 0);
    assert_eq!(ask(&mut budget, "b", RATE, 100), 0.0);
    assert_eq!(ask(&mut budget, "a", RATE, 500), RATE / 2.0);
    assert_eq!(ask(&mut budget, "b", RATE, 600), RATE / 2.0);
    assert_eq!(budget.processes(), 2);
}

#[test]
fn what_one_does_not_want_the_others_get() {
    let mut budget = Budget::default();
    for now in [0, 500, 1000] {
        ask(&mut budget, "modest", 5.0, now);
        ask(&mut budget, "a", RATE, now + 1);
        ask(&mut budget, "b", RATE, now + 2);
    }
    assert_eq!(ask(&mut budget, "modest", 5.0, 1500), 5.0);
    assert_eq!(ask(&mut budget, "a", RATE, 1501), (RATE - 5.0) / 2.0);
    assert_eq!(ask(&mut budget, "b", RATE, 1502), (RATE - 5.0) / 2.0);
}

#[test]
fn what_the_dead_had_and_what_is_given_back_is_free() {
    let mut budget = Budget::default();
    ask(&mut budget, "dead", RATE, 0);
    assert_eq!(ask(&mut budget, "a", RATE, VALID - 1), 0.0);
    assert_eq!(ask(&mut budget, "a", RATE, VALID), RATE);
    assert!(budget.lease("a", &[], VALID + 1, VALID).is_empty());
    assert_eq!(ask(&mut budget, "b", RATE, VALID + 2), RATE);
}

#[test]
fn a_refusal_lowers_the_rate_of_all_once_and_it_comes_back() {
    let mut budget = Budget::default();
    ask(&mut budget, "a", RATE, 0);
    ask(&mut budget, "b", RATE, 1);
    let exceeded = Want { exceeded: true, ..want(RATE) };
    let lowered = budget.lease("a", std::slice::from_ref(&exceeded), 500, VALID)[0].per_second;
    assert!((lowered - RATE * 0.7 / 2.0).abs() < 0.5, "{lowered}");
    // The same moment, seen by the other.
    let other = budget.lease("b", &[exceeded], 600, VALID)[0].per_second;
    assert!((other - RATE * 0.7 / 2.0).abs() < 0.5, "{other}");
    let later = ask(&mut budget, "a", RATE, 20_000);
    assert_eq!(later, RATE);
}

/// One step of a process: who, after how many milliseconds, and how much it wants.
fn steps() -> impl Strategy<Value = Vec<(usize, i64, f64, bool)>> {
    let wanted = prop_oneof![Just(0.0), Just(2.0), Just(30.0), Just(RATE)];
    prop::collection::vec((0..5usize, 0..400i64, wanted, prop::bool::weighted(0.05)), 1..400)
}

proptest! {
    /// Whoever asks for whatever whenever: the leases in force never add up to more than the rate.
    #[test]
    fn never_more_than_the_rate(steps in steps()) {
        let mut budget = Budget::default();
        let mut now = 0;
        for (process, step, wanted, exceeded) in steps {
            now += step;
            let before = budget.granted("*", now);
            let asked = Want { exceeded, ..want(wanted) };
            let granted = budget.lease(&process.to_string(), &[asked], now, VALID)[0].per_second;
            prop_assert!(granted >= 0.0 && granted <= wanted);
            let after = budget.granted("*", now);
            // A rate that was lowered binds those who ask from then on.
            prop_assert!(after <= RATE.max(before) + 1e-6, "{} at {}", after, now);
        }
    }

    /// What each spends evenly while its lease is in force, with a fifth of a second's worth in hand, stays
    /// within the rate and that hand in any second.
    #[test]
    fn any_second_stays_within_rate_and_burst(steps in steps()) {
        let mut budget = Budget::default();
        let mut held = [(0.0f64, 0i64); 5];
        let mut hands = [0.0f64; 5];
        let mut spent: Vec<f64> = Vec::new();
        let mut steps = steps.into_iter();
        let mut next = steps.next().map(|step| (step.1, step));
        for now in 0..20_000i64 {
            while let Some((at, (process, _, wanted, exceeded))) = next.filter(|(at, _)| *at <= now) {
                let asked = Want { exceeded, ..want(wanted) };
                let grants = budget.lease(&process.to_string(), &[asked], at, VALID);
                held[process] = (grants[0].per_second, at + VALID);
                next = steps.next().map(|step| (at + step.1, step));
            }
            let mut now_spent = 0.0;
            for ((rate, until), hand) in held.iter().zip(&mut hands) {
                let rate = if *until > now { *rate } else { 0.0 };
                *hand = (*hand + rate / 1000.0).min(rate * 0.2);
                // Saved up for a while, then spent at once.
                if now % 1_700 < 700 {
                    now_spent += *hand;
                    *hand = 0.0;
                }
            }
            spent.push(now_spent);
        }
        let mut within: f64 = 0.0;
        for at in 0..spent.len() {
            within += spent[at];
            if at >= 1000 {
                within -= spent[at - 1000];
            }
            prop_assert!(within <= RATE * 1.2 + 1e-6, "{} at {}", within, at);
        }
    }

    /// Everybody who keeps asking gets a fair part, whoever else does what before.
    #[test]
    fn nobody_starves(before in steps(), processes in 1..5usize, order in any::<u64>()) {
        let mut budget = Budget::default();
        let mut now = 0;
        for (process, step, wanted, _) in before {
            now += step;
            ask(&mut budget, &process.to_string(), wanted, now);
        }
        // Long enough for leases of others to end.
        let mut last = vec![0.0; processes];
        for round in 0..8u64 {
            for turn in 0..processes {
                let process = (turn + (order.rotate_left(round as u32) % processes as u64) as usize) % processes;
                last[process] = ask(&mut budget, &format!("keen {process}"), RATE, now);
                now += 500 / processes as i64;
            }
        }
        for granted in &last {
            prop_assert!((granted - RATE / processes as f64).abs() < 1e-6, "{:?}", last);
        }
    }
}
