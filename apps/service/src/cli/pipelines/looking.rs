//! Looking at pipelines: `list`, `get`, `logs`, `wait`.

use http::Method;
use serde_json::{Value, json};
use service::store::Entry;
use terminal::failure::Failure;

use super::{Context, bodies, now, path, query};
use crate::cli::args::LogArgs;
use crate::cli::rendering::{Pipeline, detail, entry, list as listed};
use crate::cli::streaming::Lines;

/// So many pipelines are asked for at once.
const PAGE: u64 = 200;

/// `pipelines list`: all of them, however many answers that takes.
pub(super) async fn list(context: &Context<'_>) -> Result<(), Failure> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let after = all.last().and_then(|last| last["id"].as_str()).map(str::to_owned);
        let target = query(&[("limit", Some(PAGE.to_string())), ("starting_after", after)]);
        let mut page = context.client.json(Method::GET, &format!("/pipelines{target}"), None).await?;
        let has_more = page["has_more"] == true;
        let Value::Array(data) = page["data"].take() else {
            return Err(Failure::failed("the answer holds no list of pipelines"));
        };
        let ends = data.is_empty();
        all.extend(data);
        if !has_more || ends {
            break;
        }
    }
    if context.voice.json {
        context.voice.print(&json!({"data": all, "has_more": false}));
        return Ok(());
    }
    let pipelines = all.into_iter().map(read).collect::<Result<Vec<Pipeline>, Failure>>()?;
    context.voice.say(&listed(&pipelines, now(), context.paint()));
    Ok(())
}

/// `pipelines get`; with flags of connectors, as it would be with them.
pub(super) async fn get(id: &str, reset_state: bool, context: &Context<'_>) -> Result<(), Failure> {
    let mut pipeline = context.stored(id).await?;
    let overrides = bodies::overrides(context.flags, None, Some(&pipeline))?;
    if let Value::Object(members) = &mut pipeline {
        if reset_state {
            members.remove("sync_state");
        }
        members.extend(overrides);
    }
    if context.voice.json {
        context.voice.print(&pipeline);
    } else {
        context.voice.say(&detail(&read(pipeline)?, now(), context.paint()));
    }
    Ok(())
}

fn read(value: Value) -> Result<Pipeline, Failure> {
    serde_json::from_value(value).map_err(|error| {
        Failure::failed(format!(
            "the service tells of a pipeline in another way than this program knows: {error}"
        ))
    })
}

/// `pipelines logs`.
pub(super) async fn logs(args: &LogArgs, context: &Context<'_>) -> Result<(), Failure> {
    let parameters = query(&[
        ("run_id", args.run_id.clone()),
        ("limit", Some(args.limit.to_string())),
        ("follow", args.follow.then(|| "true".to_owned())),
    ]);
    let target = format!("{}{parameters}", path(&args.id, "/logs")?);
    let answer = context.client.stream(Method::GET, &target, None).await?;
    let mut lines = Lines::new(answer.body);
    while let Some(line) = lines.next().await? {
        if context.voice.json {
            context.voice.output.bytes(&[&line[..], b"\n"].concat());
        } else {
            let known: Entry = serde_json::from_slice(&line)
                .map_err(|error| Failure::failed(format!("an entry of the log cannot be read: {error}")))?;
            context.voice.say(&entry(&known, context.paint()));
        }
        if context.voice.output.is_closed() {
            break;
        }
    }
    Ok(())
}

/// `pipelines wait`.
pub(super) async fn wait(
    id: &str,
    event: Option<&str>,
    object: Option<&str>,
    timeout: u64,
    context: &Context<'_>,
) -> Result<(), Failure> {
    let parameters = query(&[
        ("event", event.map(str::to_owned)),
        ("object", object.map(str::to_owned)),
        ("timeout", Some(timeout.to_string())),
    ]);
    let target = format!("{}{parameters}", path(id, "/wait")?);
    let answer = context.client.json(Method::GET, &target, None).await?;
    match context.voice.json {
        true => context.voice.print(&answer),
        false => context.voice.say(&format!("{} is in the copy", event.or(object).unwrap_or_default())),
    }
    Ok(())
}
