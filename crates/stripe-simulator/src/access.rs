//! Who asks, for which account, and what they may.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use http::{HeaderMap, Method, header};
use serde::{Deserialize, Serialize};
use stripe_openapi::knowledge::permissions::{self, Access};

use crate::delivery::{endpoints, sessions};
use crate::refusal::Refusal;
use crate::routes::Endpoint;
use crate::state::State;
use crate::world::World;

/// How keys of organisations begin; they name an account with every request.
const ORGANISATION: &str = "sk_org_";

/// What a key may do: names as in Stripe's refusals, e.g. `rak_charge_read`. Whoever may write may read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permissions {
    /// Everything: a secret key.
    #[default]
    All,
    /// Nothing but these: a restricted key.
    Only(BTreeSet<String>),
    /// Everything can be read but what needs one of these; nothing can be written.
    ReadAllBut(BTreeSet<String>),
}

impl Permissions {
    /// Nothing but `names`.
    pub fn only<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Only(names.into_iter().map(str::to_owned).collect())
    }

    /// Everything can be read but what needs one of `names`.
    pub fn read_all_but<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        Self::ReadAllBut(names.into_iter().map(str::to_owned).collect())
    }

    /// Whether a request that needs the permission `needed` is let through.
    pub fn allows(&self, needed: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.iter().any(|held| permissions::includes(held, needed)),
            Self::ReadAllBut(names) => needed.ends_with("_read") && !names.contains(needed),
        }
    }
}

/// The keys that are accepted, the first of them first.
#[derive(Debug)]
pub(crate) struct Keyring(RwLock<Vec<(String, Permissions)>>);

impl Keyring {
    pub(crate) fn new(keys: Vec<(String, Permissions)>) -> Self {
        Self(RwLock::new(keys))
    }

    pub(crate) fn all(&self) -> Vec<(String, Permissions)> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn find(&self, key: &str) -> Option<Permissions> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().find(|(known, _)| known == key).map(|(_, permissions)| permissions.clone())
    }

    /// Adds a key, or changes what it may do.
    pub(crate) fn set(&self, key: &str, permissions: Permissions) {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match keys.iter_mut().find(|(known, _)| known == key) {
            Some((_, held)) => *held = permissions,
            None => keys.push((key.to_owned(), permissions)),
        }
    }

    /// False when there is no such key.
    pub(crate) fn remove(&self, key: &str) -> bool {
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = keys.len();
        keys.retain(|(known, _)| known != key);
        keys.len() < before
    }
}

/// Who asks, and in whose name.
#[derive(Debug)]
pub(crate) struct Caller {
    /// The account that the request is about.
    pub(crate) account: Arc<State>,
    pub(crate) key: String,
    permissions: Permissions,
}

impl Caller {
    /// Reads key and account of a request to `platform`.
    pub(crate) fn of(platform: &Arc<State>, headers: &HeaderMap) -> Result<Self, Refusal> {
        let key = bearer(headers).ok_or_else(Refusal::no_key)?;
        let permissions = platform.keys.find(key).ok_or_else(|| Refusal::wrong_key(key))?;
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?").trim());
        let context = text("stripe-context");
        if key.starts_with(ORGANISATION) {
            if context.is_none_or(str::is_empty) {
                return Err(Refusal::no_context());
            }
            if text("stripe-version").is_none() {
                return Err(Refusal::no_version());
            }
        }
        let named = context.or_else(|| text("stripe-account")).filter(|named| !named.is_empty());
        let account = match named {
            None => Arc::clone(platform),
            Some(named) => select(platform, named).ok_or_else(|| Refusal::no_account(key, last(named)))?,
        };
        Ok(Self { account, key: key.to_owned(), permissions })
    }

    /// Refuses what the key may not do.
    pub(crate) fn check(&self, needed: Option<&str>) -> Result<(), Refusal> {
        match needed.filter(|needed| !self.permissions.allows(needed)) {
            None => Ok(()),
            Some(needed) => Err(Refusal::forbidden(&self.key, &self.account.id, needed)),
        }
    }
}

/// The key of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(str::trim).filter(|key| !key.is_empty())
}

fn last(context: &str) -> &str {
    context.rsplit('/').next().unwrap_or(context)
}

/// The account at the end of a path such as `acct_platform/acct_connected`.
fn select(platform: &Arc<State>, context: &str) -> Option<Arc<State>> {
    let mut selected = None;
    for id in context.split('/') {
        selected = Some(if id == platform.id { Arc::clone(platform) } else { platform.connected(id)? });
    }
    selected
}

/// The permission that a request needs; `None` where there is nothing to ask for.
pub(crate) fn needed(
    world: &World,
    endpoint: Option<&Endpoint>,
    method: &Method,
    path: &str,
) -> Option<String> {
    if sessions::is_about(method, path) {
        return Some(permissions::CLI_SESSION.to_owned());
    }
    if endpoints::is_change(method, path) {
        return Some(permissions::needed(endpoints::TABLE, Access::Write));
    }
    let table = match endpoint.filter(|_| method == Method::GET)? {
        Endpoint::OwnAccount => return Some(permissions::OWN_ACCOUNT.to_owned()),
        Endpoint::List { table, .. }
        | Endpoint::Children { table, .. }
        | Endpoint::Retrieve { table, .. } => *table,
    };
    Some(permissions::needed(&world.tables[table].name, Access::Read))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_may_what_they_say() {
        let only = Permissions::only(["rak_charge_read", "rak_webhook_write"]);
        assert!(only.allows("rak_charge_read") && only.allows("rak_webhook_read"));
        assert!(!only.allows("rak_charge_write") && !only.allows("rak_dispute_read"));
        let most = Permissions::read_all_but(["rak_charge_read"]);
        assert!(most.allows("rak_dispute_read"));
        assert!(!most.allows("rak_charge_read") && !most.allows("rak_webhook_write"));
        assert!(Permissions::All.allows("rak_anything_write"));
    }
}
