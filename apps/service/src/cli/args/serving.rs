//! The words of what stays: `serve`, `worker`, `webhook`.

use clap::Args;
use ipnet::IpNet;

#[cfg(feature = "temporal")]
use super::TemporalArgs;

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
    pub(crate) webhook_listen: Option<String>,
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
