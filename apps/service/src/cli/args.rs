//! The words of the command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use ipnet::IpNet;
use secrecy::SecretString;
use service::access::Scope;

const AFTER_HELP: &str = "\
Without --service-url (or SERVICE_URL) commands work on the data directory themselves.

Connectors can be given by flags: --source.stripe.api-key sk_… --destination.postgres.url postgres://…

Exit codes:
  0    everything asked for was done
  1    something failed
  2    wrong usage or configuration; nothing was done
  130  interrupted";

/// Keeps many pipelines from Stripe into databases, durably.
#[derive(Debug, Parser)]
#[command(name = "sync-service", version, after_help = AFTER_HELP, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    /// Print JSON; the default where stdout is not a terminal
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What is logged to stderr: error, warn, info, debug, trace
    #[arg(long, global = true, value_name = "LEVEL", env = "LOG_LEVEL")]
    pub(crate) log_level: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where everything is kept.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Store")]
pub(crate) struct PlaceArgs {
    /// Directory of the store, the master key, and databases of pipelines [default: ~/.stripe-sync]
    #[arg(long, global = true, value_name = "DIR", env = "DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// A PostgreSQL database as the store, which several machines may share: postgres://…
    #[arg(long, global = true, value_name = "URL", env = "SERVICE_STORE", hide_env_values = true, value_parser = secret)]
    pub(crate) store: Option<SecretString>,
    /// A file that holds the master key by which secrets are sealed: 64 hex digits, or base64 of 32 bytes
    #[arg(long, global = true, value_name = "FILE", env = "SYNC_SERVICE_MASTER_KEY_FILE")]
    pub(crate) master_key_file: Option<PathBuf>,
    /// A command that prints the master key
    #[arg(long, global = true, value_name = "COMMAND", env = "SYNC_SERVICE_MASTER_KEY_COMMAND")]
    pub(crate) master_key_command: Option<String>,
    /// Address of an engine elsewhere (`sync-engine serve`) that does the work [default: this process]
    #[arg(long, global = true, value_name = "URL", env = "ENGINE_URL")]
    pub(crate) engine_url: Option<String>,
    /// Token of that engine
    #[arg(long, global = true, value_name = "TOKEN", env = "SYNC_ENGINE_TOKEN", hide_env_values = true, value_parser = secret)]
    pub(crate) engine_token: Option<SecretString>,
}

/// A service that runs already.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Running service")]
pub(crate) struct RemoteArgs {
    /// Address of a running service that is asked instead of the data directory
    #[arg(long, global = true, value_name = "URL", env = "SERVICE_URL")]
    pub(crate) service_url: Option<String>,
    /// Token for it
    #[arg(long, global = true, value_name = "TOKEN", env = "SERVICE_TOKEN", hide_env_values = true, value_parser = secret)]
    pub(crate) service_token: Option<SecretString>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the API, take webhooks, and carry all pipelines on
    Serve(ServeArgs),
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
    /// Print the OpenAPI document of the API
    Openapi,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

impl Command {
    pub(crate) fn is_server(&self) -> bool {
        matches!(self, Command::Serve(_) | Command::Webhook(_))
    }

    /// Whether connectors may be given by flags.
    pub(crate) fn takes_connectors(&self) -> bool {
        matches!(
            self,
            Command::Pipelines {
                command: PipelineCommand::Create(_)
                    | PipelineCommand::Update { .. }
                    | PipelineCommand::Sync { .. }
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
    #[arg(long, env = "SYNC_SERVICE_ALLOW_PRIVATE_ADDRESSES")]
    pub(crate) allow_private_addresses: bool,
    /// Let pipelines name addresses of this network, e.g. 10.0.0.0/8; repeatable
    #[arg(long, value_name = "NETWORK")]
    pub(crate) allow_network: Vec<IpNet>,
    /// Let SQLite databases lie anywhere, not only in DIR/databases
    #[arg(long)]
    pub(crate) allow_any_path: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address to listen on; any but this machine's own needs tokens (`sync-service tokens create`)
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: String,
    /// Port to listen on
    #[arg(long, env = "PORT", default_value_t = 4020)]
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
    /// How many pipelines are worked on at once
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) at_once: u16,
    /// Seconds between two looks at Stripe's events, where a pipeline does not say otherwise (poll_interval)
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) follow_interval: u32,
    /// Hours between two comparisons of a copy with Stripe as a whole; 0 for none
    #[arg(long, value_name = "HOURS", default_value_t = 168)]
    pub(crate) reconcile_interval: u32,
    #[command(flatten)]
    pub(crate) guard: GuardArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WebhookArgs {
    /// Address to listen on
    #[arg(long, default_value = "0.0.0.0")]
    pub(crate) host: String,
    /// Port to listen on
    #[arg(long, env = "PORT", default_value_t = 4030)]
    pub(crate) port: u16,
}

/// A pipeline in words.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct DescribedArgs {
    /// A name for it
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The source as JSON: {"type": T, T: {…}}
    #[arg(long, value_name = "JSON")]
    pub(crate) source: Option<String>,
    /// The destination as JSON
    #[arg(long, value_name = "JSON")]
    pub(crate) destination: Option<String>,
    /// The streams: names separated by commas, or a JSON array of names or {"name": …}
    #[arg(long, value_name = "STREAMS")]
    pub(crate) streams: Option<String>,
    /// Source, destination and streams together: JSON, or a file that holds it
    #[arg(long, value_name = "JSON|FILE")]
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
    /// Show one pipeline
    Get {
        /// Its id
        id: String,
    },
    /// Create a pipeline
    Create(CreateArgs),
    /// Ask both sides of a pipeline that is not created whether they work
    CheckNew(DescribedArgs),
    /// Change a pipeline
    Update {
        /// Its id
        id: String,
        #[command(flatten)]
        described: DescribedArgs,
        /// What it is to be: active, paused or deleted
        #[arg(long, value_name = "STATUS")]
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
    Sync {
        /// Its id
        id: String,
        /// Seconds for each request
        #[arg(long, value_name = "SECONDS")]
        chunk_time_limit: Option<f64>,
        /// The run; made up if absent
        #[arg(long)]
        run_id: Option<String>,
        /// These streams only
        #[arg(long, value_name = "STREAMS")]
        streams: Option<String>,
        /// Begin anew
        #[arg(long)]
        reset_state: bool,
        /// Print the messages themselves, of one request
        #[arg(long)]
        raw: bool,
    },
    /// Sync a pipeline by hand, a number of states at a time
    #[command(name = "sync_batch")]
    SyncBatch {
        /// Its id
        id: String,
        /// States at a time
        #[arg(long)]
        state_limit: Option<u64>,
        /// The run
        #[arg(long)]
        run_id: Option<String>,
        /// Begin anew
        #[arg(long)]
        reset_state: bool,
        /// How often; 0 until nothing is left
        #[arg(long, name = "loop", default_value_t = 1)]
        times: u64,
    },
    /// Apply past events as if Stripe delivered them
    SimulateWebhookSync {
        /// Its id
        id: String,
        /// Events since: unix seconds, or a date such as 2026-11-29T08:00:00Z [default: a day ago]
        #[arg(long)]
        created_after: Option<String>,
        /// At most so many
        #[arg(long)]
        limit: Option<u64>,
    },
    /// Run a whole backfill, and print how it ended
    SyncWorkflowTest {
        /// Its id
        id: String,
    },
    /// Show the log of a pipeline
    Logs {
        /// Its id
        id: String,
        /// Of this run only
        #[arg(long)]
        run_id: Option<String>,
        /// The newest so many
        #[arg(long, default_value_t = 100)]
        limit: u64,
        /// Wait for further entries
        #[arg(long, short)]
        follow: bool,
    },
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

pub(crate) fn secret(text: &str) -> Result<SecretString, String> {
    Ok(SecretString::from(text.to_owned()))
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text).ok_or_else(|| "it is read, write or admin".to_owned())
}
