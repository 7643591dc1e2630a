//! What is remembered of events between reads: the source's global state.

use std::collections::{BTreeMap, BTreeSet};

use protocol::RawJson;
use serde::{Deserialize, Serialize};

use super::form::Forms;

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
    /// Streams that were read before and are not any more, by the second from which on their events were passed over.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) left_out: BTreeMap<String, i64>,
    /// Streams that were read before and are being read again as a whole.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) anew: BTreeSet<String>,
    /// In which forms the streams were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) form: Option<Forms>,
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

    /// Notes which of the streams that were read before are left out from now on, and goes back to where those that are
    /// wanted again were. Answers those of them whose events are from before `oldest`, and not gone back to.
    pub(crate) fn choose<'s>(
        &mut self,
        read_before: impl Iterator<Item = &'s str>,
        is_wanted: impl Fn(&str) -> bool,
        oldest: i64,
    ) -> Vec<String> {
        for stream in read_before.filter(|stream| !is_wanted(stream)) {
            self.left_out.entry(stream.to_owned()).or_insert(self.events_cursor);
        }
        let (back, left_out) = std::mem::take(&mut self.left_out)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(stream, _)| is_wanted(stream));
        self.left_out = left_out;
        let (known, lost): (Vec<_>, Vec<_>) = back.into_iter().partition(|(_, since)| *since >= oldest);
        if let Some(since) =
            known.iter().map(|(_, since)| *since).min().filter(|since| *since < self.events_cursor)
        {
            self.events_cursor = since;
            // They were seen, but not by the streams that come back.
            self.events_seen.clear();
        }
        lost.into_iter().map(|(stream, _)| stream).collect()
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
    fn the_events_of_streams_that_were_left_out_are_gone_back_to() {
        let mut position = Position { events_cursor: 1_000, ..Position::default() };
        let read = ["a", "b"];
        assert!(position.choose(read.into_iter(), |stream| stream == "a", 0).is_empty());
        assert_eq!((position.events_cursor, position.left_out["b"]), (1_000, 1_000));
        position.advance(2_000, 10, &mut vec![("evt_1".to_owned(), 1_995)]);
        assert!(position.choose(read.into_iter(), |stream| stream == "a", 0).is_empty());
        assert_eq!(
            (position.events_cursor, position.left_out["b"]),
            (2_000, 1_000),
            "since it was left out first"
        );
        let mut late = position.clone();
        assert!(position.choose(read.into_iter(), |_| true, 1_000).is_empty());
        assert_eq!((position.events_cursor, position.left_out.len()), (1_000, 0));
        assert!(position.events_seen.is_empty(), "they are looked at again");
        assert_eq!(late.choose(read.into_iter(), |_| true, 1_001), ["b"]);
        assert_eq!((late.events_cursor, late.left_out.len()), (2_000, 0));
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
