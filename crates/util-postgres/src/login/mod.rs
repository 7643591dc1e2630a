//! Where the password comes from.

mod aws;
mod password_file;

use std::path::PathBuf;
use std::sync::Arc;

use crate::PostgresError;

pub use aws::AwsDatabase;
pub(crate) use aws::TokenSource;

/// Where the password comes from; asked for each new connection, so that it may change meanwhile.
#[derive(Clone)]
pub(crate) enum Login {
    /// The connection string has it, or none is needed.
    Given,
    /// A file holds it.
    File(PathBuf),
    /// Amazon's IAM signs one.
    Aws(Arc<TokenSource>),
}

impl Login {
    /// The password to log in with now; `None` where the connection string says everything.
    pub(crate) async fn password(&self) -> Result<Option<Vec<u8>>, PostgresError> {
        match self {
            Login::Given => Ok(None),
            Login::File(path) => password_file::read(path).await.map(Some),
            Login::Aws(source) => source.token().await.map(|token| Some(token.into_bytes())),
        }
    }
}
