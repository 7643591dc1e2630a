//! How far a stream was compared, as it is kept in the destination.

use protocol::{ConfiguredStream, RawJson};
use serde::{Deserialize, Serialize};

use super::report::StreamReport;

/// What was asked. A position counts only for the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// Objects created since, unix seconds.
    since: Option<i64>,
    repair: bool,
    fields: Option<Vec<String>>,
}

/// How far a stream was compared: newest first, down to a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    asked: Asked,
    /// Objects created before this second are still to be compared.
    pub(crate) below: i64,
    /// No more seconds than this at a time, because more were too much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) most_seconds: Option<i64>,
    /// Whether nothing is left.
    pub(crate) done: bool,
    /// What was found so far.
    pub(crate) report: StreamReport,
}

impl Asked {
    pub(crate) fn of(stream: &ConfiguredStream, since: Option<i64>, repair: bool) -> Asked {
        Asked { since, repair, fields: stream.fields.clone() }
    }
}

impl Position {
    /// Where a stream begins.
    pub(crate) fn begin(asked: Asked, stream: &str, below: i64) -> Position {
        Position { asked, below, most_seconds: None, done: false, report: StreamReport::new(stream) }
    }

    /// What was kept, where it is for the same question.
    pub(crate) fn read(kept: Option<&RawJson>, asked: &Asked) -> Option<Position> {
        let position: Position = kept?.read().ok()?;
        (position.asked == *asked).then_some(position)
    }

    /// After the seconds from `gte` on were compared.
    pub(crate) fn advance(&mut self, gte: i64, is_last: bool, part: StreamReport) {
        self.below = gte;
        self.done = is_last;
        self.most_seconds = self.most_seconds.map(|seconds| seconds.saturating_mul(2));
        self.report.merge(part);
    }

    /// After the seconds from `gte` on turned out to be too many.
    pub(crate) fn narrow(&mut self, gte: i64) {
        self.most_seconds = Some((self.below.saturating_sub(gte) / 2).max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn asked(since: Option<i64>) -> Asked {
        Asked { since, repair: false, fields: None }
    }

    #[test]
    fn a_position_counts_for_the_same_question_only() {
        let position = Position::begin(asked(Some(5)), "a", 100);
        let kept = RawJson::from_value(&position).unwrap();
        assert_eq!(Position::read(Some(&kept), &asked(Some(5))), Some(position));
        assert_eq!(Position::read(Some(&kept), &asked(None)), None);
        assert_eq!(Position::read(None, &asked(None)), None);
        let other = RawJson::from_value(&json!({"remaining": []})).unwrap();
        assert_eq!(Position::read(Some(&other), &asked(None)), None);
    }

    #[test]
    fn parts_that_were_too_much_are_halved_until_they_are_not() {
        let mut position = Position::begin(asked(None), "a", 100);
        position.narrow(20);
        assert_eq!((position.below, position.most_seconds), (100, Some(40)));
        position.narrow(60);
        position.advance(80, false, StreamReport::new("a"));
        assert_eq!((position.below, position.most_seconds, position.done), (80, Some(40), false));
        position.narrow(79);
        assert_eq!(position.most_seconds, Some(1));
    }
}
