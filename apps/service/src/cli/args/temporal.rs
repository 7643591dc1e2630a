//! The words of Temporal as the orchestrator.

use std::path::PathBuf;

use clap::Args;
use engine::program::secret;
use secrecy::SecretString;

/// Where Temporal is.
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
