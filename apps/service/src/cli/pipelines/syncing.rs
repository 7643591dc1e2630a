//! Syncs by hand.

use std::time::Duration;

use http::Method;
use logger::redact_text;
use protocol::{Eof, EofPayload, Payload, RunStatus, StreamRunStatus, Timestamp};
use serde_json::Value;
use terminal::display::Reporter;
use terminal::failure::Failure;
use tokio::time::MissedTickBehavior;

use super::{Context, bodies, path, query};
use crate::cli::args::{BatchArgs, SimulateArgs, SyncArgs};
use crate::cli::streaming::Lines;

/// How often a display is redrawn.
const TICK: Duration = Duration::from_millis(150);

/// `pipelines sync`: requests until nothing is left. The position is kept by the service.
pub(super) async fn sync(args: &SyncArgs, context: &Context<'_>) -> Result<(), Failure> {
    let stored = if context.flags.is_empty() { None } else { Some(context.stored(&args.id).await?) };
    let members = bodies::overrides(context.flags, args.streams.as_deref(), stored.as_ref())?;
    let body = (!members.is_empty()).then_some(Value::Object(members));
    let run_id = args.run_id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let mut telling = Telling::new(args.raw, context);
    telling.note(&format!("Log: sync-service pipelines logs {} --run-id {run_id}", args.id));
    let mut first = true;
    loop {
        let parameters = query(&[
            ("time_limit", args.chunk_time_limit.map(|seconds| seconds.to_string())),
            ("run_id", Some(run_id.clone())),
            ("reset_state", (first && args.reset_state).then(|| "true".to_owned())),
        ]);
        let target = format!("{}{parameters}", path(&args.id, "/sync")?);
        let eof = telling.hear(&target, body.as_ref()).await?;
        first = false;
        if context.client.stopped() && eof.has_more {
            return Err(Failure::Interrupted);
        }
        if !eof.has_more || args.raw {
            return telling.conclude(&eof);
        }
    }
}

/// `pipelines sync_batch`.
pub(super) async fn batch(args: &BatchArgs, context: &Context<'_>) -> Result<(), Failure> {
    let members = bodies::overrides(&[], args.streams.as_deref(), None)?;
    let body = (!members.is_empty()).then_some(Value::Object(members));
    let run_id = args.run_id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let mut done = 0;
    loop {
        let parameters = query(&[
            ("state_limit", args.state_limit.map(|states| states.to_string())),
            ("run_id", Some(run_id.clone())),
            ("reset_state", (done == 0 && args.reset_state).then(|| "true".to_owned())),
        ]);
        let target = format!("{}{parameters}", path(&args.id, "/sync_batch")?);
        let answer = context.client.json(Method::POST, &target, body.as_ref()).await?;
        let eof: EofPayload = serde_json::from_value(answer.clone())
            .map_err(|error| Failure::failed(format!("the service did not say how it ended: {error}")))?;
        done += 1;
        let last = !eof.has_more || done == args.times;
        if context.voice.json || args.raw {
            context.voice.print(&answer);
        }
        if context.client.stopped() && !last {
            return Err(Failure::Interrupted);
        }
        if last {
            return Telling::new(args.raw, context).conclude(&eof);
        }
    }
}

/// `pipelines simulate-webhook-sync`.
pub(super) async fn simulate(args: &SimulateArgs, context: &Context<'_>) -> Result<(), Failure> {
    let parameters = query(&[
        ("created_after", args.created_after.map(|at: Timestamp| at.unix_seconds().to_string())),
        ("limit", args.limit.map(|limit| limit.to_string())),
    ]);
    let target = format!("{}{parameters}", path(&args.id, "/simulate_webhook_sync")?);
    let mut telling = Telling::new(false, context);
    let eof = telling.hear(&target, None).await?;
    telling.conclude(&eof)
}

/// `pipelines sync-workflow-test`.
pub(super) async fn workflow_test(
    id: &str,
    time_limit: Option<f64>,
    context: &Context<'_>,
) -> Result<(), Failure> {
    let parameters = query(&[("time_limit", time_limit.map(|seconds| seconds.to_string()))]);
    let target = format!("{}{parameters}", path(id, "/sync_workflow_test")?);
    let answer = context.client.json(Method::POST, &target, None).await?;
    context.voice.print(&answer);
    Ok(())
}

/// Tells how syncs go.
struct Telling<'a> {
    context: &'a Context<'a>,
    reporter: Reporter,
    /// Whether stdout has the messages.
    copies: bool,
}

impl<'a> Telling<'a> {
    fn new(raw: bool, context: &'a Context<'a>) -> Telling<'a> {
        let voice = context.voice;
        let copies = raw || voice.json;
        let reporter = match (copies, voice.live) {
            (true, _) => Reporter::quiet(),
            (false, true) => Reporter::live(voice.screen.clone(), std::iter::empty(), false),
            (false, false) => Reporter::plain(voice.screen.clone()),
        };
        Telling { context, reporter, copies }
    }

    /// Words for people; nobody reads them where stdout has the messages.
    fn note(&self, text: &str) {
        if !self.copies {
            self.context.voice.screen.note(text);
        }
    }

    /// One request to its end.
    async fn hear(&mut self, target: &str, body: Option<&Value>) -> Result<EofPayload, Failure> {
        let client = self.context.client;
        let answer = client.stream(Method::POST, target, body).await?;
        let mut lines = Lines::new(answer.body);
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut end = None;
        loop {
            let heard = {
                let next = lines.message();
                tokio::pin!(next);
                loop {
                    tokio::select! {
                        heard = &mut next => break heard,
                        _ = ticks.tick() => self.reporter.tick(None, client.stopped()),
                    }
                }
            };
            let heard = heard.inspect_err(|_| self.context.voice.screen.clear())?;
            let Some((message, line)) = heard else { break };
            if self.copies {
                self.context.voice.output.bytes(&[&line[..], b"\n"].concat());
                if self.context.voice.output.is_closed() {
                    return Err(Failure::failed(
                        "stdout was closed; the request was ended, and what was read is saved",
                    ));
                }
            }
            self.reporter.message(&message);
            if let Payload::Eof(Eof::Sync(eof)) = message.payload {
                end = Some(*eof);
            }
        }
        self.context.voice.screen.clear();
        end.ok_or_else(|| Failure::failed("Sync stream ended without eof"))
    }

    /// Says how the run ended, and decides whether that is a success.
    fn conclude(&self, eof: &EofPayload) -> Result<(), Failure> {
        let status = match eof.status {
            RunStatus::Started => "started",
            RunStatus::Succeeded => "succeeded",
            RunStatus::Failed => "failed",
        };
        if !self.copies {
            for (name, stream) in &eof.run_progress.streams {
                if stream.status == StreamRunStatus::Errored {
                    let why = stream.message.as_deref().unwrap_or("it did not say why");
                    self.context.voice.screen.note(&format!("{name} failed: {}", redact_text(why)));
                }
            }
            self.context.voice.say(&format!("Final status: {status}"));
        }
        if eof.status == RunStatus::Failed { Err(Failure::Told) } else { Ok(()) }
    }
}
