//! The simulated account: which objects exist and what they hold.
//!
//! Objects that nobody touched are not stored: each is a pure function of the seed, its table and its
//! ordinal. Only changes are kept.

mod change;
mod children;
mod kin;
mod layout;
mod object;
mod settings;
mod table;

use std::collections::HashMap;
use std::sync::Arc;

use stripe_openapi::{Catalog, ListStyle, Resource};

pub use change::Mutation;
pub(crate) use change::Withdrawn;
pub(crate) use children::Family;
pub(crate) use kin::Parent;
pub(crate) use object::{Nesting, View};
pub use settings::{AccountFacts, WorldSettings};
pub(crate) use table::{ADDED, Position, Table};

use crate::SimulatorError;
use crate::chance::seed_of;
use crate::events::Generation;
use crate::identity::{Identity, form};
use crate::timeline::Timeline;

/// A simulated Stripe account at one API version.
#[derive(Debug)]
pub struct World {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) settings: WorldSettings,
    pub(crate) tables: Vec<Table>,
    pub(crate) families: Vec<Family>,
    names: HashMap<String, usize>,
}

impl World {
    /// Builds the world that `settings` describe. The work does not depend on the number of objects, and what
    /// the objects of a table look like is worked out when the first of them is looked at.
    pub fn new(catalog: Arc<Catalog>, settings: WorldSettings) -> Result<Self, SimulatorError> {
        let names: HashMap<String, usize> =
            catalog.resources.iter().enumerate().map(|(index, r)| (r.table.clone(), index)).collect();
        check(&catalog, settings.counts.keys().chain(settings.distributions.keys()))?;
        let tables = catalog.resources.iter().map(|resource| new_table(resource, &settings)).collect();
        let mut world = Self { families: Vec::new(), tables, names, settings, catalog };
        world.relate();
        Ok(world)
    }

    /// The API version whose shapes the objects have.
    pub fn api_version(&self) -> &str {
        &self.catalog.api_version
    }

    /// Every table with the number of its objects, hidden ones included, in catalog order.
    pub fn counts(&self) -> Vec<(String, u64)> {
        (0..self.tables.len()).map(|index| (self.tables[index].name.clone(), self.count(index))).collect()
    }

    pub(crate) fn table_index(&self, table: &str) -> Result<usize, SimulatorError> {
        self.names.get(table).copied().ok_or_else(|| SimulatorError::UnknownTable {
            table: table.to_owned(),
            api_version: self.catalog.api_version.clone(),
        })
    }

    pub(crate) fn resource(&self, table: usize) -> &Resource {
        &self.catalog.resources[table]
    }
}

/// Fails unless each of `tables` can hold generated objects.
pub(crate) fn check<'a>(
    catalog: &Catalog,
    tables: impl Iterator<Item = &'a String>,
) -> Result<(), SimulatorError> {
    for table in tables {
        if Generation::of_table(table).is_some() {
            return Err(SimulatorError::Events { table: table.clone() });
        }
        let listable = catalog.resource(table).is_some_and(|resource| resource.list.is_some());
        if !listable {
            return Err(SimulatorError::UnknownTable {
                table: table.clone(),
                api_version: catalog.api_version.clone(),
            });
        }
    }
    Ok(())
}

fn new_table(resource: &Resource, settings: &WorldSettings) -> Table {
    let name = &resource.table;
    let seed = seed_of(settings.seed, name);
    let count = settings.counts.get(name).copied().unwrap_or(0);
    let (prefix, style) = form(name);
    let v2 = resource
        .list
        .iter()
        .chain(resource.child_lists.iter().map(|child| &child.list))
        .any(|list| list.style == ListStyle::V2);
    let distribution = settings.distributions.get(name).copied().unwrap_or(settings.distribution);
    let account = settings.account.fragment();
    Table::new(
        name.clone(),
        resource.resource_id.clone(),
        seed,
        v2,
        Identity { prefix, style, key: seed, account },
        Timeline { count, span: settings.span, distribution, seed },
    )
}
