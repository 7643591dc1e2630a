//! The rows that have to be listed under each parent.

use std::sync::Arc;

use futures::stream::{self, TryStreamExt};
use protocol::Sweep;
use tokio::sync::mpsc;

use super::siblings::Siblings;
use crate::client::{Client, Get, Received};
use crate::failure::RequestError;
use crate::page::{Page, Shape, Stamp, Unexpected, read_page};
use crate::retry::PATIENT;
use crate::room::{Reserved, Room};

/// Parents of one page that are asked at the same time.
const AT_ONCE: usize = 8;

/// How much memory a page of children is thought to take.
const PAGE_BYTES: usize = 64 << 10;

/// How often a list is begun anew because the row to go on after was deleted meanwhile.
const RESTARTS: usize = 3;

/// A list under a parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Under {
    /// With a hole for the parent's id, unless a query parameter names the parent. What Stripe limits by.
    pub(crate) path: Arc<str>,
    /// The query parameter that names the parent.
    pub(crate) parameter: Option<String>,
    pub(crate) shape: Shape,
    pub(crate) takes_limit: bool,
    pub(crate) takes_cursor: bool,
    /// Sent with every request.
    pub(crate) always: Vec<(String, String)>,
    /// Whether rows tell their parent by `_parent_id`.
    pub(crate) names_parent: bool,
}

/// Rows that were read under a parent.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// The lane that wanted them.
    pub(crate) lane: usize,
    pub(crate) page: Page,
    /// Says, behind the last page of a parent, which rows are all of that parent's.
    pub(crate) sweep: Option<Sweep>,
    pub(crate) reserved: Reserved,
}

/// Where children are read from and where they go.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) client: Arc<Client>,
    pub(crate) room: Arc<Room>,
    pub(crate) account_id: Arc<str>,
    pub(crate) lane: usize,
    /// The rows are known to show all changes up to this second, whatever the answers' dates allow to say, and those up
    /// to the answers' dates, whatever they say themselves.
    pub(crate) at_least: Option<i64>,
    /// Whether rows that are no longer under their parent have to go.
    pub(crate) sweeps: bool,
    pub(crate) arrived: mpsc::UnboundedSender<Arrived>,
}

impl Under {
    /// A request that shows whether the list under `parent` may be read.
    pub(crate) fn probe(&self, parent: &str) -> Get {
        let mut get = self.get(parent, None);
        for (name, value) in &mut get.query {
            if name == "limit" {
                "1".clone_into(value);
            }
        }
        get
    }

    /// The request for a page under `parent`.
    fn get(&self, parent: &str, cursor: Option<&str>) -> Get {
        let is_v1 = self.shape == Shape::V1;
        let mut query = Vec::new();
        let path = match &self.parameter {
            Some(name) => {
                query.push((name.clone(), parent.to_owned()));
                Arc::clone(&self.path)
            }
            None => match self.path.split_once('{').and_then(|(before, hole)| {
                let (_, after) = hole.split_once('}')?;
                Some(format!("{before}{parent}{after}"))
            }) {
                Some(path) => path.into(),
                None => Arc::clone(&self.path),
            },
        };
        if self.takes_limit {
            query.push(("limit".to_owned(), if is_v1 { "100" } else { "20" }.to_owned()));
        }
        if let Some(cursor) = cursor {
            query.push((if is_v1 { "starting_after" } else { "page" }.to_owned(), cursor.to_owned()));
        }
        query.extend(self.always.iter().cloned());
        Get { path, query }
    }
}

impl Reading {
    /// Reads the rows under all of `parents`; they are handed over as they arrive, and all of them before this
    /// ends. A parent that is gone has none.
    pub(crate) async fn read(&self, under: &Under, parents: Vec<String>) -> Result<(), RequestError> {
        stream::iter(parents.into_iter().map(Ok))
            .try_for_each_concurrent(AT_ONCE, |parent| async move { self.read_one(under, &parent).await })
            .await
    }

    async fn read_one(&self, under: &Under, parent: &str) -> Result<(), RequestError> {
        let mut cursor: Option<String> = None;
        let mut restarts = 0;
        let mut all = Siblings::default();
        loop {
            let mut reserved = self.room.wait_for(PAGE_BYTES).await;
            let read = |received: &Received| {
                let stamp = self.stamp(received.as_of).written_by("page", received.name.as_deref());
                let version = stamp.version();
                let stamp = if under.names_parent { stamp.under(parent) } else { stamp };
                let page = read_page(&received.body, under.shape, &stamp)?;
                if page.next.is_some() && (!under.takes_cursor || page.next == cursor) {
                    return Err(Unexpected(
                        "there are more objects, and the list cannot be paged".to_owned(),
                    ));
                }
                Ok((page, version))
            };
            let get = under.get(parent, cursor.as_deref());
            let (page, version) = match self.client.fetch_at(&under.path, &get, None, PATIENT, read).await {
                Ok(answer) => answer,
                Err(RequestError::Api(error))
                    if cursor.is_some()
                        && error.is_lost_cursor(under.shape == Shape::V2)
                        && restarts < RESTARTS =>
                {
                    restarts += 1;
                    cursor = None;
                    all = Siblings::default();
                    continue;
                }
                Err(RequestError::Api(error)) if error.is_gone() => return Ok(()),
                Err(error) => return Err(error),
            };
            reserved.set(page.bytes());
            cursor = page.next.clone();
            if self.sweeps && under.names_parent {
                all.add(page.ids(), version);
            }
            let sweep = if cursor.is_none() && under.names_parent {
                std::mem::take(&mut all).sweep(parent, &self.account_id)
            } else {
                None
            };
            if page.count() > 0 || sweep.is_some() {
                // Nobody listens any more if this fails; the task is then aborted.
                let _ = self.arrived.send(Arrived { lane: self.lane, page, sweep, reserved });
            }
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    /// The stamp of what an answer shows that knows of all changes up to the second `as_of`.
    pub(crate) fn stamp(&self, as_of: i64) -> Stamp {
        match self.at_least {
            Some(second) => Stamp::certain(&self.account_id, as_of.max(second)),
            None => Stamp::new(&self.account_id, as_of),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_named_in_the_path_or_in_the_query() {
        let mut under = Under {
            path: "/v1/customers/{customer}/sources".into(),
            parameter: None,
            shape: Shape::V1,
            takes_limit: true,
            takes_cursor: true,
            always: Vec::new(),
            names_parent: true,
        };
        let get = under.get("cus_1", Some("card_1"));
        assert_eq!(&*get.path, "/v1/customers/cus_1/sources");
        assert_eq!(get.query.last().unwrap(), &("starting_after".to_owned(), "card_1".to_owned()));
        under.path = "/v1/setup_attempts".into();
        under.parameter = Some("setup_intent".to_owned());
        let get = under.get("seti_1", None);
        assert_eq!(&*get.path, "/v1/setup_attempts");
        assert_eq!(get.query[0], ("setup_intent".to_owned(), "seti_1".to_owned()));
    }
}
