use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use super::layout::Layout;
use crate::identity::Identity;
use crate::timeline::Timeline;

/// Ordinals from here on belong to objects that were created through the control API.
pub(crate) const ADDED: u64 = 1 << 52;

/// An object's place in the order of its list: newest first, ties by ordinal.
pub(crate) type Position = (i64, u64);

/// What happened to an object since the world was built.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// It is gone.
    Deleted,
    /// It holds this; nested lists are null and rendered from their children.
    Object(Arc<Map<String, Value>>),
}

/// All objects of one kind.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) object: String,
    pub(crate) seed: u64,
    pub(crate) v2: bool,
    pub(crate) identity: Identity,
    timeline: Timeline,
    /// How many objects were generated; tables that live under parents have none of their own.
    pub(crate) count: u64,
    /// Families in which objects of this table belong to a parent; the place is the family's slot.
    pub(crate) owners: Vec<usize>,
    pub(super) layout: OnceLock<Arc<Layout>>,
    pub(crate) changes: BTreeMap<u64, Change>,
    /// How many generated objects are deleted.
    pub(crate) deleted: u64,
    /// Positions of living objects that were not generated.
    pub(crate) added: BTreeSet<Position>,
    pub(crate) next_added: u64,
    /// Ordinals of objects whose id was chosen by the caller, living or deleted.
    pub(crate) chosen_ids: HashMap<String, u64>,
    pub(crate) ids_of_chosen: HashMap<u64, String>,
    /// Changed objects by what their references hold: column, id.
    pub(crate) changed_links: BTreeMap<(usize, String), BTreeSet<u64>>,
    /// Created children by family and parent.
    pub(crate) added_children: HashMap<(usize, u64), Vec<u64>>,
    /// Family and parent of created children.
    pub(crate) added_owners: HashMap<u64, (usize, u64)>,
}

impl Table {
    pub(super) fn new(
        name: String,
        object: String,
        seed: u64,
        v2: bool,
        identity: Identity,
        timeline: Timeline,
    ) -> Self {
        Self {
            count: timeline.count,
            name,
            object,
            seed,
            v2,
            identity,
            timeline,
            owners: Vec::new(),
            layout: OnceLock::new(),
            changes: BTreeMap::new(),
            deleted: 0,
            added: BTreeSet::new(),
            next_added: ADDED,
            chosen_ids: HashMap::new(),
            ids_of_chosen: HashMap::new(),
            changed_links: BTreeMap::new(),
            added_children: HashMap::new(),
            added_owners: HashMap::new(),
        }
    }

    /// The second in which the generated object `ordinal` was created.
    pub(crate) fn generated_at(&self, ordinal: u64) -> i64 {
        self.timeline.created(ordinal)
    }

    /// The first generated ordinal created at `second` or later.
    pub(crate) fn first_at_or_after(&self, second: i64) -> u64 {
        self.timeline.first_at_or_after(second)
    }

    pub(crate) fn write_id(&self, ordinal: u64, out: &mut Vec<u8>) {
        match self.ids_of_chosen.get(&ordinal) {
            Some(id) if ordinal >= ADDED => out.extend_from_slice(id.as_bytes()),
            _ => self.identity.write(ordinal, out),
        }
    }

    pub(crate) fn id(&self, ordinal: u64) -> String {
        let mut out = Vec::with_capacity(32);
        self.write_id(ordinal, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// The ordinal that `id` belongs or could belong to.
    pub(crate) fn ordinal(&self, id: &str) -> Option<u64> {
        self.chosen_ids.get(id).copied().or_else(|| self.identity.ordinal(id))
    }

    pub(crate) fn is_deleted(&self, ordinal: u64) -> bool {
        !self.changes.is_empty() && matches!(self.changes.get(&ordinal), Some(Change::Deleted))
    }

    pub(crate) fn changed(&self, ordinal: u64) -> Option<&Arc<Map<String, Value>>> {
        if self.changes.is_empty() {
            return None;
        }
        match self.changes.get(&ordinal) {
            Some(Change::Object(object)) => Some(object),
            _ => None,
        }
    }
}
