//! Lists that are read again because events do not tell all of their changes (fidelity U10).

use stripe_openapi::knowledge::events::{settles_after, unreliable};
use stripe_openapi::{Catalog, Resource};

use crate::children;
use crate::window::Window;

/// A whole list of objects with `created` is read again after so many intervals; only its newest ones each time.
const INTERVALS_PER_WHOLE: i64 = 24;

/// How a stream is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refresh {
    /// Events tell all of its changes, or those of its parents do.
    Never,
    /// The list is short, or has no `created` to narrow it by: all of it at each interval.
    Whole,
    /// What is new at each interval. Now and then all of it, or the objects of the last so many seconds: older ones
    /// do not change any more.
    New { changes_for: Option<i64> },
}

/// How the stream of `resource` is read again.
pub(crate) fn refresh(catalog: &Catalog, resource: &Resource) -> Refresh {
    let told = resource.supports_realtime() && unreliable(&resource.table).is_none();
    match &resource.list {
        // Events never change.
        Some(list) if matches!(&*resource.table, "event" | "v2_core_event") => {
            if list.filters_created() {
                Refresh::New { changes_for: Some(0) }
            } else {
                Refresh::Whole
            }
        }
        _ if told => Refresh::Never,
        Some(list) if list.filters_created() => {
            Refresh::New { changes_for: settles_after(&resource.table).map(|days| days * 24 * 3600) }
        }
        Some(_) => Refresh::Whole,
        // Children come with their parents, whose events tell of them, unless nothing does.
        None => {
            let unsaid = |parent: &children::Parent<'_>| unreliable(&parent.resource.table).is_some();
            let parents = children::parents_of(catalog, resource);
            let may = unreliable(&resource.table).is_some() && parents.iter().any(unsaid);
            if may { Refresh::New { changes_for: None } } else { Refresh::Never }
        }
    }
}

/// When a stream is due, and which part of it.
///
/// `last` is when the list was last read at all, `whole` when it was last read as a whole.
pub(crate) fn due(refresh: Refresh, last: i64, whole: i64, interval: i64, now: i64) -> Option<Due> {
    let changes_for = match refresh {
        Refresh::Never => return None,
        Refresh::Whole => return (last + interval <= now).then_some(Due::Whole),
        Refresh::New { changes_for } => changes_for,
    };
    if whole + interval * INTERVALS_PER_WHOLE <= now && changes_for != Some(0) {
        return Some(changes_for.map_or(Due::Whole, |seconds| Due::Since(now - seconds)));
    }
    // Some more than is new: a second is not over when it is read.
    (last + interval <= now).then_some(Due::New(last - interval))
}

/// What to read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Whole,
    /// All that may still change: objects made since this second.
    Since(i64),
    /// Objects that are new since this second.
    New(i64),
}

impl Due {
    /// The part of `all` to read at `now`.
    pub(crate) fn window(self, all: Window, now: i64) -> Window {
        let gte = match self {
            Due::Whole => all.gte,
            Due::Since(second) | Due::New(second) => all.gte.max(second),
        };
        Window::new(gte, all.lt.max(now + 1))
    }

    /// Whether it counts as a reading of all that may change.
    pub(crate) fn is_whole(self) -> bool {
        !matches!(self, Due::New(_))
    }
}

#[cfg(test)]
mod tests {
    use stripe_openapi::embedded;

    use super::*;

    const HOUR: i64 = 3600;

    fn of(table: &str) -> Refresh {
        let catalog = embedded::catalog(embedded::newest_version()).unwrap();
        refresh(&catalog, catalog.resource(table).unwrap())
    }

    #[test]
    fn only_what_no_event_tells_is_read_again() {
        for table in
            ["customer", "invoice", "subscription_item", "customer_balance_transaction", "v2_core_account"]
        {
            assert_eq!(of(table), Refresh::Never, "{table}");
        }
        for table in ["terminal_location", "tax_code", "webhook_endpoint", "terminal_reader"] {
            assert_eq!(of(table), Refresh::Whole, "{table}");
        }
        for table in ["shipping_rate", "file_link", "account", "person"] {
            assert_eq!(of(table), Refresh::New { changes_for: None }, "{table}");
        }
        assert!(matches!(of("balance_transaction"), Refresh::New { changes_for: Some(1..) }));
        assert_eq!(of("event"), Refresh::New { changes_for: Some(0) });
    }

    #[test]
    fn what_is_new_comes_often_and_all_of_it_seldom() {
        let due = |refresh, last, whole, now| due(refresh, last, whole, HOUR, now);
        let new = Refresh::New { changes_for: None };
        assert_eq!(due(Refresh::Never, 0, 0, 1_000_000), None);
        assert_eq!(due(Refresh::Whole, 0, 0, HOUR - 1), None);
        assert_eq!(due(Refresh::Whole, 0, 0, HOUR), Some(Due::Whole));
        assert_eq!(due(new, 5 * HOUR, 0, 6 * HOUR), Some(Due::New(4 * HOUR)));
        assert_eq!(due(new, 23 * HOUR, 0, 24 * HOUR), Some(Due::Whole));
        let settles = Refresh::New { changes_for: Some(10 * HOUR) };
        assert_eq!(due(settles, 0, 0, 24 * HOUR), Some(Due::Since(14 * HOUR)));
        let fixed = Refresh::New { changes_for: Some(0) };
        assert_eq!(due(fixed, 23 * HOUR, 0, 24 * HOUR), Some(Due::New(22 * HOUR)));
    }
}
