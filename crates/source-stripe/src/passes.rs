//! The lists that have to be read so that a stream is complete: its own, and those that show what its own
//! hides (fidelity C1, C2). What hides what is knowledge of `stripe-openapi`.

use std::sync::Arc;

use stripe_openapi::knowledge::lists::{self, Remedy, V1_PAGE_LIMIT, V2_PAGE_LIMIT};
use stripe_openapi::{Catalog, ListEndpoint, ListStyle, Resource};

use crate::children::{Feed, parents_of};
use crate::client::Get;
use crate::page::Shape;
use crate::plan::{Part, Request};
use crate::stream_state::{Remaining, SETTLING, StreamState};
use crate::window::Window;

/// A read that goes on after an interruption within so many seconds is the same work going on: what
/// it had finished of lists that can only be read as a whole is not read again.
const SAME_WORK: i64 = 3600;

/// Begins the label of a pass; no id and no page token begins so.
const LABEL: char = '?';

/// One list of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pass {
    pub(crate) path: Arc<str>,
    pub(crate) shape: Shape,
    /// Tells the list from the others in a state; none for the stream's own list.
    pub(crate) label: Option<Arc<str>>,
    /// Sent with every request.
    parameters: Vec<(String, String)>,
    /// Whether requests are narrowed by `created`.
    pub(crate) bounded: bool,
    takes_limit: bool,
    takes_cursor: bool,
    /// How the rows of the stream are had from the objects of the list; none where they are these objects.
    pub(crate) feed: Option<Feed>,
}

/// The ids of the account's test clocks, for lists that show more when given one.
pub(crate) type Clocks<'a> = &'a [String];

/// The passes of one stream: its own list and those that show what it hides, then the lists of its parents
/// where its rows are with them. None where nothing is known to fill the table.
pub(crate) fn of_stream(catalog: &Catalog, resource: &Resource, clocks: Clocks<'_>) -> Vec<Pass> {
    let mut passes = resource.list.as_ref().map_or_else(Vec::new, |list| of(catalog, resource, list, clocks));
    for parent in parents_of(catalog, resource) {
        let is_main = passes.is_empty();
        for mut pass in of(catalog, parent.resource, parent.list, clocks) {
            if !is_main {
                let label = pass.label.as_deref().unwrap_or_default();
                pass.label = Some(format!("{LABEL}{}{label}", parent.list.path).into());
            }
            if let Feed::Nested { property, on_request: true, .. } = &parent.feed {
                pass.expand(property);
            }
            pass.feed = Some(parent.feed.clone());
            passes.push(pass);
        }
    }
    passes
}

/// The passes of a resource's own list, which is the first.
fn of(catalog: &Catalog, resource: &Resource, list: &ListEndpoint, clocks: Clocks<'_>) -> Vec<Pass> {
    let always = lists::always_sent(&list.path).filter(|(name, _)| list.takes(name));
    let parameters: Vec<(String, String)> =
        always.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let own = Pass {
        path: list.path.as_str().into(),
        shape: if list.style == ListStyle::V1 { Shape::V1 } else { Shape::V2 },
        label: None,
        parameters,
        bounded: list.filters_created(),
        takes_limit: list.takes("limit"),
        takes_cursor: list.takes(if list.style == ListStyle::V1 { "starting_after" } else { "page" }),
        feed: None,
    };
    let mut passes = vec![own];
    let hidden_rows = lists::hidden_rows(&resource.table, &catalog.api_version);
    for hidden in hidden_rows.filter(|hidden| hidden.path == list.path) {
        let again = |passes: &mut Vec<Pass>, name: &str, value: &str| {
            let mut pass = passes[0].clone();
            pass.label = Some(format!("{LABEL}{name}={value}").into());
            pass.parameters.push((name.to_owned(), value.to_owned()));
            // Objects of a test clock are created in its own time, which may be in the future.
            pass.bounded = false;
            passes.push(pass);
        };
        match hidden.remedy {
            Remedy::ListAgain(name, value) if list.takes(name) => again(&mut passes, name, value),
            Remedy::ListAgainForEach { parameter, .. } if list.takes(parameter) => {
                for clock in clocks {
                    again(&mut passes, parameter, clock);
                }
            }
            Remedy::Retrieve(path) => passes.push(Pass {
                path: path.into(),
                shape: Shape::Single,
                label: Some(format!("{LABEL}{path}").into()),
                parameters: Vec::new(),
                bounded: false,
                takes_limit: false,
                takes_cursor: false,
                feed: None,
            }),
            _ => {}
        }
    }
    passes
}

/// Whether some list of the stream has to be read for each test clock too.
pub(crate) fn stream_wants_clocks(catalog: &Catalog, resource: &Resource) -> bool {
    resource.list.as_ref().is_some_and(|list| wants_clocks(catalog, resource, list))
        || parents_of(catalog, resource)
            .iter()
            .any(|parent| wants_clocks(catalog, parent.resource, parent.list))
}

/// Whether the resource has to be listed for each test clock too.
fn wants_clocks(catalog: &Catalog, resource: &Resource, list: &ListEndpoint) -> bool {
    lists::hidden_rows(&resource.table, &catalog.api_version).any(|hidden| match hidden.remedy {
        Remedy::ListAgainForEach { parameter, .. } => hidden.path == list.path && list.takes(parameter),
        _ => false,
    })
}

impl Pass {
    /// Lets every request ask for a field that objects do not have unasked.
    pub(crate) fn expand(&mut self, field: &str) {
        let of_each = if self.shape == Shape::Single { "" } else { "data." };
        self.parameters.push(("expand[]".to_owned(), format!("{of_each}{field}")));
    }

    /// Lets the list be read as a whole, whatever was read of it before.
    pub(crate) fn unbind(&mut self) {
        self.bounded = false;
    }

    /// Whether requests may be narrowed to parts of the wanted window.
    pub(crate) fn windowed(&self) -> bool {
        self.bounded && self.shape == Shape::V1
    }

    /// Whether the list can be paged at all.
    pub(crate) fn takes_cursor(&self) -> bool {
        self.takes_cursor
    }

    /// Whether rows are listed under each object of the list.
    pub(crate) fn lists_under(&self) -> bool {
        matches!(self.feed, Some(Feed::Under(_)))
    }

    /// Most objects on one page.
    pub(crate) fn page_size(&self) -> usize {
        if self.shape == Shape::V2 { V2_PAGE_LIMIT } else { V1_PAGE_LIMIT }
    }

    /// A request that shows whether the list may be read.
    pub(crate) fn probe(&self) -> Get {
        let limit = self.takes_limit.then(|| ("limit".to_owned(), "1".to_owned()));
        Get {
            path: Arc::clone(&self.path),
            query: limit.into_iter().chain(self.parameters.iter().cloned()).collect(),
        }
    }

    /// The request for a page.
    pub(crate) fn get(&self, request: &Request) -> Get {
        self.page(request.window, request.cursor.as_deref(), request.limit)
    }

    /// The request for at most `limit` objects of `window`, after `cursor`.
    pub(crate) fn page(&self, window: Window, cursor: Option<&str>, limit: usize) -> Get {
        let mut query = Vec::new();
        let mut send = |name: &str, value: String| query.push((name.to_owned(), value));
        if self.takes_limit {
            send("limit", limit.min(self.page_size()).to_string());
        }
        if self.bounded {
            let bound = |seconds: i64| match self.shape {
                Shape::V2 => protocol::Timestamp::from_unix_seconds(seconds).to_string(),
                _ => seconds.to_string(),
            };
            send("created[gte]", bound(window.gte));
            send("created[lt]", bound(window.lt));
        }
        if let Some(cursor) = cursor.filter(|_| self.takes_cursor) {
            send(if self.shape == Shape::V2 { "page" } else { "starting_after" }, cursor.to_owned());
        }
        query.extend(self.parameters.iter().cloned());
        Get { path: Arc::clone(&self.path), query }
    }
}

/// Whether a read of streams with these states goes on with one that was interrupted a short while
/// before `now`: some stream was read lately, and some other was not read to its end.
pub(crate) fn goes_on(states: &[Option<StreamState>], now: i64) -> bool {
    let lately = |state: &StreamState| state.accounted.lt + SAME_WORK >= now;
    let unfinished =
        |state: &Option<StreamState>| state.as_ref().is_none_or(|state| !state.remaining.is_empty());
    states.iter().flatten().any(lately) && states.iter().any(unfinished)
}

/// The window to read of a stream in a read that [`goes_on`]: a list that can only be read as a whole,
/// and was, stays as it is. What is new in it is left to the next read.
pub(crate) fn window_going_on(passes: &[Pass], state: Option<&StreamState>, wanted: Window) -> Window {
    let finished = state.filter(|state| state.remaining.is_empty() && state.accounted.gte == wanted.gte);
    let whole = passes.first().is_some_and(|pass| !pass.bounded);
    finished.filter(|_| whole).map_or(wanted, |state| state.accounted)
}

/// The parts of a stream that are to be read, given what was remembered of it. `going_on` says that
/// further lists which were read to their ends need not be read again.
pub(crate) fn parts(
    passes: &[Pass],
    state: Option<&StreamState>,
    wanted: Window,
    going_on: bool,
) -> Vec<Part> {
    let same = going_on || state.is_some_and(|state| state.accounted == wanted);
    let mut parts = Vec::new();
    for (index, pass) in passes.iter().enumerate() {
        let part = |window: Window, cursor: Option<String>| Part {
            pass: index,
            label: pass.label.clone(),
            window,
            cursor,
            windowed: pass.windowed(),
            stop_below: None,
        };
        let Some(state) = state.map(|state| state.of(passes, index)) else {
            parts.push(part(wanted, None));
            continue;
        };
        let accounted = state.accounted;
        if pass.bounded {
            let remaining = state.reconcile(wanted).remaining;
            parts.extend(remaining.into_iter().map(|left| part(left.window, left.cursor)));
        } else if pass.label.is_some() {
            match &state.remaining[..] {
                [] if same => {}
                [left] => parts.push(part(wanted, left.cursor.clone())),
                // Several are left of a list that was narrowed before: no one place is where to go on.
                _ => parts.push(part(wanted, None)),
            }
        } else {
            parts.extend(
                unbounded(state.remaining, accounted, wanted)
                    .into_iter()
                    .map(|(window, cursor, stop)| Part { stop_below: stop, ..part(window, cursor) }),
            );
        }
    }
    parts.retain(|part| !part.window.is_empty());
    parts
}

type Stretch = (Window, Option<String>, Option<i64>);

/// A list that cannot be narrowed by time. Once read to its end it is read anew for another window. If it
/// was not, the rest is read from the cursor on, and the objects that are new since from the top.
fn unbounded(remaining: Vec<Remaining>, accounted: Window, wanted: Window) -> Vec<Stretch> {
    if remaining.is_empty() && accounted == wanted {
        return Vec::new();
    }
    let is_top = |left: &Remaining| left.window.gte > accounted.gte;
    let begun = !remaining.is_empty() && remaining.iter().all(|left| left.cursor.is_some() || is_top(left));
    if accounted != wanted && !begun {
        return vec![(wanted, None, None)];
    }
    let mut stretches: Vec<Stretch> = remaining
        .into_iter()
        .map(|left| {
            let is_top = is_top(&left);
            let gte = if is_top { left.window.gte } else { wanted.gte };
            // What was to be read from the top, and was not begun, now begins at a newer top.
            let lt = if is_top && left.cursor.is_none() { wanted.lt } else { left.window.lt };
            (Window::new(gte, lt), left.cursor, is_top.then_some(gte - SETTLING))
        })
        .collect();
    let begins_at_the_top = stretches.iter().any(|(_, cursor, stop)| cursor.is_none() && stop.is_some());
    if wanted.lt > accounted.lt && !begins_at_the_top {
        stretches.push((Window::new(accounted.lt, wanted.lt), None, Some(accounted.lt - SETTLING)));
    }
    stretches
}

impl StreamState {
    /// The part of the state that is about one pass, with its cursors as the list knows them.
    fn of(&self, passes: &[Pass], index: usize) -> StreamState {
        let remaining = self.remaining.iter().filter_map(|left| {
            let (owner, cursor) = owner(passes, left.cursor.as_deref());
            (owner == index).then_some(Remaining { window: left.window, cursor })
        });
        StreamState { accounted: self.accounted, remaining: remaining.collect() }
    }
}

/// The pass that a stored cursor belongs to, and the cursor without the pass's label. What belongs to
/// a list that is gone, such as that of a deleted test clock, has no pass.
fn owner(passes: &[Pass], cursor: Option<&str>) -> (usize, Option<String>) {
    let Some(stored) = cursor else { return (0, None) };
    for (index, pass) in passes.iter().enumerate() {
        let Some(label) = &pass.label else { continue };
        if let Some(cursor) = stored.strip_prefix(&**label).and_then(|rest| rest.strip_prefix(':')) {
            return (index, (!cursor.is_empty()).then(|| cursor.to_owned()));
        }
    }
    if stored.starts_with(LABEL) { (usize::MAX, None) } else { (0, Some(stored.to_owned())) }
}

#[cfg(test)]
#[path = "passes_tests.rs"]
mod tests;
