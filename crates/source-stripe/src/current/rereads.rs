//! Reads lists again when they are due.

use std::collections::HashMap;

use protocol::StreamStatus;

use super::apply::Gone;
use super::follow::Follower;
use super::schedule::{Due, Refresh, due, refresh};
use super::standing::Trouble;
use crate::config::StripeConfig;
use crate::streams::{Ends, Streams};

/// Seconds between two readings of such a list, unless told otherwise.
const INTERVAL: i64 = 3600;

/// The streams that are read again, and when they were read.
pub(crate) struct Rereads<'a> {
    streams: &'a Streams<'a>,
    interval: i64,
    /// By index of the stream: how, and when it was read last.
    lists: HashMap<usize, (Refresh, i64)>,
}

impl<'a> Rereads<'a> {
    /// The lists of `streams`, all of which were read just now but those of `ends`: those that are new to the position
    /// as a whole.
    pub(crate) fn new(
        streams: &'a Streams<'a>,
        config: &StripeConfig,
        follower: &mut Follower,
        ends: &Ends,
    ) -> Rereads<'a> {
        let now = streams.client.now();
        let mut lists = HashMap::new();
        let mut names: Vec<String> = Vec::new();
        for (index, known) in streams.known.iter().enumerate() {
            let refresh = refresh(streams.catalog, known.resource);
            if refresh == Refresh::Never {
                continue;
            }
            lists.insert(index, (refresh, now));
            if is_remembered(refresh) {
                names.push(known.configured.stream.name.to_string());
            }
        }
        let reread = &mut follower.position.reread;
        reread.retain(|name, _| names.contains(name));
        names.retain(|name| !ends.iter().any(|(stream, _)| **stream == **name));
        for name in names {
            reread.entry(name).or_insert(now);
        }
        let interval = config.reread_interval.map_or(INTERVAL, |seconds| i64::from(seconds.get()));
        Rereads { streams, interval, lists }
    }

    /// What is due.
    fn due(&self, follower: &Follower, now: i64) -> Vec<(usize, Due)> {
        let mut found: Vec<(usize, Due)> = Vec::new();
        for (index, (refresh, last)) in &self.lists {
            let name = &self.streams.known[*index].configured.stream.name;
            let whole = follower.position.reread.get(&**name).copied().unwrap_or(*last);
            found.extend(due(*refresh, *last, whole, self.interval, now).map(|due| (*index, due)));
        }
        found.sort_by_key(|(index, _)| *index);
        found
    }

    /// Reads again what is due; what fails is tried at the next time.
    pub(crate) async fn perform(&mut self, follower: &mut Follower) -> Result<(), Gone> {
        let now = self.streams.client.now();
        let due = self.due(follower, now);
        if due.is_empty() {
            return Ok(());
        }
        let failed = self.streams.again(&due, now).await.ok_or(Gone)?;
        let mut wholly = false;
        for (index, due) in due {
            let name = &self.streams.known[index].configured.stream.name;
            let Some((refresh, last)) = self.lists.get_mut(&index) else { continue };
            *last = now;
            let failure = failed.iter().find(|(stream, _)| stream == name);
            follower.applier.say_all(match failure {
                Some((_, status)) => {
                    Vec::from_iter(follower.standing.trouble(name, Trouble::List, &why(status)))
                }
                None => follower.standing.settled_of(name, Trouble::List),
            })?;
            if due.is_whole() && failure.is_none() && is_remembered(*refresh) {
                follower.position.reread.insert(name.to_string(), now);
                wholly = true;
            }
        }
        if wholly { follower.tell_position() } else { Ok(()) }
    }
}

/// Whether it is remembered beyond the read when the list was last read as a whole.
fn is_remembered(refresh: Refresh) -> bool {
    matches!(refresh, Refresh::New { changes_for } if changes_for != Some(0))
}

/// Why a stream ended as it did.
fn why(status: &StreamStatus) -> String {
    match status {
        StreamStatus::Error { error: why } | StreamStatus::Skip { reason: why } => why.clone(),
        _ => String::new(),
    }
}
