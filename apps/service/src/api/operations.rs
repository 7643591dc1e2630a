//! What a client does to a pipeline by hand.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use engine::api::Answer;
use engine::{EngineStream, Role, Side};
use futures::StreamExt;
use http_api::{ApiError, Identified, Issue, Issues, KEEP_ALIVE, ndjson};
use protocol::{ConnectorConfig, Control, Eof, EofPayload, Message, Payload, SyncState};
use serde_json::{Map, Value, json};

use super::incoming::object;
use super::query::Query;
use super::{Named, Server, Shared};
use crate::steps::{Connections, ManualSync, Start};
use crate::store::Record;

/// How long each step of `sync_workflow_test` takes unless told.
const WORKFLOW_STEP: Duration = Duration::from_secs(300);

/// How many states `sync_batch` takes unless told.
const STATES: u64 = 1000;

impl Server {
    /// Reads the body of a sync: what is not given is as it is stored.
    async fn overrides(
        &self,
        record: &Record,
        mut members: Map<String, Value>,
        reset: bool,
    ) -> Result<ManualSync, ApiError> {
        let start = match members.remove("sync_state") {
            None if reset => Start::Nothing,
            None => Start::Kept,
            Some(state) => {
                let state: SyncState = serde_json::from_value(state).map_err(|error| {
                    let text =
                        format!("Invalid input: expected a state as an earlier eof returned it: {error}");
                    ApiError::Invalid(Issues(vec![Issue::custom(vec!["sync_state".into()], text)]))
                })?;
                Start::Given(Box::new(state))
            }
        };
        let change = self.reader().changed(&members, &record.pipeline)?;
        self.guarded(change.source.as_ref(), change.destination.as_ref()).await?;
        let mut pipeline = record.pipeline.config();
        if let Some(source) = change.source {
            pipeline.source = source;
        }
        if let Some(destination) = change.destination {
            pipeline.destination = destination;
        }
        if let Some(streams) = change.streams {
            pipeline.streams = streams;
        }
        Ok(ManualSync { start, stop: self.options.stop.child_token(), ..ManualSync::of(pipeline) })
    }

    /// Syncs by hand until the server stops, with secrets hidden from what connectors send back.
    pub(super) fn sync_by_hand(&self, id: &str, asked: ManualSync) -> EngineStream {
        let (source, destination) =
            (asked.pipeline.source.connector.clone(), asked.pipeline.destination.connector.clone());
        self.hiding(&source, &destination, self.service.steps.sync_by_hand(id, asked))
    }

    /// Hides what is secret in the configurations that connectors send back: the service keeps them, so no client needs them.
    fn hiding(&self, source: &str, destination: &str, messages: EngineStream) -> EngineStream {
        let service = Arc::clone(&self.service);
        let (source, destination) = (source.to_owned(), destination.to_owned());
        let hidden = move |message: Message| {
            let control = match message.payload {
                Payload::Control(Control::SourceConfig { source_config }) => {
                    let connector = ConnectorConfig::new(&*source, source_config);
                    Control::SourceConfig { source_config: service.shown(Role::Source, &connector).config }
                }
                Payload::Control(Control::DestinationConfig { destination_config }) => {
                    let connector = ConnectorConfig::new(&*destination, destination_config);
                    let shown = service.shown(Role::Destination, &connector);
                    Control::DestinationConfig { destination_config: shown.config }
                }
                payload => return Message { payload, ..message },
            };
            Message { payload: Payload::Control(control), ..message }
        };
        messages.map(move |message| message.map(&hidden)).boxed()
    }
}

/// `POST /pipelines/{id}/sync`.
pub(super) async fn sync(
    server: Shared,
    Named(id): Named,
    Extension(Identified(log)): Extension<Identified>,
    request: Request,
) -> Result<Response, ApiError> {
    let mut query = Query::of(&request);
    let (limit, run_id, reset) =
        (query.seconds("time_limit"), query.text("run_id"), query.switch("reset_state"));
    query.finish()?;
    let record = server.found(&id).await?;
    let asked = server.overrides(&record, object(request, true).await?, reset).await?;
    let messages = server.sync_by_hand(&id, ManualSync { run_id, time_limit: limit, ..asked });
    Ok(ndjson(Answer::new(Ok(messages), log, true), KEEP_ALIVE))
}

/// `POST /pipelines/{id}/sync_batch`.
pub(super) async fn sync_batch(
    server: Shared,
    Named(id): Named,
    request: Request,
) -> Result<Response, ApiError> {
    let mut query = Query::of(&request);
    let states = query.count("state_limit", 1, u64::MAX).unwrap_or(STATES);
    let (run_id, reset) = (query.text("run_id"), query.switch("reset_state"));
    query.finish()?;
    let record = server.found(&id).await?;
    let asked = server.overrides(&record, object(request, true).await?, reset).await?;
    let stop = asked.stop.clone();
    let messages = server.sync_by_hand(&id, ManualSync { run_id, ..asked });
    let mut seen = 0;
    let eof = ending(messages, |payload| {
        seen += u64::from(matches!(payload, Payload::SourceState(_)));
        if seen >= states {
            stop.cancel();
        }
    })
    .await?;
    Ok(Json(eof).into_response())
}

/// `POST /pipelines/{id}/sync_workflow_test`: the loop of a backfill, answered once it is over.
pub(super) async fn sync_workflow_test(
    server: Shared,
    Named(id): Named,
    request: Request,
) -> Result<Response, ApiError> {
    let mut query = Query::of(&request);
    let limit = query.seconds("time_limit").unwrap_or(WORKFLOW_STEP);
    query.finish()?;
    let run_id = uuid::Uuid::new_v4().to_string();
    let mut record = server.found(&id).await?;
    let eof = loop {
        let asked = server.overrides(&record, Map::new(), false).await?;
        let asked = ManualSync { run_id: Some(run_id.clone()), time_limit: Some(limit), ..asked };
        let messages = server.sync_by_hand(&id, asked);
        let eof = ending(messages, |_| {}).await?;
        if !eof.has_more || server.options.stop.is_cancelled() {
            break eof;
        }
        record = server.found(&id).await?;
    };
    let state = eof.ending_state.clone();
    Ok(Json(json!({"eof": eof, "sync_state": state})).into_response())
}

/// How a sync ended. Before that, `told` hears of all it said.
async fn ending(mut messages: EngineStream, mut told: impl FnMut(&Payload)) -> Result<EofPayload, ApiError> {
    let mut eof = None;
    while let Some(message) = messages.next().await {
        match message {
            Ok(message) => {
                told(&message.payload);
                if let Payload::Eof(Eof::Sync(end)) = message.payload {
                    eof = Some(*end);
                }
            }
            Err(error) if eof.is_none() => {
                return Err(ApiError::Refused(logger::redact_text(&error.to_string()).into_owned()));
            }
            Err(error) => tracing::warn!(error = %error, "a sync by hand failed"),
        }
    }
    eof.ok_or_else(|| ApiError::Refused("the sync ended without saying how".to_owned()))
}

/// `POST /pipelines/{id}/check`.
pub(super) async fn check(
    server: Shared,
    Named(id): Named,
    Extension(Identified(log)): Extension<Identified>,
    request: Request,
) -> Result<Response, ApiError> {
    let side = side(&request)?;
    let record = server.found(&id).await?;
    let messages = server.service.steps.engines().check(record.pipeline.config(), side);
    Ok(ndjson(Answer::new(messages, log, false), KEEP_ALIVE))
}

/// `POST /pipelines/{id}/setup`.
pub(super) async fn setup(
    server: Shared,
    id: Named,
    log: Extension<Identified>,
    request: Request,
) -> Result<Response, ApiError> {
    connect(server, id, log, request, Connections::SetUp).await
}

/// `POST /pipelines/{id}/teardown`.
pub(super) async fn teardown(
    server: Shared,
    id: Named,
    log: Extension<Identified>,
    request: Request,
) -> Result<Response, ApiError> {
    connect(server, id, log, request, Connections::TearDown).await
}

async fn connect(
    server: Shared,
    Named(id): Named,
    Extension(Identified(log)): Extension<Identified>,
    request: Request,
    what: Connections,
) -> Result<Response, ApiError> {
    let side = side(&request)?;
    let record = server.found(&id).await?;
    let stop = server.options.stop.child_token();
    let (source, destination) =
        (record.pipeline.source.connector.clone(), record.pipeline.destination.connector.clone());
    let messages = server.service.steps.connect_by_hand(&record.pipeline.id, what, side, stop);
    let messages = server.hiding(&source, &destination, messages);
    Ok(ndjson(Answer::new(Ok(messages), log, false), KEEP_ALIVE))
}

/// The side that `only` names.
fn side(request: &Request) -> Result<Side, ApiError> {
    let mut query = Query::of(request);
    let side = match query.text("only").as_deref() {
        None => Side::Both,
        Some("source") => Side::Only(Role::Source),
        Some("destination") => Side::Only(Role::Destination),
        Some(_) => {
            let message = r#"Invalid option: expected one of "source"|"destination""#.to_owned();
            query.note("invalid_value", "only", message).unwrap_or_default()
        }
    };
    query.finish()?;
    Ok(side)
}
