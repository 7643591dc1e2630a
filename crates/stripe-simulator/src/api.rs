//! Answers requests, once they are authenticated and let through.

use stripe_openapi::{ListEndpoint, ListStyle};

use crate::connect;
use crate::lore;
use crate::paging::{self, Token};
use crate::query::{self, Cursor, Query};
use crate::refusal::Refusal;
use crate::routes::Endpoint;
use crate::selection::{Selection, Side};
use crate::world::{Nesting, View, World};

/// An answer with status 200.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) body: Vec<u8>,
    /// Objects in the body, nested ones not counted.
    pub(crate) objects: u64,
}

/// Answers `GET <path>?<query>`, where `values` fill the route's `{…}` segments.
pub(crate) fn answer(
    world: &World,
    endpoint: &Endpoint,
    path: &str,
    values: &[&str],
    query: &Query,
) -> Result<Page, Refusal> {
    match endpoint {
        Endpoint::OwnAccount => own_account(world, query),
        Endpoint::List { table, list } => {
            let ask = query::read(query, list, world, *table, None)?;
            page(world, *table, list, path, query, None, &ask)
        }
        Endpoint::Children { table, list, family, parent_parameter, parent_in_path } => {
            let named = if *parent_in_path { None } else { Some(parent_parameter.as_str()) };
            let mut ask = query::read(query, list, world, *table, named)?;
            // What only the table's own list leaves out is seen under the parent.
            ask.hidden.retain(|rule| rule.unless.is_some());
            let id = match named {
                Some(name) => query.get(name).unwrap_or_default(),
                None => values.last().copied().unwrap_or_default(),
            };
            let children = children(world, *family, id, parent_parameter, path)?;
            page(world, *table, list, path, query, Some(children), &ask)
        }
        Endpoint::Retrieve { table, parameter } => retrieve(world, *table, parameter, values, query),
    }
}

/// The account in a URL that does not exist: Stripe answers as for one that is somebody else's.
pub(crate) fn strange_account<'a>(world: &World, endpoint: &Endpoint, values: &[&'a str]) -> Option<&'a str> {
    let (table, id) = match endpoint {
        Endpoint::Retrieve { table, .. } if values.len() == 1 => (*table, values[0]),
        Endpoint::Children { family: Some(family), parent_in_path: true, .. } => {
            (world.families[*family].parent, *values.last()?)
        }
        _ => return None,
    };
    let known = world.tables[table].name != connect::TABLE
        || id == world.settings.account.id
        || world.find(table, id).is_some();
    (!known).then_some(id)
}

fn children(
    world: &World,
    family: Option<usize>,
    id: &str,
    parameter: &str,
    path: &str,
) -> Result<Vec<u64>, Refusal> {
    let Some(family) = family else {
        return Err(Refusal::no_such(parameter, id, parameter, 404));
    };
    let parent = world.families[family].parent;
    let status = if path.contains(id) { 404 } else { 400 };
    let found = world.find(parent, id);
    let found = found.ok_or_else(|| Refusal::no_such(&world.tables[parent].object, id, parameter, status))?;
    Ok(world.children(family, found))
}

fn page(
    world: &World,
    table: usize,
    list: &ListEndpoint,
    path: &str,
    query: &Query,
    children: Option<Vec<u64>>,
    ask: &query::Ask,
) -> Result<Page, Refusal> {
    let own = &world.tables[table];
    let cursor = |id: &str, parameter: &str| {
        let found = world.find(table, id).filter(|row| children.as_ref().is_none_or(|all| all.contains(row)));
        found
            .map(|row| world.position(table, row))
            .ok_or_else(|| Refusal::no_such(&own.object, id, parameter, 400))
    };
    let side = match &ask.cursor {
        Cursor::Start => Side::Start,
        Cursor::After(id) => Side::After(cursor(id, "starting_after")?),
        Cursor::Before(id) => Side::Before(cursor(id, "ending_before")?),
        Cursor::Token(token) => match Token::read(token) {
            Some(token) => token.side(),
            None => {
                return Err(Refusal::new(400, "The page token is not valid.")
                    .code("invalid_page")
                    .param("page"));
            }
        },
    };
    let selection = Selection {
        world,
        table,
        children,
        created: ask.created,
        filters: &ask.filters,
        hidden: &ask.hidden,
    };
    let (rows, more) = selection.page(side, ask.limit);
    let mut body = Vec::with_capacity(64 + rows.len() * 1500);
    body.extend_from_slice(match list.style {
        ListStyle::V1 => b"{\"object\":\"list\",\"data\":[",
        ListStyle::V2 => b"{\"data\":[",
    });
    let view = View { nesting: Nesting::Cut, expand: &ask.expand };
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        world.write_object(table, *row, view, &mut body);
    }
    let objects = rows.len() as u64;
    match list.style {
        ListStyle::V1 => {
            body.extend_from_slice(b"],\"has_more\":");
            body.extend_from_slice(if more { b"true" } else { b"false" });
            body.extend_from_slice(b",\"url\":");
            body.extend_from_slice(serde_json::Value::from(path).to_string().as_bytes());
        }
        ListStyle::V2 => {
            let place = |row: Option<&u64>| row.map(|row| world.position(table, *row));
            let next = if matches!(side, Side::Before(_)) || more { place(rows.last()) } else { None };
            let back = if matches!(side, Side::Before(_)) { more } else { side != Side::Start };
            let previous = if back { place(rows.first()) } else { None };
            body.extend_from_slice(b"],\"next_page_url\":");
            paging::write_url(path, query, next.map(Token::After), &mut body);
            body.extend_from_slice(b",\"previous_page_url\":");
            paging::write_url(path, query, previous.map(Token::Before), &mut body);
        }
    }
    body.push(b'}');
    Ok(Page { body, objects })
}

fn retrieve(
    world: &World,
    table: usize,
    parameter: &str,
    values: &[&str],
    query: &Query,
) -> Result<Page, Refusal> {
    let own = &world.tables[table];
    let id = values.last().copied().unwrap_or_default();
    if let Some((unknown, _)) =
        query.pairs.iter().find(|(key, _)| !matches!(query::base(key), "expand" | "include"))
    {
        return Err(Refusal::unknown_parameter(unknown));
    }
    let mut expand = Vec::new();
    for wanted in query.expand() {
        let property = query::expandable(world, table, wanted);
        expand.push(property.ok_or_else(|| Refusal::cannot_expand(wanted))?);
    }
    if own.name == "account" && id == world.settings.account.id {
        return own_account(world, &Query::default());
    }
    if let Some(row) = world.find(table, id).filter(|row| world.is_under(table, *row, values)) {
        let mut body = Vec::with_capacity(4096);
        world.write_object(table, row, View { nesting: Nesting::Cut, expand: &expand }, &mut body);
        return Ok(Page { body, objects: 1 });
    }
    if world.was_deleted(table, id) && lore::answers_deleted(&own.name) {
        let body = serde_json::json!({"id": id, "object": own.object, "deleted": true}).to_string();
        return Ok(Page { body: body.into(), objects: 1 });
    }
    let param = if own.v2 { parameter } else { "id" };
    Err(Refusal::no_such(&own.object, id, param, 404))
}

fn own_account(world: &World, query: &Query) -> Result<Page, Refusal> {
    if let Some((unknown, _)) = query.pairs.iter().find(|(key, _)| query::base(key) != "expand") {
        return Err(Refusal::unknown_parameter(unknown));
    }
    Ok(Page { body: world.own_account(), objects: 1 })
}
