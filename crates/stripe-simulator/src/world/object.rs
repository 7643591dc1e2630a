//! Finding and rendering objects.

use std::sync::Arc;

use serde_json::{Map, Value};
use stripe_openapi::knowledge::lists::NESTED_LIST_LIMIT;

use super::World;
use super::layout::join;
use super::table::{ADDED, Change, Position};
use crate::lore;
use crate::template::{Part, Reference, Surroundings, push_integer, render};

/// What becomes of nested lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nesting {
    /// At most ten items, as the API answers.
    Cut,
    /// Every item.
    Full,
    /// Null: for storage, where children live in their own table.
    Blank,
}

/// How an object is to be shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) nesting: Nesting,
    /// Properties to expand: nested lists that must be asked for, and references.
    pub(crate) expand: &'a [String],
}

impl View<'_> {
    /// As an answer without `expand[]`.
    pub(crate) const PLAIN: View<'static> = View { nesting: Nesting::Cut, expand: &[] };
}

impl World {
    /// The number of living objects of a table.
    pub(crate) fn count(&self, table: usize) -> u64 {
        let own = &self.tables[table];
        if own.owners.is_empty() {
            return own.count - own.deleted + own.added.len() as u64;
        }
        self.owned_ordinals(table).count() as u64
    }

    /// Whether `ordinal` is a living object.
    pub(crate) fn exists(&self, table: usize, ordinal: u64) -> bool {
        let own = &self.tables[table];
        match own.changes.get(&ordinal) {
            Some(Change::Deleted) => return false,
            Some(Change::Object(_)) if own.owners.is_empty() => return true,
            _ => {}
        }
        if let Some((family, parent)) = own.added_owners.get(&ordinal) {
            return self.exists(self.families[*family].parent, *parent);
        }
        match self.place(table, ordinal) {
            Some(place) => {
                self.exists(self.families[place.family].parent, place.parent)
                    && place.index < self.generated_children(place.family, place.parent)
            }
            None => own.owners.is_empty() && ordinal < own.count,
        }
    }

    /// The living object called `id`.
    pub(crate) fn find(&self, table: usize, id: &str) -> Option<u64> {
        self.tables[table].ordinal(id).filter(|ordinal| self.exists(table, *ordinal))
    }

    /// Whether `id` was an object and is deleted.
    pub(crate) fn was_deleted(&self, table: usize, id: &str) -> bool {
        let own = &self.tables[table];
        own.ordinal(id).is_some_and(|ordinal| own.is_deleted(ordinal))
    }

    /// When the living object `ordinal` was created.
    pub(crate) fn created(&self, table: usize, ordinal: u64) -> i64 {
        let own = &self.tables[table];
        if ordinal >= ADDED {
            let created = own.changed(ordinal).and_then(|object| created_of(object));
            let parents = || {
                let (family, parent) = own.added_owners.get(&ordinal)?;
                Some(self.created(self.families[*family].parent, *parent))
            };
            return created.or_else(parents).unwrap_or(self.settings.span.start);
        }
        match self.place(table, ordinal) {
            Some(place) => self.created(self.families[place.family].parent, place.parent),
            None => own.generated_at(ordinal),
        }
    }

    pub(crate) fn position(&self, table: usize, ordinal: u64) -> Position {
        (self.created(table, ordinal), ordinal)
    }

    /// Every living object of a table, in no order that means anything.
    pub(crate) fn ordinals(&self, table: usize) -> Box<dyn Iterator<Item = u64> + '_> {
        let own = &self.tables[table];
        if !own.owners.is_empty() {
            return Box::new(self.owned_ordinals(table));
        }
        let generated = (0..own.count).filter(|ordinal| !own.is_deleted(*ordinal));
        Box::new(generated.chain(own.added.iter().map(|(_, ordinal)| *ordinal)))
    }

    fn owned_ordinals(&self, table: usize) -> impl Iterator<Item = u64> + '_ {
        self.tables[table].owners.iter().flat_map(move |family| {
            let parent = self.families[*family].parent;
            self.ordinals(parent).flat_map(move |ordinal| self.children(*family, ordinal))
        })
    }

    /// Appends the JSON text of an object.
    pub(crate) fn write_object(&self, table: usize, ordinal: u64, view: View<'_>, out: &mut Vec<u8>) {
        let own = &self.tables[table];
        let shown = Shown { world: self, table, ordinal, view };
        if let Some(object) = own.changed(ordinal) {
            return self.write_stored(&shown, object, out);
        }
        let created = self.created(table, ordinal);
        if view.expand.is_empty() {
            return render(&self.layout(table).whole, ordinal, created, &shown, out);
        }
        out.push(b'{');
        let layout = self.layout(table);
        for (name, parts) in &layout.columns {
            let expanded = view.expand.contains(name);
            if layout.hidden_nested.contains(name) && !expanded {
                continue;
            }
            write_key(name, out);
            match self.expanded(table, ordinal, name).filter(|_| expanded) {
                Some((target, other)) => self.write_object(target, other, View::PLAIN, out),
                None => render(parts, ordinal, created, &shown, out),
            }
        }
        out.push(b'}');
    }

    fn write_stored(&self, shown: &Shown<'_>, object: &Map<String, Value>, out: &mut Vec<u8>) {
        let layout = self.layout(shown.table);
        out.push(b'{');
        for (name, value) in object {
            let nested = layout.column(name).and_then(|column| match layout.columns[column].1[..] {
                [Part::Nested { family }] => Some(family),
                _ => None,
            });
            let expanded = shown.view.expand.contains(name);
            if layout.hidden_nested.contains(name) && !expanded {
                continue;
            }
            write_key(name, out);
            match nested {
                Some(family) => shown.nested(family, out),
                None => match self.expanded(shown.table, shown.ordinal, name).filter(|_| expanded) {
                    Some((target, other)) => self.write_object(target, other, View::PLAIN, out),
                    None => out.extend_from_slice(value.to_string().as_bytes()),
                },
            }
        }
        out.push(b'}');
    }

    /// The living object that the reference in `column` names.
    fn expanded(&self, table: usize, ordinal: u64, column: &str) -> Option<(usize, u64)> {
        let layout = self.layout(table);
        let column = layout.column(column)?;
        let target = layout.reference(column)?.target;
        let mut id = Vec::new();
        self.write_column(table, ordinal, column, &mut id);
        let id: String = serde_json::from_slice(&id).ok()?;
        Some((target, self.find(target, &id)?))
    }

    /// Appends the JSON text of one property; `null` where a changed object lacks it.
    pub(crate) fn write_column(&self, table: usize, ordinal: u64, column: usize, out: &mut Vec<u8>) {
        let (name, parts) = &self.layout(table).columns[column];
        match self.tables[table].changed(ordinal) {
            Some(object) => match object.get(name) {
                Some(value) => out.extend_from_slice(value.to_string().as_bytes()),
                None => out.extend_from_slice(b"null"),
            },
            None => {
                let shown = Shown { world: self, table, ordinal, view: View::PLAIN };
                render(parts, ordinal, self.created(table, ordinal), &shown, out);
            }
        }
    }

    /// The object as it is stored when it changes: nested lists are null.
    pub(crate) fn stored(&self, table: usize, ordinal: u64) -> Arc<Map<String, Value>> {
        if let Some(object) = self.tables[table].changed(ordinal) {
            return Arc::clone(object);
        }
        let shown =
            Shown { world: self, table, ordinal, view: View { nesting: Nesting::Blank, expand: &[] } };
        let created = match ordinal >= ADDED - 1 {
            true => self.settings.account.created,
            false => self.created(table, ordinal),
        };
        let mut text = Vec::new();
        render(&join(self.layout(table).columns.iter()), ordinal, created, &shown, &mut text);
        Arc::new(serde_json::from_slice(&text).unwrap_or_default())
    }
}

/// `created` of a stored object as unix seconds.
pub(crate) fn created_of(object: &Map<String, Value>) -> Option<i64> {
    match object.get("created")? {
        Value::String(text) => text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second),
        value => value.as_i64(),
    }
}

fn write_key(name: &str, out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// An object being rendered.
struct Shown<'a> {
    world: &'a World,
    table: usize,
    ordinal: u64,
    view: View<'a>,
}

impl Surroundings for Shown<'_> {
    fn id(&self, out: &mut Vec<u8>) {
        self.world.tables[self.table].write_id(self.ordinal, out);
    }

    fn reference(&self, reference: &Reference, out: &mut Vec<u8>) {
        let world = self.world;
        let target = &world.tables[reference.target];
        let own = &world.tables[self.table];
        let referred = if own.owners.is_empty() {
            let kinship = world.kinship(self.table, reference);
            kinship.parent(self.ordinal).filter(|_| !reference.is_null(self.ordinal))
        } else {
            let owner = world.place(self.table, self.ordinal);
            let owner = owner.filter(|place| world.families[place.family].parent == reference.target);
            owner.map(|place| place.parent).or_else(|| {
                let kinship = world.kinship(self.table, reference);
                kinship.parent(self.ordinal).filter(|_| !reference.is_null(self.ordinal))
            })
        };
        match referred {
            Some(ordinal) => {
                out.push(b'"');
                target.write_id(ordinal, out);
                out.push(b'"');
            }
            None => out.extend_from_slice(b"null"),
        }
    }

    fn nested(&self, family: usize, out: &mut Vec<u8>) {
        if self.view.nesting == Nesting::Blank {
            return out.extend_from_slice(b"null");
        }
        let kin = &self.world.families[family];
        let children = self.world.children(family, self.ordinal);
        let shown = match self.view.nesting {
            Nesting::Full => children.len(),
            _ => children.len().min(NESTED_LIST_LIMIT),
        };
        out.extend_from_slice(b"{\"object\":\"list\",\"data\":[");
        for (index, child) in children[..shown].iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.world.write_object(kin.child, *child, View { expand: &[], ..self.view }, out);
        }
        out.extend_from_slice(b"],\"has_more\":");
        out.extend_from_slice(if shown < children.len() { b"true" } else { b"false" });
        if lore::counts_total(kin.property.as_deref().unwrap_or_default()) {
            out.extend_from_slice(b",\"total_count\":");
            push_integer(children.len() as i64, out);
        }
        out.extend_from_slice(b",\"url\":\"");
        out.extend_from_slice(kin.url.0.as_bytes());
        self.id(out);
        out.extend_from_slice(kin.url.1.as_bytes());
        out.extend_from_slice(b"\"}");
    }
}

impl World {
    /// The account behind the key, as `/v1/account` answers it.
    pub(crate) fn own_account(&self) -> Vec<u8> {
        let facts = &self.settings.account;
        let object = match self.table_index("account") {
            Ok(table) => {
                let mut object = Arc::unwrap_or_clone(self.stored(table, ADDED - 1));
                for nested in &self.resource(table).nested_lists {
                    object.shift_remove(&nested.property);
                }
                object.insert("id".into(), facts.id.clone().into());
                object.insert("created".into(), facts.created.into());
                object.insert("country".into(), "US".into());
                object.insert("type".into(), "standard".into());
                object
            }
            Err(_) => Map::from_iter([
                ("id".into(), Value::from(facts.id.clone())),
                ("object".into(), "account".into()),
                ("created".into(), facts.created.into()),
            ]),
        };
        Value::Object(object).to_string().into_bytes()
    }
}
