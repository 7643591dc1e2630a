//! `pipelines …`: every command is requests to the API, wherever it is.

mod bodies;
mod changing;
mod connections;
mod looking;
mod syncing;

use http::Method;
use protocol::Timestamp;
use serde_json::Value;
use terminal::failure::Failure;

use super::args::PipelineCommand;
use super::client::Client;
use super::rendering::Paint;
use super::shorthand::Shorthand;
use super::voice::Voice;

/// What all of them need.
pub(super) struct Context<'a> {
    pub(super) client: &'a Client,
    pub(super) voice: &'a Voice,
    /// Connectors that were given by flags.
    pub(super) flags: &'a [Shorthand],
}

impl Context<'_> {
    fn paint(&self) -> Paint {
        Paint(self.voice.colour)
    }

    /// The pipeline, as the API tells of it.
    async fn stored(&self, id: &str) -> Result<Value, Failure> {
        self.client.json(Method::GET, &path(id, "")?, None).await
    }
}

/// Does what the command says.
pub(super) async fn run(command: PipelineCommand, context: &Context<'_>) -> Result<(), Failure> {
    let client = context.client;
    match command {
        // These end well when the routes of this process are told to stop.
        PipelineCommand::Sync(args) => client.unless_there(syncing::sync(&args, context)).await,
        PipelineCommand::SyncBatch(args) => client.unless_there(syncing::batch(&args, context)).await,
        PipelineCommand::SimulateWebhookSync(args) => {
            client.unless_there(syncing::simulate(&args, context)).await
        }
        other => client.unless(short(other, context)).await,
    }
}

async fn short(command: PipelineCommand, context: &Context<'_>) -> Result<(), Failure> {
    match command {
        PipelineCommand::List => looking::list(context).await,
        PipelineCommand::Get { id, reset_state } => looking::get(&id, reset_state, context).await,
        PipelineCommand::Logs(args) => looking::logs(&args, context).await,
        PipelineCommand::Wait { id, event, object, timeout } => {
            looking::wait(&id, event.as_deref(), object.as_deref(), timeout, context).await
        }
        PipelineCommand::Create(args) => changing::create(&args, context).await,
        PipelineCommand::Update(args) => changing::update(&args, context).await,
        PipelineCommand::Delete { id, skip_teardown } => changing::delete(&id, skip_teardown, context).await,
        PipelineCommand::Pause(args) => changing::want(&args.id, "paused", context).await,
        PipelineCommand::Resume(args) => changing::want(&args.id, "active", context).await,
        PipelineCommand::Retry(args) => changing::retry(&args.id, context).await,
        PipelineCommand::CheckNew(args) => connections::check_new(&args, context).await,
        PipelineCommand::Check(args) => connections::run("check", &args, context).await,
        PipelineCommand::Setup(args) => connections::run("setup", &args, context).await,
        PipelineCommand::Teardown(args) => connections::run("teardown", &args, context).await,
        PipelineCommand::SyncWorkflowTest { id, time_limit } => {
            syncing::workflow_test(&id, time_limit, context).await
        }
        PipelineCommand::Sync(_)
        | PipelineCommand::SyncBatch(_)
        | PipelineCommand::SimulateWebhookSync(_) => Err(Failure::failed("this command is run otherwise")),
    }
}

/// The path of a pipeline, and of something about it. What is no id would lead elsewhere, and is refused.
fn path(id: &str, rest: &str) -> Result<String, Failure> {
    match service::pipeline::check_id(id) {
        Ok(()) => Ok(format!("/pipelines/{id}{rest}")),
        Err(why) => Err(Failure::usage(format!("`{id}` is no id of a pipeline: {why}"))),
    }
}

/// The parameters that are there, as a query.
fn query(parameters: &[(&str, Option<String>)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    if query.is_empty() { query } else { format!("?{query}") }
}

fn now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_do_not_lead_elsewhere() {
        assert_eq!(path("shop", "/sync").unwrap(), "/pipelines/shop/sync");
        for id in ["..", "a/b", "abc?x", "abc#", ""] {
            assert!(path(id, "").unwrap_err().text().unwrap().contains("no id of a pipeline"), "{id}");
        }
    }

    #[test]
    fn queries_hold_what_is_there() {
        assert_eq!(query(&[("a", None)]), "");
        assert_eq!(
            query(&[("a", None), ("b", Some("x&y z".to_owned())), ("c", Some("1".to_owned()))]),
            "?b=x%26y+z&c=1"
        );
    }
}
