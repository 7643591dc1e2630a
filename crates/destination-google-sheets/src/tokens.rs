//! Getting access tokens, and new ones in time.

use std::time::{Duration, Instant};

use protocol::{Timestamp, with_causes};
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::credentials::Credentials;
use crate::error::SheetsError;

/// How long before its end a token is no longer used.
const MARGIN: Duration = Duration::from_secs(60);
/// How often a token is asked for.
const ATTEMPTS: u32 = 5;

/// Access tokens of one caller.
pub(crate) struct Tokens {
    credentials: Credentials,
    current: Mutex<Option<(SecretString, Instant)>>,
    pause: Duration,
}

#[derive(Deserialize)]
struct Granted {
    access_token: SecretString,
    #[serde(default)]
    expires_in: u64,
}

#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

impl Tokens {
    /// `pause` is waited before the second request for a token, and doubles.
    pub(crate) fn new(credentials: Credentials, pause: Duration) -> Tokens {
        Tokens { credentials, current: Mutex::new(None), pause }
    }

    /// Who asks, as it stands in a sentence.
    pub(crate) fn who(&self) -> String {
        self.credentials.who()
    }

    /// A token that is good for a while. `stale` is one that Google no longer takes.
    pub(crate) async fn get(
        &self,
        http: &reqwest::Client,
        stale: Option<&str>,
    ) -> Result<SecretString, SheetsError> {
        if let Credentials::Token(token) = &self.credentials {
            return match stale {
                None => Ok(token.clone()),
                Some(_) => Err(SheetsError::Auth(
                    "Google no longer accepts the access token. Give a refresh token or the key of a service account, which \
                     do not expire"
                        .to_owned(),
                )),
            };
        }
        let mut current = self.current.lock().await;
        if let Some((token, until)) = &*current
            && Instant::now() < *until
            && stale != Some(token.expose_secret())
        {
            return Ok(token.clone());
        }
        let granted = self.ask(http).await?;
        let life = Duration::from_secs(granted.expires_in.max(120)).saturating_sub(MARGIN);
        *current = Some((granted.access_token.clone(), Instant::now() + life));
        Ok(granted.access_token)
    }

    async fn ask(&self, http: &reqwest::Client) -> Result<Granted, SheetsError> {
        let mut pause = self.pause;
        let mut attempt = 1;
        loop {
            let problem = match self.request(http)?.send().await {
                Ok(response) => {
                    let status = response.status();
                    let body = response.bytes().await.unwrap_or_default();
                    if status.is_success() {
                        return serde_json::from_slice(&body).map_err(|error| {
                            SheetsError::Auth(format!(
                                "Google's answer to the request for a token is not one: {error}"
                            ))
                        });
                    }
                    if !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS {
                        return Err(self.refused(status, serde_json::from_slice(&body).unwrap_or_default()));
                    }
                    format!("status {status}")
                }
                Err(error) => with_causes(&error.without_url()),
            };
            if attempt == ATTEMPTS {
                let what = "the request for an access token".to_owned();
                return Err(SheetsError::Unreachable { what, cause: problem });
            }
            tokio::time::sleep(pause).await;
            (attempt, pause) = (attempt + 1, pause * 2);
        }
    }

    fn request(&self, http: &reqwest::Client) -> Result<reqwest::RequestBuilder, SheetsError> {
        Ok(match &self.credentials {
            Credentials::Refresh { client_id, client_secret, refresh_token, token_url } => {
                http.post(token_url).form(&[
                    ("grant_type", "refresh_token"),
                    ("client_id", client_id),
                    ("client_secret", client_secret.expose_secret()),
                    ("refresh_token", refresh_token.expose_secret()),
                ])
            }
            Credentials::ServiceAccount(key) => {
                let assertion =
                    key.assertion(Timestamp::now().unix_seconds()).map_err(SheetsError::Config)?;
                let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
                http.post(&key.token_uri).form(&[("grant_type", grant), ("assertion", &assertion)])
            }
            Credentials::Machine(url) => http
                .get(format!("{url}/computeMetadata/v1/instance/service-accounts/default/token"))
                .query(&[("scopes", crate::jwt::SCOPE.replace(' ', ","))])
                .header("metadata-flavor", "Google"),
            Credentials::Token(_) => {
                return Err(SheetsError::Internal("a single token cannot be renewed".to_owned()));
            }
        })
    }

    fn refused(&self, status: StatusCode, refusal: Refusal) -> SheetsError {
        let Refusal { error, error_description: said } = refusal;
        let who = self.who();
        let text = match (error.as_str(), &self.credentials) {
            ("invalid_grant", Credentials::Refresh { .. }) => format!(
                "Google no longer accepts the refresh token: it was revoked or has expired ({said}). Sign in again and give the \
                 new `refresh_token`"
            ),
            ("invalid_grant", _) => format!(
                "Google does not accept the key of the service account {who} ({said}). Look whether the key was deleted and \
                 whether this machine's clock is right; else make a new key"
            ),
            ("invalid_client" | "unauthorized_client", _) => format!(
                "Google does not know the OAuth client ({said}). Check `client_id` and `client_secret`, and that the refresh token \
                 was given to this client"
            ),
            _ => format!("Google gives no access token to {who}: {error} {said} (status {status})"),
        };
        SheetsError::Auth(text)
    }
}
