//! The words of `tokens` and `keys`.

use clap::Subcommand;
use service::access::Scope;

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
    /// List the master keys by their ids, and how many pipelines each seals
    Show,
    /// Check that every pipeline can be opened with the keys that are known
    Check,
    /// Wrap the keys of all pipelines by the current master key
    Rotate,
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text).ok_or_else(|| "it is read, write or admin".to_owned())
}
