//! The words of the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use engine::program::ProgramArgs;
use ipnet::IpNet;
use protocol::Timestamp;
use secrecy::SecretString;
use service::access::Scope;

use super::generated::ApiArgs;

const AFTER_HELP: &str = "\
Without --service-url (or SERVICE_URL) commands work on the data directory themselves. Variables are looked for in the environment, then in .env of the working directory.

Exit codes:
  0    everything asked for was done
  1    something failed
  2    wrong usage or configuration; nothing was done
  130  interrupted";

const CONNECTORS: &str = "\
Connectors are given by flags of single fields, written --source.TYPE.FIELD and --destination.TYPE.FIELD:

  --source.stripe.api-key sk_test_… --destination.postgres.url postgres://localhost/stripe

Fields inside of fields have further dots. A value is JSON where it can be read as such (20, true, [\"a\"]), else text. Such flags go over --source and --destination, field by field.";

const AFTER_API: &str = "\
The commands are those of the document at /openapi.json, which also describes the answers.

  sync-service api pipelines list
  sync-service api pipelines create --body - < pipeline.json
  sync-service api audit list --limit 20

Exit codes:
  0    the API answered with success; in a stream, the messages say whether the work succeeded
  1    it answered with an error, which stderr shows, or did not answer
  2    wrong usage; nothing was asked
  130  interrupted";

/// Keeps many pipelines from Stripe into databases, durably.
#[derive(Debug, Parser)]
#[command(name = "sync-service", version, after_help = AFTER_HELP, disable_help_subcommand = true)]
#[command(arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    /// Print JSON; the default where stdout is not a terminal
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,
    /// Print words for people, also where stdout is not a terminal, and plain lines instead of a live display
    #[arg(long, global = true, help_heading = "Output", conflicts_with = "json")]
    pub(crate) plain: bool,
    /// What is logged to stderr: error, warn, info, debug, trace
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        help_heading = "Output",
        env = "LOG_LEVEL",
        hide_env_values = true
    )]
    pub(crate) log_level: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where everything is kept.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Store")]
pub(crate) struct PlaceArgs {
    /// Directory of the store, the master key, and databases of pipelines [default: ~/.stripe-sync]
    #[arg(long, global = true, value_name = "DIR", env = "DATA_DIR", hide_env_values = true)]
    pub(crate) data_dir: Option<PathBuf>,
    /// A PostgreSQL database as the store, which several machines may share: postgres://…
    #[arg(long, global = true, value_name = "URL", env = "SERVICE_STORE", hide_env_values = true, value_parser = secret)]
    pub(crate) store: Option<SecretString>,
    /// A file that holds the master key by which secrets are sealed: 64 hex digits, or base64 of 32 bytes
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "SYNC_SERVICE_MASTER_KEY_FILE",
        hide_env_values = true
    )]
    pub(crate) master_key_file: Option<PathBuf>,
    /// A command that prints the master key
    #[arg(
        long,
        global = true,
        value_name = "COMMAND",
        env = "SYNC_SERVICE_MASTER_KEY_COMMAND",
        hide_env_values = true
    )]
    pub(crate) master_key_command: Option<String>,
    /// Address of an engine elsewhere (`sync-engine serve`) that does the work [default: this process]
    #[arg(long, global = true, value_name = "URL", env = "ENGINE_URL", hide_env_values = true)]
    pub(crate) engine_url: Option<String>,
    /// Token of that engine
    #[arg(long, global = true, value_name = "TOKEN", env = "SYNC_ENGINE_TOKEN", hide_env_values = true, value_parser = secret)]
    pub(crate) engine_token: Option<SecretString>,
    #[command(flatten)]
    pub(crate) programs: ProgramArgs,
}

/// A service that runs already.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Running service")]
pub(crate) struct RemoteArgs {
    /// Address of a running service that is asked instead of the data directory
    #[arg(long, global = true, value_name = "URL", env = "SERVICE_URL", hide_env_values = true)]
    pub(crate) service_url: Option<String>,
    /// Token for it
    #[arg(long, global = true, value_name = "TOKEN", env = "SERVICE_TOKEN", hide_env_values = true, value_parser = secret)]
    pub(crate) service_token: Option<SecretString>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the API, take webhooks, and carry all pipelines on
    Serve(ServeArgs),
    /// Carry the pipelines of a store on, without an API: a further process beside `serve`
    Worker(WorkerArgs),
    /// Take webhooks only: a listener that Stripe may reach, beside a `serve` that it may not
    Webhook(WebhookArgs),
    /// Create, look at, change and delete pipelines
    Pipelines {
        #[command(subcommand)]
        command: PipelineCommand,
    },
    /// Manage the tokens of the API, in the store itself
    Tokens {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Manage the master key
    Keys {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Call an operation of the API by its name
    #[command(after_help = AFTER_API)]
    Api(ApiArgs),
    /// Print the OpenAPI document of the API
    Openapi,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print a manual page, as man(1) reads it: sync-service man pipelines sync | man -l -
    Man {
        /// The command [default: the program]
        words: Vec<String>,
    },
}

impl Command {
    pub(crate) fn is_server(&self) -> bool {
        matches!(self, Command::Serve(_) | Command::Worker(_) | Command::Webhook(_))
    }

    /// Whether connectors may be given by flags.
    pub(crate) fn takes_connectors(&self) -> bool {
        matches!(
            self,
            Command::Pipelines {
                command: PipelineCommand::Create(_)
                    | PipelineCommand::Get { .. }
                    | PipelineCommand::Update { .. }
                    | PipelineCommand::Sync(_)
                    | PipelineCommand::CheckNew(_)
            }
        )
    }
}

/// What bounds pipelines.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What pipelines may name")]
pub(crate) struct GuardArgs {
    /// Let pipelines name addresses of this machine and of private networks
    #[arg(long, env = "SYNC_SERVICE_ALLOW_PRIVATE_ADDRESSES", hide_env_values = true)]
    pub(crate) allow_private_addresses: bool,
    /// Let pipelines name addresses of this network, e.g. 10.0.0.0/8; repeatable
    #[arg(long, value_name = "NETWORK")]
    pub(crate) allow_network: Vec<IpNet>,
    /// Let SQLite databases lie anywhere, not only in DIR/databases
    #[arg(long)]
    pub(crate) allow_any_path: bool,
}

/// How pipelines are carried on.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Orchestrator")]
pub(crate) struct PaceArgs {
    /// How many pipelines are worked on at once
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) at_once: u16,
    /// Seconds between two looks at Stripe's events, where a pipeline does not say otherwise (poll_interval)
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) follow_interval: u32,
    /// Hours between two comparisons of a copy with Stripe as a whole; 0 for none
    #[arg(long, value_name = "HOURS", default_value_t = 168)]
    pub(crate) reconcile_interval: u32,
    /// Days for which entries of a pipeline's log are kept, of the newest 10,000; 0 for no limit
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    pub(crate) keep_logs: u32,
}

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
    #[command(flatten)]
    pub(crate) guard: GuardArgs,
    #[cfg(feature = "temporal")]
    #[command(flatten)]
    pub(crate) temporal: TemporalArgs,
}

/// Where Temporal is.
#[cfg(feature = "temporal")]
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Temporal")]
pub(crate) struct TemporalArgs {
    /// Let Temporal carry pipelines on, by workers (`sync-service worker`): host:port, or https://…
    /// [default: this process does]
    #[arg(long, value_name = "ADDRESS", env = "TEMPORAL_ADDRESS", hide_env_values = true)]
    pub(crate) temporal_address: Option<String>,
    /// Its namespace
    #[arg(long, value_name = "NAME", env = "TEMPORAL_NAMESPACE", hide_env_values = true, default_value = service::temporal::NAMESPACE)]
    pub(crate) temporal_namespace: String,
    /// The task queue that workers poll
    #[arg(long, value_name = "NAME", env = "TEMPORAL_TASK_QUEUE", hide_env_values = true, default_value = service::temporal::TASK_QUEUE)]
    pub(crate) temporal_task_queue: String,
    /// An API key, as Temporal Cloud gives out; better given by the environment
    #[arg(long, value_name = "KEY", env = "TEMPORAL_API_KEY", hide_env_values = true, value_parser = secret)]
    pub(crate) temporal_api_key: Option<SecretString>,
    /// Encrypt the connection, also where the address does not say so
    #[arg(long)]
    pub(crate) temporal_tls: bool,
    /// File of the authority that signed the server's certificate, in PEM [default: those that the system trusts]
    #[arg(long, value_name = "FILE")]
    pub(crate) temporal_tls_ca: Option<PathBuf>,
    /// Name in the server's certificate, where it is not that of the address
    #[arg(long, value_name = "NAME")]
    pub(crate) temporal_tls_server_name: Option<String>,
    /// File of our certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "temporal_tls_key")]
    pub(crate) temporal_tls_cert: Option<PathBuf>,
    /// File of its private key, in PEM
    #[arg(long, value_name = "FILE", requires = "temporal_tls_cert")]
    pub(crate) temporal_tls_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address to listen on; any but this machine's own needs tokens (`sync-service tokens create`)
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: String,
    /// Port to listen on
    #[arg(long, env = "PORT", hide_env_values = true, default_value_t = 4020)]
    pub(crate) port: u16,
    /// A second listener for webhooks alone, which may be public: HOST:PORT
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) webhook_listen: Option<SocketAddr>,
    /// Want tokens also on this machine's own addresses
    #[arg(long)]
    pub(crate) require_token: bool,
    /// Serve the API only, and leave pipelines to others
    #[arg(long)]
    pub(crate) no_orchestrator: bool,
    #[command(flatten)]
    pub(crate) pace: PaceArgs,
    #[cfg(feature = "temporal")]
    #[command(flatten)]
    pub(crate) temporal: TemporalArgs,
    #[command(flatten)]
    pub(crate) guard: GuardArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WebhookArgs {
    /// Address to listen on
    #[arg(long, default_value = "0.0.0.0")]
    pub(crate) host: String,
    /// Port to listen on
    #[arg(long, env = "PORT", hide_env_values = true, default_value_t = 4030)]
    pub(crate) port: u16,
    #[cfg(feature = "temporal")]
    #[command(flatten)]
    pub(crate) temporal: TemporalArgs,
}

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
    Update {
        /// Its id
        id: String,
        #[command(flatten)]
        described: DescribedArgs,
        /// What it is to be: active, paused or deleted
        #[arg(long, value_name = "STATUS", value_parser = ["active", "paused", "deleted"])]
        desired_status: Option<String>,
    },
    /// Remove what a pipeline made, and forget it
    Delete {
        /// Its id
        id: String,
    },
    /// Let a pipeline rest
    Pause {
        /// Its id
        id: String,
    },
    /// Let a paused pipeline go on
    Resume {
        /// Its id
        id: String,
    },
    /// Try what failed at once
    Retry {
        /// Its id
        id: String,
    },
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

#[derive(Debug, Args)]
pub(crate) struct SideArgs {
    /// The pipeline's id
    pub(crate) id: String,
    /// One side only: source or destination
    #[arg(long, value_name = "SIDE", value_parser = ["source", "destination"])]
    pub(crate) only: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    /// The pipeline's id
    pub(crate) id: String,
    /// Seconds for each request; the next one goes on [default: one request]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) chunk_time_limit: Option<f64>,
    /// The run; requests with the same id are one run [default: a new one]
    #[arg(long, value_name = "ID")]
    pub(crate) run_id: Option<String>,
    /// These streams only: names separated by commas, or a JSON array
    #[arg(long, value_name = "STREAMS")]
    pub(crate) streams: Option<String>,
    /// Begin anew
    #[arg(long)]
    pub(crate) reset_state: bool,
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
    /// The run; requests with the same id are one run [default: a new one]
    #[arg(long, value_name = "ID")]
    pub(crate) run_id: Option<String>,
    /// These streams only: names separated by commas, or a JSON array
    #[arg(long, value_name = "STREAMS")]
    pub(crate) streams: Option<String>,
    /// Begin anew
    #[arg(long)]
    pub(crate) reset_state: bool,
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

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print it, once
    Create {
        /// Words for it
        name: String,
        /// What it allows: read, write (and read), admin (and everything)
        #[arg(long, default_value = "write", value_parser = scope)]
        scope: Scope,
    },
    /// List tokens
    List,
    /// Revoke a token; it stops within five seconds
    Revoke {
        /// Its id (tok_…)
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Check that every pipeline can be opened with the keys that are known
    Check,
    /// Wrap the keys of all pipelines by the current master key
    Rotate,
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

pub(crate) fn secret(text: &str) -> Result<SecretString, String> {
    Ok(SecretString::from(text.to_owned()))
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text).ok_or_else(|| "it is read, write or admin".to_owned())
}
