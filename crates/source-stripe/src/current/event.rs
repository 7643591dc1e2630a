//! What an event says, as far as it matters here.

use protocol::{RawJson, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::page::Unexpected;

/// An event: a hint that an object changed, with the object as it was or only its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: String,
    /// E.g. `customer.updated`.
    pub(crate) kind: String,
    /// Unix seconds.
    pub(crate) created: i64,
    /// The version at which the object is shown.
    pub(crate) api_version: Option<String>,
    /// The account that it happened in, where it is not the one whose events were asked for.
    pub(crate) account: Option<String>,
    pub(crate) subject: Subject,
    /// The whole event.
    pub(crate) text: RawJson,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The object as it was right after the change.
    Shown {
        object: RawJson,
        /// Stripe's name of its kind, e.g. `customer`.
        kind: String,
        /// Previews, such as of upcoming invoices, have none.
        id: Option<String>,
        deleted: bool,
    },
    /// The name of the object, and the path that answers it.
    Named { kind: String, id: String, path: String },
    /// Nothing that is stored.
    Nothing,
}

#[derive(Deserialize)]
struct Wire<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    created: &'a RawValue,
    api_version: Option<String>,
    account: Option<String>,
    context: Option<String>,
    #[serde(borrow)]
    data: Option<Data<'a>>,
    related_object: Option<Related>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    object: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Related {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    url: String,
}

#[derive(Deserialize)]
struct Shown {
    id: Option<String>,
    object: Option<String>,
    #[serde(default)]
    deleted: bool,
}

impl Event {
    /// Reads an event of either of Stripe's APIs.
    pub(crate) fn read(text: &RawJson) -> Result<Event, Unexpected> {
        let unexpected = |error: &dyn std::fmt::Display| Unexpected(format!("not an event: {error}"));
        let wire: Wire<'_> = text.read().map_err(|error| unexpected(&error))?;
        let created =
            seconds(wire.created.get()).ok_or_else(|| unexpected(&"its `created` is not a time"))?;
        let shown = wire.data.and_then(|data| data.object).filter(|object| object.get().starts_with('{'));
        let subject = match (shown, wire.related_object) {
            (Some(object), _) => {
                let Shown { id, object: kind, deleted } =
                    serde_json::from_str(object.get()).map_err(|error| unexpected(&error))?;
                let object = RawJson::part_of(&text.to_bytes(), object);
                Subject::Shown { object, kind: kind.unwrap_or_default(), id, deleted }
            }
            (None, Some(Related { id, kind, url })) => Subject::Named { kind, id, path: url },
            (None, None) => Subject::Nothing,
        };
        let account = wire.account.or_else(|| wire.context.as_deref().and_then(account_in));
        Ok(Event {
            id: wire.id,
            kind: wire.kind,
            created,
            api_version: wire.api_version,
            account,
            subject,
            text: text.clone(),
        })
    }
}

/// The account at the end of a context such as `acct_platform/acct_connected`.
pub(crate) fn account_in(context: &str) -> Option<String> {
    let account = context.rsplit('/').next()?;
    account.starts_with("acct_").then(|| account.to_owned())
}

/// Unix seconds, or an RFC 3339 time in quotes.
fn seconds(json: &str) -> Option<i64> {
    if let Ok(seconds) = json.parse() {
        return Some(seconds);
    }
    let text: String = serde_json::from_str(json).ok()?;
    Timestamp::parse_bound(&text).ok().map(Timestamp::unix_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Event, Unexpected> {
        Event::read(&RawJson::parse(text.to_owned()).unwrap())
    }

    #[test]
    fn the_object_keeps_its_text() {
        let event = read(
            r#"{"id":"evt_1","object":"event","api_version":"2020-08-27","created":7,"account":"acct_2",
               "data":{"object":{"id":"cus_1", "object":"customer","n":1.50},"previous_attributes":{}},"type":"customer.updated"}"#,
        )
        .unwrap();
        assert_eq!((event.created, event.account.as_deref()), (7, Some("acct_2")));
        let Subject::Shown { object, kind, id, deleted } = event.subject else { panic!() };
        assert_eq!(object.as_str(), r#"{"id":"cus_1", "object":"customer","n":1.50}"#);
        assert_eq!((kind.as_str(), id.as_deref(), deleted), ("customer", Some("cus_1"), false));
    }

    #[test]
    fn thin_events_name_their_object() {
        let event = read(
            r#"{"id":"evt_2","object":"v2.core.event","context":null,"created":"1970-01-01T00:00:09.250Z",
               "related_object":{"id":"acct_1","type":"v2.core.account","url":"/v2/core/accounts/acct_1"},
               "type":"v2.core.account.updated"}"#,
        )
        .unwrap();
        assert_eq!(event.created, 9);
        assert!(
            matches!(&event.subject, Subject::Named { id, path, .. } if id == "acct_1" && path == "/v2/core/accounts/acct_1")
        );
    }

    #[test]
    fn what_is_no_event_is_refused() {
        for text in [
            "{}",
            "[]",
            r#"{"id":"evt_1","type":"x","created":"soon"}"#,
            r#"{"id":1,"type":"x","created":1}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        let nothing = read(r#"{"id":"evt_1","type":"balance.available","created":1,"data":{}}"#).unwrap();
        assert_eq!(nothing.subject, Subject::Nothing);
    }
}
