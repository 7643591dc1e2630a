//! What the next rows of a stream probably are, judging by the last ones.
//!
//! Rows come in runs: in a first load all are new, in a later one nearly all are stored. Where that is known beforehand,
//! the look at which keys are stored can be left out; the database itself tells where it was wrong.

use super::upsert::Way;

/// Batches that have to agree, at most, after the trend has misled.
const LONGEST_PROOF: u32 = 64;

/// The last batches of a stream.
#[derive(Debug)]
pub(super) struct Trend {
    kind: Kind,
    /// How many batches in a row were of this kind.
    run: u32,
    /// How many it takes to believe it.
    proof: u32,
}

/// What the rows of a batch were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    New,
    Stored,
    Mixed,
}

impl Default for Trend {
    fn default() -> Trend {
        Trend { kind: Kind::Mixed, run: 0, proof: 1 }
    }
}

impl Trend {
    /// How to write the next batch.
    pub(super) fn way(&self) -> Way {
        match self.kind {
            _ if self.run < self.proof => Way::Asking,
            Kind::New => Way::SupposedNew,
            Kind::Stored => Way::SupposedStored,
            Kind::Mixed => Way::Asking,
        }
    }

    /// A batch was written: `rows`, of which `created` were new.
    pub(super) fn saw(&mut self, rows: u64, created: u64) {
        let kind = match created {
            _ if rows == 0 => return,
            0 => Kind::Stored,
            all if all == rows => Kind::New,
            _ => Kind::Mixed,
        };
        self.run = if kind == self.kind { self.run.saturating_add(1) } else { 1 };
        self.kind = kind;
    }

    /// What was supposed was not so, which has cost a try: it takes twice as much to suppose anything again.
    pub(super) fn misled(&mut self) {
        self.run = 0;
        self.proof = (self.proof * 2).min(LONGEST_PROOF);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_batch_is_as_the_last() {
        let mut trend = Trend::default();
        assert_eq!(trend.way(), Way::Asking);
        trend.saw(10, 10);
        assert_eq!(trend.way(), Way::SupposedNew);
        trend.saw(0, 0);
        assert_eq!(trend.way(), Way::SupposedNew);
        trend.saw(10, 0);
        assert_eq!(trend.way(), Way::SupposedStored);
        trend.saw(10, 1);
        trend.saw(10, 1);
        assert_eq!(trend.way(), Way::Asking);
    }

    #[test]
    fn who_was_misled_wants_more_proof() {
        let mut trend = Trend::default();
        for proof in [2, 4, 8, 16, 32, 64, 64] {
            trend.saw(10, 10);
            trend.misled();
            for _ in 1..proof {
                trend.saw(10, 10);
                assert_eq!(trend.way(), Way::Asking);
            }
            trend.saw(10, 10);
            assert_eq!(trend.way(), Way::SupposedNew);
        }
    }
}
