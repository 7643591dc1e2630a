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
use crate::cli::args::{BatchArgs, RunArgs, SimulateArgs, SyncArgs};
use crate::cli::shorthand::Shorthand;
use crate::cli::streaming::Lines;

/// How often a display is redrawn.
const TICK: Duration = Duration::from_millis(150);

/// `pipelines sync`: requests until nothing is left. The position is kept by the service.
pub(super) async fn sync(args: &SyncArgs, context: &Context<'_>) -> Result<(), Failure> {
    let stored = if context.flags.is_empty() { None } else { Some(context.stored(&args.id).await?) };
    let mut run = Run::of(&args.run, context.flags, stored.as_ref())?;
    let mut telling = Telling::new(args.raw, context);
    telling.note(&format!("Log: sync-service pipelines logs {} --run-id {}", args.id, run.id));
    loop {
        let limit = args.chunk_time_limit.map(|seconds| seconds.to_string());
        let target = format!("{}{}", path(&args.id, "/sync")?, run.next(("time_limit", limit)));
        let eof = telling.hear(&target, run.body.as_ref()).await?;
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
    let mut run = Run::of(&args.run, &[], None)?;
    let mut done = 0;
    loop {
        let limit = args.state_limit.map(|states| states.to_string());
        let target = format!("{}{}", path(&args.id, "/sync_batch")?, run.next(("state_limit", limit)));
        let answer = context.client.json(Method::POST, &target, run.body.as_ref()).await?;
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

/// What the requests of one run share.
struct Run {
    id: String,
    /// What is taken otherwise than it is stored.
    body: Option<Value>,
    /// Whether the next request, the first one, begins anew.
    resets: bool,
}

impl Run {
    fn of(args: &RunArgs, flags: &[Shorthand], stored: Option<&Value>) -> Result<Run, Failure> {
        let members = bodies::overrides(flags, args.streams.as_deref(), stored)?;
        Ok(Run {
            id: args.run_id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
            body: (!members.is_empty()).then_some(Value::Object(members)),
            resets: args.reset_state,
        })
    }

    /// The query of the next request, which is limited so.
    fn next(&mut self, limit: (&str, Option<String>)) -> String {
        let resets = std::mem::take(&mut self.resets);
        query(&[limit, ("run_id", Some(self.id.clone())), ("reset_state", resets.then(|| "true".to_owned()))])
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
