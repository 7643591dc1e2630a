//! Faults on purpose: which request is to fail, and how.

use serde::{Deserialize, Serialize};

use crate::chance::{below, draw, unit};

/// A fault, the requests that may suffer it, and when they do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// A path with `*` for any text, e.g. `/v1/charges` or `/v1/*`.
    pub path: String,
    /// Which of the matching requests.
    pub when: When,
    /// What happens to them.
    pub fault: Fault,
}

impl FaultRule {
    /// A rule for every request to `path`.
    pub fn always(path: &str, fault: Fault) -> Self {
        Self { path: path.into(), when: When::Always, fault }
    }

    /// A rule for the `nth` requests to `path`, counted from 1.
    pub fn nth(path: &str, nth: &[u64], fault: Fault) -> Self {
        Self { path: path.into(), when: When::Nth(nth.to_vec()), fault }
    }

    /// A rule for a share of the requests to `path`: `probability` is between 0 and 1.
    pub fn sometimes(path: &str, probability: f64, fault: Fault) -> Self {
        Self { path: path.into(), when: When::Probability(probability), fault }
    }
}

/// Which of the requests that match a rule's path suffer its fault. Each rule counts for itself, from 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// All.
    Always,
    /// Each with this probability, drawn from the simulator's seed.
    Probability(f64),
    /// The ones with these numbers.
    Nth(Vec<u64>),
    /// So many from the beginning.
    First(u64),
    /// Every so-manieth.
    Every(u64),
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The answer waits. Adds to other latencies, and to another fault.
    Latency {
        /// Milliseconds at least.
        ms: u64,
        /// Up to so many milliseconds more.
        #[serde(default)]
        jitter_ms: u64,
    },
    /// 429 with Stripe's body.
    RateLimited {
        /// `Stripe-Rate-Limited-Reason`: `global-rate`, `endpoint-rate`, `global-concurrency` or
        /// `endpoint-concurrency`.
        reason: String,
        /// `Retry-After` in seconds.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// 5xx with Stripe's body.
    Status(u16),
    /// A refusal with words of one's own, e.g. 400 "Your account is not set up to use Issuing."
    Refused {
        /// The HTTP status.
        status: u16,
        /// The error's message.
        message: String,
        /// The error's code.
        #[serde(default)]
        code: Option<String>,
    },
    /// 403 as for a restricted key that lacks the permission to read this.
    Forbidden,
    /// The connection is reset before an answer.
    Reset,
    /// The connection ends after this share of the announced body.
    Truncated {
        /// Of a hundred.
        percent: u8,
    },
    /// 200 with a web page, as from a proxy.
    Html,
    /// 200 with JSON of somebody else.
    ForeignJson,
    /// 200 with a list that lacks `data`.
    WithoutData,
    /// The body trickles.
    SlowBody {
        /// Bytes per millisecond.
        bytes_per_ms: u32,
    },
}

/// What the rules decided about a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) wait_ms: u64,
    pub(crate) fault: Option<Fault>,
}

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    seed: u64,
    next_id: u64,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    id: u64,
    rule: FaultRule,
    matched: u64,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Adds a rule and returns the number by which it can be removed.
    pub(crate) fn add(&mut self, rule: FaultRule) -> u64 {
        self.next_id += 1;
        self.rules.push(Rule { id: self.next_id, rule, matched: 0 });
        self.next_id
    }

    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.rules.len();
        self.rules.retain(|rule| rule.id != id);
        self.rules.len() < before
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn rules(&self) -> impl Iterator<Item = (u64, &FaultRule)> {
        self.rules.iter().map(|rule| (rule.id, &rule.rule))
    }

    /// Counts a request and decides. The first rule with a fault wins; latencies add up.
    pub(crate) fn judge(&mut self, path: &str) -> Verdict {
        let mut verdict = Verdict::default();
        for rule in self.rules.iter_mut().filter(|rule| covers(&rule.rule.path, path)) {
            rule.matched += 1;
            let number = rule.matched;
            let drawn = draw(self.seed, number, rule.id);
            let strikes = match &rule.rule.when {
                When::Always => true,
                When::Probability(share) => unit(drawn) < *share,
                When::Nth(numbers) => numbers.contains(&number),
                When::First(count) => number <= *count,
                When::Every(step) => number.is_multiple_of(*step),
            };
            match &rule.rule.fault {
                _ if !strikes => {}
                Fault::Latency { ms, jitter_ms } => {
                    verdict.wait_ms += ms + below(draw(self.seed, drawn, 1), jitter_ms + 1);
                }
                fault => {
                    verdict.fault.get_or_insert_with(|| fault.clone());
                }
            }
        }
        verdict
    }
}

/// Whether `pattern`, in which `*` stands for any text, covers `path`.
fn covers(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == path,
        Some((start, rest)) => path.strip_prefix(start).is_some_and(|tail| {
            (0..=tail.len()).any(|skip| tail.is_char_boundary(skip) && covers(rest, &tail[skip..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_paths() {
        assert!(covers("*", "/v1/charges"));
        assert!(covers("/v1/*", "/v1/charges"));
        assert!(covers("/v1/*/lines", "/v1/invoices/in_1/lines"));
        assert!(!covers("/v1/charges", "/v1/charges/ch_1"));
        assert!(!covers("/v2/*", "/v1/charges"));
    }

    #[test]
    fn scripts_strike_by_number() {
        let mut faults = Faults::new(1);
        faults.add(FaultRule::nth("/v1/a", &[2, 3], Fault::Reset));
        let struck: Vec<bool> = (0..4).map(|_| faults.judge("/v1/a").fault.is_some()).collect();
        assert_eq!(struck, [false, true, true, false]);
        assert_eq!(faults.judge("/v1/b"), Verdict::default());
    }

    #[test]
    fn probabilities_are_kept_and_repeatable() {
        let run = |seed| {
            let mut faults = Faults::new(seed);
            faults.add(FaultRule::sometimes("*", 0.25, Fault::Status(500)));
            (0..1_000).map(|_| faults.judge("/x").fault.is_some()).collect::<Vec<bool>>()
        };
        let hits = run(7).into_iter().filter(|hit| *hit).count();
        assert!((200..300).contains(&hits), "{hits}");
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn latencies_add_to_faults() {
        let mut faults = Faults::new(1);
        faults.add(FaultRule::always("*", Fault::Latency { ms: 5, jitter_ms: 0 }));
        faults.add(FaultRule::always("/v1/*", Fault::Latency { ms: 7, jitter_ms: 3 }));
        let id = faults.add(FaultRule::always("/v1/*", Fault::Html));
        let verdict = faults.judge("/v1/a");
        assert!((12..=15).contains(&verdict.wait_ms));
        assert_eq!(verdict.fault, Some(Fault::Html));
        assert!(faults.remove(id) && !faults.remove(id));
        assert_eq!(faults.judge("/v1/a").fault, None);
    }
}
