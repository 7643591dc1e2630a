//! Who we are to Google: which credentials are used. Reads files of keys; asks no one.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::config::SheetsConfig;
use crate::error::SheetsError;
use crate::jwt::ServiceAccountKey;
use crate::options::SheetsOptions;

/// How tokens are got.
#[derive(Debug)]
pub(crate) enum Credentials {
    /// By a refresh token.
    Refresh {
        /// The OAuth client.
        client_id: String,
        /// Its secret.
        client_secret: SecretString,
        /// The token.
        refresh_token: SecretString,
        /// Where it is exchanged.
        token_url: String,
    },
    /// By the key of a service account.
    ServiceAccount(ServiceAccountKey),
    /// From the machine, which is one of Google's.
    Machine(String),
    /// There is one token only.
    Token(SecretString),
}

impl Credentials {
    /// What the configuration says; where it says nothing, Application Default Credentials.
    pub(crate) fn find(config: &SheetsConfig, options: &SheetsOptions) -> Result<Credentials, SheetsError> {
        if let Some(key) = &config.service_account_key {
            return service_account(key.expose_secret(), "service_account_key");
        }
        if let Some(path) = &config.service_account_file {
            return service_account(&read(path)?, &path.display().to_string());
        }
        if config.refresh_token.is_none()
            && let Some(token) = &config.access_token
        {
            return Ok(Credentials::Token(token.clone()));
        }
        if let Some(token) = config.refresh_token.as_ref().or(options.refresh_token.as_ref()) {
            let missing = |field: &str, variable: &str| {
                SheetsError::Config(format!("{field} required (provide in config or set {variable})"))
            };
            let id = config.client_id.clone().or_else(|| options.client_id.clone());
            let secret = config.client_secret.clone().or_else(|| options.client_secret.clone());
            return Ok(Credentials::Refresh {
                client_id: id.ok_or_else(|| missing("client_id", "GOOGLE_CLIENT_ID"))?,
                client_secret: secret.ok_or_else(|| missing("client_secret", "GOOGLE_CLIENT_SECRET"))?,
                refresh_token: token.clone(),
                token_url: config.token_url.clone(),
            });
        }
        if let Some(path) = options.credential_files.iter().find(|path| path.exists()) {
            return default_credentials(&read(path)?, path, &config.token_url);
        }
        options.metadata_url.clone().map(Credentials::Machine).ok_or_else(|| {
            SheetsError::Config(
                "there are no credentials for Google. Give `service_account_file`, or `refresh_token` with `client_id` and \
                 `client_secret`, or run `gcloud auth application-default login`"
                    .to_owned(),
            )
        })
    }

    /// As it stands in a sentence: with whom a spreadsheet has to be shared.
    pub(crate) fn who(&self) -> String {
        match self {
            Credentials::ServiceAccount(key) => key.client_email.clone(),
            Credentials::Machine(_) => "the service account of this machine".to_owned(),
            Credentials::Refresh { .. } | Credentials::Token(_) => {
                "the Google account that signed in".to_owned()
            }
        }
    }
}

fn read(path: &Path) -> Result<String, SheetsError> {
    std::fs::read_to_string(path).map_err(|error| {
        SheetsError::Config(format!(
            "the file of Google credentials {} cannot be read: {error}",
            path.display()
        ))
    })
}

fn service_account(text: &str, place: &str) -> Result<Credentials, SheetsError> {
    let key = ServiceAccountKey::parse(text);
    key.map(Credentials::ServiceAccount).map_err(|problem| SheetsError::Config(format!("{place}: {problem}")))
}

fn default_credentials(text: &str, path: &Path, token_url: &str) -> Result<Credentials, SheetsError> {
    let place = path.display().to_string();
    let value: Value = serde_json::from_str(text).map_err(|error| {
        SheetsError::Config(format!("the file of Google credentials {place} is not JSON: {error}"))
    })?;
    if value["type"] != "authorized_user" {
        return service_account(text, &place);
    }
    let member = |name: &str| {
        value[name].as_str().map(str::to_owned).ok_or_else(|| {
            SheetsError::Config(format!(
                "the file of Google credentials {place} has no `{name}`; sign in again"
            ))
        })
    };
    Ok(Credentials::Refresh {
        client_id: member("client_id")?,
        client_secret: member("client_secret")?.into(),
        refresh_token: member("refresh_token")?.into(),
        token_url: token_url.to_owned(),
    })
}
