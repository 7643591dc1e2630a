use proptest::prelude::*;
use protocol::RawJson;
use serde_json::{Map, Value, json};

use super::*;

fn discovered() -> CatalogMessage {
    serde_json::from_value(json!({"streams": [{
        "name": "customer",
        "primary_key": [["id"], ["_account_id"]],
        "newer_than_field": "_updated_at",
        "json_schema": {"type": "object", "properties": {
            "id": {"type": "string"}, "_account_id": {"type": "string"}, "_updated_at": {"type": "integer"},
            "email": {"type": "string"}, "balance": {"type": "integer"}, "currency": {"type": "string"},
            "shipping": {"type": "object"}, "sources": {"type": "object"},
        }},
    }]}))
    .unwrap()
}

fn rules_of(transform: &Value) -> Result<Rules, EngineError> {
    let transforms = json!({"hash_key": "pepper", "streams": {"customer": transform}});
    Rules::new(&discovered(), &serde_json::from_value(transforms).unwrap())
}

fn applied(rules: &Value, data: &str, deleted: bool) -> (String, bool) {
    let message: Message = serde_json::from_value(json!({"type": "record", "record": {
        "stream": "customer", "data": {}, "emitted_at": "2026-01-01T00:00:00.000Z", "recordDeleted": deleted}}))
    .unwrap();
    let Payload::Record(mut record) = message.payload else { panic!() };
    record.data = RawJson::parse(data.to_owned()).unwrap();
    match rules_of(rules).unwrap().apply(Payload::Record(record).into()).unwrap().payload {
        Payload::Record(record) => (record.data.as_str().to_owned(), record.deleted),
        other => panic!("{other:?}"),
    }
}

/// Of "ada@example.com" under "pepper": `printf ada@example.com | openssl dgst -sha256 -hmac pepper`.
const DIGEST: &str = "73c43507a0192e95887a051ea55e31d1744e34bf152ba65977f3e52fd1f683a5";

#[test]
fn named_fields_change_and_all_else_stays_as_it_is() {
    let rules = json!({
        "hash": ["email", "sources.data.owner.email"],
        "redact": ["shipping.name"],
        "rename": {"email": "email_digest"},
    });
    let data = r#"{"id":"cus_1","balance":12345678901234567890.10,"email":"ada\u0040example.com",
        "shipping":{"name":"Ada","phone":"\u00e9"},"sources":{"data":[{"owner":{"email":"ada@example.com"}},{"owner":null},7],"total":1.0}}"#;
    let (changed, deleted) = applied(&rules, data, false);
    assert!(!deleted);
    assert_eq!(
        changed,
        format!(
            r#"{{"id":"cus_1","balance":12345678901234567890.10,"email_digest":"{DIGEST}","shipping":{{"name":null,"phone":"\u00e9"}},"sources":{{"data":[{{"owner":{{"email":"{DIGEST}"}}}},{{"owner":null}},7],"total":1.0}}}}"#
        )
    );
}

#[test]
fn null_has_no_digest() {
    assert_eq!(applied(&json!({"hash": ["email"]}), r#"{"email":null}"#, false).0, r#"{"email":null}"#);
    assert_eq!(applied(&json!({"hash": ["email"]}), "{}", false).0, "{}");
}

#[test]
fn what_is_not_wanted_is_deleted() {
    let rules = json!({"where": [{"field": "currency", "in": ["usd", "eur"]}, {"field": "balance", "at_least": 0, "less_than": 10}]});
    let row = |currency: &str, balance: i64| {
        format!(
            r#"{{"id":"cus_1","_account_id":"acct_1","currency":{currency},"balance":{balance},"_updated_at":7}}"#
        )
    };
    let wanted = row("\"usd\"", 9);
    assert_eq!(applied(&rules, &wanted, false), (wanted.clone(), false));
    let grave = r#"{"id":"cus_1","_account_id":"acct_1","_updated_at":7}"#.to_owned();
    for unwanted in [row("\"gbp\"", 9), row("null", 9), row("\"usd\"", 10), row("\"usd\"", -1)] {
        assert_eq!(applied(&rules, &unwanted, false), (grave.clone(), true), "{unwanted}");
    }
    let gone = row("\"gbp\"", 9);
    assert_eq!(applied(&rules, &gone, true), (gone, true), "a deletion is one whatever it shows");
    let rules = json!({"where": [{"field": "shipping.name", "not_in": [null]}]});
    assert!(applied(&rules, r#"{"id":"cus_1","shipping":null}"#, false).1);
    assert!(!applied(&rules, r#"{"id":"cus_1","shipping":{"name":"Ada"}}"#, false).1);
}

#[test]
fn deletions_do_not_tell_what_is_hidden() {
    let (data, deleted) =
        applied(&json!({"redact": ["email"]}), r#"{"id":"cus_1","email":"ada@example.com"}"#, true);
    assert_eq!((data.as_str(), deleted), (r#"{"id":"cus_1","email":null}"#, true));
}

#[test]
fn rules_that_do_not_fit_are_refused() {
    for (rules, expected) in [
        (json!({"hash": ["id"]}), "`hash` cannot change `id`"),
        (json!({"redact": ["_updated_at"]}), "`redact` cannot change `_updated_at`"),
        (json!({"rename": {"_account_id": "account"}}), "`rename` cannot change `_account_id`"),
        (
            json!({"redact": ["emial"]}),
            "there is no field `emial`, which `redact` names; did you mean email?",
        ),
        (json!({"redact": ["shipping..name"]}), "`shipping..name` in `redact` is not the name"),
        (json!({"rename": {"email": "currency"}}), "`email` cannot be renamed to `currency`"),
        (json!({"rename": {"shipping.name": "name"}}), "`rename` is for top-level fields"),
        (json!({"where": [{"field": "balance"}]}), "`where` says nothing of `balance`"),
    ] {
        let error = rules_of(&rules).unwrap_err().to_string();
        assert!(error.contains("`transforms`, stream `customer`: ") && error.contains(expected), "{error}");
    }
    let refused = |transforms: Value| {
        Rules::new(&discovered(), &serde_json::from_value(transforms).unwrap()).unwrap_err().to_string()
    };
    let error = refused(json!({"streams": {"customer": {"hash": ["email"]}}}));
    assert!(error.contains("`hash` needs a `hash_key`"), "{error}");
    let error = refused(json!({"streams": {"customers": {}}}));
    assert_eq!(error, "the source has no stream `customers` (did you mean customer?)");
}

#[test]
fn fields_may_change_places() {
    let rules = json!({"rename": {"email": "currency", "currency": "email"}});
    assert_eq!(applied(&rules, r#"{"email":1,"currency":2}"#, false).0, r#"{"currency":1,"email":2}"#);
}

#[test]
fn the_destination_s_schema_follows() {
    let stream = protocol::ConfiguredStream::whole(discovered().streams.remove(0));
    let mut catalog = ConfiguredCatalog { streams: vec![stream] };
    rules_of(&json!({"hash": ["balance"], "rename": {"balance": "balance_digest"}}))
        .unwrap()
        .reshape(&mut catalog);
    let schema = catalog.streams[0].stream.json_schema.as_ref().unwrap();
    let properties = schema["properties"].as_object().unwrap();
    let names: Vec<&str> = properties.keys().map(String::as_str).collect();
    assert_eq!(names[3..6], ["email", "balance_digest", "currency"], "in the same place");
    assert_eq!(properties["balance_digest"]["type"], "string");
}

proptest! {
    #[test]
    fn redaction_equals_redaction_of_the_parsed_object(
        object in prop::collection::btree_map("[a-c\"\\\\é]{0,2}", prop::collection::btree_map("[a-c]", any::<i64>(), 0..3), 0..6),
        outer in "[a-c]",
        inner in "[a-c]",
    ) {
        let mut whole: Map<String, Value> =
            object.into_iter().map(|(name, value)| (name, json!(value))).collect();
        let payload = RawJson::from_value(&whole).unwrap();
        let transform = protocol::Transform { redact: vec![format!("{outer}.{inner}")], ..Default::default() };
        let rewriting = Rewriting::new(&transform, None).unwrap().unwrap();
        let rewritten: Map<String, Value> = rewriting.apply(&payload).unwrap().read().unwrap();
        if let Some(found) = whole.get_mut(&outer).and_then(|value| value.get_mut(&inner)) {
            *found = Value::Null;
        }
        prop_assert_eq!(rewritten, whole);
    }
}
