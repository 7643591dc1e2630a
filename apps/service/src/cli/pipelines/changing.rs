//! Creating, changing and removing pipelines.

use http::{HeaderValue, Method};
use serde_json::{Value, json};
use terminal::failure::Failure;

use super::{Context, bodies, path};
use crate::cli::args::{CreateArgs, UpdateArgs};

/// `pipelines create`.
pub(super) async fn create(args: &CreateArgs, context: &Context<'_>) -> Result<(), Failure> {
    let mut members = bodies::described(&args.described, context.flags, None)?;
    for (name, example) in
        [("source", "--source.stripe.api-key sk_…"), ("destination", "--destination.postgres.url …")]
    {
        if !members.contains_key(name) {
            return Err(Failure::usage(format!(
                "a pipeline has a {name}: give it by fields ({example}), by --{name} JSON, or in --x-pipeline"
            )));
        }
    }
    if let Some(id) = &args.id {
        members.insert("id".to_owned(), id.as_str().into());
    }
    let target = if args.skip_check { "/pipelines?skip_check=true" } else { "/pipelines" };
    let created = context.client.json(Method::POST, target, Some(&Value::Object(members))).await?;
    if context.voice.json {
        context.voice.print(&created);
        return Ok(());
    }
    let id = created["id"].as_str().unwrap_or_default();
    context.voice.say(&format!("Created {id}"));
    if context.client.is_here() {
        context.voice.screen.note(&format!(
            "`sync-service serve` carries it on; `sync-service pipelines sync {id}` syncs it at once."
        ));
    }
    Ok(())
}

/// `pipelines update`. What was read to put single fields into is changed only as it was read.
pub(super) async fn update(args: &UpdateArgs, context: &Context<'_>) -> Result<(), Failure> {
    let given = args.if_match.as_deref().map(etag).transpose()?;
    // Single fields go over what is stored; secrets are sent back as they are shown, and stay as they are.
    let (stored, read) = match context.flags {
        [] => (None, None),
        _ => {
            let (stored, read) = context.client.tagged(&path(&args.id, "")?).await?;
            (Some(stored), read)
        }
    };
    let mut members = bodies::described(&args.described, context.flags, stored.as_ref())?;
    if let Some(status) = &args.desired_status {
        members.insert("desired_status".to_owned(), status.as_str().into());
    }
    if members.is_empty() {
        return Err(Failure::usage(
            "nothing to change: give --name, --source, --destination, --streams, --desired-status, or single fields \
             such as --source.stripe.rate-limit 20",
        ));
    }
    change(&args.id, Value::Object(members), given.or(read), "Changed", context).await
}

/// An ETag as headers have it; a version stands for its own.
fn etag(given: &str) -> Result<HeaderValue, Failure> {
    let is_version = !given.is_empty() && given.chars().all(|c| c.is_ascii_digit());
    let tag = if is_version { format!("\"{given}\"") } else { given.to_owned() };
    HeaderValue::try_from(tag).map_err(|_| Failure::usage(format!("--if-match: {given:?} is no ETag")))
}

/// `pipelines pause` and `resume`.
pub(super) async fn want(id: &str, desired_status: &str, context: &Context<'_>) -> Result<(), Failure> {
    let word = if desired_status == "paused" { "Paused" } else { "Resumed" };
    change(id, json!({"desired_status": desired_status}), None, word, context).await
}

async fn change(
    id: &str,
    members: Value,
    if_match: Option<HeaderValue>,
    word: &str,
    context: &Context<'_>,
) -> Result<(), Failure> {
    let changed = context.client.patch(&path(id, "")?, &members, if_match).await?;
    told(&changed, &format!("{word} {id}"), context);
    Ok(())
}

/// `pipelines retry`.
pub(super) async fn retry(id: &str, context: &Context<'_>) -> Result<(), Failure> {
    let pipeline = context.client.json(Method::POST, &path(id, "/retry")?, None).await?;
    told(&pipeline, &format!("{id} is tried again at once"), context);
    Ok(())
}

/// `pipelines delete`.
pub(super) async fn delete(id: &str, skip_teardown: bool, context: &Context<'_>) -> Result<(), Failure> {
    let target = path(id, if skip_teardown { "?skip_teardown=true" } else { "" })?;
    let deleted = context.client.json(Method::DELETE, &target, None).await?;
    told(&deleted, &format!("Deleted {id}"), context);
    Ok(())
}

fn told(answer: &Value, words: &str, context: &Context<'_>) {
    match context.voice.json {
        true => context.voice.print(answer),
        false => context.voice.say(words),
    }
}
