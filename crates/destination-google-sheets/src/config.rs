//! What the destination can be told.

use std::num::NonZeroUsize;
use std::time::Duration;

use protocol::BatchLimits;
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

use crate::pacing::A_MINUTE;

/// Configuration of the Google Sheets destination. Credentials are a refresh token with its client, or the key of a
/// service account; with neither, Application Default Credentials.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SheetsConfig {
    /// OAuth client; `GOOGLE_CLIENT_ID` where it is missing.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Its secret; `GOOGLE_CLIENT_SECRET` where it is missing.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub client_secret: Option<SecretString>,
    /// An access token, used until it is refused.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub access_token: Option<SecretString>,
    /// The user's refresh token for that client.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub refresh_token: Option<SecretString>,
    /// The key of a service account: the JSON text of its key file.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub service_account_key: Option<SecretString>,
    /// Path of the key file of a service account.
    #[serde(default)]
    pub service_account_file: Option<String>,
    /// The spreadsheet, as in its address; setup makes one where it is missing or empty.
    #[serde(default)]
    pub spreadsheet_id: Option<String>,
    /// Name of a spreadsheet that is made.
    #[serde(default = "SheetsConfig::default_title")]
    pub spreadsheet_title: String,
    /// Most rows of a stream that are written at once.
    #[serde(default = "SheetsConfig::default_batch_size")]
    pub batch_size: NonZeroUsize,
    /// Requests a minute that the project's quota allows a user, of reads and of writes each.
    #[serde(default = "SheetsConfig::default_requests")]
    pub requests_per_minute: NonZeroUsize,
    /// Where the Sheets API is.
    #[serde(default = "SheetsConfig::default_sheets_url")]
    #[schemars(url)]
    pub sheets_url: String,
    /// Where the Drive API is.
    #[serde(default = "SheetsConfig::default_drive_url")]
    #[schemars(url)]
    pub drive_url: String,
    /// Where refresh tokens are exchanged.
    #[serde(default = "SheetsConfig::default_token_url")]
    #[schemars(url)]
    pub token_url: String,
}

impl SheetsConfig {
    fn default_title() -> String {
        "Stripe Sync".to_owned()
    }

    /// 10,000: rows of twenty short cells fill a request then.
    fn default_batch_size() -> NonZeroUsize {
        NonZeroUsize::new(10_000).unwrap_or(NonZeroUsize::MIN)
    }

    fn default_requests() -> NonZeroUsize {
        NonZeroUsize::new(A_MINUTE).unwrap_or(NonZeroUsize::MIN)
    }

    fn default_sheets_url() -> String {
        "https://sheets.googleapis.com".to_owned()
    }

    fn default_drive_url() -> String {
        "https://www.googleapis.com".to_owned()
    }

    fn default_token_url() -> String {
        "https://oauth2.googleapis.com/token".to_owned()
    }

    /// The spreadsheet, where one is named.
    pub fn spreadsheet(&self) -> Option<&str> {
        self.spreadsheet_id.as_deref().filter(|id| !id.is_empty())
    }

    /// Requests are dear and rows may wait: batches are large, and streams share requests.
    pub fn limits(&self) -> BatchLimits {
        BatchLimits {
            rows: self.batch_size.get(),
            bytes: 4 << 20,
            age: Duration::from_secs(3),
            writers: 16,
            total_bytes: 16 << 20,
        }
    }
}

/// What the surroundings say; a connector does not look for itself.
#[derive(Debug, Clone)]
pub struct SheetsOptions {
    /// `GOOGLE_CLIENT_ID`.
    pub client_id: Option<String>,
    /// `GOOGLE_CLIENT_SECRET`.
    pub client_secret: Option<SecretString>,
    /// Where Application Default Credentials may lie, the first that exists counts: `GOOGLE_APPLICATION_CREDENTIALS`, or
    /// else what `gcloud auth application-default login` writes.
    pub credential_files: Vec<String>,
    /// Where Google's machines ask for a token, without a slash at the end.
    pub metadata_url: String,
    /// How long Google's minute is; shorter only where a test's clock is.
    pub minute: Duration,
}

impl Default for SheetsOptions {
    fn default() -> SheetsOptions {
        SheetsOptions {
            client_id: None,
            client_secret: None,
            credential_files: Vec::new(),
            metadata_url: "http://metadata.google.internal".to_owned(),
            minute: Duration::from_secs(60),
        }
    }
}

impl SheetsOptions {
    /// What environment variables say.
    pub fn from_variables<'v>(variable: impl Fn(&str) -> Option<&'v str>) -> SheetsOptions {
        let own = variable("GOOGLE_APPLICATION_CREDENTIALS").map(str::to_owned);
        let home = variable("HOME");
        let gcloud = home.map(|home| format!("{home}/.config/gcloud/application_default_credentials.json"));
        let mut options = SheetsOptions {
            client_id: variable("GOOGLE_CLIENT_ID").map(str::to_owned),
            client_secret: variable("GOOGLE_CLIENT_SECRET").map(SecretString::from),
            credential_files: own.into_iter().chain(gcloud).collect(),
            ..SheetsOptions::default()
        };
        if let Some(host) = variable("GCE_METADATA_HOST") {
            options.metadata_url = format!("http://{host}");
        }
        options
    }
}
