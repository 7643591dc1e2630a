//! What is remembered of events between reads: the source's global state.

use std::collections::BTreeMap;

use protocol::RawJson;
use serde::{Deserialize, Serialize};

/// Most ids of events that are remembered; with more of them in the overlap, some are looked at twice.
const MOST_SEEN: usize = 1_000;

/// Most objects that wait to be read again; with more of them, the cursor waits too.
pub(crate) const MOST_UNREAD: usize = 1_000;

/// Where the reading of events stands. `{"events_cursor": …}` alone is what other sync engines for Stripe keep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Unix seconds: all events before it that had surfaced were processed.
    pub(crate) events_cursor: i64,
    /// Events before this second tell what the first lists showed already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) events_since: Option<i64>,
    /// Events at or shortly before the cursor that were processed, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) events_seen: Vec<String>,
    /// Objects that changed and could not be read again yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) unread: Vec<Unread>,
    /// When lists whose changes no event tells were last read as a whole: unix seconds by stream.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) reread: BTreeMap<String, i64>,
}

/// An object that changed and could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unread {
    pub(crate) table: String,
    /// The row, or with `siblings` its parent.
    pub(crate) id: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) siblings: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<String>,
    /// The second of its newest event.
    pub(crate) since: i64,
}

impl Position {
    /// The beginning: lists that are read from now, the second `now`, on show everything before it.
    pub(crate) fn beginning(now: i64) -> Position {
        Position { events_cursor: now, events_since: Some(now), ..Position::default() }
    }

    /// Reads the global state; `None` where it holds no position.
    pub(crate) fn read(global: &RawJson) -> Result<Option<Position>, String> {
        let [cursor] = global.members(["events_cursor"]).map_err(|error| error.to_string())?;
        if cursor.is_none_or(|cursor| cursor.get() == "null") {
            return Ok(None);
        }
        global.read().map(Some).map_err(|error| error.to_string())
    }

    /// The first second whose events have to be asked for, `overlap` seconds before the cursor.
    pub(crate) fn from(&self, overlap: i64) -> i64 {
        (self.events_cursor - overlap).max(self.events_since.unwrap_or(i64::MIN))
    }

    /// All events before `cursor` were processed, those in `seen` lastly: id and second, oldest first. What lies more
    /// than `overlap` before the cursor will not be seen again.
    pub(crate) fn advance(&mut self, cursor: i64, overlap: i64, seen: &mut Vec<(String, i64)>) {
        self.events_cursor = self.events_cursor.max(cursor);
        let oldest = self.from(overlap);
        seen.retain(|(_, second)| *second >= oldest);
        let kept = seen.len().saturating_sub(MOST_SEEN);
        seen.drain(..kept);
        self.events_seen = seen.iter().map(|(id, _)| id.clone()).collect();
        if self.events_since.is_some_and(|since| since < self.events_cursor - overlap) {
            self.events_since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_engines_cursors_are_understood() {
        let read = |text: &str| Position::read(&RawJson::parse(text.to_owned()).unwrap());
        assert_eq!(read("{}"), Ok(None));
        assert_eq!(read(r#"{"events_cursor":null}"#), Ok(None));
        let position = read(r#"{"events_cursor":1700000000}"#).unwrap().unwrap();
        assert_eq!(position.from(300), 1_699_999_700);
        assert!(read(r#"{"events_cursor":"soon"}"#).is_err());
    }

    #[test]
    fn the_overlap_never_reaches_before_the_beginning() {
        let mut position = Position::beginning(1_000);
        assert_eq!(position.from(300), 1_000);
        let mut seen = vec![("evt_1".to_owned(), 1_005), ("evt_2".to_owned(), 1_400)];
        position.advance(1_200, 300, &mut seen);
        assert_eq!((position.from(300), position.events_seen.len()), (1_000, 2));
        position.advance(1_500, 300, &mut seen);
        assert_eq!((position.from(300), position.events_since), (1_200, None));
        assert_eq!(position.events_seen, ["evt_2"]);
        position.advance(1_400, 300, &mut seen);
        assert_eq!(position.events_cursor, 1_500, "it never goes back");
    }

    #[test]
    fn the_state_stays_small() {
        let mut position = Position::beginning(0);
        let mut seen: Vec<(String, i64)> = (0..5_000).map(|number| (format!("evt_{number}"), 10)).collect();
        position.advance(11, 300, &mut seen);
        assert_eq!(position.events_seen.len(), MOST_SEEN);
        assert_eq!(position.events_seen.last().unwrap(), "evt_4999");
        let written = RawJson::from_value(&position).unwrap();
        assert_eq!(Position::read(&written).unwrap().unwrap(), position);
    }
}
