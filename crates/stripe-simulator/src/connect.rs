//! The accounts that are connected to a platform: each a world of its own behind the same key.
//!
//! The rows of the platform's table `account` are the accounts; a row that is gone is an account to which the
//! platform has no access. A world is made when somebody first asks for it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stripe_openapi::Catalog;

use crate::SimulatorError;
use crate::chance::seed_of;
use crate::events::EventSettings;
use crate::throttle::Limits;
use crate::timeline::Span;
use crate::world::{self, AccountFacts, Withdrawn, World, WorldSettings};

/// The table whose rows are the accounts.
pub(crate) const TABLE: &str = "account";

/// Connected accounts alike.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// How many.
    pub(crate) count: u64,
    /// Objects per table in each of them.
    pub(crate) counts: BTreeMap<String, u64>,
}

/// How connected accounts are made.
#[derive(Debug, Clone)]
pub(crate) struct Blueprint {
    /// The versions at which they are served, the default one first.
    pub(crate) catalogs: Vec<Arc<Catalog>>,
    /// Of the platform: what is not decided by a group is alike.
    pub(crate) settings: WorldSettings,
    pub(crate) groups: Vec<Group>,
}

impl Blueprint {
    /// Fails where a group names a table that does not exist.
    pub(crate) fn check(&self) -> Result<(), SimulatorError> {
        let tables = self.groups.iter().flat_map(|group| group.counts.keys());
        world::check(&self.catalogs[0], tables)
    }

    /// How many accounts there are from the start.
    pub(crate) fn count(&self) -> u64 {
        self.groups.iter().map(|group| group.count).sum()
    }

    /// The worlds of the account `id`, created at `created`: one per version. `ordinal` is its row.
    pub(crate) fn worlds(&self, id: &str, ordinal: u64, created: i64) -> Result<Vec<World>, SimulatorError> {
        let mut first = 0;
        let group = self.groups.iter().find(|group| {
            first += group.count;
            ordinal < first
        });
        let end = self.settings.span.end;
        let settings = WorldSettings {
            seed: seed_of(self.settings.seed, id),
            account: AccountFacts { id: id.to_owned(), created },
            // An account that was made later than all else has nothing.
            counts: group.map(|group| group.counts.clone()).unwrap_or_default(),
            span: Span { start: created.min(end - 1).max(self.settings.span.start), end },
            ..self.settings.clone()
        };
        worlds(&self.catalogs, &settings)
    }
}

/// The world that `settings` describe at every version; tables that a further version lacks are left out there.
pub(crate) fn worlds(
    catalogs: &[Arc<Catalog>],
    settings: &WorldSettings,
) -> Result<Vec<World>, SimulatorError> {
    let at = |(index, catalog): (usize, &Arc<Catalog>)| {
        let mut settings = settings.clone();
        if index > 0 {
            let listable = |table: &String| catalog.resource(table).is_some_and(|found| found.list.is_some());
            settings.counts.retain(|table, _| listable(table));
            settings.distributions.retain(|table, _| listable(table));
        }
        World::new(Arc::clone(catalog), settings)
    };
    catalogs.iter().enumerate().map(at).collect()
}

/// What accounts that are not made yet are to have.
#[derive(Debug, Clone)]
pub(crate) struct Habits {
    pub(crate) events: EventSettings,
    pub(crate) limits: Limits,
}

/// The connected accounts of a platform.
#[derive(Debug)]
pub(crate) struct Connections<A> {
    pub(crate) blueprint: Blueprint,
    pub(crate) habits: Mutex<Habits>,
    open: Mutex<HashMap<String, Arc<A>>>,
    /// By version: what the rows of accounts were, to which access was revoked.
    revoked: Mutex<HashMap<String, Vec<Option<Withdrawn>>>>,
}

impl<A> Connections<A> {
    pub(crate) fn new(blueprint: Blueprint, habits: Habits) -> Self {
        Self { blueprint, habits: Mutex::new(habits), open: Mutex::default(), revoked: Mutex::default() }
    }

    pub(crate) fn habits(&self) -> MutexGuard<'_, Habits> {
        self.habits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn revoked(&self) -> MutexGuard<'_, HashMap<String, Vec<Option<Withdrawn>>>> {
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The accounts that were made so far.
    pub(crate) fn opened(&self) -> Vec<Arc<A>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The account `id`, if it was made already.
    pub(crate) fn made(&self, id: &str) -> Option<Arc<A>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// The account `id`, made by `make` when it is asked for first.
    pub(crate) fn open(&self, id: &str, make: impl FnOnce() -> Option<A>) -> Option<Arc<A>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = open.get(id) {
            return Some(Arc::clone(account));
        }
        let account = Arc::new(make()?);
        open.insert(id.to_owned(), Arc::clone(&account));
        Some(account)
    }
}
