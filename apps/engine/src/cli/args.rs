//! The words of the command line.

use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;
use engine::program::{EngineArgs, ProgramArgs, secret};
use secrecy::SecretString;

use super::generated::ApiArgs;
use super::settings::{StreamChoice, parse_duration, parse_moment};

const AFTER_HELP: &str = "\
Values are looked for in this order: flag, environment, .env in the working directory, --config, default.
A field FIELD of a connector TYPE can be set as TYPE_FIELD in the environment, e.g. STRIPE_API_KEY,
POSTGRES_URL, SQLITE_PATH. DATABASE_URL is taken for POSTGRES_URL, SOURCE and DESTINATION name the types.

Exit codes:
  0    everything asked for was done (streams that the account cannot read are skipped)
  1    something failed, or a stream did
  2    wrong usage or configuration; nothing was done
  130  interrupted; what was read is saved, the same command goes on";

const AFTER_RECONCILE: &str = "\
Every object is read from the source again, which costs about one request per hundred objects, and one for
each row that the source does not list. Rows that were synced with chosen fields need the same --streams.
With --json the last line of stdout is the report: {\"equal\", \"finished\", \"requests\", \"streams\": [...]}.

Exit codes:
  0    every stream is equal, or was made so by --repair
  1    something differs, could not be compared, or is not compared yet
  2    wrong usage or configuration; nothing was done
  130  interrupted; what was compared is kept, the same command goes on";

const AFTER_SERVE: &str = "\
The API is described at /docs and /openapi.json. Without a token only programs of this machine are answered. TLS is
left to a reverse proxy. SIGTERM and Ctrl-C end syncs that are under way: what they read is still written, and their
last message holds the state to go on from.";

const AFTER_API: &str = "\
The commands are those of the document at /openapi.json, which also describes the answers. Answers
go to stdout as they come, one JSON object per line where the API streams; they are data, so keys in
them are not hidden.

  sync-engine api meta meta-sources-list
  sync-engine api pipeline pipeline-check --body - < body.json
  sync-engine api pipeline pipeline-sync --pipeline \"$(cat pipeline.json)\" > messages.ndjson
  sync-engine api status health --engine-url http://127.0.0.1:3000

Exit codes:
  0    the API answered with success; in a stream, the messages say whether the work succeeded
  1    it answered with an error, which stderr shows, or did not answer
  2    wrong usage; nothing was asked
  130  interrupted";

const AFTER_CONFORMANCE: &str = "\
  sync-engine conformance source --config shop.json python3 shop.py
  sync-engine conformance destination --config keep.json --rows './rows keep.db' -- ./keep --fast

Words of the command that begin with a hyphen go behind --. The contract is docs/connector-spec.md; each check that fails says
what was expected, what came, and which section asks for it. A source is read several times, so its reads have to end; a
destination is written to, in streams named conformance_…: give it a place to throw away.

Exit codes:
  0    no check failed
  1    one did
  2    wrong usage; nothing was checked";

const ABOUT: &str = "Keeps a complete copy of a Stripe account in your own database";

/// Everything the command line says.
#[derive(Debug, Parser)]
#[command(name = "sync-engine", version, about = ABOUT, after_help = AFTER_HELP)]
#[command(arg_required_else_help = true, disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) voice: Voice,
    #[command(flatten)]
    pub(crate) programs: ProgramArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How the program talks.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Voice {
    /// Write messages of the sync protocol to stdout, one JSON object per line, and nothing else
    #[arg(long, global = true, conflicts_with = "plain")]
    pub(crate) json: bool,
    /// Plain lines instead of a live display; the default where stderr is no terminal
    #[arg(long, global = true)]
    pub(crate) plain: bool,
    /// Say more: -v for what is done, -vv for details
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with_all = ["quiet", "log_level"])]
    pub(crate) verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "json")]
    pub(crate) quiet: bool,
    #[arg(
        help = format!("Log level: {}, or directives [env: LOG_LEVEL]", logger::LEVELS),
        long,
        global = true,
        value_name = "LEVEL"
    )]
    pub(crate) log_level: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Copy what is new from the source into the destination
    #[command(after_help = AFTER_HELP)]
    Sync(SyncArgs),
    /// Compare the copy with the source, object by object, and repair it if asked
    #[command(after_help = AFTER_RECONCILE)]
    Reconcile(ReconcileArgs),
    /// Tell whether source and destination can be used, and which streams the key may read
    Check(CheckArgs),
    /// Look for what keeps a sync from working, and say how to mend it: network, clock, key, permissions, database
    Doctor(CheckArgs),
    /// Print the streams of the source as a catalog message
    Discover(SourceOnlyArgs),
    /// List the streams of the source, or the columns of the named ones
    Streams(StreamsArgs),
    /// Create the tables; `sync` does that by itself
    Setup(SetupArgs),
    /// Remove what setup and sync made: tables, rows, and the stored position
    Teardown(TeardownArgs),
    /// Serve the HTTP API
    #[command(after_help = AFTER_SERVE)]
    Serve(ServeArgs),
    /// Call an operation of the HTTP API, in this process or on an engine elsewhere
    #[command(after_help = AFTER_API)]
    Api(ApiArgs),
    /// Check a connector, in any language, against the contract of connectors
    #[command(after_help = AFTER_CONFORMANCE)]
    Conformance(ConformanceArgs),
    /// Sync a simulated Stripe account into a SQLite file, without any account or network
    Demo(DemoArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, as man(1) reads it: sync-engine man | man -l -
    Man {
        /// The command, e.g. sync [default: the program]
        command: Option<String>,
    },
}

impl Command {
    /// Whether the command line alone says which programs run. A server's clients do.
    pub(crate) fn says_what_runs(&self) -> bool {
        !self.is_server()
    }

    /// Whether it runs until it is stopped, answering others.
    pub(crate) fn is_server(&self) -> bool {
        matches!(self, Command::Serve(_))
    }

    /// The log level where nobody chose one and nobody reads messages or wants quiet. Limits that the user set are
    /// reached without a warning.
    pub(crate) fn usual_level(&self) -> &'static str {
        match self {
            Command::Serve(_) => "info",
            // What the API refuses is told as its answer.
            Command::Api(_) => "warn,engine::limits=error,server=error",
            _ => "warn,engine::limits=error",
        }
    }
}

/// Where to read.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Source")]
pub(crate) struct SourceArgs {
    /// Type of the source, or airbyte:COMMAND for a source of Airbyte [default: stripe] [env: SOURCE]
    #[arg(long, value_name = "TYPE")]
    pub(crate) source: Option<String>,
    /// Configuration of the source: JSON, or a file of JSON
    #[arg(long, value_name = "JSON|FILE")]
    pub(crate) source_config: Option<String>,
    /// Secret or restricted key; better given by the environment, where other users do not see it
    /// [env: STRIPE_API_KEY]
    #[arg(long, value_name = "KEY", value_parser = secret)]
    pub(crate) stripe_api_key: Option<SecretString>,
    /// Accounts to read with a platform's or organisation's key: all, or ids separated by commas [default: the key's own]
    #[arg(long, value_name = "all|IDS")]
    pub(crate) accounts: Option<String>,
    /// Where Stripe's API is [default: api.stripe.com]
    #[arg(long, value_name = "URL")]
    pub(crate) stripe_base_url: Option<String>,
    /// Requests per second [default: 80% of what Stripe allows the account]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) stripe_rate_limit: Option<u32>,
    /// Version of Stripe's API, e.g. 2020-08-27 [default: the newest known]
    #[arg(long, value_name = "VERSION")]
    pub(crate) api_version: Option<String>,
    /// OpenAPI document of an API version that is not built in
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) stripe_spec: Option<String>,
}

/// Where to write.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Destination")]
pub(crate) struct DestinationArgs {
    /// Type of the destination: sqlite, postgres or google_sheets [default: by what is given] [env: DESTINATION]
    #[arg(long, value_name = "TYPE")]
    pub(crate) destination: Option<String>,
    /// Configuration of the destination: JSON, or a file of JSON
    #[arg(long, value_name = "JSON|FILE")]
    pub(crate) destination_config: Option<String>,
    /// SQLite file; created where it is missing [default: ./stripe.db]
    #[arg(long, value_name = "PATH", conflicts_with_all = ["postgres_url", "schema"])]
    pub(crate) sqlite: Option<String>,
    /// PostgreSQL database, postgres://user:password@host:5432/database [env: POSTGRES_URL, DATABASE_URL]
    #[arg(long, value_name = "URL", value_parser = secret)]
    pub(crate) postgres_url: Option<SecretString>,
    /// Schema of the tables in PostgreSQL [default: stripe]
    #[arg(long, alias = "postgres-schema", value_name = "NAME")]
    pub(crate) schema: Option<String>,
    /// Google spreadsheet, by its id or address [env: GOOGLE_SPREADSHEET_ID]
    #[arg(long, value_name = "ID|URL", conflicts_with_all = ["sqlite", "postgres_url", "schema"])]
    pub(crate) spreadsheet: Option<String>,
}

/// A whole pipeline.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct PipelineArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) destination: DestinationArgs,
    #[command(flatten)]
    pub(crate) share: ShareArgs,
    /// Pipeline configuration: a JSON file, JSON itself, or - for stdin
    #[arg(long, value_name = "FILE|JSON|-")]
    pub(crate) config: Option<String>,
}

/// Sharing the rate limit with other processes.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Rate limit")]
pub(crate) struct ShareArgs {
    /// Share the rate limit with other processes that read the same account: through this PostgreSQL database
    /// [env: SHARED_LIMIT_URL]
    #[arg(long, value_name = "URL", value_parser = secret)]
    pub(crate) shared_limit_url: Option<SecretString>,
    /// Share the rate limit through the destination's database, which has to be PostgreSQL
    #[arg(long)]
    pub(crate) share_limit: bool,
}

/// Which streams, and what of them.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Streams")]
pub(crate) struct SelectionArgs {
    /// Streams, separated by commas; a stream may name the fields to keep: customer:email+name
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) streams: Option<Vec<StreamChoice>>,
}

#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) changes: ChangesArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

/// How changes to what was read before are followed.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Changes")]
pub(crate) struct ChangesArgs {
    /// Stay, and follow what changes, until stopped
    #[arg(long, conflicts_with_all = ["time_limit", "until", "no_state"])]
    pub(crate) live: bool,
    /// Stay, and get events as they happen over the WebSocket that the Stripe CLI uses
    #[arg(long, conflicts_with_all = ["time_limit", "until", "no_state"])]
    pub(crate) websocket: bool,
    /// Stay, and listen for webhooks on this port; wants a webhook secret, or a webhook URL that setup registers
    #[arg(long, value_name = "PORT", conflicts_with_all = ["time_limit", "until", "no_state"])]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) webhook_port: Option<u16>,
    /// Do not read events: only what is new arrives, not what changed or was deleted
    #[arg(long, conflicts_with_all = ["live", "websocket", "webhook_port"])]
    pub(crate) no_events: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
}

/// What of the streams, and for how long.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Run")]
pub(crate) struct RunArgs {
    /// Only objects created at or after this date or time, e.g. 2024-01-01
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub(crate) since: Option<protocol::Timestamp>,
    /// Only objects created before this date or time
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub(crate) until: Option<protocol::Timestamp>,
    /// At most about so many objects of each stream
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) backfill_limit: Option<u64>,
    /// Stop after this time, e.g. 90s, 10m, 2h; the next run goes on
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) time_limit: Option<std::time::Duration>,
    /// Read everything from the start, and leave the stored position as it is
    #[arg(long, conflicts_with = "sync_id")]
    pub(crate) no_state: bool,
    /// Name under which the position is kept in the destination [default: the id of the account, and /test in test mode]
    #[arg(long, value_name = "NAME")]
    pub(crate) sync_id: Option<String>,
    /// Parameters of the run as JSON, a file or -: streams, since, until, backfill_limit, time_limit,
    /// soft_time_limit, run_id, sync_id
    #[arg(long, value_name = "JSON|FILE|-")]
    pub(crate) params: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ReconcileArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) comparison: ComparisonArgs,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
}

/// What to compare, and what to do about it.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Comparison")]
pub(crate) struct ComparisonArgs {
    /// Only objects created at or after this date or time, e.g. 2024-01-01
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub(crate) since: Option<protocol::Timestamp>,
    /// Write what is missing or different, and delete rows whose object is proven to be gone
    #[arg(long)]
    pub(crate) repair: bool,
    /// Stop after about so many requests and keep the position; the same command goes on
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_requests: Option<u64>,
    /// Name of the sync whose copy this is; the position is kept under NAME/reconcile
    /// [default: the id of the account, and /test in test mode]
    #[arg(long, value_name = "NAME")]
    pub(crate) sync_id: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SourceOnlyArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Pipeline configuration: a JSON file, JSON itself, or - for stdin
    #[arg(long, value_name = "FILE|JSON|-")]
    pub(crate) config: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct StreamsArgs {
    /// Streams whose columns to list
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) source: SourceOnlyArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SetupArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TeardownArgs {
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Port to listen on; 0 takes a free one [default: 3000] [env: PORT]
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// Address to listen on; one that other machines can reach wants a token
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    pub(crate) host: String,
    /// Token that clients send as `Authorization: Bearer`; better given by the environment
    /// [env: SYNC_ENGINE_TOKEN]
    #[arg(long, value_name = "TOKEN", value_parser = secret)]
    pub(crate) token: Option<SecretString>,
    /// Offer /internal/query, which runs any SQL on any PostgreSQL that this machine reaches
    #[arg(long)]
    pub(crate) enable_internal_query: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConformanceArgs {
    /// `source` or `destination`, where its name and its commands do not tell, and the words of its command
    #[arg(required = true, value_name = "WORDS")]
    pub(crate) words: Vec<String>,
    /// Configuration that works: JSON, or a file of JSON [default: {}]
    #[arg(long, value_name = "JSON|FILE")]
    pub(crate) config: Option<String>,
    /// Configuration that is well-formed and must fail, such as a wrong password
    #[arg(long, value_name = "JSON|FILE")]
    pub(crate) bad_config: Option<String>,
    /// Configured catalog of a source's streams to read [default: all that it discovers]
    #[arg(long, value_name = "JSON|FILE")]
    pub(crate) catalog: Option<String>,
    /// Command that prints the rows a destination has of the stream that is added as its last word: JSON objects, one per
    /// line; without it, what is stored is not looked at
    #[arg(long, value_name = "COMMAND")]
    pub(crate) rows: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// How many objects the simulated account has
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) objects: u64,
    /// The SQLite file
    #[arg(long, value_name = "PATH", default_value = "./stripe-demo.db")]
    pub(crate) db: String,
    /// Another seed, another account
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Version of Stripe's API [default: the newest known]
    #[arg(long, value_name = "VERSION")]
    pub(crate) api_version: Option<String>,
}
