//! Many pipelines.

use protocol::Timestamp;

use super::Paint;
use super::pipeline::Pipeline;

/// Lines for each: id, status, `source → destination`; below it how far it is, or why it does not get on.
pub(in crate::cli) fn list(pipelines: &[Pipeline], now: Timestamp, paint: Paint) -> String {
    if pipelines.is_empty() {
        return "There are no pipelines. Create one: sync-service pipelines create --source.stripe.api-key … \
                --destination.postgres.url …"
            .to_owned();
    }
    let width = |of: fn(&Pipeline) -> usize| pipelines.iter().map(of).max().unwrap_or(0);
    let ids = width(|pipeline| pipeline.id.len());
    let states = width(|pipeline| pipeline.state().len());
    let mut lines = Vec::new();
    for pipeline in pipelines {
        let status = paint.status(pipeline.state(), states);
        let name = pipeline.name.as_ref().map(|name| format!("  {}", paint.dim(name))).unwrap_or_default();
        lines.push(format!("{:<ids$}  {status}  {}{name}", pipeline.id, pipeline.route()));
        let below = " ".repeat(ids + 2);
        if let Some(trouble) = &pipeline.error {
            let first = trouble.message.lines().next().unwrap_or_default();
            lines.push(format!("{below}{}", paint.red(&format!("{}: {first}", trouble.stage))));
        }
        let told = [pipeline.progress_line(now), pipeline.currency()];
        let told: Vec<String> = told.into_iter().flatten().collect();
        if !told.is_empty() {
            lines.push(format!("{below}{}", paint.dim(&told.join("; "))));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::pipeline::{noon, sample};
    use super::*;
    use serde_json::json;

    #[test]
    fn each_pipeline_has_its_lines() {
        let ready = sample(|value| {
            value["id"] = json!("shop");
            value["name"] = json!("The shop");
            value["status"] = json!("ready");
            value["lag_seconds"] = json!(12);
            value["waiting_deliveries"] = json!(1234);
            value["progress"]["streams_failed"] = json!(1);
        });
        let failing = sample(|value| {
            value["id"] = json!("pipe_bad");
            value["status"] = json!("error");
            value["progress"] = json!(null);
            value["error"] = json!({
                "stage": "setup", "message": "the key is wrong: give another\nmore", "lasting": true, "attempts": 1,
                "since": "2026-11-29T07:59:00.000Z", "at": "2026-11-29T07:59:00.000Z",
                "retry_at": "2026-11-29T09:00:00.000Z",
            });
        });
        let pausing = sample(|value| {
            value["desired_status"] = json!("paused");
            value["progress"]["records"] = json!(1);
        });
        let all = [sample(|_| {}), ready, failing, pausing];
        insta::assert_snapshot!(list(&all, noon(), Paint(false)), @r"
        pipe_one  backfill  stripe → postgres
                  12,345 records, 812/s, 12 of 74 streams, started 4 min ago
        shop      ready     stripe → postgres  The shop
                  12,345 records, 12 of 74 streams, 1 failed, started 4 min ago; current to 12 s ago, 1,234 webhooks wait
        pipe_bad  error     stripe → postgres
                  setup: the key is wrong: give another
        pipe_one  pausing   stripe → postgres
                  1 record, 812/s, 12 of 74 streams, started 4 min ago
        ");
        let coloured = list(&all[..1], noon(), Paint(true));
        assert!(coloured.contains("\u{1b}[33mbackfill\u{1b}[0m"), "{coloured:?}");
        assert!(list(&[], noon(), Paint(false)).starts_with("There are no pipelines."));
    }
}
