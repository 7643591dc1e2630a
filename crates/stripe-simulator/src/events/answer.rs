//! Answers lists and retrievals of events.

use stripe_openapi::ListEndpoint;

use super::log::{Event, EventLog, Generation};
use crate::api::Page;
use crate::paging::{self, Token};
use crate::query::{self, Accept, Cursor, Query};
use crate::refusal::Refusal;
use crate::routes::Endpoint;
use crate::selection::Side;
use crate::world::World;

/// The kind of events that an endpoint answers, if it answers events.
pub(crate) fn generation(world: &World, endpoint: &Endpoint) -> Option<Generation> {
    match endpoint {
        Endpoint::List { table, .. } | Endpoint::Retrieve { table, .. } => {
            Generation::of_table(&world.tables[*table].name)
        }
        _ => None,
    }
}

/// Answers `GET <path>?<query>` from the log as it is at `now`.
pub(crate) fn answer(
    world: &World,
    log: &EventLog,
    (generation, endpoint): (Generation, &Endpoint),
    path: &str,
    values: &[&str],
    query: &Query,
    now: i64,
) -> Result<Page, Refusal> {
    let object = match generation {
        Generation::V1 => "event",
        Generation::V2 => "v2.core.event",
    };
    match endpoint {
        Endpoint::List { table, list } => page(world, log, (generation, *table, list), path, query, now),
        _ => {
            let id = values.last().copied().unwrap_or_default();
            let found = log.find(generation, id, now);
            let event = found.ok_or_else(|| Refusal::no_such(object, id, "id", 404))?;
            Ok(Page { body: event.text.clone(), objects: 1 })
        }
    }
}

fn page(
    world: &World,
    log: &EventLog,
    (generation, table, list): (Generation, usize, &ListEndpoint),
    path: &str,
    query: &Query,
    now: i64,
) -> Result<Page, Refusal> {
    // No column says which object an event is about, so the usual filters cannot.
    let about: Option<&str> = query.get("object_id").filter(|_| list.takes("object_id"));
    let usual = Query {
        pairs: query.pairs.iter().filter(|(key, _)| about.is_none() || key != "object_id").cloned().collect(),
    };
    let ask = query::read(&usual, list, world, table, None)?;
    let own = &world.tables[table];
    let place = |id: &str, parameter: &str| {
        let found = log.find(generation, id, now).map(|event| event.position());
        found.ok_or_else(|| Refusal::no_such(&own.object, id, parameter, 400))
    };
    let side = match &ask.cursor {
        Cursor::Start => Side::Start,
        Cursor::After(id) => Side::After(place(id, "starting_after")?),
        Cursor::Before(id) => Side::Before(place(id, "ending_before")?),
        Cursor::Token(token) => Token::read(token)
            .ok_or_else(|| {
                Refusal::new(400, "The page token is not valid.").code("invalid_page").param("page")
            })?
            .side(),
    };
    let kinds: Vec<&Vec<String>> = ask
        .filters
        .iter()
        .filter(|filter| world.layout(table).columns[filter.column].0 == "type")
        .filter_map(|filter| match &filter.accept {
            Accept::OneOf(kinds) => Some(kinds),
            Accept::Within(_) => None,
        })
        .collect();
    let accepts = |event: &Event| {
        kinds.iter().all(|kinds| kinds.iter().any(|kind| covers(kind, &event.kind)))
            && about.is_none_or(|id| event.object_id == id)
    };
    let (events, more) = log.page(generation, ask.created, side, ask.limit, now, accepts);
    let mut body = match generation {
        Generation::V1 => b"{\"object\":\"list\",\"data\":[".to_vec(),
        Generation::V2 => b"{\"data\":[".to_vec(),
    };
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&event.text);
    }
    match generation {
        Generation::V1 => {
            body.extend_from_slice(format!("],\"has_more\":{more},\"url\":\"{path}\"}}").as_bytes());
        }
        Generation::V2 => {
            let before = matches!(side, Side::Before(_));
            let next = events.last().filter(|_| before || more).map(|event| Token::After(event.position()));
            let back = if before { more } else { side != Side::Start };
            let previous = events.first().filter(|_| back).map(|event| Token::Before(event.position()));
            body.extend_from_slice(b"],\"next_page_url\":");
            paging::write_url(path, query, next, &mut body);
            body.extend_from_slice(b",\"previous_page_url\":");
            paging::write_url(path, query, previous, &mut body);
            body.push(b'}');
        }
    }
    Ok(Page { body, objects: events.len() as u64 })
}

/// Whether a wanted type, which may end in `*`, covers the type of an event.
pub(crate) fn covers(wanted: &str, kind: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(start) => kind.starts_with(start),
        None => wanted == kind,
    }
}
