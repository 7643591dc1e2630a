//! What the destination can be told.

use std::num::NonZeroUsize;

use protocol::BatchLimits;
use schemars::JsonSchema;
use serde::Deserialize;

/// Configuration of the SQLite destination.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqliteConfig {
    /// The file. It and its directory are created where they are missing. `:memory:` keeps
    /// everything in memory, for as long as one write lasts.
    #[schemars(length(min = 1))]
    pub path: String,
    /// Most rows that are committed at once.
    #[serde(default = "SqliteConfig::default_batch_size")]
    pub batch_size: NonZeroUsize,
}

impl SqliteConfig {
    /// A configuration with everything but the path at its default.
    pub fn new(path: impl Into<String>) -> SqliteConfig {
        SqliteConfig { path: path.into(), batch_size: SqliteConfig::default_batch_size() }
    }

    /// 1,000: larger batches measured no faster, smaller ones pay for their commits.
    fn default_batch_size() -> NonZeroUsize {
        NonZeroUsize::new(1000).unwrap_or(NonZeroUsize::MIN)
    }

    pub(crate) fn limits(&self) -> BatchLimits {
        BatchLimits { rows: self.batch_size.get(), ..BatchLimits::default() }
    }
}
