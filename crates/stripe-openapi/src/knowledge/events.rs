//! Events: which mean that an object is gone, and on which nobody should rely.

/// An event type that ends in `.deleted` although the object is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotADelete {
    /// The event type.
    pub event: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

/// Every `*.deleted` event that deletes nothing (fidelity U6). All others do.
pub const NOT_DELETES: [NotADelete; 2] = [
    NotADelete {
        event: "customer.subscription.deleted",
        meaning: "the subscription ended; it stays in the API with status `canceled`",
    },
    NotADelete {
        event: "customer.discount.deleted",
        meaning: "a discount was taken off a customer; the coupon and the customer stay",
    },
];

/// Event types whose subject is not the name of the resource they carry: subject, resource id.
pub const SUBJECTS: [(&str, &str); 3] = [
    ("customer.source", "payment_source"),
    ("entitlements.active_entitlement_summary", "entitlements.active_entitlement"),
    ("v2.commerce.product_catalog.imports", "v2.commerce.product_catalog_import"),
];

/// A table whose events do not tell every change, so that it must be read again from time to time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnreliableEvents {
    /// The table.
    pub table: &'static str,
    /// Which changes pass unsaid.
    pub unsaid: &'static str,
}

/// Tables that have events which tell too little (fidelity U10). Tables without any event are not here:
/// [`crate::Resource::supports_realtime`] tells those.
pub const UNRELIABLE_EVENTS: [UnreliableEvents; 13] = [
    UnreliableEvents {
        table: "account",
        unsaid: "`account.updated` is not sent for every change, nor when access to a connected account ends",
    },
    UnreliableEvents {
        table: "active_entitlement",
        unsaid: "the event carries a summary of at most ten entitlements, without those that ended",
    },
    UnreliableEvents { table: "billing_alert", unsaid: "the only event says that the alert was triggered" },
    UnreliableEvents { table: "capability", unsaid: "a new capability is not told" },
    UnreliableEvents {
        table: "external_account",
        unsaid: "sent for connected accounts only, and not for verification",
    },
    UnreliableEvents { table: "file", unsaid: "the only event says that the file was created" },
    UnreliableEvents { table: "person", unsaid: "sent for connected accounts only" },
    UnreliableEvents {
        table: "reporting_report_type",
        unsaid: "told for the types that the account uses only",
    },
    UnreliableEvents { table: "scheduled_query_run", unsaid: "the only event says that the run was created" },
    UnreliableEvents { table: "tax_rate", unsaid: "rates that Stripe Tax computes come and change unsaid" },
    UnreliableEvents {
        table: "terminal_reader",
        unsaid: "only actions are told: not registration, status, or removal",
    },
    UnreliableEvents {
        table: "test_helpers_test_clock",
        unsaid: "the deletion of a clock deletes its customers and subscriptions unsaid",
    },
    UnreliableEvents { table: "v2_core_event_destination", unsaid: "the only event is `ping`" },
];

/// Tables without events whose objects do change, but only for so many days after they were made.
///
/// A balance transaction is `pending` until its funds are available, which takes 30 days at the longest (Brazil); the
/// rest is a margin.
pub const SETTLES_AFTER_DAYS: [(&str, i64); 1] = [("balance_transaction", 40)];

/// After how many days objects of `table` do not change any more, if they do at all.
pub fn settles_after(table: &str) -> Option<i64> {
    SETTLES_AFTER_DAYS.iter().find(|(name, _)| *name == table).map(|(_, days)| *days)
}

/// Events by which Stripe asks for a decision and waits: whoever subscribes to one has to answer with it, within
/// two seconds. A copy has nothing to say there, and must not take the place of who has.
pub const REQUESTS: [&str; 1] = ["issuing_authorization.request"];

/// Whether a webhook endpoint can be subscribed to the event by one who only listens. Events of the v2 API are
/// told to event destinations, not to webhook endpoints.
pub fn can_be_subscribed(event: &str) -> bool {
    !event.starts_with("v2.") && !REQUESTS.contains(&event)
}

/// Whether the event means that the object it carries is gone from the API.
pub fn deletes(event: &str) -> bool {
    event.ends_with(".deleted") && !NOT_DELETES.iter().any(|entry| entry.event == event)
}

/// Which changes of `table` its events do not tell, if there are any such.
pub fn unreliable(table: &str) -> Option<&'static UnreliableEvents> {
    UNRELIABLE_EVENTS.iter().find(|entry| entry.table == table)
}

/// The resource that the subject of an event stands for, where its name does not tell.
pub(crate) fn subject(subject: &str) -> Option<&'static str> {
    SUBJECTS.iter().find(|(name, _)| *name == subject).map(|(_, id)| *id)
}
