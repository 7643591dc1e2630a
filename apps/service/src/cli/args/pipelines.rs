//! The words of `pipelines`.

use clap::{Args, Subcommand};
use protocol::Timestamp;

const CONNECTORS: &str = "\
Connectors are given by flags of single fields, written --source.TYPE.FIELD and --destination.TYPE.FIELD:

  --source.stripe.api-key sk_test_… --destination.postgres.url postgres://localhost/stripe

Fields inside of fields have further dots. A value is JSON where it can be read as such (20, true, [\"a\"]), else text. Such flags go over --source and --destination, field by field.";

/// A pipeline in words.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct DescribedArgs {
    /// A name for it
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The source: {"type": T, T: {…}}, as JSON or a file of JSON
    #[arg(long, value_name = "JSON|FILE")]
    pub(crate) source: Option<String>,
    /// The destination, in the same way
    #[arg(long, value_name = "JSON|FILE")]
    pub(crate) destination: Option<String>,
    /// The streams: names separated by commas, perhaps with the fields to keep (customer:email+name), or a JSON array of
    /// names or {"name": …}
    #[arg(long, value_name = "STREAMS")]
    pub(crate) streams: Option<String>,
    /// Name, source, destination, streams and transforms together: JSON, a file of JSON, or - for stdin
    #[arg(long, value_name = "JSON|FILE|-")]
    pub(crate) x_pipeline: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Its id; made up if absent
    #[arg(long)]
    pub(crate) id: Option<String>,
    #[command(flatten)]
    pub(crate) described: DescribedArgs,
    /// Do not ask both sides first whether they work
    #[arg(long)]
    pub(crate) skip_check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// Its id
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) described: DescribedArgs,
    /// What it is to be: active, paused or deleted
    #[arg(long, value_name = "STATUS", value_parser = ["active", "paused", "deleted"])]
    pub(crate) desired_status: Option<String>,
    /// Change it only if it is still at this version, which `pipelines get` tells; * for any [default: the one that was
    /// read to put single fields into, else any]
    #[arg(long, value_name = "ETAG")]
    pub(crate) if_match: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PipelineCommand {
    /// List pipelines
    List,
    /// Show one pipeline; with flags of its connectors, as it would be with them
    #[command(after_help = CONNECTORS)]
    Get {
        /// Its id
        id: String,
        /// Leave out where its sync goes on from
        #[arg(long)]
        reset_state: bool,
    },
    /// Create a pipeline
    #[command(after_help = CONNECTORS)]
    Create(CreateArgs),
    /// Ask both sides of a pipeline that is not created whether they work
    #[command(after_help = CONNECTORS)]
    CheckNew(DescribedArgs),
    /// Change a pipeline; flags of single fields leave the others as they are
    #[command(after_help = CONNECTORS)]
    Update(UpdateArgs),
    /// Remove what a pipeline made, and forget it
    Delete {
        /// The pipeline
        id: String,
        /// Leave what it made, tables and endpoints, and forget it at once: where they are gone already, or out of reach for good
        #[arg(long)]
        skip_teardown: bool,
    },
    /// Let a pipeline rest
    Pause(IdArgs),
    /// Let a paused pipeline go on
    Resume(IdArgs),
    /// Try what failed at once
    Retry(IdArgs),
    /// Ask both sides whether they work
    Check(SideArgs),
    /// Make what a pipeline needs: tables, endpoints
    Setup(SideArgs),
    /// Remove what setup made, and pause the pipeline
    Teardown(SideArgs),
    /// Sync a pipeline by hand until nothing is left
    #[command(after_help = CONNECTORS)]
    Sync(SyncArgs),
    /// Sync a pipeline by hand, a number of states at a time
    #[command(name = "sync_batch", alias = "sync-batch")]
    SyncBatch(BatchArgs),
    /// Apply past events as if Stripe delivered them
    SimulateWebhookSync(SimulateArgs),
    /// Run a whole backfill in one request, and print how it ended
    SyncWorkflowTest {
        /// Its id
        id: String,
        /// Seconds for each step
        #[arg(long, value_name = "SECONDS", value_parser = seconds)]
        time_limit: Option<f64>,
    },
    /// Show the log of a pipeline
    Logs(LogArgs),
    /// Wait until what was delivered is in the copy
    Wait {
        /// The pipeline's id
        id: String,
        /// The event
        #[arg(long, conflicts_with = "object", required_unless_present = "object")]
        event: Option<String>,
        /// The object: everything delivered about it
        #[arg(long)]
        object: Option<String>,
        /// Seconds
        #[arg(long, default_value_t = 30)]
        timeout: u64,
    },
}

/// A pipeline, and nothing else.
#[derive(Debug, Args)]
pub(crate) struct IdArgs {
    /// Its id
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct SideArgs {
    /// The pipeline's id
    pub(crate) id: String,
    /// One side only: source or destination
    #[arg(long, value_name = "SIDE", value_parser = ["source", "destination"])]
    pub(crate) only: Option<String>,
}

/// What one sync by hand takes.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The run; requests with the same id are one run [default: a new one]
    #[arg(long, value_name = "ID")]
    pub(crate) run_id: Option<String>,
    /// These streams only: names separated by commas, or a JSON array
    #[arg(long, value_name = "STREAMS")]
    pub(crate) streams: Option<String>,
    /// Begin anew
    #[arg(long)]
    pub(crate) reset_state: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    /// The pipeline's id
    pub(crate) id: String,
    /// Seconds for each request; the next one goes on [default: one request]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) chunk_time_limit: Option<f64>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Print the messages themselves, of one request
    #[arg(long)]
    pub(crate) raw: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BatchArgs {
    /// The pipeline's id
    pub(crate) id: String,
    /// States at a time
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) state_limit: Option<u64>,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// How often; 0 until nothing is left
    #[arg(long = "loop", value_name = "COUNT", default_value_t = 1)]
    pub(crate) times: u64,
    /// Print each answer itself
    #[arg(long)]
    pub(crate) raw: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The pipeline's id
    pub(crate) id: String,
    /// Events since: unix seconds, a date, or a time such as 2026-11-29T08:00:00Z [default: a day ago]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) created_after: Option<Timestamp>,
    /// At most so many
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// The pipeline's id
    pub(crate) id: String,
    /// Of this run only
    #[arg(long, value_name = "ID")]
    pub(crate) run_id: Option<String>,
    /// The newest so many
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) limit: u64,
    /// Wait for further entries, until stopped
    #[arg(long, short)]
    pub(crate) follow: bool,
}

/// Seconds, above zero.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite() && *seconds > 0.0);
    seconds.ok_or_else(|| "expected a number of seconds above zero".to_owned())
}

/// Unix seconds, a date, or a date with a time.
fn moment(text: &str) -> Result<Timestamp, String> {
    match text.parse() {
        Ok(seconds) => Ok(Timestamp::from_unix_seconds(seconds)),
        Err(_) => Timestamp::parse_bound(text).map_err(|error| error.to_string()),
    }
}
