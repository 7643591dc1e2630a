//! The events of the last 30 days.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::chance::{below, draw, seed_of, unit};
use crate::identity::{Identity, form};
use crate::query::Bounds;
use crate::selection::Side;
use crate::world::Position;

/// Seconds for which Stripe keeps events.
pub(crate) const RETENTION: i64 = 30 * 24 * 3600;

/// Which of Stripe's two APIs an event belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generation {
    /// An `event`, which carries the object.
    V1,
    /// A `v2.core.event`, which names it only.
    V2,
}

impl Generation {
    /// The table whose rows are the events.
    pub(crate) fn table(self) -> &'static str {
        match self {
            Self::V1 => "event",
            Self::V2 => "v2_core_event",
        }
    }

    /// The generation whose events are the rows of `table`.
    pub(crate) fn of_table(table: &str) -> Option<Self> {
        [Self::V1, Self::V2].into_iter().find(|generation| generation.table() == table)
    }
}

/// An event that happened.
#[derive(Debug)]
pub(crate) struct Event {
    /// Its number among all events of the account.
    pub(crate) number: u64,
    pub(crate) generation: Generation,
    pub(crate) id: String,
    pub(crate) kind: String,
    /// The object that changed.
    pub(crate) object_id: String,
    /// Unix seconds.
    pub(crate) created: i64,
    /// From when on it is told: unix seconds.
    pub(crate) surfaces: i64,
    /// Compact JSON.
    pub(crate) text: Vec<u8>,
}

impl Event {
    pub(crate) fn position(&self) -> Position {
        (self.created, self.number)
    }
}

/// Which events surface late.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lateness {
    /// Of all events, between 0 and 1.
    pub(crate) share: f64,
    /// Seconds at most.
    pub(crate) most: u64,
}

/// All events that Stripe would still have, oldest first.
#[derive(Debug)]
pub(crate) struct EventLog {
    events: VecDeque<Arc<Event>>,
    next: u64,
    seed: u64,
    identities: [Identity; 2],
    pub(crate) lateness: Lateness,
}

impl EventLog {
    pub(crate) fn new(seed: u64, account: [u8; 8]) -> Self {
        let identities = [Generation::V1, Generation::V2].map(|generation| {
            let (prefix, style) = form(generation.table());
            Identity { prefix, style, key: seed_of(seed, generation.table()), account }
        });
        Self { events: VecDeque::new(), next: 0, seed, identities, lateness: Lateness::default() }
    }

    /// Adds an event; `text` gets its id and `created`.
    pub(crate) fn add(
        &mut self,
        generation: Generation,
        kind: &str,
        object_id: &str,
        now: i64,
        text: impl FnOnce(&str, i64) -> Vec<u8>,
    ) -> Arc<Event> {
        let number = self.next;
        self.next += 1;
        // The machine's clock may be set back; the log stays in order.
        let created = self.events.back().map_or(now, |last| last.created.max(now));
        let drawn = draw(self.seed, number, 0x1a7e);
        let late = match unit(drawn) < self.lateness.share {
            true => 1 + below(draw(self.seed, number, 0x5ec5), self.lateness.most.max(1)) as i64,
            false => 0,
        };
        let id = self.identities[generation as usize].id(number);
        let text = text(&id, created);
        let event = Arc::new(Event {
            number,
            generation,
            kind: kind.to_owned(),
            object_id: object_id.to_owned(),
            created,
            surfaces: created + late,
            text,
            id,
        });
        self.events.push_back(Arc::clone(&event));
        self.expire(created);
        event
    }

    /// Forgets what is older than 30 days.
    pub(crate) fn expire(&mut self, now: i64) {
        while self.events.front().is_some_and(|event| event.created < now - RETENTION) {
            self.events.pop_front();
        }
    }

    /// The told event called `id`.
    pub(crate) fn find(&self, generation: Generation, id: &str, now: i64) -> Option<&Arc<Event>> {
        let number = self.identities[generation as usize].ordinal(id)?;
        let first = self.events.front()?.number;
        let event = self.events.get(usize::try_from(number.checked_sub(first)?).ok()?)?;
        (event.generation == generation && told(event, now)).then_some(event)
    }

    /// All told events of a generation, oldest first.
    pub(crate) fn told(
        &self,
        generation: Generation,
        now: i64,
    ) -> impl DoubleEndedIterator<Item = &Arc<Event>> {
        self.events.iter().filter(move |event| event.generation == generation && told(event, now))
    }

    /// Up to `limit` told events, newest first, and whether there are more on that side.
    pub(crate) fn page(
        &self,
        generation: Generation,
        created: Bounds,
        side: Side,
        limit: usize,
        now: i64,
        accepts: impl Fn(&Event) -> bool,
    ) -> (Vec<Arc<Event>>, bool) {
        let fits = |event: &&Arc<Event>| created.contains(event.created) && accepts(event);
        let wanted = limit.saturating_add(1);
        let all = self.told(generation, now).filter(fits);
        let mut page: Vec<Arc<Event>> = match side {
            Side::Start => all.rev().take(wanted).cloned().collect(),
            Side::After(place) => {
                all.rev().filter(|event| event.position() < place).take(wanted).cloned().collect()
            }
            Side::Before(place) => {
                all.filter(|event| event.position() > place).take(wanted).cloned().collect()
            }
        };
        let more = page.len() > limit;
        page.truncate(limit);
        if matches!(side, Side::Before(_)) {
            page.reverse();
        }
        (page, more)
    }
}

fn told(event: &Event, now: i64) -> bool {
    event.surfaces <= now && event.created >= now - RETENTION
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(log: &mut EventLog, now: i64) -> Arc<Event> {
        log.add(Generation::V1, "customer.updated", "cus_1", now, |_, _| Vec::new())
    }

    fn all(log: &EventLog, now: i64) -> Vec<u64> {
        let (page, _) = log.page(Generation::V1, Bounds::ALL, Side::Start, 100, now, |_| true);
        page.iter().map(|event| event.number).collect()
    }

    #[test]
    fn events_are_kept_for_30_days() {
        let mut log = EventLog::new(1, *b"B7WZ01zg");
        let first = add(&mut log, 1_000);
        let second = add(&mut log, 2_000);
        assert_eq!(all(&log, 1_000 + RETENTION), [1, 0]);
        assert_eq!(all(&log, 1_001 + RETENTION), [1]);
        assert!(log.find(Generation::V1, &first.id, 1_001 + RETENTION).is_none());
        add(&mut log, 1_001 + RETENTION);
        assert_eq!(log.events.len(), 2);
        assert_eq!(log.find(Generation::V1, &second.id, 2_000).map(|event| event.number), Some(1));
        assert!(log.find(Generation::V2, &second.id, 2_000).is_none());
    }

    #[test]
    fn late_events_surface_at_their_old_place() {
        let mut log = EventLog::new(7, *b"B7WZ01zg");
        log.lateness = Lateness { share: 0.5, most: 30 };
        for second in 0..40 {
            add(&mut log, 1_000 + second / 4);
        }
        let late = log.events.iter().filter(|event| event.surfaces > event.created).count();
        assert!((10..30).contains(&late), "{late}");
        assert!(all(&log, 1_009).len() < 40);
        assert_eq!(all(&log, 1_040), (0..40).rev().collect::<Vec<u64>>());
    }

    #[test]
    fn a_clock_set_back_does_not_disorder_the_log() {
        let mut log = EventLog::new(1, *b"B7WZ01zg");
        add(&mut log, 2_000);
        assert_eq!(add(&mut log, 1_990).created, 2_000);
    }
}
