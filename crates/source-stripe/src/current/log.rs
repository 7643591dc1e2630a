//! Stripe's log of events, read oldest first in bounded memory.
//!
//! Stripe answers events newest first, and only so many may be held. So the log is read in stretches of time, each short
//! enough to be held whole, and turned round.

use stripe_openapi::Catalog;

use super::event::Event;
use crate::client::{Client, Received};
use crate::failure::RequestError;
use crate::page::{Page, Shape, read_plain_page};
use crate::passes::{self, Pass};
use crate::retry::PATIENT;
use crate::window::Window;

/// Seconds for which Stripe keeps events.
pub(crate) const RETENTION: i64 = 30 * 24 * 3600;

/// Events that are held at a time, more or less: a second is not divided.
const AT_A_TIME: usize = 500;

/// The lists of events: of the v1 API, and of the v2 API where it has anything that is synced.
#[derive(Debug)]
pub(crate) struct EventLog {
    lists: Vec<Pass>,
}

/// The events of a stretch of time.
#[derive(Debug)]
pub(crate) struct Stretch {
    /// Oldest first.
    pub(crate) events: Vec<Event>,
    /// The first second after it.
    pub(crate) end: i64,
}

impl EventLog {
    pub(crate) fn new(catalog: &Catalog, v2: bool) -> EventLog {
        let tables = ["event", "v2_core_event"].into_iter().take(1 + usize::from(v2));
        let resources = tables.filter_map(|table| catalog.resource(table));
        let lists =
            resources.filter_map(|resource| passes::of_stream(catalog, resource, &[]).into_iter().next());
        EventLog { lists: lists.collect() }
    }

    /// Asks for one event of each list: whether they may be read, and what time it is.
    pub(crate) async fn probe(&self, client: &Client) -> Result<(), RequestError> {
        let now = client.now();
        for list in &self.lists {
            ask(client, list, Window::new(now - RETENTION, now + RETENTION), None, 1).await?;
        }
        Ok(())
    }

    /// The events from the second `from` on, and before `until`: all of them, or as many as are held at a time.
    pub(crate) async fn stretch(
        &self,
        client: &Client,
        from: i64,
        until: i64,
    ) -> Result<Stretch, RequestError> {
        let mut stretch = Stretch { events: Vec::new(), end: until };
        for list in &self.lists {
            let (events, end) = stretch_of(client, list, from, stretch.end).await?;
            stretch.end = end;
            stretch.events.extend(events);
        }
        stretch.events.retain(|event| event.created < stretch.end);
        // Events of one list stay in their order within a second.
        stretch.events.sort_by_key(|event| event.created);
        Ok(stretch)
    }
}

async fn stretch_of(
    client: &Client,
    list: &Pass,
    from: i64,
    until: i64,
) -> Result<(Vec<Event>, i64), RequestError> {
    let mut end = until;
    'shorter: loop {
        let window = Window::new(from, end);
        let mut events: Vec<Event> = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = match ask(client, list, window, cursor.as_deref(), list.page_size()).await {
                Ok(page) => page,
                // The event to go on after has expired meanwhile, or the token has.
                Err(RequestError::Api(error))
                    if cursor.is_some() && error.is_lost_cursor(list.shape == Shape::V2) =>
                {
                    continue 'shorter;
                }
                Err(error) => return Err(error),
            };
            let next = page.next.clone();
            events.extend(read_events(&page));
            if next.is_none() {
                events.reverse();
                return Ok((events, end));
            }
            if let Some(shorter) = shorten(&events, window) {
                end = shorter;
                continue 'shorter;
            }
            cursor = next;
        }
    }
}

/// Where to end the window instead, if it holds too many events, judging by the newest of them.
fn shorten(newest: &[Event], window: Window) -> Option<i64> {
    let oldest = newest.last()?.created;
    let seconds = (window.lt - oldest).max(1) as f64;
    let expected = newest.len() as f64 * window.seconds() as f64 / seconds;
    let allowed = AT_A_TIME as f64;
    if window.seconds() <= 1 || (newest.len() < 2 * AT_A_TIME && expected <= 2.0 * allowed) {
        return None;
    }
    let share = (allowed / expected).min(0.5);
    Some(window.gte + ((window.seconds() as f64 * share) as i64).clamp(1, window.seconds() - 1))
}

fn read_events(page: &Page) -> impl Iterator<Item = Event> + '_ {
    (0..page.count()).filter_map(|index| page.record(index)).filter_map(|(text, _)| {
        match Event::read(&text) {
            Ok(event) => Some(event),
            Err(problem) => {
                tracing::warn!(problem = %problem.0, "an event cannot be read and is left out");
                None
            }
        }
    })
}

async fn ask(
    client: &Client,
    list: &Pass,
    window: Window,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Page, RequestError> {
    let read = |received: &Received| read_plain_page(&received.body, list.shape);
    client.fetch(&list.page(window, cursor, limit), None, PATIENT, read).await
}

#[cfg(test)]
mod tests {
    use protocol::RawJson;

    use super::*;

    fn events(seconds: &[i64]) -> Vec<Event> {
        let event = |second: &i64| {
            let text = format!(r#"{{"id":"evt_1","type":"x","created":{second}}}"#);
            Event::read(&RawJson::parse(text).unwrap()).unwrap()
        };
        seconds.iter().map(event).collect()
    }

    #[test]
    fn a_window_is_shortened_to_what_may_be_held() {
        let page: Vec<i64> = (0..100).map(|number| 10_000 - number).collect();
        let shorter = shorten(&events(&page), Window::new(0, 10_001)).unwrap();
        assert!((400..=520).contains(&shorter), "{shorter}");
        assert_eq!(shorten(&events(&page), Window::new(9_500, 10_001)), None, "it is short enough");
    }

    #[test]
    fn a_second_is_not_divided() {
        assert_eq!(shorten(&events(&[5; 2_000]), Window::new(5, 6)), None);
        assert_eq!(shorten(&events(&[5; 2_000]), Window::new(5, 7)), Some(6));
    }
}
