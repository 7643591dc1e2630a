//! Whose lists an object is in.

use serde_json::{Map, Value};

use super::World;
use super::children::Tie;
use crate::SimulatorError;

/// A parent whose list an object is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(crate) family: usize,
    pub(crate) ordinal: u64,
}

impl World {
    /// The parents of the object `ordinal`, which holds or is to hold `object`.
    ///
    /// An object of its own counts as a child only of those whose property lists it.
    pub(crate) fn parents(&self, table: usize, ordinal: u64, object: &Map<String, Value>) -> Vec<Parent> {
        let own = &self.tables[table];
        let mut parents: Vec<Parent> = Vec::new();
        if let Some((family, ordinal)) = own.added_owners.get(&ordinal) {
            parents.push(Parent { family: *family, ordinal: *ordinal });
        } else if let Some(place) = self.place(table, ordinal).filter(|_| !own.owners.is_empty()) {
            parents.push(Parent { family: place.family, ordinal: place.parent });
        }
        for (family, kin) in self.families.iter().enumerate() {
            if kin.child != table || kin.property.is_none() || !matches!(kin.tie, Tie::Linked) {
                continue;
            }
            let id = object.get(&self.tables[kin.parent].name).and_then(Value::as_str);
            if let Some(ordinal) = id.and_then(|id| self.find(kin.parent, id)) {
                parents.push(Parent { family, ordinal });
            }
        }
        parents
    }

    /// Whether an object is found at a URL with these values: its own id, and before it perhaps its parent's.
    pub(crate) fn is_under(&self, table: usize, ordinal: u64, values: &[&str]) -> bool {
        let [.., parent, _] = values else { return true };
        let family = |parent: &Parent| &self.tables[self.families[parent.family].parent];
        let parents = self.parents(table, ordinal, &self.stored(table, ordinal));
        parents.iter().any(|kin| family(kin).id(kin.ordinal) == *parent)
    }

    /// The parents that an object about to be created from `fields` will have.
    pub(crate) fn parents_to_be(
        &self,
        table: usize,
        fields: &Map<String, Value>,
    ) -> Result<Vec<Parent>, SimulatorError> {
        let mut fields = fields.clone();
        let owner = self.owner_for(table, &mut fields)?;
        let ordinal = self.tables[table].next_added;
        let mut object = (*self.stored(table, ordinal)).clone();
        object.extend(fields);
        let mut parents = self.parents(table, ordinal, &object);
        parents.extend(owner.map(|(family, ordinal)| Parent { family, ordinal }));
        Ok(parents)
    }
}
