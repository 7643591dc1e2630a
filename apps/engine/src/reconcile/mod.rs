//! Comparing a destination with its source, and repairing it.
//!
//! A stream is compared in parts, newest first: the rows of some seconds of `created` are read back as keys and
//! hashes, at most about 20,000 of them; the source is asked for the objects of the same seconds; each is held
//! against its row. Whatever does not match is looked at again before it is told, for rows change meanwhile. A row
//! whose object was not listed is extra only if the source, asked for it by its id, says that it is gone.

mod budget;
mod comparison;
mod copy;
mod part;
mod position;
mod report;
mod telling;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_stream::try_stream;
use futures::{Stream, StreamExt};
use protocol::{
    CatalogMessage, ConfiguredStream, ConnectorError, InspectedRows, PipelineConfig, RequestCount,
    SourceState, TimeRange, Timestamp, counted,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use self::budget::Budget;
use self::copy::Copy;
use self::part::{End, Part};
use self::position::{Asked, Position};
use crate::engine::Resolved;
use crate::transform::Rules;
use crate::{Engine, EngineError, Side};

pub(crate) use telling::{ReconcileData, Told};

pub use report::{Differences, Outcome, ReconcileReport, StreamReport};

/// Options of a source that make it read more than what is asked, where it has them.
const SOURCE_EXTRAS: [&str; 2] = ["poll_events", "live"];

/// Why a stream is not finished that somebody stopped.
pub(crate) const INTERRUPTED: &str = "interrupted";

/// A request to compare the destination of a pipeline with its source.
pub struct Reconcile {
    /// The pipeline.
    pub pipeline: PipelineConfig,
    /// What the source offers, where that is known already.
    pub discovered: Option<Arc<CatalogMessage>>,
    /// Name of the sync whose copy this is: beside its position the destination keeps the one of the comparison, until all is
    /// compared. `None` keeps none.
    pub sync_id: Option<String>,
    /// Only objects created since.
    pub since: Option<Timestamp>,
    /// Whether to write what is missing or different, and to delete what is extra.
    pub repair: bool,
    /// Stops when the source has made so many requests.
    pub max_requests: Option<u64>,
    /// Stops after this time; what was compared is kept.
    pub limit: Option<Duration>,
    /// Stops comparing; what was compared is kept.
    pub stop: CancellationToken,
}

impl Reconcile {
    /// Compares all of the pipeline, keeps no position, and writes nothing.
    pub fn new(pipeline: PipelineConfig) -> Reconcile {
        Reconcile {
            pipeline,
            discovered: None,
            sync_id: None,
            since: None,
            repair: false,
            max_requests: None,
            limit: None,
            stop: CancellationToken::new(),
        }
    }
}

/// How a stream is narrowed.
struct Bounds {
    /// In windows of `created`.
    by_time: bool,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Engine {
    /// Compares stream after stream; `told` hears of each that is done or stops. Fails where either side
    /// fails as a whole.
    pub async fn reconcile(
        &self,
        request: Reconcile,
        mut told: impl FnMut(&StreamReport),
    ) -> Result<ReconcileReport, EngineError> {
        let source = request.pipeline.source.connector.clone();
        let mut comparing = pin!(self.comparing(request));
        while let Some(heard) = comparing.next().await {
            match heard? {
                Told::Stream { report, .. } => told(&report),
                Told::Whole(report) => return Ok(report),
            }
        }
        let silent = "the comparison ended without a report";
        Err(EngineError::source(&source, ConnectorError::internal(silent)))
    }

    /// The same as it goes on; the report of the whole is the last.
    fn comparing(
        &self,
        request: Reconcile,
    ) -> impl Stream<Item = Result<Told, EngineError>> + Send + 'static {
        let engine = self.clone();
        try_stream! {
            let stop = request.stop.child_token();
            let _clock = request.limit.map(|limit| clock(limit, stop.clone()));
            let mut resolved = engine.resolve(request.pipeline.clone(), Side::Both)?;
            let (catalogs, rules) =
                engine.catalogs(&resolved.pipeline, request.discovered.as_deref()).await?;
            read_only_what_is_asked(&mut resolved);
            let (counted, requests) = match resolved.source.counted() {
                Some(counted) => counted,
                None => (Arc::clone(&resolved.source), Arc::new(|| 0_u64) as RequestCount),
            };
            resolved.source = counted;
            let destination = &request.pipeline.destination;
            let position_name = request.sync_id.as_ref().map(|sync_id| format!("{sync_id}/reconcile"));
            let store = match &position_name {
                Some(name) => engine.state_store(destination, name).await?,
                None => None,
            };
            let failed = |error| EngineError::destination(&destination.connector, error);
            let kept = match &store {
                Some(store) => store.load().await.map_err(failed)?.unwrap_or_default(),
                None => SourceState::default(),
            };
            let budget = Budget::new(request.max_requests, requests);
            let run = Run {
                engine: &engine,
                resolved: &resolved,
                request: &request,
                rules: &rules,
                budget: &budget,
                position_name: position_name.as_deref().filter(|_| store.is_some()),
                stop: &stop,
            };
            let mut reports = Vec::new();
            for (source, stored) in catalogs.source.streams.iter().zip(&catalogs.destination.streams) {
                let report = run.stream(source, stored, &kept).await?;
                yield Told::Stream { report: report.clone(), requests: budget.used() };
                reports.push(report);
            }
            let report = ReconcileReport::of(reports, budget.used());
            if let (true, Some(store)) = (report.finished, &store) {
                store.clear().await.map_err(failed)?;
            }
            yield Told::Whole(report);
        }
    }
}

/// Stops after this time, until it is dropped.
fn clock(limit: Duration, stop: CancellationToken) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        tokio::time::sleep(limit).await;
        stop.cancel();
    }))
}

/// Nothing but lists is to be read, and those to their ends.
fn read_only_what_is_asked(resolved: &mut Resolved) {
    let spec = resolved.source.spec().config;
    let known = |name: &str| spec.get("properties").is_some_and(|properties| properties.get(name).is_some());
    let config = &mut resolved.pipeline.source.config;
    config.remove("backfill_limit");
    for name in SOURCE_EXTRAS.into_iter().filter(|name| known(name)) {
        config.insert(name.to_owned(), Value::Bool(false));
    }
}

/// The account whose rows the stream has, where the source names one only.
fn only_account(stream: &ConfiguredStream) -> Option<&str> {
    let schema = stream.stream.json_schema.as_ref()?;
    match schema.get("properties")?.get("_account_id")?.get("enum")?.as_array()?.as_slice() {
        [only] => only.as_str(),
        _ => None,
    }
}

struct Run<'a> {
    engine: &'a Engine,
    resolved: &'a Resolved,
    request: &'a Reconcile,
    rules: &'a Rules,
    budget: &'a Budget,
    /// Under which the destination keeps the position, if it does.
    position_name: Option<&'a str>,
    stop: &'a CancellationToken,
}

impl Run<'_> {
    async fn stream(
        &self,
        source: &ConfiguredStream,
        stored: &ConfiguredStream,
        kept: &SourceState,
    ) -> Result<StreamReport, EngineError> {
        let name = &*source.stream.name;
        let Resolved { pipeline, .. } = self.resolved;
        let bounds = self.bounds(source);
        let since = bounds.since.map(Timestamp::unix_seconds_up);
        let asked = Asked::of(source, since, self.request.repair);
        let until = bounds.until.unwrap_or_else(|| self.engine.now()).unix_seconds_up();
        let known = Position::read(kept.streams.get(name), &asked);
        let mut position = known.unwrap_or_else(|| Position::begin(asked, name, until));
        let copy = Copy {
            destination: &self.resolved.destination,
            connector: &pipeline.destination,
            stream: stored,
            account_id: only_account(source),
            sync_id: self.position_name,
        };
        let part = Part {
            source: &self.resolved.source,
            connector: &pipeline.source,
            stream: source,
            copy: &copy,
            rules: self.rules,
            budget: self.budget,
            stop: self.stop,
            repair: self.request.repair,
            clock: self.engine.clock(),
        };
        while !position.done {
            let unfinished = |reason: &str, position: Position| Ok(position.report.stopped(reason));
            if self.stop.is_cancelled() {
                return unfinished(self.stopped_by(), position);
            }
            if self.budget.is_spent() {
                return unfinished("the budget of requests is used up", position);
            }
            let (gte, rows) = self.next_rows(&copy, &bounds, &position).await?;
            let count = rows.len() as u64;
            if self.budget.can_never_read(count) && !bounds.by_time {
                let reason = format!(
                    "it takes about {} in one go, more than the budget",
                    counted(budget::requests_for(count), "request")
                );
                return unfinished(&reason, position);
            }
            if self.budget.used() > 0 && self.budget.cannot_read_now(count) {
                return unfinished("the budget of requests does not suffice for its next part", position);
            }
            let range = self.range(&bounds, gte, position.below);
            // The children of some parents cannot be told from those of others.
            let judge_rest = bounds.by_time || range.is_none();
            let (end, found) = part.compare(range, rows, judge_rest).await?;
            match end {
                End::Compared => {
                    position.advance(gte, !bounds.by_time || gte <= since.unwrap_or(0), found);
                    if position.done {
                        position.report.outcome = Outcome::Compared;
                    }
                    copy.keep(&position).await?;
                }
                End::Skipped(reason) => {
                    position.report.merge(found);
                    position.report.outcome = Outcome::Skipped { reason };
                    return Ok(position.report);
                }
                End::Failed(reason) => {
                    position.report.merge(found);
                    position.report.outcome = Outcome::Failed { reason };
                    return Ok(position.report);
                }
                End::Exhausted | End::Interrupted => {
                    // The part is compared again, but what was repaired is not found again.
                    if self.request.repair {
                        position.report.merge(StreamReport { read: 0, stored: 0, ..found });
                    }
                    if matches!(end, End::Interrupted) {
                        copy.keep(&position).await?;
                        return unfinished(self.stopped_by(), position);
                    }
                    position.narrow(gte);
                    copy.keep(&position).await?;
                    return unfinished("the budget of requests is used up", position);
                }
            }
        }
        Ok(position.report)
    }

    /// Why it was stopped.
    fn stopped_by(&self) -> &'static str {
        // The clock stops what nobody else has stopped.
        if self.request.stop.is_cancelled() { INTERRUPTED } else { "the time is used up" }
    }

    fn bounds(&self, stream: &ConfiguredStream) -> Bounds {
        let own = stream.time_range.unwrap_or_default();
        let since = own.gte.into_iter().chain(self.request.since).max();
        let metadata = |name: &str| stream.stream.metadata.as_ref().and_then(|metadata| metadata.get(name));
        let supported = stream.supports_time_range == Some(true);
        let schema = stream.stream.json_schema.as_ref().and_then(|schema| schema.get("properties"));
        let dated = schema.is_some_and(|properties| properties.get("created").is_some());
        let kept = stream.fields.as_ref().is_none_or(|fields| fields.iter().any(|field| field == "created"));
        // Children are listed by when their parents were created, which their rows do not tell.
        let by_time = supported && dated && kept && metadata("parents").is_none();
        let narrowed = stream.supports_time_range != Some(false);
        Bounds { by_time, since: since.filter(|_| narrowed), until: own.lt.filter(|_| narrowed) }
    }

    /// The second from which on the next part is, and its rows.
    async fn next_rows(
        &self,
        copy: &Copy<'_>,
        bounds: &Bounds,
        position: &Position,
    ) -> Result<(i64, Vec<protocol::StoredRow>), EngineError> {
        let floor = bounds.since.map_or(0, Timestamp::unix_seconds_up);
        if !bounds.by_time {
            return Ok((floor, copy.rows(InspectedRows::All).await?));
        }
        let newest = self.budget.rows_at_a_time();
        let narrowest = position.most_seconds.map(|seconds| position.below.saturating_sub(seconds));
        let gte = narrowest.unwrap_or(floor).max(floor);
        let wanted = InspectedRows::Created { gte, lt: position.below, newest: Some(newest) };
        let rows = copy.rows(wanted).await?;
        let oldest = rows.iter().map(|row| row.created.unwrap_or_default()).min();
        match oldest {
            Some(oldest) if rows.len() >= newest as usize => Ok((oldest, rows)),
            _ => Ok((gte, rows)),
        }
    }

    fn range(&self, bounds: &Bounds, gte: i64, below: i64) -> Option<TimeRange> {
        if !bounds.by_time {
            let range = TimeRange { gte: bounds.since, lt: bounds.until };
            return (range != TimeRange::default()).then_some(range);
        }
        let is_last = gte <= bounds.since.map_or(0, Timestamp::unix_seconds_up);
        let from = if is_last { bounds.since } else { Some(Timestamp::from_unix_seconds(gte)) };
        Some(TimeRange { gte: from, lt: Some(Timestamp::from_unix_seconds(below)) })
    }
}
