//! One status for each stream, from the statuses of all accounts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use protocol::StreamStatus;

/// Accounts that are named in a sentence at most.
const NAMED: usize = 3;

/// How an account's part of a stream ended that did not end well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    Skipped(String),
    Failed(String),
}

/// The statuses of all streams.
#[derive(Debug, Default)]
pub(crate) struct Statuses {
    streams: HashMap<Arc<str>, Stream>,
    /// By number: their ids.
    accounts: Vec<Arc<str>>,
    /// Numbers of the accounts whose reading is not over.
    reading: BTreeSet<usize>,
}

#[derive(Debug, Default)]
struct Stream {
    started: bool,
    /// Whether its end was told.
    ended: bool,
    /// Whether it was an error that was told last.
    failing: bool,
    /// Accounts in which it ended.
    over: BTreeSet<usize>,
    /// Of these, the ones in which it did not end well.
    troubled: BTreeMap<usize, Trouble>,
}

impl Statuses {
    pub(crate) fn new(streams: impl IntoIterator<Item = Arc<str>>) -> Statuses {
        let streams = streams.into_iter().map(|name| (name, Stream::default())).collect();
        Statuses { streams, ..Statuses::default() }
    }

    /// An account is going to be read, for the first time or again: no stream is over before it is over there.
    pub(crate) fn begin(&mut self, account: usize, id: &Arc<str>) {
        debug_assert!(account <= self.accounts.len(), "accounts are numbered in their order");
        if account == self.accounts.len() {
            self.accounts.push(Arc::clone(id));
        }
        self.reading.insert(account);
        for stream in self.streams.values_mut() {
            stream.over.remove(&account);
            stream.troubled.remove(&account);
        }
    }

    /// Takes in what an account says of a stream; answers what is to be said of the stream as a whole.
    pub(crate) fn take(
        &mut self,
        account: usize,
        name: &Arc<str>,
        status: StreamStatus,
    ) -> Vec<StreamStatus> {
        let Statuses { streams, accounts, reading } = self;
        let stream = streams.entry(Arc::clone(name)).or_default();
        let trouble = match status {
            StreamStatus::Start { reason, .. } => {
                let first = !std::mem::replace(&mut stream.started, true) && !stream.ended;
                // The range differs between accounts.
                return if first {
                    vec![StreamStatus::Start { time_range: None, reason }]
                } else {
                    Vec::new()
                };
            }
            StreamStatus::RangeComplete { .. } => return Vec::new(),
            StreamStatus::Complete => None,
            StreamStatus::Skip { reason } => Some(Trouble::Skipped(reason)),
            StreamStatus::Error { error } => Some(Trouble::Failed(error)),
        };
        stream.over.insert(account);
        match trouble.clone() {
            Some(trouble) => stream.troubled.insert(account, trouble),
            None => stream.troubled.remove(&account),
        };
        let all_over = reading.is_subset(&stream.over);
        match trouble {
            _ if !stream.ended => match all_over {
                true => vec![stream.end(accounts)],
                false => Vec::new(),
            },
            Some(Trouble::Failed(error)) => {
                stream.failing = true;
                vec![StreamStatus::Error { error: format!("{}: {error}", accounts[account]) }]
            }
            // The last one that had failed is well again.
            _ if stream.failing && all_over && !stream.fails() => {
                stream.failing = false;
                vec![StreamStatus::Start { time_range: None, reason: None }, StreamStatus::Complete]
            }
            _ => Vec::new(),
        }
    }

    /// The reading of an account is over: what it said nothing of had nothing to do, or, where the account could not be
    /// read, has the same trouble.
    pub(crate) fn end(&mut self, account: usize, trouble: Option<&Trouble>) -> Vec<(Arc<str>, StreamStatus)> {
        self.reading.remove(&account);
        let mut said = Vec::new();
        let mut names: Vec<Arc<str>> = self.streams.keys().map(Arc::clone).collect();
        names.sort();
        for name in names {
            let Some(stream) = self.streams.get(&name) else { continue };
            let is_over = stream.over.contains(&account);
            let status = match trouble {
                None if is_over => continue,
                None => StreamStatus::Complete,
                // Not current any more, if the account was read to the present before.
                Some(Trouble::Skipped(_)) if is_over => continue,
                Some(Trouble::Skipped(reason)) => StreamStatus::Skip { reason: reason.clone() },
                Some(Trouble::Failed(error)) => StreamStatus::Error { error: error.clone() },
            };
            said.extend(
                self.take(account, &name, status).into_iter().map(|status| (Arc::clone(&name), status)),
            );
        }
        said
    }

    /// Whether the reading of an account is not over.
    pub(crate) fn is_reading(&self, account: usize) -> bool {
        self.reading.contains(&account)
    }

    /// Whether the lists of an account were read.
    pub(crate) fn is_read(&self, account: usize) -> bool {
        self.streams.values().all(|stream| stream.over.contains(&account))
    }

    /// The streams that did not end well in an account.
    pub(crate) fn troubles(&self, account: usize) -> BTreeMap<&str, &Trouble> {
        self.streams
            .iter()
            .filter_map(|(name, stream)| Some((&**name, stream.troubled.get(&account)?)))
            .collect()
    }
}

impl Stream {
    fn fails(&self) -> bool {
        self.troubled.values().any(|trouble| matches!(trouble, Trouble::Failed(_)))
    }

    /// How the stream ended as a whole.
    fn end(&mut self, accounts: &[Arc<str>]) -> StreamStatus {
        self.ended = true;
        self.failing = self.fails();
        let told = |fails: bool| {
            let of_kind = self.troubled.iter().filter_map(|(account, trouble)| match trouble {
                Trouble::Failed(error) if fails => Some((&accounts[*account], error)),
                Trouble::Skipped(reason) if !fails => Some((&accounts[*account], reason)),
                _ => None,
            });
            name_some(of_kind)
        };
        if self.failing {
            StreamStatus::Error { error: told(true) }
        } else if !self.over.is_empty() && self.troubled.len() == self.over.len() {
            StreamStatus::Skip { reason: told(false) }
        } else {
            StreamStatus::Complete
        }
    }
}

/// What happened in which accounts, of which a few are named.
fn name_some<'a>(happened: impl Iterator<Item = (&'a Arc<str>, &'a String)>) -> String {
    let mut sentence = String::new();
    let mut more = 0;
    for (index, (account, what)) in happened.enumerate() {
        if index >= NAMED {
            more += 1;
            continue;
        }
        if index > 0 {
            sentence.push_str("; ");
        }
        sentence.push_str(&format!("{account}: {what}"));
    }
    match more {
        0 => sentence,
        1 => sentence + "; and in one more account",
        more => format!("{sentence}; and in {more} more accounts"),
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
