//! The rows of a list: which, and in which order.

use crate::lore::HiddenRows;
use crate::query::{Accept, Bounds, Filter};
use crate::world::{Position, World};

/// The rows that a list request could answer over all its pages.
#[derive(Debug)]
pub(crate) struct Selection<'a> {
    pub(crate) world: &'a World,
    pub(crate) table: usize,
    /// The children of one parent in list order; `None` for the whole table, newest first.
    pub(crate) children: Option<Vec<u64>>,
    pub(crate) created: Bounds,
    pub(crate) filters: &'a [Filter],
    pub(crate) hidden: &'a [HiddenRows],
}

/// The side of a row from which a page is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// From the first row on.
    Start,
    /// Rows that follow this one in the list.
    After(Position),
    /// The rows just before this one.
    Before(Position),
}

impl Selection<'_> {
    /// Up to `limit` rows in list order, and whether there are more on that side.
    pub(crate) fn page(&self, side: Side, limit: usize) -> (Vec<u64>, bool) {
        let backwards = matches!(side, Side::Before(_));
        let wanted = limit.saturating_add(1);
        let mut rows: Vec<u64> = match self.few() {
            Some(rows) => {
                let accepted: Vec<u64> = rows.into_iter().filter(|row| self.accepts(*row)).collect();
                self.beside(accepted, side, wanted)
            }
            None => self.walk(side).filter(|row| self.accepts(*row)).take(wanted).collect(),
        };
        let more = rows.len() > limit;
        rows.truncate(limit);
        if backwards {
            rows.reverse();
        }
        (rows, more)
    }

    /// All candidates in list order, where they are known without walking the table.
    fn few(&self) -> Option<Vec<u64>> {
        if let Some(children) = &self.children {
            return Some(children.clone());
        }
        self.filters.iter().find_map(|filter| {
            let reference = self.world.layout(self.table).reference(filter.column)?;
            let Accept::OneOf(ids) = &filter.accept else { return None };
            let mut rows = Vec::new();
            for id in ids {
                let target = self.world.tables[reference.target].ordinal(id).unwrap_or(u64::MAX);
                rows.extend(self.world.linked(self.table, filter.column, target, id));
            }
            rows.sort_by_key(|row| std::cmp::Reverse(self.world.position(self.table, *row)));
            rows.dedup();
            Some(rows)
        })
    }

    fn beside(&self, rows: Vec<u64>, side: Side, wanted: usize) -> Vec<u64> {
        match (side, &self.children) {
            (Side::Start, _) => rows.into_iter().take(wanted).collect(),
            (Side::After((_, cursor)), Some(all)) => {
                let place = |row: u64| all.iter().position(|other| *other == row);
                rows.into_iter().filter(|row| place(*row) > place(cursor)).take(wanted).collect()
            }
            (Side::Before((_, cursor)), Some(all)) => {
                let place = |row: u64| all.iter().position(|other| *other == row);
                rows.into_iter().rev().filter(|row| place(*row) < place(cursor)).take(wanted).collect()
            }
            (Side::After(cursor), None) => {
                let at = |row: u64| self.world.position(self.table, row);
                rows.into_iter().filter(|row| at(*row) < cursor).take(wanted).collect()
            }
            (Side::Before(cursor), None) => {
                let at = |row: u64| self.world.position(self.table, row);
                rows.into_iter().rev().filter(|row| at(*row) > cursor).take(wanted).collect()
            }
        }
    }

    /// The table's living rows beside the cursor within the time bounds, nearest to the cursor first.
    fn walk(&self, side: Side) -> Box<dyn Iterator<Item = u64> + '_> {
        let world = self.world;
        let own = &world.tables[self.table];
        let mut low: Position = (self.created.low, 0);
        let mut high: Position = (self.created.high, u64::MAX);
        match side {
            Side::Start => {}
            // Positions exclude the cursor itself: no ordinal is 0 below or u64::MAX above it.
            Side::After((second, ordinal)) => high = high.min(before((second, ordinal))),
            Side::Before((second, ordinal)) => low = low.max((second, ordinal + 1)),
        }
        if low > high {
            return Box::new(std::iter::empty());
        }
        let first = self.generated_from(low);
        let end = match high {
            (i64::MAX, u64::MAX) => own.count,
            high => self.generated_from((high.0, high.1.saturating_add(1))).max(first),
        };
        let generated = (first..end).filter(move |ordinal| !own.is_deleted(*ordinal));
        let added = own.added.range(low..=high);
        if added.clone().next().is_none() {
            return match side {
                Side::Before(_) => Box::new(generated),
                _ => Box::new(generated.rev()),
            };
        }
        let position = move |ordinal: u64| (own.generated_at(ordinal), ordinal);
        match side {
            Side::Before(_) => Box::new(merge(generated.map(position), added.copied(), |a, b| a < b)),
            _ => Box::new(merge(generated.rev().map(position), added.rev().copied(), |a, b| a > b)),
        }
    }

    /// The first generated ordinal at `position` or later.
    fn generated_from(&self, (second, ordinal): Position) -> u64 {
        let own = &self.world.tables[self.table];
        let first = own.first_at_or_after(second);
        if ordinal <= first {
            return first;
        }
        let next = second.checked_add(1).map_or(own.count, |next| own.first_at_or_after(next));
        ordinal.min(next)
    }

    fn accepts(&self, row: u64) -> bool {
        let mut text = Vec::new();
        let filtered = self.filters.iter().all(|filter| {
            text.clear();
            self.world.write_column(self.table, row, filter.column, &mut text);
            matches(&text, filter)
        });
        filtered
            && (self.created == Bounds::ALL || self.created.contains(self.world.created(self.table, row)))
            && !self.hidden.iter().any(|rule| self.hides(rule, row, &mut text))
    }

    fn hides(&self, rule: &HiddenRows, row: u64, text: &mut Vec<u8>) -> bool {
        let Some(column) = self.world.layout(self.table).column(rule.column) else { return false };
        text.clear();
        self.world.write_column(self.table, row, column, text);
        match rule.values {
            [] => text != b"null",
            values => values.iter().any(|value| value.as_bytes() == text),
        }
    }
}

fn before((second, ordinal): Position) -> Position {
    match ordinal.checked_sub(1) {
        Some(ordinal) => (second, ordinal),
        None => (second - 1, u64::MAX),
    }
}

fn merge(
    a: impl Iterator<Item = Position>,
    b: impl Iterator<Item = Position>,
    first: impl Fn(Position, Position) -> bool,
) -> impl Iterator<Item = u64> {
    let (mut a, mut b) = (a.peekable(), b.peekable());
    std::iter::from_fn(move || match (a.peek(), b.peek()) {
        (Some(x), Some(y)) if first(*x, *y) => a.next(),
        (_, Some(_)) => b.next(),
        _ => a.next(),
    })
    .map(|(_, ordinal)| ordinal)
}

/// Whether the JSON text of a property passes a filter.
fn matches(text: &[u8], filter: &Filter) -> bool {
    let Ok(mut value) = serde_json::from_slice::<serde_json::Value>(text) else { return false };
    for key in &filter.path {
        value = value.get_mut(key).map(serde_json::Value::take).unwrap_or_default();
    }
    if let Some(id) = value.get_mut("id") {
        value = id.take();
    }
    match &filter.accept {
        Accept::Within(bounds) => value.as_i64().is_some_and(|value| bounds.contains(value)),
        Accept::OneOf(accepted) => match &value {
            serde_json::Value::String(text) => accepted.contains(text),
            serde_json::Value::Null => false,
            other => accepted.contains(&other.to_string()),
        },
    }
}
