//! What the destination can be told.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use protocol::BatchLimits;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Configuration of the Google Sheets destination.
///
/// Credentials are, in this order: `refresh_token`; `service_account_key` or `service_account_file`; `access_token`;
/// Application Default Credentials.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SheetsConfig {
    /// The OAuth client that the refresh token was given to. Default: the variable `GOOGLE_CLIENT_ID`.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Its secret. Default: the variable `GOOGLE_CLIENT_SECRET`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub client_secret: Option<SecretString>,
    /// A token that is used until it expires, where there is nothing to get new ones with.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub access_token: Option<SecretString>,
    /// A refresh token of OAuth 2. Default: the variable `GOOGLE_REFRESH_TOKEN`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub refresh_token: Option<SecretString>,
    /// The key of a service account: the content of its key file, as JSON or as a text.
    #[serde(default, deserialize_with = "key_text")]
    #[schemars(with = "Option<KeyText>")]
    pub service_account_key: Option<SecretString>,
    /// The path of the key file of a service account.
    #[serde(default)]
    pub service_account_file: Option<PathBuf>,
    /// The spreadsheet: its id or its address. Without it one is made.
    #[serde(default, deserialize_with = "spreadsheet_id")]
    pub spreadsheet_id: Option<String>,
    /// The name of a spreadsheet that is made.
    #[serde(default = "SheetsConfig::default_title")]
    pub spreadsheet_title: String,
    /// Most rows of a stream that are handed over at once.
    #[serde(default = "SheetsConfig::default_batch_size")]
    pub batch_size: NonZeroUsize,
    /// Google's quota: requests a minute of each kind, reads and writes.
    #[serde(default = "SheetsConfig::default_quota")]
    pub requests_per_minute: NonZeroU32,
    /// Where the Sheets API is.
    #[serde(default = "SheetsConfig::default_base_url")]
    pub base_url: String,
    /// Where the Drive API is, which removes a spreadsheet that was made.
    #[serde(default = "SheetsConfig::default_drive_url")]
    pub drive_url: String,
    /// Where a refresh token is exchanged for an access token.
    #[serde(default = "SheetsConfig::default_token_url")]
    pub token_url: String,
}

/// How a key may be written.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum KeyText {
    Text(String),
    Object(Map<String, Value>),
}

/// The id of a spreadsheet, out of its address where that was given.
fn spreadsheet_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let Some(given) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let given = given.trim();
    let id = match given.split_once("/spreadsheets/d/") {
        Some((_, rest)) => rest.split(['/', '?', '#']).next().unwrap_or_default(),
        None => given,
    };
    let may_be = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    if !id.chars().all(may_be) {
        return Err(serde::de::Error::custom(format!(
            "spreadsheet_id: `{given}` is neither the id of a Google spreadsheet nor its address, which is like \
             https://docs.google.com/spreadsheets/d/ID/edit"
        )));
    }
    Ok((!id.is_empty()).then(|| id.to_owned()))
}

fn key_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    match Option::<Value>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(SecretString::from(text))),
        Some(object @ Value::Object(_)) => Ok(Some(SecretString::from(object.to_string()))),
        Some(_) => {
            Err(serde::de::Error::custom("the key of a service account is a JSON object, or a text of it"))
        }
    }
}

impl SheetsConfig {
    fn default_title() -> String {
        "Stripe Sync".to_owned()
    }

    /// 5,000: a request of them is a few megabytes, and takes Google some seconds.
    fn default_batch_size() -> NonZeroUsize {
        NonZeroUsize::new(5000).unwrap_or(NonZeroUsize::MIN)
    }

    /// <https://developers.google.com/workspace/sheets/api/limits>: per user and minute.
    fn default_quota() -> NonZeroU32 {
        NonZeroU32::new(60).unwrap_or(NonZeroU32::MIN)
    }

    fn default_base_url() -> String {
        "https://sheets.googleapis.com".to_owned()
    }

    fn default_drive_url() -> String {
        "https://www.googleapis.com".to_owned()
    }

    fn default_token_url() -> String {
        "https://oauth2.googleapis.com/token".to_owned()
    }

    /// The id of the spreadsheet.
    pub(crate) fn id(&self) -> Option<&str> {
        self.spreadsheet_id.as_deref()
    }

    /// Requests are few, so batches are large and wait for company; those of many streams share a request.
    pub(crate) fn limits(&self) -> BatchLimits {
        BatchLimits {
            rows: self.batch_size.get(),
            bytes: 6 << 20,
            age: Duration::from_secs(2),
            writers: 64,
            total_bytes: 24 << 20,
        }
    }

    /// The configuration as JSON with the id of the spreadsheet that was made, to be kept instead of this one.
    pub(crate) fn with_id(&self, id: &str) -> Map<String, Value> {
        let mut config = Map::new();
        let mut set = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                config.insert(name.to_owned(), Value::from(value));
            }
        };
        let secret =
            |secret: &'_ Option<SecretString>| secret.as_ref().map(|text| text.expose_secret().to_owned());
        set("client_id", self.client_id.as_deref());
        set("client_secret", secret(&self.client_secret).as_deref());
        set("access_token", secret(&self.access_token).as_deref());
        set("refresh_token", secret(&self.refresh_token).as_deref());
        set("service_account_key", secret(&self.service_account_key).as_deref());
        set("service_account_file", self.service_account_file.as_ref().and_then(|path| path.to_str()));
        set("spreadsheet_id", Some(id));
        set("spreadsheet_title", Some(&self.spreadsheet_title));
        let defaults = [
            ("base_url", &self.base_url, SheetsConfig::default_base_url()),
            ("drive_url", &self.drive_url, SheetsConfig::default_drive_url()),
            ("token_url", &self.token_url, SheetsConfig::default_token_url()),
        ];
        for (name, value, default) in defaults {
            if *value != default {
                set(name, Some(value));
            }
        }
        config.insert("batch_size".to_owned(), Value::from(self.batch_size.get()));
        config.insert("requests_per_minute".to_owned(), Value::from(self.requests_per_minute.get()));
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_spreadsheet_is_named_by_its_id_or_its_address() {
        let read = |given: &str| serde_json::from_value::<SheetsConfig>(json!({"spreadsheet_id": given}));
        for given in ["1A_b-c", " 1A_b-c ", "https://docs.google.com/spreadsheets/d/1A_b-c/edit#gid=0"] {
            assert_eq!(read(given).unwrap().id(), Some("1A_b-c"));
        }
        assert_eq!(read("").unwrap().id(), None);
        let refused = read("https://example.com/foo").unwrap_err().to_string();
        assert!(
            refused.contains("`https://example.com/foo` is neither the id of a Google spreadsheet"),
            "{refused}"
        );
    }
}
