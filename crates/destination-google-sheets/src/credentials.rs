//! Who we are to Google: which credentials are used. Reads files of keys; asks no one.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::{Host, Url};

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
            if config.refresh_token.is_none() || config.client_secret.is_none() {
                only_to_google(config)?;
            }
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
            only_to_google(config)?;
            return default_credentials(&read(path)?, path, &config.token_url);
        }
        if let Some(url) = &options.metadata_url {
            only_to_google(config)?;
            return Ok(Credentials::Machine(url.clone()));
        }
        Err(SheetsError::Config(
            "there are no credentials for Google. Give `service_account_file`, or `refresh_token` with `client_id` and \
             `client_secret`, or run `gcloud auth application-default login`"
                .to_owned(),
        ))
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

/// What this process was started with goes to Google, or to this machine: whoever may only send configurations must not
/// be able to have it sent elsewhere.
fn only_to_google(config: &SheetsConfig) -> Result<(), SheetsError> {
    let urls =
        [("base_url", &config.base_url), ("drive_url", &config.drive_url), ("token_url", &config.token_url)];
    match urls.into_iter().find(|(_, url)| !is_google(url)) {
        None => Ok(()),
        Some((field, url)) => Err(SheetsError::Config(format!(
            "the credentials of this process are sent to Google only, and `{field}` is {url}: put credentials for it into the \
             configuration"
        ))),
    }
}

fn is_google(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    match url.host() {
        Some(Host::Domain(name)) => {
            name == "localhost" || (url.scheme() == "https" && name.ends_with(".googleapis.com"))
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(config: Value, options: &SheetsOptions) -> Result<Credentials, String> {
        let config: SheetsConfig = serde_json::from_value(config).unwrap();
        Credentials::find(&config, options).map_err(|error| error.to_string())
    }

    fn of_the_environment() -> SheetsOptions {
        SheetsOptions {
            client_id: Some("id".to_owned()),
            client_secret: Some("secret".into()),
            refresh_token: Some("token".into()),
            ..SheetsOptions::default()
        }
    }

    #[test]
    fn what_the_process_was_started_with_goes_to_google_only() {
        let options = of_the_environment();
        assert!(matches!(found(json!({}), &options), Ok(Credentials::Refresh { .. })));
        assert!(found(json!({"token_url": "http://127.0.0.1:9/token"}), &options).is_ok());
        for url in [
            "https://example.com/token",
            "http://oauth2.googleapis.com/token",
            "https://googleapis.com.example.com",
        ] {
            for field in ["base_url", "drive_url", "token_url"] {
                let refused = found(json!({field: url}), &options).unwrap_err();
                assert!(refused.contains(&format!("`{field}` is {url}")), "{refused}");
                let half = json!({field: url, "refresh_token": "own"});
                assert!(found(half, &options).unwrap_err().contains("sent to Google only"));
            }
        }
        let own = json!({"token_url": "https://example.com", "refresh_token": "own", "client_id": "own", "client_secret": "own"});
        assert!(found(own, &options).is_ok());
    }

    #[test]
    fn files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials.json");
        let options = SheetsOptions {
            credential_files: vec![folder.path().join("missing.json"), path.clone()],
            ..SheetsOptions::default()
        };
        assert!(found(json!({}), &options).unwrap_err().contains("there are no credentials"));
        let signed_in =
            json!({"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r"});
        std::fs::write(&path, signed_in.to_string()).unwrap();
        assert!(matches!(
            found(json!({}), &options),
            Ok(Credentials::Refresh { client_id, .. }) if client_id == "i"
        ));
        assert!(found(json!({"base_url": "https://example.com"}), &options).is_err());
        std::fs::write(&path, r#"{"type": "authorized_user", "client_id": "i"}"#).unwrap();
        assert!(found(json!({}), &options).unwrap_err().contains("has no `client_secret`; sign in again"));
        let named = json!({"service_account_file": folder.path().join("missing.json")});
        assert!(found(named, &options).unwrap_err().contains("cannot be read"));
    }
}
