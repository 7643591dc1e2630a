//! The simulated account: which objects exist and what they hold.
//!
//! Objects that nobody touched are not stored: each is a pure function of the seed, its table and its
//! ordinal. Only changes are kept.

mod change;
mod children;
mod kin;
mod object;
mod settings;
mod table;

use std::collections::HashMap;
use std::sync::Arc;

use stripe_openapi::knowledge::lists::is_nested_on_request;
use stripe_openapi::{Catalog, ListStyle, Resource};

pub use change::Mutation;
pub(crate) use children::Family;
pub(crate) use kin::Parent;
pub(crate) use object::{Nesting, View};
pub use settings::{AccountFacts, WorldSettings};
pub(crate) use table::{ADDED, Position, Table};

use crate::chance::seed_of;
use crate::content::{self, Setting};
use crate::events::Generation;
use crate::identity::{Identity, form};
use crate::template::{Compiler, Part, push_text};
use crate::timeline::Timeline;
use crate::{SimulatorError, lore};

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
    /// Builds the world that `settings` describe. The work does not depend on the number of objects.
    pub fn new(catalog: Arc<Catalog>, settings: WorldSettings) -> Result<Self, SimulatorError> {
        let names: HashMap<String, usize> =
            catalog.resources.iter().enumerate().map(|(index, r)| (r.table.clone(), index)).collect();
        for table in settings.counts.keys().chain(settings.distributions.keys()) {
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
        let tables = catalog.resources.iter().map(|resource| new_table(resource, &settings)).collect();
        let mut world = Self { families: Vec::new(), tables, names, settings, catalog };
        world.relate();
        for index in 0..world.tables.len() {
            world.compile(index);
        }
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

    /// Fills in the templates of a table.
    fn compile(&mut self, index: usize) {
        let catalog = Arc::clone(&self.catalog);
        let resource = &catalog.resources[index];
        let table = &self.tables[index];
        let owners: Vec<usize> = table.owners.iter().map(|family| self.families[*family].parent).collect();
        // A reference may name a table with objects, or the table of the object's own parent.
        let target = |name: &str| {
            let target = self.names.get(name).copied()?;
            let clocks_in_live_mode = name == "test_helpers_test_clock" && self.settings.livemode;
            let filled = self.tables[target].count > 0 && !clocks_in_live_mode;
            (filled || owners.contains(&target)).then_some(target)
        };
        let compiler = Compiler {
            seed: table.seed,
            livemode: self.settings.livemode,
            account: &self.settings.account.id,
            version: &catalog.api_version,
            target: &target,
        };
        let mut columns: Vec<(String, Vec<Part>)> = vec![("id".into(), Vec::new())];
        compiler.compile("id", "\"{{id}}\"", &mut columns[0].1);
        for column in &resource.columns {
            let referred = lore::reference_table(&resource.table, &column.name).unwrap_or(&column.name);
            let may_refer = column.expandable || column.column_type == stripe_openapi::ColumnType::Text;
            let setting = Setting {
                table: &resource.table,
                object: &resource.resource_id,
                values: filter_values(resource, &column.name),
                target: (may_refer && target(referred).is_some()).then_some(referred),
                null_percent: if column.nullable {
                    lore::null_share(&resource.table, &column.name)
                } else {
                    0
                },
            };
            let mut parts = Vec::new();
            compiler.compile(&column.name, &content::property(&setting, column), &mut parts);
            columns.push((column.name.clone(), parts));
        }
        for nested in &resource.nested_lists {
            let family = self.families.iter().position(|family| {
                family.parent == index && family.property.as_deref() == Some(nested.property.as_str())
            });
            if let Some(family) = family {
                columns.push((nested.property.clone(), vec![Part::Nested { family }]));
            }
        }
        columns.sort_by(|(a, _), (b, _)| (a != "id", a != "object", a).cmp(&(b != "id", b != "object", b)));
        columns.dedup_by(|(a, _), (b, _)| a == b);
        if self.settings.oddities {
            oddities(&compiler, &mut columns);
        }
        let table = &mut self.tables[index];
        table.set_columns(columns, |property| {
            is_nested_on_request(&resource.table, property, &catalog.api_version)
        });
    }
}

/// Makes metadata hold what is legal JSON and yet surprises: NUL, a lone escape, huge numbers.
fn oddities(compiler: &Compiler<'_>, columns: &mut [(String, Vec<Part>)]) {
    for (_, parts) in columns.iter_mut().filter(|(name, _)| name == "metadata") {
        parts.clear();
        compiler.compile("metadata", "{{pick@metadata:{}|{\"nul\":\"a\\u0000b\"}|{\"big\":\"18446744073709551616\",\"escaped\":\"\\u00fc\\/\\uD83D\\uDE00\"}|{\"number\":9007199254740993}}}", parts);
    }
}

fn filter_values<'a>(resource: &'a Resource, column: &str) -> &'a [String] {
    let lists = resource.list.iter().chain(resource.child_lists.iter().map(|child| &child.list));
    lists
        .flat_map(|list| &list.parameters)
        .find(|parameter| parameter.name == column && !parameter.values.is_empty())
        .map_or(&[], |parameter| &parameter.values)
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

/// Joins the JSON text of properties into one object template.
fn join<'a>(columns: impl Iterator<Item = &'a (String, Vec<Part>)>) -> Vec<Part> {
    let mut whole = Vec::new();
    for (index, (name, parts)) in columns.enumerate() {
        push_text(if index == 0 { "{" } else { "," }, &mut whole);
        push_text(&format!("\"{name}\":"), &mut whole);
        for part in parts {
            match part {
                Part::Text(text) => push_text(&String::from_utf8_lossy(text), &mut whole),
                other => whole.push(other.clone()),
            }
        }
    }
    push_text("}", &mut whole);
    whole
}
