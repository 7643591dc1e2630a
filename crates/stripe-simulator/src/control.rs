//! Changing and watching the simulated account from within the process.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::SimulatorError;
use crate::counters::Counters;
use crate::delivery::DeliverySettings;
use crate::events::emission::Watch;
use crate::events::{Event, Generation, Subject};
use crate::faults::FaultRule;
use crate::state::State;
use crate::throttle::Limits;
use crate::world::{Mutation, Nesting, View, World};

/// How a dump shows nested lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NestedLists {
    /// At most ten items with `has_more`, exactly as a list or retrieve answers.
    #[default]
    Cut,
    /// Every item, `has_more` false.
    Full,
}

/// Objects rendered under one lock: enough to be fast, few enough to let writers in.
const DUMP_CHUNK: usize = 500;

/// The handle to a simulated account: the one behind the keys, or one that is connected to it
/// ([`Control::account`]). Keys, faults, deliveries and the clock are the same for all of them.
#[derive(Debug, Clone)]
pub struct Control {
    pub(crate) state: Arc<State>,
}

impl Control {
    /// Creates an object: `fields` over generated ones, created now unless `created` is given.
    ///
    /// An object that lives under a parent names it by the property that holds the parent's id, or by a
    /// key `parent`. Returns what changed; the id is in there.
    pub fn create(&self, table: &str, fields: Value) -> Result<Mutation, SimulatorError> {
        let now = self.state.clock.now();
        let fields = object(fields)?;
        self.everywhere(table, Subject::New(&fields), |world, lists| {
            world.create(table, without(&fields, lists), now)
        })
    }

    /// Creates `count` generated objects, created now, and returns their ids.
    pub fn create_many(&self, table: &str, count: u64) -> Result<Vec<String>, SimulatorError> {
        (0..count).map(|_| Ok(self.create(table, Value::Object(Map::new()))?.id)).collect()
    }

    /// Merges a JSON object into an existing one; null sets a property to null.
    pub fn update(&self, table: &str, id: &str, patch: Value) -> Result<Mutation, SimulatorError> {
        let patch = object(patch)?;
        self.everywhere(table, Subject::Known(id), |world, lists| {
            world.update(table, id, without(&patch, lists))
        })
    }

    /// Deletes an object.
    pub fn delete(&self, table: &str, id: &str) -> Result<Mutation, SimulatorError> {
        self.everywhere(table, Subject::Known(id), |world, _| world.delete(table, id))
    }

    /// Makes a change at the default version, whose outcome counts, and at every other one with the table;
    /// then tells of it.
    ///
    /// `change` is told which properties to leave out, as another version may hold a list there.
    fn everywhere(
        &self,
        table: &str,
        subject: Subject<'_>,
        change: impl Fn(&mut World, &[String]) -> Result<Mutation, SimulatorError>,
    ) -> Result<Mutation, SimulatorError> {
        let _turn = self.state.feed.turn();
        let watch = Watch::begin(&self.state, table, subject)?;
        let mutation = change(&mut self.state.main.world_mut(), &[])?;
        for other in &self.state.others {
            let mut world = other.world_mut();
            let Ok(index) = world.table_index(table) else { continue };
            let lists: Vec<String> =
                world.resource(index).nested_lists.iter().map(|nested| nested.property.clone()).collect();
            change(&mut world, &lists)?;
        }
        watch.end(&mutation);
        Ok(mutation)
    }

    /// The object as the API answers it, or `None`.
    pub fn get(&self, table: &str, id: &str) -> Result<Option<Value>, SimulatorError> {
        if let Some(generation) = Generation::of_table(table) {
            let log = self.state.feed.log();
            let found = log.find(generation, id, self.state.clock.now());
            return Ok(found.and_then(|event| serde_json::from_slice(&event.text).ok()));
        }
        let world = self.state.main.world();
        let index = world.table_index(table)?;
        let Some(ordinal) = world.find(index, id) else { return Ok(None) };
        let mut text = Vec::new();
        world.write_object(index, ordinal, View::PLAIN, &mut text);
        serde_json::from_slice(&text).map(Some).map_err(|error| SimulatorError::Invalid(error.to_string()))
    }

    /// The account behind the key as `/v1/account` answers it, JSON text. Lists of accounts, and so the
    /// table `account`, hold connected accounts only.
    pub fn own_account(&self) -> Vec<u8> {
        self.state.own_account()
    }

    /// Every table with the number of its objects, hidden ones included.
    pub fn tables(&self) -> Vec<(String, u64)> {
        let mut counts = self.state.main.world().counts();
        for (table, count) in &mut counts {
            if let Some(generation) = Generation::of_table(table) {
                *count = self.events(generation).len() as u64;
            }
        }
        counts
    }

    /// The events that are told now, oldest first.
    fn events(&self, generation: Generation) -> Vec<Arc<Event>> {
        self.state.feed.log().told(generation, self.state.clock.now()).cloned().collect()
    }

    /// The number of objects in a table, hidden ones included.
    pub fn count(&self, table: &str) -> Result<u64, SimulatorError> {
        if let Some(generation) = Generation::of_table(table) {
            return Ok(self.events(generation).len() as u64);
        }
        let world = self.state.main.world();
        Ok(world.count(world.table_index(table)?))
    }

    /// The ids of all objects of a table, hidden ones included, oldest first.
    pub fn ids(&self, table: &str) -> Result<Vec<String>, SimulatorError> {
        if let Some(generation) = Generation::of_table(table) {
            return Ok(self.events(generation).into_iter().map(|event| event.id.clone()).collect());
        }
        let world = self.state.main.world();
        let index = world.table_index(table)?;
        let mut rows: Vec<u64> = world.ordinals(index).collect();
        rows.sort_by_key(|row| world.position(index, *row));
        Ok(rows.into_iter().map(|row| world.tables[index].id(row)).collect())
    }

    /// Calls `visit` with the compact JSON text of every object of a table, hidden ones included.
    ///
    /// Memory stays flat. Changes made meanwhile may or may not be seen.
    pub fn dump(
        &self,
        table: &str,
        nested: NestedLists,
        mut visit: impl FnMut(&[u8]),
    ) -> Result<(), SimulatorError> {
        let mut rows = self.rows(table)?;
        let mut text = Vec::new();
        while self.dump_chunk(&mut rows, nested, &mut |object| visit(object), &mut text) {}
        Ok(())
    }

    pub(crate) fn rows(&self, table: &str) -> Result<Rows, SimulatorError> {
        let world = self.state.main.world();
        let events = Generation::of_table(table).map(|generation| self.events(generation));
        let table = world.table_index(table)?;
        let rows = world.ordinals(table).collect::<Vec<u64>>().into_iter();
        Ok(Rows { table, rows, events: events.unwrap_or_default() })
    }

    /// Renders the next rows; false when there are none left.
    pub(crate) fn dump_chunk(
        &self,
        rows: &mut Rows,
        nested: NestedLists,
        visit: &mut dyn FnMut(&[u8]),
        text: &mut Vec<u8>,
    ) -> bool {
        for event in rows.events.drain(..) {
            visit(&event.text);
        }
        let nesting = match nested {
            NestedLists::Cut => Nesting::Cut,
            NestedLists::Full => Nesting::Full,
        };
        let world = self.state.main.world();
        for row in rows.rows.by_ref().take(DUMP_CHUNK) {
            if world.exists(rows.table, row) {
                text.clear();
                world.write_object(rows.table, row, View { nesting, expand: &[] }, text);
                visit(text);
            }
        }
        !rows.rows.as_slice().is_empty()
    }

    /// Adds a fault and returns the number by which it can be removed.
    pub fn add_fault(&self, rule: FaultRule) -> u64 {
        self.state.faults().add(rule)
    }

    /// Removes a fault; false when there is none of this number.
    pub fn remove_fault(&self, id: u64) -> bool {
        self.state.faults().remove(id)
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.state.faults().clear();
    }

    /// The faults in force, by number.
    pub fn faults(&self) -> Vec<(u64, FaultRule)> {
        self.state.faults().rules().map(|(id, rule)| (id, rule.clone())).collect()
    }

    /// From now on a share of the events (between 0 and 1) surfaces up to so many seconds late, of a platform
    /// also in the accounts connected to it.
    pub fn set_late_events(&self, share: f64, most_seconds: u64) {
        self.state.set_lateness(share, most_seconds);
    }

    /// How events are delivered from now on.
    pub fn set_delivery(&self, settings: DeliverySettings) {
        self.state.outbox.set(settings);
    }

    /// Deliveries that are still to be made, answered by 2xx or acknowledged.
    pub fn pending_deliveries(&self) -> usize {
        self.state.outbox.pending()
    }

    /// Ends all Stripe CLI sessions: their sockets close, and clients must ask for new ones.
    pub fn end_sessions(&self) {
        self.state.outbox.end_sessions();
    }

    /// Moves the clock of the account, if it is one that can be moved ([`Clock::manual`](crate::Clock::manual)).
    pub fn advance(&self, by: std::time::Duration) {
        self.state.clock.advance(by);
    }

    /// What the clock of the account says: unix seconds.
    pub fn now(&self) -> i64 {
        self.state.clock.now()
    }

    /// Sets the rate limits, of a platform also those of the accounts connected to it.
    pub fn set_limits(&self, limits: Limits) {
        self.state.set_limits(limits);
    }

    /// Whether answers are laid out as Stripe's are, with two spaces per level.
    pub fn set_pretty(&self, pretty: bool) {
        self.state.set_pretty(pretty);
    }

    /// From now on somebody else uses this share (between 0 and 1) of the account's global limit per second.
    pub fn take_share(&self, share: f64) {
        self.state.throttle().taken = share.clamp(0.0, 1.0);
    }

    /// What was asked of this account and answered so far: requests in the name of a connected account count
    /// there only.
    pub fn counters(&self) -> Counters {
        self.state.counters().clone()
    }

    /// Like [`Self::counters`], of a platform with all accounts connected to it.
    pub fn all_counters(&self) -> Counters {
        let mut sum = Counters::default();
        for account in self.state.with_connected() {
            sum.add(&account.counters());
        }
        sum
    }

    /// Starts counting anew, for a platform in all accounts connected to it too.
    pub fn reset_counters(&self) {
        for account in self.state.with_connected() {
            account.counters().reset();
        }
    }
}

/// The rest of a dump.
#[derive(Debug)]
pub(crate) struct Rows {
    table: usize,
    rows: std::vec::IntoIter<u64>,
    events: Vec<Arc<Event>>,
}

fn object(value: Value) -> Result<Map<String, Value>, SimulatorError> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(SimulatorError::Invalid(format!("expected a JSON object, got {other}"))),
    }
}

fn without(fields: &Map<String, Value>, properties: &[String]) -> Map<String, Value> {
    fields.iter().filter(|(key, _)| !properties.contains(key)).map(|(k, v)| (k.clone(), v.clone())).collect()
}
