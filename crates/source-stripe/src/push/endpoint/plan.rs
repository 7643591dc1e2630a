//! What is to be done about the endpoints that there are.

use std::collections::BTreeSet;
use std::fmt;

use protocol::counted;
use ring::digest;
use url::Url;

use super::Wanted;
use super::requests::Found;

/// The metadata by which a sync knows its endpoints, its own implementation or another.
pub(super) const MANAGED_BY: (&str, &str) = ("managed_by", "stripe-sync");

/// The metadata that says which pipeline an endpoint belongs to.
pub(super) const PIPELINE: &str = "pipeline";

/// What `pipeline` holds: a fingerprint of the endpoint's secret. It tells nothing about the secret, which is random.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark(String);

impl Mark {
    pub(super) fn of(secret: &str) -> Mark {
        Mark(hex::encode(&digest::digest(&digest::SHA256, secret.as_bytes()).as_ref()[..8]))
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What an endpoint lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) enable: bool,
    pub(super) events: Option<BTreeSet<String>>,
    pub(super) mark: Option<Mark>,
}

impl Changes {
    pub(super) fn is_any(&self) -> bool {
        *self != Changes::default()
    }

    pub(super) fn describe(&self) -> String {
        let mut words = Vec::new();
        if self.enable {
            words.push("enabled again".to_owned());
        }
        if let Some(events) = &self.events {
            words.push(format!(
                "asks for the {} of events that the selected streams need",
                counted(events.len(), "type")
            ));
        }
        if let Some(mark) = &self.mark {
            words.push(format!("adopted, marked as that of pipeline {mark}"));
        }
        words.join(", ")
    }
}

/// How to get what is wanted. `others` belong to other pipelines, at the same address.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan<'f> {
    /// This endpoint does, once changed.
    Keep { endpoint: &'f Found, changes: Changes, others: Vec<&'f Found> },
    /// The secret must be that of this one, which somebody made by hand and cares for.
    Foreign { endpoint: &'f Found, others: Vec<&'f Found> },
    /// A new one is needed, and these are not needed any more.
    Create { instead_of: Vec<&'f Found>, others: Vec<&'f Found> },
}

impl<'f> Plan<'f> {
    pub(super) fn others(&self) -> &[&'f Found] {
        match self {
            Plan::Keep { others, .. } | Plan::Foreign { others, .. } | Plan::Create { others, .. } => others,
        }
    }
}

/// Whether an endpoint belongs to the pipeline whose secret has `mark`.
///
/// Without its secret a pipeline is known by the API version alone. Two that share account, address and version, of
/// which one has lost its secret, cannot be told apart.
fn is_ours(endpoint: &Found, api_version: &str, mark: Option<&Mark>) -> bool {
    match (endpoint.mark(), mark) {
        (None, _) => true,
        (Some(theirs), Some(ours)) => theirs == ours.0,
        (Some(_), None) => endpoint.api_version.as_deref() == Some(api_version),
    }
}

/// Decides how to get the wanted endpoint, given all that there are.
pub(super) fn register<'f>(found: &'f [Found], wanted: &Wanted<'_>, mark: Option<&Mark>) -> Plan<'f> {
    let here = found.iter().filter(|endpoint| endpoint.is_at(wanted.url));
    let (managed, foreign): (Vec<_>, Vec<_>) = here.partition(|endpoint| endpoint.is_managed());
    let (ours, others): (Vec<_>, Vec<_>) =
        managed.into_iter().partition(|endpoint| is_ours(endpoint, wanted.api_version, mark));
    let Some(mark) = mark else {
        // A secret that nobody knows is of no use, and Stripe does not tell it again.
        return Plan::Create { instead_of: ours, others };
    };
    let fits = |endpoint: &&&Found| endpoint.api_version.as_deref() == Some(wanted.api_version);
    // Surely ours, else one that is working, else any.
    let best = |endpoint: &&&Found| (endpoint.mark().is_some(), endpoint.is_enabled());
    if let Some(endpoint) = ours.iter().filter(fits).max_by_key(best) {
        let events = endpoint.events != *wanted.events;
        let changes = Changes {
            enable: !endpoint.is_enabled(),
            events: events.then(|| wanted.events.clone()),
            mark: endpoint.mark().is_none().then(|| mark.clone()),
        };
        return Plan::Keep { endpoint, changes, others };
    }
    match (&ours[..], foreign.first()) {
        ([], Some(endpoint)) => Plan::Foreign { endpoint, others },
        _ => Plan::Create { instead_of: ours, others },
    }
}

/// The endpoints that go with the pipeline.
pub(super) fn remove<'f>(
    found: &'f [Found],
    url: &Url,
    api_version: &str,
    mark: Option<&Mark>,
) -> Vec<&'f Found> {
    let ours = |endpoint: &&Found| {
        endpoint.is_at(url) && endpoint.is_managed() && is_ours(endpoint, api_version, mark)
    };
    found.iter().filter(ours).collect()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
