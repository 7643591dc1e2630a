//! One pipeline.

use std::fmt::Write as _;

use protocol::{ConnectorConfig, Timestamp, counted};
use serde_json::Value;
use terminal::display::figures::count;

use super::Paint;
use super::pipeline::{Pipeline, Trouble};
use super::time::{ago, moment, span};

/// So many streams are named, and so many that failed.
const NAMED: usize = 20;

/// Everything that is to be known of a pipeline.
pub(in crate::cli) fn detail(pipeline: &Pipeline, now: Timestamp, paint: Paint) -> String {
    let mut text = format!("{}  {}", pipeline.id, paint.status(pipeline.state(), 0));
    if let Some(name) = &pipeline.name {
        let _ = write!(text, "  {}", paint.dim(name));
    }
    let mut line = |label: &str, told: &str| {
        let _ = write!(text, "\n  {label:<12} {told}");
    };
    line("source", &connector(&pipeline.source));
    line("destination", &connector(&pipeline.destination));
    line("streams", &streams(pipeline));
    if let Some(told) = pipeline.progress_line(now) {
        line("progress", &told);
    }
    if let Some(stage) = &pipeline.working {
        line("working on", stage);
    }
    if let Some(told) = pipeline.currency() {
        line("copy", &told);
    } else if pipeline.waiting_deliveries > 0 {
        line("webhooks", &format!("{} wait", count(pipeline.waiting_deliveries)));
    }
    for (label, at) in [
        ("last success", pipeline.last_success_at),
        ("created", pipeline.created_at),
        ("changed", pipeline.updated_at),
    ] {
        if let Some(at) = at {
            line(label, &format!("{} ({})", moment(at), ago(at, now)));
        }
    }
    if let Some(version) = pipeline.version {
        line("version", &version.to_string());
    }
    if let Some(at) = pipeline.last_reconciled_at {
        let repaired = pipeline.last_reconciled_repairs.unwrap_or(0);
        line(
            "compared",
            &format!("{} ({}), {} repaired", moment(at), ago(at, now), counted(count(repaired), "row")),
        );
    }
    if let Some(path) = &pipeline.webhook_path {
        line("webhooks at", path);
    }
    if let Some(trouble) = &pipeline.error {
        text += &told(trouble, &pipeline.id, now, paint);
    }
    text += &failed(pipeline, paint);
    text
}

/// `stripe (api_key=[set sha256:…], rate_limit=20)`. The API has hidden what is secret.
fn connector(connector: &ConnectorConfig) -> String {
    let shown = |(name, value): (&String, &Value)| match value {
        Value::String(text) => format!("{name}={text}"),
        other => format!("{name}={other}"),
    };
    let fields: Vec<String> = connector.config.iter().map(shown).collect();
    match fields.is_empty() {
        true => connector.connector.to_string(),
        false => format!("{} ({})", connector.connector, fields.join(", ")),
    }
}

fn streams(pipeline: &Pipeline) -> String {
    let chosen = pipeline.streams.as_deref().unwrap_or_default();
    if chosen.is_empty() {
        return "all".to_owned();
    }
    let name = |stream: &super::pipeline::Stream| match &stream.fields {
        Some(fields) => format!("{} ({})", stream.name, counted(fields.len(), "field")),
        None => stream.name.clone(),
    };
    let named: Vec<String> = chosen.iter().take(NAMED).map(name).collect();
    let more = chosen.len().saturating_sub(NAMED);
    let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("{}{rest}", named.join(", "))
}

fn told(trouble: &Trouble, id: &str, now: Timestamp, paint: Paint) -> String {
    let times = if trouble.attempts == 1 { "once".to_owned() } else { format!("{} times", trouble.attempts) };
    let head = format!("{} failed {times}, the first time {}:", trouble.stage, ago(trouble.since, now));
    let message = trouble.message.replace('\n', "\n  ");
    let wait = trouble.retry_at.millis_since(now) / 1000;
    let again = match wait {
        0 => "It is tried again now".to_owned(),
        wait => format!("It is tried again in {}", span(wait)),
    };
    let advice = match trouble.lasting {
        true => "Once the cause is out of the way, this tries at once",
        false => "This tries at once",
    };
    format!("\n\n{}\n  {message}\n  {again}. {advice}: sync-service pipelines retry {id}", paint.red(&head))
}

fn failed(pipeline: &Pipeline, paint: Paint) -> String {
    if pipeline.failed_streams.is_empty() {
        return String::new();
    }
    let mut text = format!("\n\n{}", paint.red("Streams that failed (the others go on):"));
    for (name, why) in pipeline.failed_streams.iter().take(NAMED) {
        let _ = write!(text, "\n  {name}: {}", why.lines().next().unwrap_or_default());
    }
    let more = pipeline.failed_streams.len().saturating_sub(NAMED);
    if more > 0 {
        let _ = write!(text, "\n  and {more} more");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::pipeline::{noon, sample};
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_is_told() {
        let pipeline = sample(|value| {
            value["status"] = json!("error");
            value["name"] = json!("The shop");
            value["streams"] = (0..22).map(|at| json!({"name": format!("s{at}")})).collect::<Vec<_>>().into();
            value["streams"][1]["fields"] = json!(["id", "email"]);
            value["lag_seconds"] = json!(300);
            value["last_success_at"] = json!("2026-11-29T07:55:00.000Z");
            value["last_reconciled_at"] = json!("2026-11-28T08:00:00.000Z");
            value["last_reconciled_repairs"] = json!(2);
            value["failed_streams"] = json!({"payout": "no answer\nmore"});
            value["error"] = json!({
                "stage": "follow", "message": "Stripe does not answer", "lasting": false, "attempts": 4,
                "since": "2026-11-29T07:50:00.000Z", "at": "2026-11-29T07:59:00.000Z",
                "retry_at": "2026-11-29T08:05:00.000Z",
            });
        });
        insta::assert_snapshot!(detail(&pipeline, noon(), Paint(false)), @r#"
        pipe_one  error  The shop
          source       stripe (api_key=[set sha256:1a2b3c4d], rate_limit=20)
          destination  postgres (url=postgres://u:[set]@h/d, proxy={"port":1})
          streams      s0, s1 (2 fields), s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15, s16, s17, s18, s19, and 2 more
          progress     12,345 records, 12 of 74 streams, started 4 min ago
          working on   backfill
          copy         current to 5 min ago
          last success 2026-11-29 07:55:00 (5 min ago)
          created      2026-11-29 07:00:00 (60 min ago)
          changed      2026-11-29 07:59:00 (60 s ago)
          version      3
          compared     2026-11-28 08:00:00 (24 h ago), 2 rows repaired
          webhooks at  /webhooks/pipe_one

        follow failed 4 times, the first time 10 min ago:
          Stripe does not answer
          It is tried again in 5 min. This tries at once: sync-service pipelines retry pipe_one

        Streams that failed (the others go on):
          payout: no answer
        "#);
    }

    #[test]
    fn little_is_told_of_little() {
        let pipeline = sample(|value| {
            value["status"] = json!("setup");
            for name in ["progress", "working", "webhook_path", "created_at", "updated_at"] {
                value[name] = json!(null);
            }
            value["waiting_deliveries"] = json!(3);
        });
        insta::assert_snapshot!(detail(&pipeline, noon(), Paint(false)), @r#"
        pipe_one  setup
          source       stripe (api_key=[set sha256:1a2b3c4d], rate_limit=20)
          destination  postgres (url=postgres://u:[set]@h/d, proxy={"port":1})
          streams      all
          webhooks     3 wait
          version      3
        "#);
    }
}
