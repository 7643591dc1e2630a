//! The words of the command line.

mod access;
mod pipelines;
mod serving;
#[cfg(feature = "temporal")]
mod temporal;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use engine::program::{ProgramArgs, secret};
use secrecy::SecretString;

use super::generated::ApiArgs;

pub(crate) use access::{KeyCommand, TokenCommand};
pub(crate) use pipelines::{
    BatchArgs, CreateArgs, DescribedArgs, LogArgs, PipelineCommand, RunArgs, SideArgs, SimulateArgs,
    SyncArgs, UpdateArgs,
};
pub(crate) use serving::{GuardArgs, PaceArgs, ServeArgs, WebhookArgs, WorkerArgs};
#[cfg(feature = "temporal")]
pub(crate) use temporal::TemporalArgs;

const AFTER_HELP: &str = "\
Without --service-url (or SERVICE_URL) commands work on the data directory themselves. Variables are looked for in the environment, then in .env of the working directory.

Exit codes:
  0    everything asked for was done
  1    something failed
  2    wrong usage or configuration; nothing was done
  130  interrupted";

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
    #[arg(
        help = format!("What is logged to stderr: {}", logger::LEVELS),
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
                    | PipelineCommand::Update(_)
                    | PipelineCommand::Sync(_)
                    | PipelineCommand::CheckNew(_)
            }
        )
    }
}
