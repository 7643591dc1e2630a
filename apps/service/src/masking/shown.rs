//! Hiding the secrets of a configuration, and taking back what was shown.

use http_api::{Issue, Step};
use logger::redact_text;
use serde_json::{Map, Value};

use super::fingerprint::Fingerprints;
use super::rule::{Secrecy, is_address_name, is_secret, of_text, replaced};
use crate::schema::Place;

/// What is known of a value from where it stands.
#[derive(Clone)]
struct Stand<'s> {
    place: Place<'s>,
    /// Whether all of it is secret.
    secret: bool,
    /// Whether its name is that of an address, which is judged by its text.
    address: bool,
}

impl<'s> Stand<'s> {
    /// Where nobody knows what is secret, everything is.
    fn root(schema: Option<&'s Value>) -> Stand<'s> {
        let place = Place::root(schema.unwrap_or(&Value::Null));
        Stand { place, secret: schema.is_none(), address: false }
    }

    fn member(&self, name: &str) -> Stand<'s> {
        let place = self.place.member(name);
        let secret = self.secret || is_secret(name, &place);
        Stand { place, secret, address: !self.secret && is_address_name(name) }
    }

    fn item(&self) -> Stand<'s> {
        Stand { place: self.place.item(), ..self.clone() }
    }
}

/// The configuration with `[set sha256:1a2b3c4d]` in place of each secret; within addresses in place of the password only.
/// What is absent, empty, `null` or a boolean is no secret. `schema` is the connector's; where it is not known, every text and
/// number is taken for a secret.
pub fn mask(
    config: &Map<String, Value>,
    schema: Option<&Value>,
    fingerprints: &Fingerprints,
) -> Map<String, Value> {
    let stand = Stand::root(schema);
    match fingerprints.ways().next() {
        Some(show) => members(config, &stand, &show),
        // There is always a way; without one nothing may be shown.
        None => Map::new(),
    }
}

/// The configuration that `given` means beside the `stored` one: a value that equals what [`mask`] shows of the stored one in
/// the same place is the stored one. The issue names a fingerprint of something else, which nobody can mean.
pub fn unmask(
    given: &Map<String, Value>,
    stored: &Map<String, Value>,
    schema: Option<&Value>,
    fingerprints: &Fingerprints,
) -> Result<Map<String, Value>, Issue> {
    let stored = Value::Object(stored.clone());
    let mut path = Vec::new();
    let given = Value::Object(given.clone());
    match meant(&given, Some(&stored), &Stand::root(schema), fingerprints, &mut path)? {
        Value::Object(members) => Ok(members),
        // An object means an object.
        _ => Ok(Map::new()),
    }
}

fn members(
    config: &Map<String, Value>,
    stand: &Stand<'_>,
    show: &dyn Fn(&str) -> String,
) -> Map<String, Value> {
    config.iter().map(|(name, value)| (name.clone(), shown(value, &stand.member(name), show))).collect()
}

fn shown(value: &Value, stand: &Stand<'_>, show: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value.clone(),
        Value::Number(number) if stand.secret => show(&number.to_string()).into(),
        Value::Number(_) => value.clone(),
        Value::String(text) if text.is_empty() => value.clone(),
        Value::String(text) => shown_text(text, stand, show).into(),
        // Names that are secrets themselves cannot be hidden one by one.
        Value::Object(config) if config.keys().any(|name| redact_text(name) != name.as_str()) => {
            show(&value.to_string()).into()
        }
        Value::Object(config) => Value::Object(members(config, stand, show)),
        Value::Array(items) => items.iter().map(|item| shown(item, &stand.item(), show)).collect(),
    }
}

fn shown_text(text: &str, stand: &Stand<'_>, show: &dyn Fn(&str) -> String) -> String {
    // A text that is no address at all is hidden under such a name as under any other.
    let judged = !stand.secret || (stand.address && text.contains(['=', '/']));
    match of_text(text) {
        Secrecy::Parts(parts) if judged => replaced(text, &parts, show),
        _ => show(text),
    }
}

/// Whether this is what is shown of the stored value, or was while nobody knew its schema.
fn is_shown(stored: &Value, given: &Value, stand: &Stand<'_>, show: &dyn Fn(&str) -> String) -> bool {
    let hidden = || shown(stored, &Stand { secret: true, address: false, ..stand.clone() }, show);
    shown(stored, stand, show) == *given || (!stored.is_object() && !stored.is_array() && hidden() == *given)
}

fn meant(
    given: &Value,
    stored: Option<&Value>,
    stand: &Stand<'_>,
    fingerprints: &Fingerprints,
    path: &mut Vec<Step>,
) -> Result<Value, Issue> {
    if let Some(stored) =
        stored.filter(|stored| fingerprints.ways().any(|show| is_shown(stored, given, stand, &show)))
    {
        return Ok(stored.clone());
    }
    match given {
        Value::String(text) if Fingerprints::is_in(text) => Err(Issue::custom(
            path.clone(),
            "this is the fingerprint of a secret that is not stored here: send the secret itself, or exactly what is shown of \
             the stored one",
        )),
        Value::Object(config) => {
            let mut out = Map::new();
            for (name, value) in config {
                let stored = stored.and_then(|stored| stored.get(name));
                path.push(Step::Member(name.clone()));
                out.insert(name.clone(), meant(value, stored, &stand.member(name), fingerprints, path)?);
                path.pop();
            }
            Ok(Value::Object(out))
        }
        Value::Array(items) => {
            let known = stored.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let stand = stand.item();
            let mut out = Vec::with_capacity(items.len());
            for (index, value) in items.iter().enumerate() {
                let same =
                    |item: &&Value| fingerprints.ways().any(|show| shown(item, &stand, &show) == *value);
                // Items move when one is removed.
                let here = known.get(index);
                let stored = here.filter(same).or_else(|| known.iter().find(same)).or(here);
                path.push(Step::Item(index));
                out.push(meant(value, stored, &stand, fingerprints, path)?);
                path.pop();
            }
            Ok(Value::Array(out))
        }
        other => Ok(other.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(members) = value else { panic!("{value}") };
        members
    }

    fn marks() -> Fingerprints {
        Fingerprints::new(&[9; 32])
    }

    fn stripe() -> Map<String, Value> {
        map(json!({
            "api_key": "sk_live_abc", "base_url": "https://api.stripe.com", "webhook_secret": null, "livemode": true,
            "rate_limit": 20, "accounts": ["acct_1"], "url": "postgres://u:hunter2@h:5432/db",
            "connection_string": "host=h password=hunter2", "password": 12345, "tokens": {"a_token": "t1"},
            "credentials": {"user": "u1", "pin": 77, "deep": ["d1"], "on": true},
        }))
    }

    #[test]
    fn where_nobody_knows_what_is_secret_everything_is() {
        let stored = map(
            json!({"city": "Berlin", "depth": {"list": ["a", 2]}, "on": true, "none": null, "empty": ""}),
        );
        let shown = mask(&stored, None, &marks());
        let text = Value::Object(shown.clone()).to_string();
        assert!(!text.contains("Berlin") && !text.contains(r#""a""#), "{text}");
        assert_eq!((&shown["on"], &shown["none"], &shown["empty"]), (&json!(true), &Value::Null, &json!("")));
        assert_eq!(unmask(&shown, &stored, None, &marks()).unwrap(), stored);
        // Also where it is known by now.
        assert_eq!(unmask(&shown, &stored, Some(&json!({})), &marks()).unwrap(), stored);
    }

    #[test]
    fn secrets_become_fingerprints() {
        let shown = mask(&stripe(), Some(&Value::Null), &marks());
        let text = Value::Object(shown.clone()).to_string();
        for secret in ["abc", "hunter2", "12345", "t1", "u1", "77", "d1"] {
            assert!(!text.replace("[set sha256:", "").contains(&format!("\"{secret}")), "{secret} in {text}");
            assert!(
                !text.contains(&format!(":{secret}")) && !text.contains(&format!("={secret}")),
                "{secret} in {text}"
            );
        }
        let fingerprint = &marks().ways().next().unwrap()("hunter2");
        assert_eq!(shown["url"], format!("postgres://u:{fingerprint}@h:5432/db"));
        assert_eq!(shown["connection_string"], format!("host=h password={fingerprint}"));
        assert_eq!(shown["base_url"], "https://api.stripe.com");
        assert_eq!((&shown["webhook_secret"], &shown["livemode"]), (&Value::Null, &json!(true)));
        assert_eq!((&shown["rate_limit"], &shown["credentials"]["on"]), (&json!(20), &json!(true)));
        let odd = mask(
            &map(json!({"connection_string": "hunter2", "m": {"sk_live_x": 1}})),
            Some(&Value::Null),
            &marks(),
        );
        assert!(
            odd.values().all(|value| value.as_str().is_some_and(|text| text.starts_with("[set "))),
            "{odd:?}"
        );
    }

    #[test]
    fn what_was_shown_means_what_is_stored() {
        let stored = stripe();
        let mut given = mask(&stored, Some(&Value::Null), &marks());
        given.insert("rate_limit".to_owned(), json!(5));
        given.insert("password".to_owned(), json!("new"));
        given.remove("tokens");
        let meant = unmask(&given, &stored, Some(&Value::Null), &marks()).unwrap();
        let mut expected = stored.clone();
        expected.insert("rate_limit".to_owned(), json!(5));
        expected.insert("password".to_owned(), json!("new"));
        expected.remove("tokens");
        assert_eq!(meant, expected);
    }

    #[test]
    fn items_may_move() {
        let stored = map(json!({"tokens_token": ["a", "b", "c"]}));
        let shown = mask(&stored, Some(&Value::Null), &marks());
        let items = shown["tokens_token"].as_array().unwrap();
        let given = map(json!({"tokens_token": [items[2], items[0], "new"]}));
        let meant = unmask(&given, &stored, Some(&Value::Null), &marks()).unwrap();
        assert_eq!(meant["tokens_token"], json!(["c", "a", "new"]));
    }

    #[test]
    fn a_fingerprint_of_something_else_is_refused() {
        let stored = map(json!({"aws": {"api_key": "a", "url": "postgres://u:p@h/db"}}));
        let shown = mask(&stored, Some(&Value::Null), &marks());
        let key = shown["aws"]["api_key"].clone();
        let moved = shown["aws"]["url"].as_str().unwrap().replace("@h/", "@evil/");
        for (given, path) in [
            (json!({"aws": {"secret": key}}), "secret"),
            (json!({"aws": {"api_key": "[set sha256:00000000]"}}), "api_key"),
            (json!({"aws": {"url": moved}}), "url"),
        ] {
            let issue = unmask(&map(given), &stored, Some(&Value::Null), &marks()).unwrap_err();
            assert_eq!(issue.path, [Step::from("aws"), Step::from(path)]);
        }
    }

    /// Anything that a configuration may hold; secrets are capitals, so that they are found wherever they get to.
    fn config() -> impl Strategy<Value = Value> {
        let name = prop::sample::select(vec![
            "api_key",
            "password",
            "token",
            "connection_string",
            "url",
            "base_url",
            "credentials",
            "ssl_key_pem",
        ]);
        let secret = "[A-Z]{9,12}";
        let leaf = prop_oneof![
            secret.prop_map(|text| (true, json!(text))),
            secret.prop_map(|text| (false, json!(format!("postgres://u:{text}@h/db?password={text}")))),
            secret.prop_map(|text| (false, json!(format!("host=h password='{text} {text}' user=u")))),
            secret.prop_map(|text| (false, json!(format!("https://{text}@h/a?token={text}#{text}")))),
            secret.prop_map(|text| (false, json!(format!("Bearer {text}{text}")))),
            Just((false, json!("[set sha256:0a1b2c3d]"))),
            Just((false, Value::Null)),
            any::<bool>().prop_map(|value| (false, json!(value))),
        ];
        let member = (name, leaf).prop_map(|(name, (plain, value))| {
            // A bare secret has a name that says so.
            let name = if plain && name.ends_with("url") { "secret" } else { name };
            (name.to_owned(), value)
        });
        let object = prop::collection::vec(member, 0..6)
            .prop_map(|members| Value::Object(members.into_iter().collect()));
        object.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|items| json!({"list": items})),
                (inner.clone(), inner).prop_map(|(a, b)| json!({"a": a, "secrets": b})),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn masked_and_unmasked_is_the_same(config in config()) {
            let config = map(config);
            let shown = mask(&config, Some(&Value::Null), &marks());
            prop_assert_eq!(unmask(&shown, &config, Some(&Value::Null), &marks()).unwrap(), config);
            let text = Value::Object(shown).to_string();
            let capitals = text.split(|c: char| !c.is_ascii_uppercase()).any(|word| word.len() >= 9);
            prop_assert!(!capitals, "{}", text);
        }

        #[test]
        fn no_text_ends_badly(text in any::<String>(), more in "[:@/?&='a# -]{0,12}") {
            for text in [text.clone(), format!("http://{more}"), format!("a://{more}{text}"), format!("p={more} q='{text}")] {
                let config = map(json!({"connection_string": text.clone(), "note": text}));
                let shown = mask(&config, Some(&Value::Null), &marks());
                prop_assert_eq!(unmask(&shown, &config, Some(&Value::Null), &marks()).unwrap(), config);
            }
        }
    }
}
