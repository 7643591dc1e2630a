//! The webhook endpoint that setup registers with Stripe and teardown removes.
//!
//! An endpoint is known again by its address and two entries of its metadata: `managed_by`, which says that a sync
//! made it, and `pipeline`, a fingerprint of its secret, which says which one. So a pipeline that knows its secret
//! neither takes over nor removes the endpoint of another one at the same address. Endpoints without the second
//! entry are adopted: other implementations of this sync make such.
//!
//! * [`plan`] decides what is to be done about the endpoints that there are: pure.
//! * [`requests`] is the edge.

mod plan;
mod requests;

use std::collections::BTreeSet;

use protocol::{ConnectorError, LogLevel};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::client::Client;
use plan::{Mark, Plan};
use requests::{Failed, Found};

/// The endpoint that is needed.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) url: &'a Url,
    /// At which events are to be rendered. It is part of an endpoint for good.
    pub(crate) api_version: &'a str,
    /// At least one.
    pub(crate) events: &'a BTreeSet<String>,
    /// Whether it is to be told of connected accounts, in place of the account itself.
    pub(crate) connect: bool,
}

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Registered {
    /// The secret of the endpoint, if it is new. Stripe tells it this once.
    pub(crate) secret: Option<SecretString>,
    /// What users should know.
    pub(crate) notes: Vec<(LogLevel, String)>,
}

impl Registered {
    fn note(&mut self, level: LogLevel, sentence: impl Into<String>) {
        self.notes.push((level, sentence.into()));
    }
}

/// Sees to it that Stripe posts the wanted events; `secret` is that of the endpoint, as far as it is known.
pub(crate) async fn register(
    client: &Client,
    wanted: &Wanted<'_>,
    secret: Option<&SecretString>,
) -> Result<Registered, ConnectorError> {
    let mark = secret.map(|secret| Mark::of(secret.expose_secret()));
    let found = requests::list(client).await.map_err(|failed| failed.explain(wanted.url))?;
    let mut done = Registered::default();
    let plan = plan::register(&found, wanted, mark.as_ref());
    tell_of_others(&mut done, wanted.url, &plan);
    match plan {
        Plan::Keep { endpoint, changes, .. } => {
            if changes.is_any() {
                let changed = requests::update(client, &endpoint.id, &changes).await;
                changed.map_err(|failed| failed.explain(wanted.url))?;
                let what = changes.describe();
                done.note(LogLevel::Info, format!("webhook endpoint {}: {what}", endpoint.id));
            }
        }
        Plan::Foreign { endpoint, .. } => done.note(
            LogLevel::Warn,
            format!(
                "webhook endpoint {} at {} was not registered by a sync, so it is used as it is: see to it that it is \
                 enabled, has API version {}, and is told of all events",
                endpoint.id, wanted.url, wanted.api_version
            ),
        ),
        Plan::Create { instead_of, .. } => create(client, wanted, &instead_of, &mut done).await?,
    }
    Ok(done)
}

fn tell_of_others(done: &mut Registered, url: &Url, plan: &Plan<'_>) {
    for other in plan.others() {
        done.note(
            LogLevel::Warn,
            format!(
                "webhook endpoint {} at {url} belongs to another pipeline, by its metadata, and is left alone. If there \
                 is no such pipeline any more, delete it in the Stripe dashboard (Developers, Webhooks)",
                other.id
            ),
        );
    }
}

/// Makes an endpoint, then removes those that it replaces: in this order no event is lost in between.
async fn create(
    client: &Client,
    wanted: &Wanted<'_>,
    instead_of: &[&Found],
    done: &mut Registered,
) -> Result<(), ConnectorError> {
    let mut replaced = instead_of;
    let made = match requests::create(client, wanted).await {
        // There is room for one more only when another one has gone.
        Err(Failed::TooMany(said)) => match replaced.split_first() {
            Some((first, rest)) => {
                requests::delete(client, &first.id).await.map_err(|failed| failed.explain(wanted.url))?;
                replaced = rest;
                requests::create(client, wanted).await
            }
            None => Err(Failed::TooMany(said)),
        },
        made => made,
    };
    let made = made.map_err(|failed| failed.explain(wanted.url))?;
    match instead_of.first() {
        Some(old) => done.note(
            LogLevel::Info,
            format!(
                "webhook endpoint {} at {} replaces {}, whose secret or API version was not the right one; Stripe tells \
                 a secret only once, and keeps the version of an endpoint",
                made.id, wanted.url, old.id
            ),
        ),
        None => done.note(LogLevel::Info, format!("registered webhook endpoint {} at {}", made.id, wanted.url)),
    }
    // From here on nothing may fail: the secret would be lost.
    for old in replaced {
        if let Err(failed) = requests::delete(client, &old.id).await {
            let problem = failed.explain(wanted.url);
            done.note(
                LogLevel::Warn,
                format!("webhook endpoint {} is replaced, but could not be deleted: {problem}", old.id),
            );
        }
    }
    if let Err(failed) = requests::mark(client, &made.id, &Mark::of(made.secret.expose_secret())).await {
        let problem = failed.explain(wanted.url);
        done.note(
            LogLevel::Warn,
            format!("webhook endpoint {} could not be marked as that of this pipeline: {problem}", made.id),
        );
    }
    done.secret = Some(made.secret);
    Ok(())
}

/// Removes the endpoint of the pipeline, if there is one; answers what users should know.
pub(crate) async fn remove(
    client: &Client,
    url: &Url,
    api_version: &str,
    secret: Option<&SecretString>,
) -> Result<Vec<String>, ConnectorError> {
    let mark = secret.map(|secret| Mark::of(secret.expose_secret()));
    let found = requests::list(client).await.map_err(|failed| failed.explain(url))?;
    let mut notes = Vec::new();
    for endpoint in plan::remove(&found, url, api_version, mark.as_ref()) {
        requests::delete(client, &endpoint.id).await.map_err(|failed| failed.explain(url))?;
        notes.push(format!("removed webhook endpoint {} at {url}", endpoint.id));
    }
    Ok(notes)
}
