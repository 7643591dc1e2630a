//! The one way in which the world changes.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::World;
use super::object::created_of;
use super::table::{ADDED, Change};
use crate::SimulatorError;

/// A change that happened: what an object was and what it is.
#[derive(Debug, Clone)]
pub struct Mutation {
    /// The table of the object.
    pub table: String,
    /// Its id.
    pub id: String,
    /// What it held; `None` when it was created. Nested lists are null.
    pub before: Option<Arc<Map<String, Value>>>,
    /// What it holds; `None` when it was deleted. Nested lists are null.
    pub after: Option<Arc<Map<String, Value>>>,
}

/// An object that was taken away without a change.
#[derive(Debug)]
pub(crate) struct Withdrawn {
    ordinal: u64,
    change: Option<Change>,
}

impl World {
    /// Creates an object: `fields` over generated ones. Without `created` it is created at `now`.
    ///
    /// An object that lives under a parent names it by the property that holds the parent's id, or,
    /// where it has none, by a key `parent` (which is not stored).
    pub fn create(
        &mut self,
        table: &str,
        mut fields: Map<String, Value>,
        now: i64,
    ) -> Result<Mutation, SimulatorError> {
        let index = self.table_index(table)?;
        let ordinal = self.tables[index].next_added;
        let owner = self.owner_for(index, &mut fields)?;
        let mut object = Arc::unwrap_or_clone(self.stored(index, ordinal));
        self.refuse_nested(index, &fields)?;
        let created = match created_of(&fields) {
            Some(created) => created,
            None => now,
        };
        if let Some(slot) = object.get_mut("created") {
            *slot = match self.tables[index].v2 {
                true => {
                    let mut text = Vec::new();
                    crate::template::push_iso(created, &mut text);
                    Value::String(String::from_utf8_lossy(&text).into_owned())
                }
                false => created.into(),
            };
        } else {
            // Tables without the property are still listed by age.
            fields.remove("created");
        }
        if let Some(id) = fields.get("id").and_then(Value::as_str) {
            // An id may be used again once its object is gone.
            if self.find(index, id).is_some() {
                return Err(SimulatorError::Exists { table: table.to_owned(), id: id.to_owned() });
            }
            let own = &mut self.tables[index];
            own.chosen_ids.insert(id.to_owned(), ordinal);
            own.ids_of_chosen.insert(ordinal, id.to_owned());
        }
        object.extend(fields);
        self.tables[index].next_added += 1;
        // A child exists from the moment that it has a parent, and it did not exist before.
        let mutation = self.apply(index, ordinal, Some(object));
        if let Some((family, parent)) = owner {
            self.tables[index].added_children.entry((family, parent)).or_default().push(ordinal);
            self.tables[index].added_owners.insert(ordinal, (family, parent));
        }
        Ok(mutation)
    }

    /// Merges `patch` into an object (RFC 7396: null removes a key only inside nested objects;
    /// a property itself becomes null, as Stripe's objects keep their keys).
    pub fn update(
        &mut self,
        table: &str,
        id: &str,
        patch: Map<String, Value>,
    ) -> Result<Mutation, SimulatorError> {
        let index = self.table_index(table)?;
        let ordinal = self.living(index, id)?;
        self.refuse_nested(index, &patch)?;
        let mut object = Arc::unwrap_or_clone(self.stored(index, ordinal));
        for fixed in ["id", "object", "created"] {
            if patch.get(fixed).is_some_and(|value| object.get(fixed) != Some(value)) {
                return Err(SimulatorError::FixedProperty { property: fixed.to_owned() });
            }
        }
        merge(&mut object, patch);
        Ok(self.apply(index, ordinal, Some(object)))
    }

    /// Deletes an object.
    pub fn delete(&mut self, table: &str, id: &str) -> Result<Mutation, SimulatorError> {
        let index = self.table_index(table)?;
        let ordinal = self.living(index, id)?;
        Ok(self.apply(index, ordinal, None))
    }

    /// Takes an object away without a change: nobody is told, and it can be put back as it was.
    pub(crate) fn withdraw(&mut self, table: usize, id: &str) -> Option<Withdrawn> {
        let ordinal = self.find(table, id)?;
        let position = self.position(table, ordinal);
        let own = &mut self.tables[table];
        let change = own.changes.insert(ordinal, Change::Deleted);
        match ordinal < ADDED {
            true => own.deleted += 1,
            false => drop(own.added.remove(&position)),
        }
        Some(Withdrawn { ordinal, change })
    }

    /// Puts back what was withdrawn.
    pub(crate) fn reinstate(&mut self, table: usize, withdrawn: Withdrawn) {
        let Withdrawn { ordinal, change } = withdrawn;
        let own = &mut self.tables[table];
        match change {
            Some(change) => own.changes.insert(ordinal, change),
            None => own.changes.remove(&ordinal),
        };
        match ordinal < ADDED {
            true => own.deleted = own.deleted.saturating_sub(1),
            false => {
                let position = self.position(table, ordinal);
                self.tables[table].added.insert(position);
            }
        }
    }

    fn living(&self, table: usize, id: &str) -> Result<u64, SimulatorError> {
        self.find(table, id).ok_or_else(|| SimulatorError::NoSuchObject {
            table: self.tables[table].name.clone(),
            id: id.to_owned(),
        })
    }

    fn refuse_nested(&self, table: usize, fields: &Map<String, Value>) -> Result<(), SimulatorError> {
        let nested = &self.catalog.resources[table].nested_lists;
        match nested.iter().find(|nested| fields.contains_key(&nested.property)) {
            Some(nested) => Err(SimulatorError::NestedList {
                property: nested.property.clone(),
                item_table: nested.item_table.clone().unwrap_or_default(),
            }),
            None => Ok(()),
        }
    }

    /// The family and parent of an object about to be created under a parent.
    pub(super) fn owner_for(
        &self,
        table: usize,
        fields: &mut Map<String, Value>,
    ) -> Result<Option<(usize, u64)>, SimulatorError> {
        let own = &self.tables[table];
        if own.owners.is_empty() {
            return Ok(None);
        }
        let named = fields.remove("parent");
        for family in &own.owners {
            let parent = &self.tables[self.families[*family].parent];
            let id = named.as_ref().filter(|value| value.is_string()).or_else(|| fields.get(&parent.name));
            let found =
                id.and_then(Value::as_str).and_then(|id| self.find(self.families[*family].parent, id));
            if let Some(ordinal) = found {
                return Ok(Some((*family, ordinal)));
            }
        }
        Err(SimulatorError::NoParent { table: own.name.clone() })
    }

    /// Every change goes through here, so whoever follows changes looks here.
    fn apply(&mut self, table: usize, ordinal: u64, after: Option<Map<String, Value>>) -> Mutation {
        let before = self.exists(table, ordinal).then(|| self.stored(table, ordinal));
        let after = after.map(Arc::new);
        let position = before.as_ref().map(|_| self.position(table, ordinal));
        let owned = !self.tables[table].owners.is_empty();
        let layout = Arc::clone(self.layout(table));
        let own = &mut self.tables[table];
        for (object, linked) in [(&before, false), (&after, true)] {
            let Some(object) = object else { continue };
            for column in 0..layout.columns.len() {
                if layout.reference(column).is_none() {
                    continue;
                }
                let Some(id) = object.get(&layout.columns[column].0).and_then(Value::as_str) else {
                    continue;
                };
                let key = (column, id.to_owned());
                if linked {
                    own.changed_links.entry(key).or_default().insert(ordinal);
                } else if let Some(objects) = own.changed_links.get_mut(&key) {
                    objects.remove(&ordinal);
                }
            }
        }
        let change = after.as_ref().map_or(Change::Deleted, |object| Change::Object(Arc::clone(object)));
        own.changes.insert(ordinal, change);
        if ordinal < ADDED {
            own.deleted += u64::from(!owned && after.is_none());
        } else if !owned {
            match (&after, position) {
                (Some(object), None) => {
                    let created = created_of(object).unwrap_or(self.settings.span.start);
                    own.added.insert((created, ordinal));
                }
                (None, Some(position)) => {
                    own.added.remove(&position);
                }
                _ => {}
            }
        }
        Mutation { table: self.tables[table].name.clone(), id: self.tables[table].id(ordinal), before, after }
    }
}

/// RFC 7396 below the first level; on the first level null is a value.
fn merge(object: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (key, value) in patch {
        match (object.get_mut(&key), value) {
            (Some(Value::Object(inner)), Value::Object(patch)) => merge_below(inner, patch),
            (_, value) => {
                object.insert(key, value);
            }
        }
    }
}

fn merge_below(object: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (key, value) in patch {
        match (object.get_mut(&key), value) {
            (_, Value::Null) => {
                object.shift_remove(&key);
            }
            (Some(Value::Object(inner)), Value::Object(patch)) => merge_below(inner, patch),
            (_, value) => {
                object.insert(key, value);
            }
        }
    }
}
