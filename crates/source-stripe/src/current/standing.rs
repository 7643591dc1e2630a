//! Which streams are not current although their lists were read, and what is said of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::{Message, StreamStatus};

/// Why a stream is not current.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// An object that changed could not be read again.
    Object,
    /// Its list was due to be read again, and could not be.
    List,
    /// The log of events, which tells of changes, cannot be read.
    Log,
}

/// What is said of streams beyond what the first reading of their lists says.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Streams with rows whose changes only the log of events tells.
    followed: Vec<Arc<str>>,
    /// Streams whose lists could not be read in the first place: what was said of them then stands.
    failed: BTreeSet<Arc<str>>,
    troubles: BTreeMap<Arc<str>, BTreeSet<Trouble>>,
}

impl Standing {
    /// From here on the rows of `streams` are kept current by the log alone.
    pub(crate) fn follow(&mut self, streams: Vec<Arc<str>>) {
        self.followed = streams;
    }

    /// The list of `stream` could not be read in the first place.
    pub(crate) fn failed(&mut self, stream: &Arc<str>) {
        self.failed.insert(Arc::clone(stream));
    }

    /// Something keeps `stream` from being current. It is said once.
    pub(crate) fn trouble(&mut self, stream: &Arc<str>, trouble: Trouble, why: &str) -> Option<Message> {
        if self.failed.contains(stream)
            || !self.troubles.entry(Arc::clone(stream)).or_default().insert(trouble)
        {
            return None;
        }
        let what = match trouble {
            Trouble::Object => "an object that changed could not be read again, which is tried again later",
            Trouble::List => "its list could not be read again, which is tried again later",
            Trouble::Log => {
                "objects that were read before may have changed, and the events that tell of it cannot be read"
            }
        };
        let error = format!("{stream} is not current: {what}. {why}");
        Some(Message::stream_status(stream, StreamStatus::Error { error }))
    }

    /// The log of events could not be read.
    pub(crate) fn log_failed(&mut self, why: &str) -> Vec<Message> {
        let followed = self.followed.clone();
        followed.iter().filter_map(|stream| self.trouble(stream, Trouble::Log, why)).collect()
    }

    /// No stream has `trouble` any more.
    pub(crate) fn settled(&mut self, trouble: Trouble) -> Vec<Message> {
        let streams: Vec<Arc<str>> = self.troubles.keys().cloned().collect();
        streams.iter().flat_map(|stream| self.settled_of(stream, trouble)).collect()
    }

    /// The stream does not have `trouble` any more: if it has no other, it is current again.
    pub(crate) fn settled_of(&mut self, stream: &Arc<str>, trouble: Trouble) -> Vec<Message> {
        let Some(troubles) = self.troubles.get_mut(stream) else { return Vec::new() };
        if !troubles.remove(&trouble) || !troubles.is_empty() {
            return Vec::new();
        }
        let start = StreamStatus::Start { time_range: None, reason: None };
        [start, StreamStatus::Complete].map(|status| Message::stream_status(stream, status)).into()
    }
}

#[cfg(test)]
mod tests {
    use protocol::Payload;

    use super::*;

    fn statuses(messages: impl IntoIterator<Item = Message>) -> Vec<String> {
        let status = |message: Message| match message.payload {
            Payload::StreamStatus(status) => {
                let kind = match status.status {
                    StreamStatus::Start { .. } => "start",
                    StreamStatus::Complete => "complete",
                    StreamStatus::Error { .. } => "error",
                    other => panic!("{other:?}"),
                };
                format!("{} {kind}", status.stream)
            }
            other => panic!("{other:?}"),
        };
        messages.into_iter().map(status).collect()
    }

    #[test]
    fn a_stream_is_current_once_nothing_is_wrong_with_it() {
        let [customer, charge, coupon]: [Arc<str>; 3] = ["customer", "charge", "coupon"].map(Arc::from);
        let mut standing = Standing::default();
        standing.follow(vec![Arc::clone(&customer), Arc::clone(&charge), Arc::clone(&coupon)]);
        standing.failed(&coupon);
        assert_eq!(statuses(standing.trouble(&customer, Trouble::Object, "down")), ["customer error"]);
        assert_eq!(statuses(standing.trouble(&customer, Trouble::Object, "down")), [""; 0], "it was said");
        assert_eq!(statuses(standing.trouble(&coupon, Trouble::Object, "down")), [""; 0], "its list failed");
        assert_eq!(statuses(standing.log_failed("down")), ["customer error", "charge error"]);
        assert_eq!(statuses(standing.log_failed("down")), [""; 0], "it was said");
        assert_eq!(statuses(standing.settled(Trouble::Log)), ["charge start", "charge complete"]);
        assert_eq!(statuses(standing.settled_of(&customer, Trouble::List)), [""; 0]);
        assert_eq!(statuses(standing.settled(Trouble::Object)), ["customer start", "customer complete"]);
        assert_eq!(statuses(standing.settled(Trouble::Log)), [""; 0]);
    }
}
