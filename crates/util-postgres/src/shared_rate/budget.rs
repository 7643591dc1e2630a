//! Who gets how much of a rate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is left of a rate after it was exceeded.
const DECREASE: f64 = 0.7;

/// Share of the full rate that comes back in each second without a refusal.
const RECOVERY_PER_SECOND: f64 = 0.02;

/// A rate never falls below this share of the full rate.
const FLOOR: f64 = 0.04;

/// Refusals that are told within this time are about the same moment.
const SAME_VOLLEY_MS: i64 = 1_500;

/// What a process wants of one level.
#[derive(Debug, Clone, PartialEq)]
pub struct Want {
    /// The level's name, e.g. an endpoint.
    pub level: String,
    /// Requests per second that all processes together may send.
    pub full_rate: f64,
    /// Requests per second that this one could use.
    pub wanted: f64,
    /// Whether the other side said since the last lease that it was too much.
    pub exceeded: bool,
}

/// What a process gets of one level, until its lease ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    /// The level's name.
    pub level: String,
    /// Requests per second.
    pub per_second: f64,
}

/// All levels of one account: who holds how much of each.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    levels: BTreeMap<String, Level>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Level {
    /// The share of the full rate that is allowed at present.
    share: f64,
    share_at: i64,
    lowered_at: i64,
    holders: BTreeMap<String, Holding>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Holding {
    full_rate: f64,
    wanted: f64,
    granted: f64,
    /// When the lease ends, in milliseconds.
    until: i64,
}

impl Budget {
    /// Replaces all leases of `process` by those that it wants now; wants it nothing, it gives them back.
    /// Times are in milliseconds of the server's clock.
    pub fn lease(&mut self, process: &str, wants: &[Want], now: i64, valid: i64) -> Vec<Grant> {
        for level in self.levels.values_mut() {
            level.holders.retain(|holder, holding| holding.until > now && holder != process);
        }
        let grant = |want: &Want, level: &mut Level| Grant {
            level: want.level.clone(),
            per_second: level.lease(process, want, now, valid),
        };
        let grants: Vec<Grant> = wants
            .iter()
            .map(|want| {
                let level = self.levels.entry(want.level.clone()).or_insert_with(|| Level::new(now));
                grant(want, level)
            })
            .collect();
        self.levels.retain(|_, level| !level.holders.is_empty() || level.share_now(now) < 1.0);
        grants
    }

    /// How many processes hold a lease.
    pub fn processes(&self) -> usize {
        self.levels.values().map(|level| level.holders.len()).max().unwrap_or(0)
    }

    #[cfg(test)]
    pub(super) fn granted(&self, level: &str, now: i64) -> f64 {
        let holders = self.levels.get(level).into_iter().flat_map(|level| level.holders.values());
        holders.filter(|holding| holding.until > now).map(|holding| holding.granted).sum()
    }
}

impl Level {
    fn new(now: i64) -> Level {
        Level { share: 1.0, share_at: now, lowered_at: i64::MIN, holders: BTreeMap::new() }
    }

    fn share_now(&self, now: i64) -> f64 {
        let seconds = (now - self.share_at).max(0) as f64 / 1000.0;
        (self.share + seconds * RECOVERY_PER_SECOND).min(1.0)
    }

    fn lease(&mut self, process: &str, want: &Want, now: i64, valid: i64) -> f64 {
        self.share = self.share_now(now);
        self.share_at = self.share_at.max(now);
        if want.exceeded && self.lowered_at.saturating_add(SAME_VOLLEY_MS) <= now {
            self.share = (self.share * DECREASE).max(FLOOR);
            self.lowered_at = now;
        }
        // Where they were told different rates, the most careful one counts.
        let full_rate = self.holders.values().map(|other| other.full_rate).fold(want.full_rate, f64::min);
        let rate = full_rate * self.share;
        let others: Vec<f64> = self.holders.values().map(|other| other.wanted).collect();
        let taken: f64 = self.holders.values().map(|other| other.granted).sum();
        // What others hold above their fair share is theirs until they ask again.
        let granted = fair(rate, want.wanted, &others).min((rate - taken).max(0.0));
        let holding = Holding { full_rate: want.full_rate, wanted: want.wanted, granted, until: now + valid };
        self.holders.insert(process.to_owned(), holding);
        granted
    }
}

/// The fair part of `rate` for one who wants `wanted` beside `others`: nobody gets more than wanted, and what
/// the modest leave is shared evenly by the rest.
fn fair(rate: f64, wanted: f64, others: &[f64]) -> f64 {
    let mut sorted = others.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (mut left, mut heads) = (rate, sorted.len() as f64 + 1.0);
    for other in sorted {
        if other >= left / heads || other >= wanted {
            break;
        }
        left -= other;
        heads -= 1.0;
    }
    wanted.min(left / heads)
}
