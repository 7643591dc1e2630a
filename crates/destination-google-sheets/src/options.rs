//! What the process says to the destination, rather than the user's configuration.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// Where credentials are looked for that the configuration does not have, and how long a minute is.
#[derive(Debug, Clone)]
pub struct SheetsOptions {
    /// `GOOGLE_CLIENT_ID`.
    pub client_id: Option<String>,
    /// `GOOGLE_CLIENT_SECRET`.
    pub client_secret: Option<SecretString>,
    /// `GOOGLE_REFRESH_TOKEN`.
    pub refresh_token: Option<SecretString>,
    /// Files of Application Default Credentials; the first that exists counts: the one that
    /// `GOOGLE_APPLICATION_CREDENTIALS` names, and the one that `gcloud auth application-default login` writes.
    pub credential_files: Vec<PathBuf>,
    /// Where a machine of Google gives tokens, without a slash at the end; `None` does not ask there.
    pub metadata_url: Option<String>,
    /// The minute of Google's quotas. Tests shorten it.
    pub minute: Duration,
}

impl Default for SheetsOptions {
    /// Nothing beyond the configuration.
    fn default() -> SheetsOptions {
        SheetsOptions {
            client_id: None,
            client_secret: None,
            refresh_token: None,
            credential_files: Vec::new(),
            metadata_url: None,
            minute: Duration::from_secs(60),
        }
    }
}
