//! Which event types a change means.

use serde_json::{Map, Value};
use stripe_openapi::EventType;

/// What an object held, and what it holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'a> {
    pub(crate) table: &'a str,
    pub(crate) before: Option<&'a Map<String, Value>>,
    pub(crate) after: Option<&'a Map<String, Value>>,
}

impl Change<'_> {
    /// The text of `property` now, if it has just become so.
    fn became(&self, property: &str) -> Option<String> {
        let now = self.after?.get(property)?;
        let was = self.before.and_then(|before| before.get(property)).unwrap_or(&Value::Null);
        (now != was).then(|| text(now))
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Events of particular changes: table, property, what it became (`*`: anything), event type.
///
/// A `status` that is the last word of an event type of the table needs no entry.
const TRANSITIONS: &[(&str, &str, &str, &str)] = &[
    ("billing_meter", "status", "active", "billing.meter.reactivated"),
    ("billing_meter", "status", "inactive", "billing.meter.deactivated"),
    ("charge", "amount_refunded", "*", "charge.refunded"),
    ("charge", "captured", "true", "charge.captured"),
    ("checkout_session", "status", "complete", "checkout.session.completed"),
    ("credit_note", "status", "void", "credit_note.voided"),
    ("dispute", "status", "lost", "charge.dispute.closed"),
    ("dispute", "status", "warning_closed", "charge.dispute.closed"),
    ("dispute", "status", "won", "charge.dispute.closed"),
    ("invoice", "status", "open", "invoice.finalized"),
    ("invoice", "status", "paid", "invoice.payment_succeeded"),
    ("invoice", "status", "uncollectible", "invoice.marked_uncollectible"),
    ("invoice", "status", "void", "invoice.voided"),
    ("issuing_dispute", "status", "lost", "issuing_dispute.closed"),
    ("issuing_dispute", "status", "won", "issuing_dispute.closed"),
    ("payment_intent", "status", "requires_payment_method", "payment_intent.payment_failed"),
    ("payment_method", "customer", "null", "payment_method.detached"),
    ("quote", "status", "open", "quote.finalized"),
    ("review", "open", "false", "review.closed"),
    ("setup_intent", "status", "requires_payment_method", "setup_intent.setup_failed"),
    ("subscription", "status", "canceled", ENDED),
    ("v2_core_account", "closed", "true", "v2.core.account.closed"),
    ("v2_core_account", "identity", "*", "v2.core.account[identity].updated"),
];

/// The subscription ended; it stays, with status `canceled`.
const ENDED: &str = "customer.subscription.deleted";

/// The event types of a change among those that the table has, in the order in which they are told.
pub(crate) fn own<'a>(change: &Change<'_>, known: &'a [EventType]) -> Vec<&'a str> {
    let named = |name: &str| known.iter().find(|event| event.name == name).map(|event| event.name.as_str());
    let ending = |tail: &'static str| {
        let names = known.iter().map(|event| event.name.as_str());
        names.filter(move |name| name.ends_with(tail) && !name.contains('['))
    };
    let mut kinds: Vec<&str> = Vec::new();
    match (change.before, change.after) {
        (None, Some(after)) => {
            kinds.extend(ending(".created"));
            match change.table {
                "review" => kinds.extend(named("review.opened")),
                "payment_method" if after.get("customer").is_some_and(Value::is_string) => {
                    kinds.extend(named("payment_method.attached"));
                }
                // A charge is told of by its status, a payment intent by its creation alone.
                _ if kinds.is_empty() => kinds.extend(transitions(change, known)),
                _ => {}
            }
        }
        (Some(_), Some(_)) => {
            let special: Vec<&str> = transitions(change, known).collect();
            if !special.contains(&ENDED) {
                kinds.extend(ending(".updated").filter(|name| is_about(name, change)));
            }
            kinds.extend(special);
        }
        (Some(_), None) => {
            kinds.extend(known.iter().filter(|event| event.deletes).map(|event| event.name.as_str()));
        }
        (None, None) => {}
    }
    kinds.dedup();
    kinds
}

/// Whether an event type that the catalog counts to the table is about this object.
fn is_about(name: &str, change: &Change<'_>) -> bool {
    match (change.table, name) {
        ("refund", "application_fee.refund.updated") => false,
        ("refund", "charge.refund.updated") => {
            change.after.and_then(|after| after.get("charge")).is_some_and(Value::is_string)
        }
        _ => true,
    }
}

fn transitions<'a>(change: &Change<'_>, known: &'a [EventType]) -> impl Iterator<Item = &'a str> {
    let mut wanted: Vec<String> = Vec::new();
    if let Some(status) = change.became("status") {
        let tail = format!(".{status}");
        wanted.extend(known.iter().filter(|event| event.name.ends_with(&tail)).map(|e| e.name.clone()));
    }
    for (_, property, value, event) in TRANSITIONS.iter().filter(|entry| entry.0 == change.table) {
        let applies = *property == "status" || change.before.is_some();
        if applies && change.became(property).is_some_and(|now| *value == "*" || now == *value) {
            wanted.push((*event).to_owned());
        }
    }
    let old = |property: &str| change.before.and_then(|before| before.get(property)).map(text);
    match change.table {
        "subscription" if old("status").as_deref() == Some("paused") && change.became("status").is_some() => {
            wanted.push("customer.subscription.resumed".into());
        }
        "payment_method" if change.became("customer").is_some_and(|customer| customer != "null") => {
            wanted.push("payment_method.attached".into());
        }
        _ => {}
    }
    known.iter().map(|event| event.name.as_str()).filter(move |name| wanted.iter().any(|kind| kind == name))
}

/// The event types by which a parent tells that a child came, changed or went.
///
/// `told` says that the child has events of its own, `shown` that the parent looks different now.
pub(crate) fn of_parent<'a>(
    parent: &str,
    child: &Change<'_>,
    told: bool,
    shown: bool,
    known: &'a [EventType],
) -> Option<&'a str> {
    let created = child.before.is_none();
    let name = match (parent, child.table) {
        ("charge", "refund") if created => "charge.refunded",
        ("transfer", "transfer_reversal") if created => "transfer.reversed",
        ("application_fee", "fee_refund") if created => "application_fee.refunded",
        _ if shown || !told => ".updated",
        _ => return None,
    };
    let about_a_refund = |kind: &str| kind.ends_with(".refund.updated");
    let plain = |kind: &str| kind.ends_with(".updated") && !kind.contains('[') && !about_a_refund(kind);
    let mut names = known.iter().map(|event| event.name.as_str());
    names.find(|kind| *kind == name || (name == ".updated" && plain(kind)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stripe_openapi::embedded;

    use super::*;

    #[allow(clippy::needless_pass_by_value)]
    fn kinds(table: &str, before: Value, after: Value) -> Vec<String> {
        let catalog = embedded::catalog(embedded::newest_version()).unwrap();
        let change = Change { table, before: before.as_object(), after: after.as_object() };
        let known = &catalog.resource(table).unwrap().events;
        own(&change, known).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn usual_changes_have_usual_events() {
        assert_eq!(kinds("customer", Value::Null, json!({"id": "cus_1"})), ["customer.created"]);
        assert_eq!(kinds("customer", json!({"a": 1}), json!({"a": 2})), ["customer.updated"]);
        assert_eq!(kinds("customer", json!({"a": 1}), Value::Null), ["customer.deleted"]);
        assert_eq!(kinds("tax_id", json!({"a": 1}), Value::Null), ["customer.tax_id.deleted"]);
        assert!(kinds("balance_transaction", Value::Null, json!({})).is_empty());
        assert!(kinds("subscription", json!({"a": 1}), Value::Null).is_empty());
    }

    #[test]
    fn states_have_events_of_their_own() {
        let becomes = |table: &str, property: &str, from: Value, to: Value| {
            kinds(table, json!({property: from}), json!({property: to}))
        };
        let status = |table: &str, from: &str, to: &str| becomes(table, "status", json!(from), json!(to));
        assert_eq!(status("subscription", "active", "canceled"), ["customer.subscription.deleted"]);
        assert_eq!(
            status("invoice", "open", "paid"),
            ["invoice.updated", "invoice.paid", "invoice.payment_succeeded"]
        );
        assert_eq!(status("invoice", "draft", "open"), ["invoice.updated", "invoice.finalized"]);
        assert_eq!(status("payment_intent", "processing", "succeeded"), ["payment_intent.succeeded"]);
        assert_eq!(status("quote", "draft", "open"), ["quote.finalized"]);
        assert_eq!(kinds("charge", Value::Null, json!({"status": "succeeded"})), ["charge.succeeded"]);
        assert_eq!(
            becomes("charge", "amount_refunded", json!(0), json!(5)),
            ["charge.updated", "charge.refunded"]
        );
        assert_eq!(becomes("review", "open", json!(true), json!(false)), ["review.closed"]);
        assert_eq!(
            becomes("payment_method", "customer", json!(null), json!("cus_1")),
            ["payment_method.updated", "payment_method.attached"]
        );
        assert_eq!(
            becomes("v2_core_account", "closed", json!(false), json!(true)),
            ["v2.core.account.updated", "v2.core.account.closed"]
        );
        assert_eq!(
            kinds("refund", json!({"a": 1}), json!({"charge": "ch_1"})),
            ["charge.refund.updated", "refund.updated"]
        );
        assert!(status("payment_intent", "processing", "processing").is_empty());
    }
}
