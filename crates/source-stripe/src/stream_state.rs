//! What is remembered of a stream between reads, in the shape that every sync engine for Stripe shares:
//! `{"accounted_range": {gte, lt}, "remaining": [{gte, lt, cursor}]}`.

use protocol::{Range, RawJson};
use serde::{Deserialize, Serialize};

use crate::window::Window;

/// Seconds after which no more objects turn up in a second of `created`. Clocks differ, and a second is not
/// over when it is read, so what is younger is read but not accounted for: the next read reads it again.
pub(crate) const SETTLING: i64 = 60;

/// A part of a stream that was not emitted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remaining {
    pub(crate) window: Window,
    /// Where to go on within the window; from its newest object when absent.
    pub(crate) cursor: Option<String>,
}

/// What was emitted of a stream: all of `accounted` but what `remaining` covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamState {
    pub(crate) accounted: Window,
    pub(crate) remaining: Vec<Remaining>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireState {
    accounted_range: Range,
    remaining: Vec<WireRemaining>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRemaining {
    gte: protocol::Timestamp,
    lt: protocol::Timestamp,
    cursor: Option<String>,
}

impl StreamState {
    /// Reads a stored state. Fails on any other shape, such as the states of older engines.
    pub(crate) fn read(data: &RawJson) -> Result<StreamState, String> {
        let wire: WireState = data.read().map_err(|error| error.to_string())?;
        let remaining = wire.remaining.into_iter().map(|part| Remaining {
            window: Range { gte: part.gte, lt: part.lt }.into(),
            cursor: part.cursor,
        });
        Ok(StreamState { accounted: wire.accounted_range.into(), remaining: remaining.collect() })
    }

    /// The state as it is stored.
    pub(crate) fn write(&self) -> Result<RawJson, protocol::RawJsonError> {
        let remaining = self.remaining.iter().map(|part| {
            let Range { gte, lt } = part.window.into();
            WireRemaining { gte, lt, cursor: part.cursor.clone() }
        });
        RawJson::from_value(&WireState {
            accounted_range: self.accounted.into(),
            remaining: remaining.collect(),
        })
    }

    /// The same state without any claim about the seconds from `until` on.
    pub(crate) fn settled(mut self, until: i64) -> StreamState {
        let accounted = Window::new(self.accounted.gte, self.accounted.lt.min(until.max(self.accounted.gte)));
        for part in &mut self.remaining {
            part.window = part.window.intersect(accounted);
        }
        self.remaining.retain(|part| !part.window.is_empty());
        StreamState { accounted, ..self }
    }

    /// The same state for another wanted window: what is outside is forgotten, what is new is added.
    pub(crate) fn reconcile(self, wanted: Window) -> StreamState {
        if self.accounted == wanted {
            return self;
        }
        let mut remaining: Vec<Remaining> = Vec::new();
        for part in self.remaining {
            let window = part.window.intersect(wanted);
            if !window.is_empty() {
                let cursor = if window.gte > part.window.gte { None } else { part.cursor };
                remaining.push(Remaining { window, cursor });
            }
        }
        let new_parts = if self.accounted.intersect(wanted).is_empty() {
            remaining.clear();
            vec![wanted]
        } else {
            vec![Window::new(self.accounted.lt, wanted.lt), Window::new(wanted.gte, self.accounted.gte)]
        };
        let new_parts = new_parts.into_iter().filter(|part| !part.is_empty());
        remaining.extend(new_parts.map(|window| Remaining { window, cursor: None }));
        StreamState { accounted: wanted, remaining }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(gte: i64, lt: i64, cursor: Option<&str>) -> Remaining {
        Remaining { window: Window::new(gte, lt), cursor: cursor.map(str::to_owned) }
    }

    #[test]
    fn the_wire_shape_is_the_reference_s() {
        let state =
            StreamState { accounted: Window::new(0, 100), remaining: vec![part(0, 50, Some("cus_1"))] };
        let written = state.write().unwrap();
        assert_eq!(
            written.as_str(),
            concat!(
                r#"{"accounted_range":{"gte":"1970-01-01T00:00:00.000Z","lt":"1970-01-01T00:01:40.000Z"},"#,
                r#""remaining":[{"gte":"1970-01-01T00:00:00.000Z","lt":"1970-01-01T00:00:50.000Z","cursor":"cus_1"}]}"#
            )
        );
        assert_eq!(StreamState::read(&written).unwrap(), state);
    }

    #[test]
    fn other_shapes_are_refused() {
        for text in [
            r#"{"remaining":[]}"#,
            r#"{"backfill":{},"segments":[],"status":"pending"}"#,
            r#"{"eventId":"evt_1","eventCreated":1}"#,
            r#"{"accounted_range":{"gte":"x","lt":"y"},"remaining":[]}"#,
            r#"[]"#,
        ] {
            assert!(StreamState::read(&RawJson::parse(text.to_owned()).unwrap()).is_err(), "{text}");
        }
    }

    #[test]
    fn the_present_is_not_accounted_for() {
        let state = || StreamState {
            accounted: Window::new(0, 100),
            remaining: vec![part(10, 60, Some("c")), part(80, 100, None)],
        };
        assert_eq!(state().settled(100), state());
        assert_eq!(state().settled(200), state());
        let settled = state().settled(50);
        assert_eq!(settled.accounted, Window::new(0, 50));
        assert_eq!(settled.remaining, [part(10, 50, Some("c"))]);
        // Whatever was left away is read by the next read that wants it.
        assert_eq!(
            settled.reconcile(Window::new(0, 100)).remaining,
            [part(10, 50, Some("c")), part(50, 100, None)]
        );
        assert_eq!(state().settled(-5).accounted, Window::new(0, 0));
    }

    #[test]
    fn a_cursor_survives_a_new_end_but_not_a_new_start() {
        let state =
            || StreamState { accounted: Window::new(0, 100), remaining: vec![part(10, 60, Some("c"))] };
        assert_eq!(state().reconcile(Window::new(0, 100)), state());
        assert_eq!(state().reconcile(Window::new(20, 100)).remaining, [part(20, 60, None)]);
        assert_eq!(state().reconcile(Window::new(0, 50)).remaining, [part(10, 50, Some("c"))]);
        assert_eq!(
            state().reconcile(Window::new(-5, 120)).remaining,
            [part(10, 60, Some("c")), part(100, 120, None), part(-5, 0, None)]
        );
        assert_eq!(state().reconcile(Window::new(70, 90)).remaining, []);
        assert_eq!(state().reconcile(Window::new(200, 300)).remaining, [part(200, 300, None)]);
    }

    proptest! {
        /// Seconds that are accounted for and not remaining were emitted: reconciling neither forgets
        /// that nor invents it.
        #[test]
        fn exactly_the_new_seconds_are_added(
            accounted in (0..40i64, 1..40i64),
            parts in prop::collection::vec((0..10i64, 0..10i64), 0..4),
            wanted in (0..40i64, 1..40i64),
        ) {
            let accounted = Window::new(accounted.0, accounted.0 + accounted.1);
            let wanted = Window::new(wanted.0, wanted.0 + wanted.1);
            let mut at = accounted.gte;
            let mut remaining = Vec::new();
            for (skip, take) in parts {
                let window = Window::new(at + skip, at + skip + take).intersect(accounted);
                at += skip + take;
                if !window.is_empty() {
                    remaining.push(Remaining { window, cursor: None });
                }
            }
            let covers = |parts: &[Remaining], second: i64| {
                parts.iter().filter(|part| part.window.gte <= second && second < part.window.lt).count()
            };
            let after = StreamState { accounted, remaining: remaining.clone() }.reconcile(wanted);
            for second in 0..80 {
                let within = wanted.gte <= second && second < wanted.lt;
                let emitted = accounted.gte <= second && second < accounted.lt && covers(&remaining, second) == 0;
                prop_assert_eq!(covers(&after.remaining, second), usize::from(within && !emitted));
            }
        }
    }
}
