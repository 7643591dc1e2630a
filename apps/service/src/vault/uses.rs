//! Which master keys are in use, without anything of the keys themselves.

use std::collections::BTreeMap;

use serde::Serialize;

use super::rotation::{Pages, RotationError};
use super::{MasterKey, Vault};
use crate::store::Db;

/// What a master key is to this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It seals, and opens what it sealed.
    Current,
    /// It opens what it sealed, until that is under the current one.
    Former,
    /// It is not known here: what it wraps cannot be opened.
    Unknown,
}

impl KeyState {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyState::Current => "current",
            KeyState::Former => "former",
            KeyState::Unknown => "unknown",
        }
    }
}

/// A master key, and what it is used for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyUse {
    /// By what it is known: the first eight bytes of the SHA-256 of the key, as 16 hex digits.
    pub id: String,
    /// What it is to this process.
    pub state: KeyState,
    /// How many pipelines' data keys it wraps.
    pub pipelines: u64,
}

/// The keys that this process knows, the current one first, then those that it does not know and that wrap something.
pub(crate) async fn uses(db: &Db, vault: &Vault) -> Result<Vec<KeyUse>, RotationError> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut pages = Pages::of(db);
    while let Some(page) = pages.next().await? {
        for (pipeline, data_key) in page {
            *counts.entry(vault.wrapped_by(&pipeline, &data_key)?).or_default() += 1;
        }
    }
    let mut used = |key: &MasterKey, state| {
        let id = hex::encode(key.id());
        let pipelines = counts.remove(&id).unwrap_or_default();
        KeyUse { id, state, pipelines }
    };
    let mut all: Vec<KeyUse> = vec![used(&vault.keys().current, KeyState::Current)];
    all.extend(vault.keys().former.iter().map(|key| used(key, KeyState::Former)));
    let unknown =
        counts.into_iter().map(|(id, pipelines)| KeyUse { id, state: KeyState::Unknown, pipelines });
    all.extend(unknown);
    Ok(all)
}
