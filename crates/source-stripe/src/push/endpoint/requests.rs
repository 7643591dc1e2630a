//! The edge: `/v1/webhook_endpoints`.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{ConnectorError, ErrorKind};
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::Wanted;
use super::plan::{Changes, MANAGED_BY, Mark, PIPELINE};
use crate::client::{Change, Client, Get, Received};
use crate::failure::{ApiError, RequestError};
use crate::page::Unexpected;
use crate::retry::BRIEF;

const PATH: &str = "/v1/webhook_endpoints";

/// An endpoint as Stripe tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Found {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) status: String,
    #[serde(default, rename = "enabled_events")]
    pub(super) events: BTreeSet<String>,
    /// `None`: the account's default.
    #[serde(default)]
    pub(super) api_version: Option<String>,
    #[serde(default)]
    pub(super) metadata: BTreeMap<String, String>,
}

impl Found {
    pub(super) fn is_at(&self, url: &Url) -> bool {
        Url::parse(&self.url).is_ok_and(|own| own == *url)
    }

    pub(super) fn is_managed(&self) -> bool {
        self.metadata.get(MANAGED_BY.0).map(String::as_str) == Some(MANAGED_BY.1)
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.status == "enabled"
    }

    pub(super) fn mark(&self) -> Option<&str> {
        self.metadata.get(PIPELINE).map(String::as_str)
    }
}

/// A new endpoint.
pub(super) struct Made {
    pub(super) id: String,
    pub(super) secret: SecretString,
}

/// Why a request about endpoints failed.
#[derive(Debug)]
pub(super) enum Failed {
    /// The account has as many endpoints as it may; Stripe's words.
    TooMany(String),
    Otherwise(RequestError),
}

impl From<RequestError> for Failed {
    fn from(error: RequestError) -> Failed {
        match &error {
            RequestError::Api(ApiError { message: Some(message), .. })
                if message.contains("maximum") && message.contains("webhook endpoints") =>
            {
                Failed::TooMany(message.clone())
            }
            _ => Failed::Otherwise(error),
        }
    }
}

impl Failed {
    /// What that means, for the user.
    pub(super) fn explain(self, url: &Url) -> ConnectorError {
        let error = match self {
            Failed::TooMany(said) => {
                return ConnectorError::new(
                    ErrorKind::Permanent,
                    format!(
                        "no webhook endpoint can be registered at {url}: Stripe allows 16 of an account. Delete one that \
                         is not used any more in the Stripe dashboard (Developers, Webhooks), or leave webhook_url away \
                         and set poll_events or websocket, which need none. Stripe says: {said}"
                    ),
                );
            }
            Failed::Otherwise(error) => error,
        };
        match &error {
            RequestError::Api(api) if matches!(api.status, 401 | 403) => ConnectorError::new(
                ErrorKind::Auth,
                format!(
                    "the API key may not manage webhook endpoints: grant it write access to them (Webhook Endpoints), or \
                     register one for {url} in the Stripe dashboard, set webhook_secret to its signing secret, and leave \
                     webhook_url away. Stripe says: {error}"
                ),
            ),
            RequestError::Api(api) if api.param.as_deref() == Some("url") => ConnectorError::config(format!(
                "Stripe does not take webhook_url {url}: it has to reach it from the internet, and by https in live \
                 mode. Stripe says: {error}"
            )),
            RequestError::Api(api) if api.status == 429 => {
                ConnectorError::new(ErrorKind::RateLimited, error.to_string())
            }
            RequestError::Api(api) if api.status < 500 => {
                ConnectorError::new(ErrorKind::Permanent, error.to_string())
            }
            _ => ConnectorError::new(ErrorKind::Transient, error.to_string()),
        }
    }
}

/// All endpoints of the account.
pub(super) async fn list(client: &Client) -> Result<Vec<Found>, Failed> {
    #[derive(Deserialize)]
    struct Page {
        data: Vec<Found>,
        has_more: bool,
    }
    let read = |received: &Received| {
        serde_json::from_slice::<Page>(&received.body)
            .map_err(|error| Unexpected(format!("the body is not a list of webhook endpoints: {error}")))
    };
    let mut found: Vec<Found> = Vec::new();
    loop {
        let mut query = vec![("limit".to_owned(), "100".to_owned())];
        if let Some(last) = found.last() {
            query.push(("starting_after".to_owned(), last.id.clone()));
        }
        let page = client.fetch(&Get { path: PATH.into(), query }, None, BRIEF, read).await?;
        let more = page.has_more && !page.data.is_empty();
        found.extend(page.data);
        if !more {
            return Ok(found);
        }
    }
}

/// Makes an endpoint. Where Stripe does not take the list of events, it is told of all.
pub(super) async fn create(client: &Client, wanted: &Wanted<'_>) -> Result<Made, Failed> {
    let form = |events: Vec<(String, String)>| {
        let mut form = vec![
            ("url".to_owned(), wanted.url.to_string()),
            ("api_version".to_owned(), wanted.api_version.to_owned()),
            ("description".to_owned(), "Keeps a copy of this account current (sync-engine)".to_owned()),
            (format!("metadata[{}]", MANAGED_BY.0), MANAGED_BY.1.to_owned()),
        ];
        if wanted.connect {
            form.push(("connect".to_owned(), "true".to_owned()));
        }
        form.extend(events);
        form
    };
    let read = |received: &Received| {
        #[derive(Deserialize)]
        struct Answer {
            id: String,
            secret: SecretString,
        }
        serde_json::from_slice::<Answer>(&received.body)
            .map(|answer| Made { id: answer.id, secret: answer.secret })
            .map_err(|error| Unexpected(format!("the body is not a new webhook endpoint: {error}")))
    };
    match client.change(&Change::post(PATH, form(listed(wanted.events))), BRIEF, read).await {
        Err(error) if refuses_events(&error) => {
            tracing::warn!(%error, "Stripe does not take the list of events; asking for all");
            Ok(client.change(&Change::post(PATH, form(all())), BRIEF, read).await?)
        }
        made => Ok(made?),
    }
}

/// Changes an endpoint. Where Stripe does not take the list of events, it is told of all.
pub(super) async fn update(client: &Client, id: &str, changes: &Changes) -> Result<(), Failed> {
    let form = |events: Vec<(String, String)>| {
        let mut form = events;
        if changes.enable {
            form.push(("disabled".to_owned(), "false".to_owned()));
        }
        if let Some(mark) = &changes.mark {
            form.push((format!("metadata[{PIPELINE}]"), mark.to_string()));
        }
        form
    };
    let events = changes.events.as_ref().map(listed).unwrap_or_default();
    match client.change(&Change::post_to(PATH, id, form(events)), BRIEF, done).await {
        Err(error) if refuses_events(&error) => {
            tracing::warn!(%error, "Stripe does not take the list of events; asking for all");
            Ok(client.change(&Change::post_to(PATH, id, form(all())), BRIEF, done).await?)
        }
        changed => Ok(changed?),
    }
}

/// Marks an endpoint as that of a pipeline.
pub(super) async fn mark(client: &Client, id: &str, mark: &Mark) -> Result<(), Failed> {
    update(client, id, &Changes { mark: Some(mark.clone()), ..Changes::default() }).await
}

/// Deletes an endpoint; one that has gone already is as good.
pub(super) async fn delete(client: &Client, id: &str) -> Result<(), Failed> {
    match client.change(&Change::delete(PATH, id), BRIEF, done).await {
        Err(error) if error.status() == Some(404) => Ok(()),
        deleted => Ok(deleted?),
    }
}

fn listed(events: &BTreeSet<String>) -> Vec<(String, String)> {
    events.iter().map(|event| ("enabled_events[]".to_owned(), event.clone())).collect()
}

fn all() -> Vec<(String, String)> {
    vec![("enabled_events[]".to_owned(), "*".to_owned())]
}

fn refuses_events(error: &RequestError) -> bool {
    let RequestError::Api(error) = error else { return false };
    error.status == 400 && error.param.as_deref().is_some_and(|param| param.starts_with("enabled_events"))
}

fn done(received: &Received) -> Result<(), Unexpected> {
    serde_json::from_slice::<serde::de::IgnoredAny>(&received.body)
        .map(|_| ())
        .map_err(|error| Unexpected(format!("the body is no JSON: {error}")))
}
