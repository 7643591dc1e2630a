use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;

fn stamped(text: &str) -> (String, Object) {
    let mut out = b"before".to_vec();
    let object = append(text, Some(&Stamp::new("acct_1", 77)), &mut out);
    assert_eq!(object.end, out.len());
    (String::from_utf8(out[object.start..].to_vec()).unwrap(), object)
}

#[test]
fn white_space_goes_and_all_else_stays() {
    let (text, object) = stamped(
        "{\n  \"id\": \"ch_1\",\n  \"amount\": 123456789012345678901234567890,\n  \"rate\" : 1.50E+2,\n  \
         \"text\": \"a \\u00e9 { , } \\\" b\",\n  \"created\": 12,\n  \"nested\": { \"id\" : \"x\", \"list\": [ 1 , { } ] }\n}",
    );
    assert_eq!(
        text,
        concat!(
            r#"{"id":"ch_1","amount":123456789012345678901234567890,"rate":1.50E+2,"#,
            r#""text":"a \u00e9 { , } \" b","created":12,"nested":{"id":"x","list":[1,{}]},"#,
            r#""_updated_at":77,"_account_id":"acct_1"}"#
        )
    );
    assert_eq!((object.id.as_deref(), object.created, object.deleted), (Some("ch_1"), Some(12), false));
}

#[test]
fn members_that_we_write_are_replaced_wherever_they_are() {
    let suffix = r#""_updated_at":77,"_account_id":"acct_1"}"#;
    for (given, expected) in [
        ("{}", format!("{{{suffix}")),
        (" { } ", format!("{{{suffix}")),
        (r#"{"_updated_at":1}"#, format!("{{{suffix}")),
        (r#"{"_account_id":{"a":[1,2]},"b":1}"#, format!(r#"{{"b":1,{suffix}"#)),
        (r#"{"a":1 , "_updated_at" : 5 , "b":2}"#, format!(r#"{{"a":1,"b":2,{suffix}"#)),
        (r#"{"a":1,"_updated_at":5,"_account_id":"x"}"#, format!(r#"{{"a":1,{suffix}"#)),
        (r#"{"a":{"_updated_at":5}}"#, format!(r#"{{"a":{{"_updated_at":5}},{suffix}"#)),
        (r#"{"\u005fupdated_at":5}"#, format!("{{{suffix}")),
    ] {
        assert_eq!(stamped(given).0, expected, "{given}");
    }
}

#[test]
fn a_stamp_names_parent_and_source() {
    let written = |stamp: &Stamp| {
        let mut out = Vec::new();
        append(r#"{"id":"a","_source":"x"}"#, Some(stamp), &mut out);
        String::from_utf8(out).unwrap()
    };
    let stamp = Stamp::new("acct_1", 77);
    let own = r#"{"id":"a","_updated_at":77,"_account_id":"acct_1""#;
    assert_eq!(written(&stamp.clone().written_by("page", None)), format!("{own}}}"));
    let read = stamp.written_by("read", Some("/v1/x/{x} req_\"1"));
    assert_eq!(written(&read), format!(r#"{own},"_source":"read /v1/x/{{x}} req_\"1"}}"#));
    // Of two parents the last counts: children of a child are under it alone.
    let under = read.under("p_1").under("p_2");
    assert_eq!(
        written(&under),
        format!(r#"{own},"_source":"read /v1/x/{{x}} req_\"1","_parent_id":"p_2"}}"#)
    );
}

#[test]
fn without_a_stamp_only_white_space_goes() {
    let mut out = Vec::new();
    let object = append(r#"{ "id": "a", "_updated_at": 1.0, "_account_id": "x" }"#, None, &mut out);
    assert_eq!(out, br#"{"id":"a","_updated_at":1.0,"_account_id":"x"}"#);
    assert_eq!((object.end, object.id.as_deref()), (out.len(), Some("a")));
}

#[test]
fn the_version_is_when_the_object_was_updated() {
    assert!(stamped(r#"{"updated":5}"#).0.contains(r#""_updated_at":5,"#));
    assert!(stamped(r#"{"updated":5.9}"#).0.contains(r#""_updated_at":5,"#));
    assert!(stamped(r#"{"updated":null}"#).0.contains(r#""_updated_at":77,"#));
    assert!(stamped(r#"{"updated":"2020-01-01T00:00:00Z"}"#).0.contains(r#""_updated_at":77,"#));
    assert!(stamped(r#"{"nested":{"updated":5}}"#).0.contains(r#""_updated_at":77,"#));
}

#[test]
fn ids_and_times_are_read_in_every_form() {
    assert_eq!(stamped(r#"{"id":"a\"\u0062"}"#).1.id.as_deref(), Some("a\"b"));
    assert_eq!(stamped(r#"{"\u0069d":"x"}"#).1.id.as_deref(), Some("x"));
    assert_eq!(stamped(r#"{"id":"first","id":"last"}"#).1.id.as_deref(), Some("last"));
    assert_eq!(stamped(r#"{"id":null}"#).1.id, None);
    assert_eq!(stamped(r#"{"id":7}"#).1.id, None);
    assert_eq!(stamped(r#"{"created":"1970-01-01T00:00:09.500Z"}"#).1.created, Some(9));
    assert_eq!(stamped(r#"{"created":null}"#).1.created, None);
    assert!(stamped(r#"{"deleted" : true}"#).1.deleted);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        let name = prop_oneof![
            Just("id".to_owned()),
            Just("created".to_owned()),
            Just("_updated_at".to_owned()),
            Just("_account_id".to_owned()),
            any::<String>(),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6)
                .prop_map(|members| Value::from(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    /// Against serde_json: the result is the same object with the two members put last.
    #[test]
    fn only_our_members_change(value in any_json(), pretty in any::<bool>()) {
        let Value::Object(mut object) = value else { return Ok(()) };
        let text = if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) };
        let (stamped, read) = stamped(&text.unwrap());
        let id = object.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
        prop_assert_eq!(read.id.as_deref(), id);
        object.shift_remove("_updated_at");
        object.shift_remove("_account_id");
        let updated = match object.get("updated") {
            Some(Value::Number(number)) => number.as_i64().unwrap_or_else(|| number.as_f64().unwrap().floor() as i64),
            _ => 77,
        };
        object.insert("_updated_at".to_owned(), updated.into());
        object.insert("_account_id".to_owned(), "acct_1".into());
        prop_assert_eq!(stamped, serde_json::to_string(&object).unwrap());
    }
}
