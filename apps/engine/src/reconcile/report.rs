//! What a comparison found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// So many ids are named of each kind of difference.
const NAMED: usize = 5;

/// How a destination compares to its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReconcileReport {
    /// Whether every stream is proven to be equal, or was made so. Of streams that the account cannot read, the
    /// destination may hold nothing.
    pub equal: bool,
    /// Whether nothing is left to compare.
    pub finished: bool,
    /// Requests to the source that this run made; 0 where the source does not count them.
    pub requests: u64,
    /// The streams in their order.
    pub streams: Vec<StreamReport>,
}

/// How one stream compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReconcileStreamReport")]
pub struct StreamReport {
    /// Its name.
    pub stream: String,
    /// Whether it was compared.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Objects that the source listed.
    pub read: u64,
    /// Rows that the destination holds of what was compared.
    pub stored: u64,
    /// Objects that the destination lacks.
    pub missing: Differences,
    /// Rows that say something else than their object.
    pub different: Differences,
    /// Rows whose object is gone.
    pub extra: Differences,
    /// Rows whose object was not listed, and of which the source cannot say whether it is gone.
    pub not_listed: Differences,
}

/// Whether a stream was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Outcome {
    /// Wholly.
    Compared,
    /// Not yet, or not wholly.
    Unfinished {
        /// Why.
        reason: String,
    },
    /// The account cannot read it.
    Skipped {
        /// Why.
        reason: String,
    },
    /// Reading it failed.
    Failed {
        /// Why.
        reason: String,
    },
}

/// Differences of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReconcileDifferences")]
pub struct Differences {
    /// How many were found.
    pub count: u64,
    /// How many of them are no more, because they were repaired.
    pub repaired: u64,
    /// Ids of the first few.
    pub ids: Vec<String>,
}

impl Differences {
    pub(crate) fn add(&mut self, id: String) {
        self.count += 1;
        if self.ids.len() < NAMED {
            self.ids.push(id);
        }
    }

    /// How many there still are.
    pub fn open(&self) -> u64 {
        self.count.saturating_sub(self.repaired)
    }

    fn merge(&mut self, other: Differences) {
        self.count += other.count;
        self.repaired += other.repaired;
        let room = NAMED.saturating_sub(self.ids.len());
        self.ids.extend(other.ids.into_iter().take(room));
    }
}

impl StreamReport {
    /// Nothing compared yet.
    pub(crate) fn new(stream: &str) -> StreamReport {
        StreamReport {
            stream: stream.to_owned(),
            outcome: Outcome::Unfinished { reason: "not begun".to_owned() },
            read: 0,
            stored: 0,
            missing: Differences::default(),
            different: Differences::default(),
            extra: Differences::default(),
            not_listed: Differences::default(),
        }
    }

    /// Adds what a part of the stream showed.
    pub(crate) fn merge(&mut self, part: StreamReport) {
        self.read += part.read;
        self.stored += part.stored;
        self.missing.merge(part.missing);
        self.different.merge(part.different);
        self.extra.merge(part.extra);
        self.not_listed.merge(part.not_listed);
    }

    /// The same, stopped before its end.
    pub(crate) fn stopped(self, reason: &str) -> StreamReport {
        StreamReport { outcome: Outcome::Unfinished { reason: reason.to_owned() }, ..self }
    }

    /// The kinds of differences with their names.
    pub fn differences(&self) -> [(&'static str, &Differences); 4] {
        [
            ("missing", &self.missing),
            ("extra", &self.extra),
            ("different", &self.different),
            ("not listed", &self.not_listed),
        ]
    }

    /// Whether nothing speaks against the stream being equal.
    pub fn is_equal(&self) -> bool {
        match self.outcome {
            Outcome::Compared => self.differences().iter().all(|(_, differences)| differences.open() == 0),
            Outcome::Skipped { .. } => self.stored == 0,
            Outcome::Unfinished { .. } | Outcome::Failed { .. } => false,
        }
    }
}

impl ReconcileReport {
    pub(crate) fn of(streams: Vec<StreamReport>, requests: u64) -> ReconcileReport {
        let unfinished = |report: &StreamReport| matches!(report.outcome, Outcome::Unfinished { .. });
        ReconcileReport {
            equal: streams.iter().all(StreamReport::is_equal),
            finished: !streams.iter().any(unfinished),
            requests,
            streams,
        }
    }
}
