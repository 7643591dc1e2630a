//! What a key may read, stream by stream, before anything is read (fidelity K2): each list is asked for one
//! object.

use std::collections::HashMap;
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use protocol::{ConfiguredCatalog, ConnectionStatus, ConnectorError, LogLevel, Message, StreamStatus};
use stripe_openapi::knowledge::refusals;
use stripe_openapi::{Catalog, Resource};

use crate::account;
use crate::children::{self, Feed};
use crate::client::{Client, Get, Received};
use crate::clocks;
use crate::config::StripeConfig;
use crate::delivery::{Delivery, Sender};
use crate::failure::RequestError;
use crate::page::{Shape, Stamp, read_page};
use crate::passes::{self, Pass};
use crate::retry::BRIEF;
use crate::source::StripeSource;
use crate::verdict;

const EVENTS: &str = "/v1/events";
const WEBHOOK_ENDPOINTS: &str = "/v1/webhook_endpoints";

/// Seconds by which clocks may differ without a word.
const CLOCK_TOLERANCE: u64 = 10;

/// Requests at a time; the limiter has its say too.
const AT_ONCE: usize = 16;

/// A request that shows whether a list may be read.
#[derive(Debug, Clone)]
struct Probe {
    /// What Stripe limits by.
    endpoint: Arc<str>,
    get: Get,
    shape: Shape,
}

/// What one object of a list told: its id if there is one, or why there is no list.
type Found = Result<Option<String>, RequestError>;

/// What the lists answered, by their requests.
struct Answers(HashMap<String, Found>);

/// Tells `sender` of each stream of `catalog` whether it can be read. An error is one that concerns all.
pub(crate) async fn preflight(
    source: &StripeSource,
    config: &StripeConfig,
    catalog: &ConfiguredCatalog,
    sender: &Sender,
) -> Result<(), ConnectorError> {
    let access = config.access()?;
    let offered = source.catalog(&access).await?;
    let client = source.client(&access)?;
    // Nobody listens any more if sending fails; the task is then aborted.
    let say = |message: Message| {
        let _ = sender.send(Delivery::Message(message));
    };
    let streams: Vec<(&Arc<str>, Option<Needs<'_>>)> = catalog
        .streams
        .iter()
        .map(|stream| (&stream.stream.name, Needs::of(&offered, &stream.stream.name, access.live)))
        .collect();
    let needs = || streams.iter().filter_map(|(_, needs)| needs.as_ref());

    let mut probes: Vec<Probe> = needs().flat_map(Needs::lists).collect();
    let beside = [EVENTS, WEBHOOK_ENDPOINTS].map(list_of);
    probes.extend(beside.iter().cloned());
    let mut answers = Answers(HashMap::new());
    answers.ask(&client, probes).await;
    if let Some(refused) = answers.key_refused() {
        let sentence = account::explain(refused).to_string();
        say(Message::connection_status(ConnectionStatus::failed(sentence)));
        return Ok(());
    }
    let under: Vec<Probe> = needs().flat_map(|needs| needs.lists_under(&answers)).collect();
    answers.ask(&client, under).await;

    for (name, needs) in &streams {
        let Some(needs) = needs else {
            let error =
                format!("Unknown stream: {name}. API version {} has no such list", access.api_version);
            say(Message::stream_status(name, StreamStatus::Error { error }));
            continue;
        };
        let (status, left_out) = needs.judge(name, &answers);
        say(Message::stream_status(name, status));
        for warning in left_out {
            say(Message::log(LogLevel::Warn, warning));
        }
    }
    let consequences = [
        (LogLevel::Warn, "changes cannot be told by events, only by reading again"),
        (LogLevel::Info, "webhook endpoints cannot be managed"),
    ];
    for (probe, (level, consequence)) in beside.iter().zip(consequences) {
        if let Some(error) = answers.refusal(probe) {
            say(Message::log(level, format!("{consequence}: {}", reason_of(&probe.endpoint, error))));
        }
    }
    if let Some(warning) = clock_warning(client.clock_ahead()) {
        say(Message::log(LogLevel::Warn, warning));
    }
    Ok(())
}

/// What to say of a clock from which Stripe's is so many seconds ahead.
fn clock_warning(ahead: i64) -> Option<String> {
    let (seconds, word) = (ahead.unsigned_abs(), if ahead > 0 { "slow" } else { "fast" });
    (seconds > CLOCK_TOLERANCE).then(|| {
        format!(
            "this machine's clock is {seconds} s {word}, by Stripe's: webhooks whose signature is more than 300 s old are \
             refused. Let the clock be set by NTP (timedatectl set-ntp true)"
        )
    })
}

/// What a stream needs to be read.
struct Needs<'c> {
    /// Those of its own, or of its first parent, first.
    passes: Vec<Pass>,
    /// The parents' tables.
    parents: Vec<&'c str>,
    /// Whether objects attached to test clocks are read too.
    clocks: bool,
}

impl<'c> Needs<'c> {
    fn of(catalog: &'c Catalog, stream: &str, live: bool) -> Option<Needs<'c>> {
        let resource = catalog.resource(stream).filter(|found| children::can_be_filled(catalog, found))?;
        let mut passes = passes::of_stream(catalog, resource, &[]);
        // A list that is asked once more with other words needs no other permission.
        let own = passes.first().map(|pass| Arc::clone(&pass.path));
        passes.retain(|pass| pass.label.is_none() || pass.feed.is_some() || Some(&pass.path) != own.as_ref());
        let parents = children::parents_of(catalog, resource);
        let clocks = !live && has_clocks(catalog) && passes::stream_wants_clocks(catalog, resource);
        Some(Needs { passes, parents: parents.iter().map(|parent| table(parent.resource)).collect(), clocks })
    }

    fn lists(&self) -> impl Iterator<Item = Probe> {
        self.passes.iter().map(probe_of).chain(self.clocks.then(|| list_of(clocks::PATH)))
    }

    /// The lists under the first object of each parent, where there is one.
    fn lists_under(&self, answers: &Answers) -> impl Iterator<Item = Probe> {
        self.passes.iter().filter_map(|pass| under(pass, answers))
    }

    /// Whether the stream can be read; and what of it would be left out.
    fn judge(&self, name: &Arc<str>, answers: &Answers) -> (StreamStatus, Vec<String>) {
        let mut status = StreamStatus::Start { time_range: None, reason: None };
        let mut left_out = Vec::new();
        for pass in &self.passes {
            let listed = answers.refusal(&probe_of(pass));
            let refused = listed.or_else(|| answers.refusal(&under(pass, answers)?));
            let Some(error) = refused else { continue };
            if pass.label.is_some() {
                left_out.push(format!("{name}: some objects would be left out: {}", reason_of(name, error)));
                continue;
            }
            status = verdict::of(name, error);
            // Its own permission would not help where its parents cannot be read.
            if pass.feed.is_some() && listed.is_some() {
                status = of_parent(status, &self.parents);
            }
        }
        if let Some(error) = answers.refusal(&list_of(clocks::PATH)).filter(|_| self.clocks) {
            left_out.push(format!(
                "{name}: objects attached to a test clock would be left out: {}",
                reason_of("test_helpers_test_clock", error)
            ));
        }
        (status, left_out)
    }
}

fn has_clocks(catalog: &Catalog) -> bool {
    catalog.resource("test_helpers_test_clock").is_some_and(|clock| clock.list.is_some())
}

fn table(resource: &Resource) -> &str {
    &resource.table
}

fn of_parent(status: StreamStatus, parents: &[&str]) -> StreamStatus {
    let parents = parents.join(", ");
    match status {
        StreamStatus::Skip { reason } => {
            StreamStatus::Skip { reason: format!("its rows are found by way of {parents}: {reason}") }
        }
        StreamStatus::Error { error } => {
            StreamStatus::Error { error: format!("its rows are found by way of {parents}: {error}") }
        }
        other => other,
    }
}

fn reason_of(stream: &str, error: &RequestError) -> String {
    match verdict::of(stream, error) {
        StreamStatus::Skip { reason } => match refusals::missing_permission(&reason) {
            Some(permission) => format!("the API key lacks the permission {permission}"),
            None => reason,
        },
        _ => error.to_string(),
    }
}

fn probe_of(pass: &Pass) -> Probe {
    Probe { endpoint: Arc::clone(&pass.path), get: pass.probe(), shape: pass.shape }
}

fn list_of(path: &str) -> Probe {
    let query = vec![("limit".to_owned(), "1".to_owned())];
    let get = Get { path: path.into(), query };
    Probe { endpoint: Arc::clone(&get.path), get, shape: Shape::V1 }
}

fn under(pass: &Pass, answers: &Answers) -> Option<Probe> {
    let Some(Feed::Under(under)) = &pass.feed else { return None };
    let parent = answers.first(&probe_of(pass))?;
    Some(Probe { endpoint: Arc::clone(&under.path), get: under.probe(parent), shape: under.shape })
}

impl Probe {
    fn name(&self) -> String {
        let query = self.get.query.iter().map(|(name, value)| format!("{name}={value}"));
        format!("{}?{}", self.get.path, query.collect::<Vec<String>>().join("&"))
    }

    async fn ask(&self, client: &Client) -> Found {
        let read = |received: &Received| {
            let page = read_page(&received.body, self.shape, &Stamp::new("", received.as_of))?;
            Ok(page.ids().next().map(str::to_owned))
        };
        client.fetch_at(&self.endpoint, &self.get, None, BRIEF, read).await
    }
}

impl Answers {
    /// Asks each distinct request once.
    async fn ask(&mut self, client: &Client, probes: Vec<Probe>) {
        let mut distinct: HashMap<String, Probe> = HashMap::new();
        for probe in probes {
            distinct.entry(probe.name()).or_insert(probe);
        }
        distinct.retain(|name, _| !self.0.contains_key(name));
        let found: Vec<(String, Found)> = stream::iter(distinct)
            .map(|(name, probe)| async move { (name, probe.ask(client).await) })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        self.0.extend(found);
    }

    fn refusal(&self, probe: &Probe) -> Option<&RequestError> {
        match self.0.get(&probe.name()) {
            // The object under which was to be listed is gone meanwhile.
            Some(Err(RequestError::Api(error))) if error.code.as_deref() == Some("resource_missing") => None,
            Some(Err(error)) => Some(error),
            _ => None,
        }
    }

    fn first(&self, probe: &Probe) -> Option<&str> {
        self.0.get(&probe.name())?.as_ref().ok()?.as_deref()
    }

    /// The answer 401 to all, if that is what was answered.
    fn key_refused(&self) -> Option<&RequestError> {
        let mut refusals = self.0.values().map(|found| found.as_ref().err());
        let first = refusals.next()??;
        let is_401 = |error: &RequestError| error.status() == Some(401);
        (is_401(first) && refusals.all(|refusal| refusal.is_some_and(is_401))).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clock_that_is_far_off_is_told() {
        assert_eq!(clock_warning(10), None);
        assert!(clock_warning(11).unwrap().contains("11 s slow"));
        assert!(clock_warning(-400).unwrap().contains("400 s fast"));
    }
}
