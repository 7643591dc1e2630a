//! Applying what was delivered, oldest first. A stream that fails holds up what was delivered about it, and nothing else: that is
//! held in the store until the stream works again, while the rest goes on.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use protocol::{ConnectorError, EofPayload, LogLevel, RawJson, StreamRunStatus};
use serde::Deserialize;
use stripe_openapi::knowledge::children::origins;
use stripe_openapi::knowledge::names::table;

use super::backoff::retry_after;
use super::following::ending;
use super::syncing::{Asked, Share};
use super::{StepFailure, StepReport, Work};
use crate::standing::Deferral;
use crate::store::Waiting;

/// Most deliveries that are applied at once.
const DELIVERIES: usize = 500;

/// Kinds of objects, as their streams are called.
type Kinds = BTreeSet<String>;

/// How a lot of deliveries went.
enum Lot {
    /// The sync was stopped, so nothing is known of any; what is applied is the same when it comes again.
    Stopped,
    /// All but those that streams held up.
    Done {
        /// Streams that failed: why, and the kinds of objects whose deliveries need them.
        failed: BTreeMap<String, (String, Kinds)>,
        /// Deliveries that are not applied, each with the stream that it waits for.
        left: Vec<(Waiting, String)>,
        /// Records that reached the destination.
        records: u64,
    },
}

impl Work<'_> {
    /// Applies a lot of what was delivered, and a lot of what a stream held up, if that is to be tried again.
    pub(super) async fn deliver(&mut self) -> Result<StepReport, StepFailure> {
        if self.record.held && self.standing.deferred.is_empty() {
            self.steps.store.release_held(&self.record.pipeline.id).await?;
        }
        let fresh = self.deliver_fresh().await?;
        if self.bounds.stop.is_cancelled() {
            return Ok(StepReport { has_more: true, ..fresh });
        }
        let held = self.deliver_held().await?;
        Ok(StepReport { has_more: fresh.has_more || held.has_more, records: fresh.records + held.records })
    }

    async fn deliver_fresh(&mut self) -> Result<StepReport, StepFailure> {
        let id = self.record.pipeline.id.clone();
        let store = self.steps.store.clone();
        let waiting = store.waiting(&id, DELIVERIES).await?;
        let has_more = waiting.len() == DELIVERIES;
        // What comes behind others about the same object does not overtake them.
        let mut lot = Vec::with_capacity(waiting.len());
        let mut behind = Vec::new();
        for delivery in waiting {
            match self.standing.held_up(&object_kind(&delivery.body)) {
                Some(stream) => behind.push((delivery.sequence, stream.to_owned())),
                None => lot.push(delivery),
            }
        }
        store.hold(&id, &behind).await?;
        if lot.is_empty() {
            return Ok(StepReport { has_more, records: 0 });
        }
        let Lot::Done { failed, left, records } = self.apply(lot).await? else {
            return Ok(StepReport { has_more: true, records: 0 });
        };
        if !failed.is_empty() {
            let now = store.now().await?;
            for (stream, (message, kinds)) in failed {
                let since = left.iter().find(|(_, waits_for)| *waits_for == stream);
                let since = since.map_or(now, |(delivery, _)| delivery.received_at);
                self.defer(stream, message, kinds, since, now);
            }
            // First that they are held up, then that they are held: a kill in between leaves nothing that nobody looks for.
            store.save(&self.held.lease, &self.standing, None).await?;
            let left: Vec<(i64, String)> =
                left.into_iter().map(|(delivery, stream)| (delivery.sequence, stream)).collect();
            store.hold(&id, &left).await?;
        }
        Ok(StepReport { has_more, records })
    }

    /// Tries the stream again that is due for longest.
    async fn deliver_held(&mut self) -> Result<StepReport, StepFailure> {
        let id = self.record.pipeline.id.clone();
        let store = self.steps.store.clone();
        let now = store.now().await?;
        let touched_at = self.record.touched_at;
        let times = self.standing.deferred.iter().map(|(name, held)| (held.due_at(touched_at), name));
        let Some(stream) = times.filter(|(at, _)| *at <= now).min().map(|(_, name)| name.clone()) else {
            return Ok(StepReport::default());
        };
        let lot = store.held(&id, &stream, DELIVERIES).await?;
        let is_last = lot.len() < DELIVERIES;
        let done = if lot.is_empty() { None } else { Some(self.apply(lot).await?) };
        let (failed, left, records) = match done {
            None => (BTreeMap::new(), Vec::new(), 0),
            Some(Lot::Stopped) => return Ok(StepReport { has_more: true, records: 0 }),
            Some(Lot::Done { failed, left, records }) => (failed, left, records),
        };
        match (left.first(), self.standing.deferred.get_mut(&stream)) {
            (None, _) if is_last => {
                self.standing.deferred.remove(&stream);
                self.journal.say(LogLevel::Info, format!("{stream}: what was delivered is applied again"));
            }
            (None, Some(held)) => {
                held.attempts = 0;
                held.retry_at = now;
            }
            (Some((oldest, _)), _) => {
                let since = oldest.received_at;
                let mut why = None;
                let mut kinds = Kinds::new();
                for (_, (message, touched)) in failed {
                    why.get_or_insert(message);
                    kinds.extend(touched);
                }
                self.defer(stream, why.unwrap_or_default(), kinds, since, now);
            }
            (None, None) => {}
        }
        Ok(StepReport { has_more: !is_last, records })
    }

    /// Notes that a stream failed, and when it is tried again.
    fn defer(&mut self, stream: String, message: String, kinds: Kinds, since: i64, now: i64) {
        self.journal.say(LogLevel::Warn, format!("{stream}: what was delivered waits: {message}"));
        let held = self.standing.deferred.entry(stream).or_default();
        held.attempts += 1;
        let wait = retry_after(held.attempts, false, rand::random());
        held.message = message;
        held.kinds.extend(kinds);
        held.since = since;
        held.at = now;
        held.retry_at = now.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
    }

    /// Applies deliveries, and notes of which it is certain.
    async fn apply(&mut self, lot: Vec<Waiting>) -> Result<Lot, StepFailure> {
        let events: Vec<Result<RawJson, ConnectorError>> = lot.iter().map(event).collect();
        let input = Some(futures::stream::iter(events).boxed());
        let pipeline = ending(self.record.pipeline.config());
        let eof =
            self.sync(Asked { pipeline, run_id: None, input, is_run: false, share: Share::Nothing }).await?;
        if eof.has_more {
            return Ok(Lot::Stopped);
        }
        let lot: Vec<(String, Waiting)> =
            lot.into_iter().map(|waiting| (object_kind(&waiting.body), waiting)).collect();
        let all: Kinds = lot.iter().map(|(kind, _)| kind.clone()).collect();
        let failed: BTreeMap<String, (String, Kinds)> = failures(&eof)
            .map(|(stream, message)| {
                let message = logger::redact_text(message).into_owned();
                (stream.to_owned(), (message, needing(stream, &all)))
            })
            .collect();
        let mut applied = Vec::with_capacity(lot.len());
        let mut left = Vec::new();
        for (kind, waiting) in lot {
            match failed.iter().find(|(_, (_, kinds))| kinds.contains(&kind)) {
                Some((stream, _)) => left.push((waiting, stream.clone())),
                None => applied.push(waiting.sequence),
            }
        }
        self.steps.store.applied(&self.record.pipeline.id, &applied).await?;
        Ok(Lot::Done { failed, left, records: eof.request_progress.derived.total_record_count })
    }
}

impl Deferral {
    /// When it is tried again. Whoever touches a pipeline has it tried at once.
    pub(crate) fn due_at(&self, touched_at: i64) -> i64 {
        if self.at > touched_at { self.retry_at } else { 0 }
    }
}

/// Of these kinds of objects those whose deliveries may write into the stream: itself, or its parents. Where none is known to, any
/// may.
fn needing(stream: &str, kinds: &Kinds) -> Kinds {
    let writes = |kind: &String| kind == stream || origins(stream).any(|child| child.parent == kind);
    let known: Kinds = kinds.iter().filter(|kind| writes(kind)).cloned().collect();
    if known.is_empty() { kinds.clone() } else { known }
}

/// The streams that failed, and why.
fn failures(eof: &EofPayload) -> impl Iterator<Item = (&str, &str)> {
    let streams = eof.request_progress.streams.iter();
    let failed = streams.filter(|(_, stream)| stream.status == StreamRunStatus::Errored);
    failed.map(|(name, stream)| (name.as_str(), stream.message.as_deref().unwrap_or("it failed")))
}

fn event(waiting: &Waiting) -> Result<RawJson, ConnectorError> {
    // It was JSON when it was taken.
    RawJson::parse(waiting.body.clone())
        .map_err(|error| ConnectorError::internal("a stored delivery is no JSON").caused_by(error))
}

/// The stream of the object that an event is about; empty where it names none.
fn object_kind(body: &str) -> String {
    #[derive(Deserialize)]
    struct Event {
        data: Option<Data>,
    }
    #[derive(Deserialize)]
    struct Data {
        object: Option<Object>,
    }
    #[derive(Deserialize)]
    struct Object {
        object: Option<String>,
    }
    let event: Option<Event> = serde_json::from_str(body).ok();
    let kind = event.and_then(|event| event.data?.object?.object);
    kind.map(|kind| table(&kind)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_called_like_their_streams() {
        let body = |kind| format!(r#"{{"data": {{"object": {{"object": "{kind}"}}}}}}"#);
        assert_eq!(object_kind(&body("charge")), "charge");
        assert_eq!(object_kind(&body("checkout.session")), "checkout_session");
        assert_eq!(object_kind("{}"), "");
    }

    #[test]
    fn a_stream_is_needed_by_its_own_kind_and_by_its_parents() {
        let kinds = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Kinds>();
        let all = kinds(&["charge", "customer", "subscription"]);
        assert_eq!(needing("charge", &all), kinds(&["charge"]));
        assert_eq!(needing("subscription_item", &all), kinds(&["subscription"]));
        assert_eq!(needing("topup", &all), all, "nobody can say which");
    }
}
