use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn hash(text: &str) -> ContentHash {
    ContentHash::of(&RawJson::parse(text.to_owned()).unwrap())
}

#[track_caller]
fn same(a: &str, b: &str) {
    assert_eq!(hash(a), hash(b), "{a} {b}");
}

#[track_caller]
fn different(a: &str, b: &str) {
    assert_ne!(hash(a), hash(b), "{a} {b}");
}

#[test]
fn spelling_does_not_count() {
    same(
        r#"{"id":"a","n":1500,"s":"\u00e9\ud83d\ude00\/\n","l":[1,null,true]}"#,
        "{\n \"s\": \"é😀/\\n\", \"l\": [ 1 ,null, true ],\t\"n\": 15e2, \"\\u0069d\": \"a\"}",
    );
    same(r#"{"a":1,"b":{"y":[],"x":{}}}"#, r#"{"b":{"x":{ },"y":[ ]},"a":1}"#);
    same(r#"{"a":1,"a":2}"#, r#"{"a":2}"#);
}

#[test]
fn stamps_do_not_count_and_only_at_the_top() {
    same(r#"{"id":"a"}"#, r#"{"id":"a","_updated_at":3,"_account_id":"x","_parent_id":null}"#);
    different(r#"{"m":{"_updated_at":3}}"#, r#"{"m":{}}"#);
}

#[test]
fn numbers_are_what_jsonb_keeps() {
    let of = |number: &str| hash(&format!("{{\"n\":{number}}}"));
    for (a, b) in
        [("1e2", "100"), ("1.5e1", "15"), ("1.50e1", "15.0"), ("1E-2", "0.01"), ("-0", "0"), ("-0.0", "0.0")]
    {
        assert_eq!(of(a), of(b), "{a} {b}");
    }
    for (a, b) in [
        ("1.50", "1.5"),
        ("1", "1.0"),
        ("9007199254740993", "9007199254740992"),
        ("123456789012345678901234567890", "123456789012345678901234567891"),
        ("1", "-1"),
        ("1", "10"),
        ("1e999999", "1e999998"),
    ] {
        assert_ne!(of(a), of(b), "{a} {b}");
    }
    assert_ne!(of("1"), of("\"1\""));
    assert_ne!(of("null"), of("\"null\""));
}

#[test]
fn what_jsonb_cannot_hold_is_what_is_stored_instead() {
    for unstorable in [r"\u0000", r"\ud83d", r"\ude00"] {
        same(&format!(r#"{{"s":"a{unstorable}b"}}"#), r#"{"s":"a\ufffdb"}"#);
    }
    same(r#"{"s":"\ud83d\ud83d\ude00"}"#, r#"{"s":"\ufffd😀"}"#);
    same(r#"{"s":"\ude00\ud83dA"}"#, r#"{"s":"\ufffd\ufffdA"}"#);
    different(r#"{"s":"\\u0000"}"#, r#"{"s":"\u0000"}"#);
}

#[test]
fn parts_do_not_flow_into_each_other() {
    different(r#"{"a":"b","c":"d"}"#, r#"{"a":"b\",\"c\":\"d"}"#);
    different(r#"{"a":[[1],2]}"#, r#"{"a":[[1,2]]}"#);
    different(r#"{"a":["1:x"]}"#, r#"{"a":["1","x"]}"#);
    different(r#"{"a":{}}"#, r#"{"a":[]}"#);
    different("{}", r#"{"a":null}"#);
}

#[test]
fn the_hash_is_128_bits() {
    assert_eq!(hash("{}").to_string().len(), 32);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-c\\u{0}\"\\\\é😀]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c\"é]{0,2}", inner, 0..4)
                .prop_map(|members| Value::from(members.into_iter().collect::<serde_json::Map<_, _>>())),
        ]
    })
}

/// The same value with other white space, other order of keys, and every character escaped.
fn respelled(value: &Value) -> String {
    let text = |text: &str| {
        let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        format!("\"{units}\"")
    };
    match value {
        Value::String(string) => text(string),
        Value::Array(items) => format!("[ {} ]", items.iter().map(respelled).collect::<Vec<_>>().join(" , ")),
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .rev()
                .map(|(key, value)| format!("{} : {}", text(key), respelled(value)))
                .collect();
            format!("{{\n{}\n}}", members.join(",\t"))
        }
        other => other.to_string(),
    }
}

proptest! {
    #[test]
    fn respelling_changes_nothing_and_values_do(a in value(), b in value()) {
        let wrapped = |inner: &str| hash(&format!("{{\"x\":{inner}}}"));
        prop_assert_eq!(wrapped(&a.to_string()), wrapped(&respelled(&a)));
        let stored = |value: &Value| value.to_string().replace("\\u0000", "\\ufffd");
        let equal = stored(&a) == stored(&b);
        prop_assert_eq!(wrapped(&a.to_string()) == wrapped(&b.to_string()), equal);
    }

    #[test]
    fn no_text_hangs_or_panics(text in "[{}\\[\\]\",:\\\\ua0-9e. ]{0,30}") {
        let mut out = Vec::new();
        Reader { text: text.as_bytes(), at: 0 }.value(true, &mut out);
    }
}
