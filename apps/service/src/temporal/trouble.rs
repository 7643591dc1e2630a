//! What failed in a pipeline, and when it is tried again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::options::PipelineOptions;
use super::outcome::Failed;

/// One thing that failed. Times are in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// How often it failed in a row.
    pub attempts: u32,
    /// It lasts until somebody changes something.
    pub lasting: bool,
    /// When it is tried again.
    pub retry_at: u64,
    /// What went wrong.
    pub message: String,
}

/// What failed, by the stage's name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Troubles(BTreeMap<String, Trouble>);

impl Troubles {
    /// Whether `stage` may be tried at `now`.
    pub(super) fn due(&self, stage: &str, now: u64) -> bool {
        self.0.get(stage).is_none_or(|trouble| trouble.retry_at <= now)
    }

    /// `stage` failed at `now`.
    pub(super) fn record(&mut self, stage: &str, failed: Failed, now: u64, options: &PipelineOptions) {
        let attempts = self.0.get(stage).map_or(0, |trouble| trouble.attempts).saturating_add(1);
        let wait = if failed.lasting {
            options.lasting_ms
        } else {
            let doubled = 1_u64.checked_shl(attempts - 1).unwrap_or(u64::MAX);
            options.passing_ms.saturating_mul(doubled).min(options.lasting_ms)
        };
        let Failed { lasting, message, .. } = failed;
        let retry_at = now.saturating_add(wait);
        self.0.insert(stage.to_owned(), Trouble { attempts, lasting, retry_at, message });
    }

    /// `stage` succeeded.
    pub(super) fn clear(&mut self, stage: &str) {
        self.0.remove(stage);
    }

    /// Everything is tried again now: somebody changed something.
    pub(super) fn hurry(&mut self) {
        for trouble in self.0.values_mut() {
            trouble.retry_at = 0;
        }
    }

    /// When the first of those is tried again that wait at `now`.
    pub(super) fn next_after(&self, now: u64) -> Option<u64> {
        self.0.values().map(|trouble| trouble.retry_at).filter(|at| *at > now).min()
    }

    /// The trouble of a stage.
    pub fn get(&self, stage: &str) -> Option<&Trouble> {
        self.0.get(stage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passing_failures_back_off_and_lasting_ones_wait_long() {
        let options = PipelineOptions { passing_ms: 10, lasting_ms: 35, ..PipelineOptions::default() };
        let mut troubles = Troubles::default();
        assert!(troubles.due("follow", 0));
        for retry_at in [110, 120, 135, 135] {
            troubles.record("follow", Failed::passing("away"), 100, &options);
            assert_eq!(troubles.next_after(0), Some(retry_at));
        }
        assert!(!troubles.due("follow", 134) && troubles.due("follow", 135) && troubles.due("deliver", 0));
        troubles.record("setup", Failed { lasting: true, ..Failed::passing("no key") }, 90, &options);
        assert_eq!(troubles.next_after(0), Some(125));
        troubles.hurry();
        assert!(troubles.due("setup", 0) && troubles.due("follow", 0));
        troubles.clear("setup");
        assert!(troubles.get("setup").is_none());
    }

    #[test]
    fn the_wait_never_overflows() {
        let options = PipelineOptions::default();
        let mut troubles = Troubles::default();
        for _ in 0..100 {
            troubles.record("follow", Failed::passing("away"), 0, &options);
        }
        assert_eq!(troubles.next_after(0), Some(options.lasting_ms));
    }
}
