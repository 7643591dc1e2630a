//! Everything at once, by seed: a world that changes, events that are late, faults, and reads that are cut.

use std::time::Duration;

use futures::StreamExt;
use stripe_simulator::{Fault, FaultRule};

use crate::account::{Account, simulation};
use crate::polling::STIRRED;

/// Draws numbers from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// Faults of a share of all requests. Each is repeated often enough not to matter in the end.
fn faults(dice: &mut Dice) -> Vec<FaultRule> {
    let kinds = [
        Fault::Status(500),
        Fault::RateLimited { reason: "global-rate".to_owned(), retry_after: None },
        Fault::Reset,
        Fault::Truncated { percent: 50 },
        Fault::Html,
        Fault::WithoutData,
    ];
    let some = kinds.into_iter().filter(|_| dice.roll(3) == 0);
    some.map(|fault| FaultRule::sometimes("/v1/*", 0.04, fault)).collect()
}

/// Copies an account of `seed` while it changes; in the end copy and account are equal.
async fn survive(seed: u64) {
    let mut dice = Dice(seed);
    let mut builder = simulation().seed(seed).latency(1, 15).long_lists(10);
    for table in ["customer", "product", "price", "coupon", "subscription", "invoice", "charge"] {
        builder = builder.table(table, 5 + dice.roll(40));
    }
    if dice.roll(2) == 0 {
        builder = builder.late_events(0.3, 4);
    }
    if dice.roll(3) == 0 {
        builder = builder.events_version(stripe_openapi::embedded::catalog("2024-06-20").unwrap());
    }
    let account = Account::start(builder, &STIRRED).await;
    let control = account.control();
    let mut live = account.live();
    for round in 0..3 + dice.roll(4) {
        control.clear_faults();
        for fault in faults(&mut dice) {
            control.add_fault(fault);
        }
        control.stir(seed ^ (round << 32), 5 + dice.roll(40) as usize).unwrap();
        tokio::time::sleep(Duration::from_millis(dice.roll(1_500))).await;
        if dice.roll(2) == 0 {
            drop(live);
            control.stir(seed ^ (round << 40), dice.roll(20) as usize).unwrap();
            tokio::time::sleep(Duration::from_millis(dice.roll(300))).await;
            live = account.live();
        }
    }
    control.clear_faults();
    account.settle(&format!("seed {seed}")).await;
    // Nothing that is still on its way changes what is right.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    account.assert_equal(&format!("seed {seed}, a moment later"));
    drop(live);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_survives_chaos() {
    let seeds: Vec<u64> = match std::env::var("CHAOS_SEEDS") {
        Ok(text) => {
            let (first, last) = text.split_once("..").expect("CHAOS_SEEDS is FIRST..LAST");
            (first.parse().unwrap()..last.parse().unwrap()).collect()
        }
        Err(_) => (1..7).collect(),
    };
    let runs = futures::stream::iter(seeds).map(|seed| tokio::spawn(survive(seed))).buffer_unordered(8);
    runs.for_each(async |run| run.unwrap()).await;
}
