//! Parents and the lists of their children.

use stripe_openapi::knowledge::children::{Origin, origins};

use super::World;
use super::table::ADDED;
use crate::chance::{below, draw, mix, percent, seed_of};
use crate::kinship::Kinship;
use crate::template::Reference;

const SLOT_BITS: u32 = 3;
const PLACE_BITS: u32 = 8;
/// Items which a parent with a long list is generated with, and of a few parents.
const LONG: std::ops::RangeInclusive<u64> = 11..=25;
const VERY_LONG: std::ops::RangeInclusive<u64> = 111..=250;
/// Of a hundred long lists, how many are very long.
const VERY_LONG_PERCENT: u64 = 10;

/// The children that the objects of one table have in another.
#[derive(Debug, Clone)]
pub(crate) struct Family {
    pub(crate) parent: usize,
    pub(crate) child: usize,
    /// The parent's property that holds the first children, if one does.
    pub(crate) property: Option<String>,
    /// The list's URL around the parent's id.
    pub(crate) url: (String, String),
    pub(crate) tie: Tie,
    /// Decides how many children a parent is generated with; equal in all API versions.
    seed: u64,
}

/// What binds children to parents.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tie {
    /// The children exist only under their parent; the number tells families of the table apart.
    Owned { slot: u64 },
    /// The children are objects of their own which name the parent in the column called so.
    Linked,
    /// Nothing says who belongs to whom: the list is empty.
    Unknown,
}

/// Whether a table is known to be filled from this list.
fn is_stream(child: &str, parent: &str, url: &(String, String)) -> bool {
    origins(child).filter(|stream| stream.parent == parent).any(|stream| match stream.origin {
        Origin::Nested(_) => false,
        Origin::List(path) => {
            path.ends_with(&url.1) && path.starts_with(url.0.split('?').next().unwrap_or(""))
        }
    })
}

/// Where an owned child belongs.
pub(crate) struct Place {
    pub(crate) family: usize,
    pub(crate) parent: u64,
    pub(crate) index: u64,
}

impl World {
    /// Finds all families from nested lists and child lists.
    pub(super) fn relate(&mut self) {
        let catalog = std::sync::Arc::clone(&self.catalog);
        for (child, resource) in catalog.resources.iter().enumerate() {
            for list in &resource.child_lists {
                let Some(parent) = list.parent_table.as_ref().and_then(|name| self.names.get(name)).copied()
                else {
                    continue;
                };
                let url = if list.parent_in_path() {
                    let hole = format!("{{{}}}", list.parent_parameter);
                    match list.list.path.split_once(&hole) {
                        // Paths with further holes lead to grandchildren, which no object lists.
                        Some((before, after)) if !before.contains('{') && !after.contains('{') => {
                            (before.to_owned(), after.to_owned())
                        }
                        _ => continue,
                    }
                } else {
                    (format!("{}?{}=", list.list.path, list.parent_parameter), String::new())
                };
                let property = catalog.resources[parent].nested_lists.iter().find(|nested| {
                    let in_path = url.1.strip_prefix('/') == Some(nested.property.as_str());
                    let same_items = nested.item_table.as_deref() == Some(resource.table.as_str());
                    same_items && (in_path || !list.parent_in_path())
                });
                self.add_family(parent, child, property.map(|nested| nested.property.clone()), url);
            }
        }
        for (parent, resource) in catalog.resources.iter().enumerate() {
            for nested in &resource.nested_lists {
                let Some(child) = nested.item_table.as_ref().and_then(|name| self.names.get(name)).copied()
                else {
                    continue;
                };
                let known = self
                    .families
                    .iter()
                    .any(|f| f.parent == parent && f.property.as_deref() == Some(nested.property.as_str()));
                if known {
                    continue;
                }
                let base = resource
                    .list
                    .as_ref()
                    .map_or_else(|| format!("/v1/{}s", resource.table), |list| list.path.clone());
                let filter =
                    catalog.resources[child].list.as_ref().filter(|list| list.takes(&resource.table));
                let url = match filter {
                    Some(list) => (format!("{}?{}=", list.path, resource.table), String::new()),
                    None => (format!("{base}/"), format!("/{}", nested.property)),
                };
                self.add_family(parent, child, Some(nested.property.clone()), url);
            }
        }
    }

    fn add_family(&mut self, parent: usize, child: usize, property: Option<String>, url: (String, String)) {
        let own_list = self.catalog.resources[child].list.is_some();
        let parent_name = &self.catalog.resources[parent].table;
        let names_parent = self.catalog.resources[child].columns.iter().any(|c| c.name == *parent_name);
        let slot = self.tables[child].owners.len() as u64;
        let tie = match own_list {
            true if names_parent => Tie::Linked,
            true => Tie::Unknown,
            false if slot < 1 << SLOT_BITS => {
                self.tables[child].owners.push(self.families.len());
                Tie::Owned { slot }
            }
            false => Tie::Unknown,
        };
        let name = format!("{parent_name}/{}", property.as_deref().unwrap_or(&url.1));
        let seed = seed_of(self.tables[child].seed, &name);
        self.families.push(Family { parent, child, property, url, tie, seed });
    }

    /// The children of `parent` in `family`, in the order of their list.
    pub(crate) fn children(&self, family: usize, parent: u64) -> Vec<u64> {
        let kin = &self.families[family];
        let child = &self.tables[kin.child];
        match kin.tie {
            Tie::Unknown => Vec::new(),
            Tie::Owned { slot } => {
                let generated = (0..self.generated_children(family, parent))
                    .map(|index| parent << (PLACE_BITS + SLOT_BITS) | index << SLOT_BITS | slot);
                let added = child.added_children.get(&(family, parent)).into_iter().flatten().copied();
                generated.chain(added).filter(|ordinal| !child.is_deleted(*ordinal)).collect()
            }
            Tie::Linked => {
                let Some(column) = self.layout(kin.child).column(&self.tables[kin.parent].name) else {
                    return Vec::new();
                };
                let mut found = self.linked(kin.child, column, parent, &self.tables[kin.parent].id(parent));
                found.sort_by_key(|ordinal| std::cmp::Reverse((self.created(kin.child, *ordinal), *ordinal)));
                found
            }
        }
    }

    /// Living objects of `table` whose reference in `column` is the object `target` called `id`.
    pub(crate) fn linked(&self, table: usize, column: usize, target: u64, id: &str) -> Vec<u64> {
        let child = &self.tables[table];
        let mut found = Vec::new();
        if let Some(reference) = self.layout(table).reference(column) {
            let kinship = self.kinship(table, reference);
            found.extend(kinship.candidates(target).filter(|ordinal| {
                kinship.parent(*ordinal) == Some(target)
                    && !reference.is_null(*ordinal)
                    && !child.changes.contains_key(ordinal)
            }));
        }
        found.extend(child.changed_links.get(&(column, id.to_owned())).into_iter().flatten());
        found
    }

    pub(crate) fn kinship(&self, table: usize, reference: &Reference) -> Kinship {
        Kinship {
            parents: self.tables[reference.target].count,
            children: self.tables[table].count,
            seed: reference.seed,
        }
    }

    /// How many children `parent` was generated with.
    pub(crate) fn generated_children(&self, family: usize, parent: u64) -> u64 {
        let kin = &self.families[family];
        if parent >= ADDED {
            return 0;
        }
        let drawn = draw(kin.seed, parent, 0);
        let length = draw(drawn, parent, 7);
        let few = match (&kin.property, self.tables[kin.child].name.as_str()) {
            (_, "line_item" | "subscription_item" | "checkout_session_line_item") => 1 + below(length, 3),
            (_, "capability") => return 2,
            (Some(_), _) => below(length, 3),
            // A list that nothing but itself tells of: only where its rows are part of the account.
            (None, table) if !is_stream(table, &self.tables[kin.parent].name, &kin.url) => return 0,
            (None, _) => below(length, 12) / 9,
        };
        match kin.property {
            Some(_) if percent(drawn, u64::from(self.settings.long_lists_percent)) => {
                let range = if percent(mix(drawn), VERY_LONG_PERCENT) { VERY_LONG } else { LONG };
                range.start() + below(length, range.end() - range.start() + 1)
            }
            _ => few,
        }
    }

    /// The place of a generated child of a table without a list of its own.
    pub(crate) fn place(&self, table: usize, ordinal: u64) -> Option<Place> {
        if ordinal >= ADDED {
            return None;
        }
        let slot = ordinal & ((1 << SLOT_BITS) - 1);
        Some(Place {
            family: self.tables[table].owners.get(slot as usize).copied()?,
            parent: ordinal >> (PLACE_BITS + SLOT_BITS),
            index: ordinal >> SLOT_BITS & ((1 << PLACE_BITS) - 1),
        })
    }
}
