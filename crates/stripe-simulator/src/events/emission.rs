//! Looks at objects before and after a change, and tells of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use stripe_openapi::knowledge::events::unreliable;
use stripe_openapi::knowledge::lists::NESTED_LIST_LIMIT;

use super::difference::previous_attributes;
use super::kinds::{self, Change};
use super::log::{EventLog, Generation, Lateness};
use super::text::{self, Payload};
use crate::SimulatorError;
use crate::chance::{draw, percent};
use crate::connect;
use crate::delivery::Outbox;
use crate::delivery::outbox::version_of;
use crate::state::State;
use crate::world::{Mutation, Parent, View, World};

/// How events are told.
#[derive(Debug, Clone, Default)]
pub struct EventSettings {
    /// The API version at which payloads are rendered; `None`: the version served by default.
    pub api_version: Option<String>,
    /// Of all events, how many surface late: between 0 and 1.
    pub late_share: f64,
    /// By how many seconds at most.
    pub late_most: u64,
    /// Of a hundred changes in tables whose events are known to be unreliable, how many pass unsaid.
    pub unsaid_percent: u8,
}

/// The events of the account.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) api_version: String,
    seed: u64,
    unsaid_percent: u8,
    /// Held while the account changes, so that events are in the order of the changes.
    turn: Mutex<()>,
    log: Mutex<EventLog>,
    changes: AtomicU64,
}

impl Feed {
    pub(crate) fn new(settings: EventSettings, main: &World) -> Self {
        let seed = main.settings.seed;
        let mut log = EventLog::new(seed, main.settings.account.fragment());
        log.lateness = Lateness { share: settings.late_share, most: settings.late_most };
        Self {
            api_version: settings.api_version.unwrap_or_else(|| main.api_version().to_owned()),
            seed,
            unsaid_percent: settings.unsaid_percent,
            turn: Mutex::new(()),
            log: Mutex::new(log),
            changes: AtomicU64::new(0),
        }
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, EventLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn to change the account.
    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The table whose changes are told by a summary of all that its customer has.
const SUMMARISED: &str = "active_entitlement";
const SUMMARY: &str = "entitlements.active_entitlement_summary.updated";

/// What a change is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// An object to be made from these fields.
    New(&'a Map<String, Value>),
    /// The object with this id.
    Known(&'a str),
}

/// An object as it was, at each version at which events are rendered.
#[derive(Debug)]
struct Seen {
    table: String,
    id: String,
    before: Vec<Option<Vec<u8>>>,
}

/// The objects that a change may touch, as they were before it.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    state: &'a Arc<State>,
    versions: Vec<String>,
    own: Option<Seen>,
    parents: Vec<Seen>,
    /// Those of the parents that are accounts: their ids.
    accounts: Vec<String>,
}

impl<'a> Watch<'a> {
    /// Looks at everything that a change of `subject` may touch.
    pub(crate) fn begin(
        state: &'a Arc<State>,
        table: &str,
        subject: Subject<'_>,
    ) -> Result<Self, SimulatorError> {
        if Generation::of_table(table).is_some() {
            return Err(SimulatorError::Events { table: table.to_owned() });
        }
        let mut watch = Self {
            state,
            versions: state.event_versions(),
            own: None,
            parents: Vec::new(),
            accounts: Vec::new(),
        };
        let (id, parents) = {
            let world = state.main.world();
            let index = world.table_index(table)?;
            let (id, parents) = match subject {
                Subject::New(fields) => (None, world.parents_to_be(index, fields)?),
                Subject::Known(id) => match world.find(index, id) {
                    Some(row) => {
                        let object = world.stored(index, row);
                        (Some(id.to_owned()), world.parents(index, row, &object))
                    }
                    None => (None, Vec::new()),
                },
            };
            let name = |parent: Parent| {
                let table = &world.tables[world.families[parent.family].parent];
                (table.name.clone(), table.id(parent.ordinal))
            };
            (id, parents.into_iter().map(name).collect::<Vec<(String, String)>>())
        };
        watch.own = id.map(|id| watch.see(table.to_owned(), id));
        for (table, id) in parents {
            if table == connect::TABLE {
                watch.accounts.push(id.clone());
            }
            watch.add_parent(table, id);
        }
        Ok(watch)
    }

    fn add_parent(&mut self, table: String, id: String) {
        if !self.parents.iter().any(|seen| seen.table == table && seen.id == id) {
            let seen = self.see(table, id);
            self.parents.push(seen);
        }
    }

    fn see(&self, table: String, id: String) -> Seen {
        let before = self.versions.iter().map(|version| self.render(version, &table, &id)).collect();
        Seen { table, id, before }
    }

    /// The object as retrieve answers it at a version.
    fn render(&self, version: &str, table: &str, id: &str) -> Option<Vec<u8>> {
        let world = self.state.served(Some(version))?.world();
        if table == SUMMARISED {
            return summary(&world, id);
        }
        let index = world.table_index(table).ok()?;
        let row = world.find(index, id)?;
        let mut text = Vec::new();
        world.write_object(index, row, View::PLAIN, &mut text);
        Some(text)
    }

    /// Tells of what happened.
    pub(crate) fn end(mut self, mutation: &Mutation) {
        if mutation.before == mutation.after {
            return;
        }
        let feed = &self.state.feed;
        let number = feed.changes.fetch_add(1, Ordering::Relaxed);
        let unsaid = unreliable(&mutation.table).is_some()
            && percent(draw(feed.seed, number, 0x0515), u64::from(feed.unsaid_percent));
        if unsaid {
            return;
        }
        let change = Change {
            table: &mutation.table,
            before: mutation.before.as_deref(),
            after: mutation.after.as_deref(),
        };
        if mutation.table == SUMMARISED {
            let customers = std::mem::take(&mut self.parents);
            for customer in customers {
                let before = vec![None; self.versions.len()];
                self.tell(SUMMARY, &Seen { table: SUMMARISED.to_owned(), id: customer.id, before });
            }
            return;
        }
        let own = self.own.take().unwrap_or_else(|| Seen {
            table: mutation.table.clone(),
            id: mutation.id.clone(),
            before: vec![None; self.versions.len()],
        });
        let known = self.known(&own.table);
        let kinds = kinds::own(&change, &known);
        for kind in &kinds {
            self.tell(kind, &own);
        }
        for parent in std::mem::take(&mut self.parents) {
            let now = self.render(&self.versions[0], &parent.table, &parent.id);
            let shown = now.is_some() && parent.before.first() != Some(&now);
            let known = self.known(&parent.table);
            if now.is_none() {
                continue;
            }
            if let Some(kind) = kinds::of_parent(&parent.table, &change, !kinds.is_empty(), shown, &known) {
                self.tell(kind, &parent);
            }
        }
    }

    /// The event types of a table at the version of the events.
    fn known(&self, table: &str) -> Vec<stripe_openapi::EventType> {
        let Some(served) = self.state.served(Some(&self.versions[0])) else { return Vec::new() };
        let world = served.world();
        world.catalog.resource(table).map(|resource| resource.events.clone()).unwrap_or_default()
    }

    fn tell(&self, kind: &str, seen: &Seen) {
        let generation = if seen.table.starts_with("v2_") { Generation::V2 } else { Generation::V1 };
        let request = self.state.request_id();
        let livemode = self.state.main.world().settings.livemode;
        let related = self.related(seen);
        let payloads: Vec<Option<Payload>> = match generation {
            Generation::V2 => Vec::new(),
            Generation::V1 => self
                .versions
                .iter()
                .zip(&seen.before)
                .map(|(version, before)| {
                    let after = self.render(version, &seen.table, &seen.id);
                    payload(version, kind, before.as_deref(), after)
                })
                .collect(),
        };
        let teller = self.teller(seen);
        let account = teller.its_platform().map(|_| teller.id.as_str());
        let targets = teller.outbox.targets(&teller, kind);
        let pending = Outbox::count(&targets);
        let write = |payload: Option<&Payload>, id: &str, created: i64| {
            let head = text::Head { id, kind, created, livemode, account, request: &request };
            match payload {
                Some(payload) => text::snapshot(&head, payload, pending),
                None => text::thin(&head, &related),
            }
        };
        let first = payloads.first().and_then(Option::as_ref);
        if generation == Generation::V1 && first.is_none() {
            return;
        }
        let mut log = teller.feed.log();
        let now = self.state.clock.now();
        let event = log.add(generation, kind, &seen.id, now, |id, created| write(first, id, created));
        for target in &targets {
            let version = version_of(target, &self.versions[0]);
            let at = self.versions.iter().position(|known| known == version);
            let rendered = at.and_then(|at| payloads.get(at)).and_then(Option::as_ref).or(first);
            let body = write(rendered, &event.id, event.created);
            self.state.outbox.put(self.state, &event, target, &body);
        }
    }

    /// The account that tells of an object: changes of connected accounts and of what is listed under them are
    /// told by themselves, not by their platform.
    fn teller(&self, seen: &Seen) -> Arc<State> {
        let platform = self.state;
        let under = || platform.main.world().catalog.resource(&seen.table).is_some_and(|r| r.list.is_none());
        let id = match seen.table == connect::TABLE {
            true => Some(&seen.id),
            false => self.accounts.first().filter(|_| under()),
        };
        let worlds = platform.connections().is_some_and(|accounts| !accounts.blueprint.groups.is_empty());
        let told = id.filter(|_| worlds).and_then(|id| platform.connected(id));
        told.unwrap_or_else(|| Arc::clone(platform))
    }

    /// How a thin event names its object.
    fn related(&self, seen: &Seen) -> text::Related {
        let world = self.state.main.world();
        let resource = world.catalog.resource(&seen.table);
        let parent = self.parents.first().map(|parent| parent.id.as_str()).unwrap_or_default();
        let path = resource.and_then(|resource| resource.retrieve_path.as_deref()).unwrap_or_default();
        let holes = path.matches('{').count();
        let mut url = String::new();
        for (index, segment) in path.split('/').skip(1).enumerate() {
            let hole = segment.starts_with('{');
            let last = path.split('/').skip(1).skip(index + 1).all(|rest| !rest.starts_with('{'));
            url.push('/');
            url.push_str(match hole {
                true if last || holes == 1 => &seen.id,
                true => parent,
                false => segment,
            });
        }
        let kind = resource.map(|resource| resource.resource_id.clone()).unwrap_or_default();
        text::Related { id: seen.id.clone(), kind, url }
    }
}

/// What the event shows of the object; `None` where the version does not have it.
fn payload(version: &str, kind: &str, before: Option<&[u8]>, after: Option<Vec<u8>>) -> Option<Payload> {
    let previous = match (before, &after) {
        (Some(before), Some(after)) if kind.ends_with("updated") || kind == "charge.refunded" => {
            let read = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap_or_default();
            Some(previous_attributes(&read(before), &read(after)))
        }
        _ => None,
    };
    let object = after.or_else(|| before.map(<[u8]>::to_vec))?;
    Some(Payload { api_version: version.to_owned(), object, previous })
}

/// The first entitlements of a customer, as the one event about them shows them.
fn summary(world: &World, customer: &str) -> Option<Vec<u8>> {
    let (index, customers) = (world.table_index(SUMMARISED).ok()?, world.table_index("customer").ok()?);
    let row = world.find(customers, customer)?;
    let family = world.families.iter().position(|kin| kin.parent == customers && kin.child == index)?;
    let children = world.children(family, row);
    let mut text = b"{\"object\":\"entitlements.active_entitlement_summary\",\"customer\":\"".to_vec();
    text.extend_from_slice(customer.as_bytes());
    text.extend_from_slice(b"\",\"entitlements\":{\"object\":\"list\",\"data\":[");
    for (place, child) in children.iter().take(NESTED_LIST_LIMIT).enumerate() {
        if place > 0 {
            text.push(b',');
        }
        world.write_object(index, *child, View::PLAIN, &mut text);
    }
    let more = children.len() > NESTED_LIST_LIMIT;
    let livemode = world.settings.livemode;
    let end = format!(
        "],\"has_more\":{more},\"url\":\"/v1/customer/{customer}/entitlements\"}},\"livemode\":{livemode}}}"
    );
    text.extend_from_slice(end.as_bytes());
    Some(text)
}
