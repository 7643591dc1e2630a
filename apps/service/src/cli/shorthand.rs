//! Connectors by flags: `--source.stripe.api-key sk_…`, `--destination.postgres.url postgres://…`. Pure.
//!
//! A flag is a side, a type and a path into its configuration, each part in any of `kebab-case`, `camelCase` and `snake_case`. Its
//! value is JSON where it can be read as such, else text.

use std::ffi::OsString;
use std::fmt;

use serde_json::{Map, Value};
use terminal::failure::Failure;

/// A side of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Destination,
}

impl Side {
    /// Both of them.
    pub(crate) const ALL: [Side; 2] = [Side::Source, Side::Destination];

    /// As it is written in pipelines and flags.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Side::Source => "source",
            Side::Destination => "destination",
        }
    }
}

/// One such flag.
#[derive(Clone, PartialEq)]
pub(crate) struct Shorthand {
    /// As it was written, without its value.
    pub(crate) flag: String,
    side: Side,
    connector: String,
    path: Vec<String>,
    value: Value,
}

/// The value may be a key.
impl fmt::Debug for Shorthand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Shorthand").field(&self.flag).finish()
    }
}

/// Takes these flags out of the words of the command line. Behind `--` there are none.
pub(crate) fn extract(words: Vec<OsString>) -> Result<(Vec<Shorthand>, Vec<OsString>), Failure> {
    let (mut found, mut rest) = (Vec::new(), Vec::new());
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "--" {
            rest.push(word);
            rest.extend(words);
            break;
        }
        let Some(text) = word.to_str().filter(|text| is_shorthand(text)) else {
            rest.push(word);
            continue;
        };
        let (flag, value) = match text.split_once('=') {
            Some((flag, value)) => (flag.to_owned(), value.to_owned()),
            None => {
                let flag = text.to_owned();
                let next = words.next().and_then(|value| value.into_string().ok());
                let value = next.filter(|value| !value.starts_with("--"));
                let missing =
                    || Failure::usage(format!("{flag} needs a value: {flag} VALUE, or {flag}=VALUE"));
                let value = value.ok_or_else(missing)?;
                (flag, value)
            }
        };
        found.push(Shorthand::read(&flag, &value)?);
    }
    Ok((found, rest))
}

/// Whether a word is such a flag: no other flag has a dot in its name.
fn is_shorthand(word: &str) -> bool {
    let name = word.strip_prefix("--").map(|name| name.split('=').next().unwrap_or_default());
    name.is_some_and(|name| name.contains('.') && !name.contains(char::is_whitespace))
}

impl Shorthand {
    fn read(flag: &str, value: &str) -> Result<Shorthand, Failure> {
        let mut parts = flag.trim_start_matches("--").split('.');
        let side = match parts.next() {
            Some("source") => Side::Source,
            Some("destination") => Side::Destination,
            _ => {
                return Err(Failure::usage(format!(
                    "Unknown connector flag {flag}: must start with \"source.\" or \"destination.\""
                )));
            }
        };
        let parts: Vec<String> = parts.map(snake).collect();
        let [connector, path @ ..] = parts.as_slice() else { return Err(short(flag, side)) };
        if path.is_empty() || parts.iter().any(String::is_empty) {
            return Err(short(flag, side));
        }
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        Ok(Shorthand {
            flag: flag.to_owned(),
            side,
            connector: connector.clone(),
            path: path.to_vec(),
            value,
        })
    }

    /// Puts the value at its place in a configuration.
    fn put(&self, config: &mut Map<String, Value>) {
        let Some((last, way)) = self.path.split_last() else { return };
        let mut place = config;
        for part in way {
            let inner = place.entry(part.clone()).or_insert_with(|| Value::Object(Map::new()));
            if !inner.is_object() {
                *inner = Value::Object(Map::new());
            }
            let Value::Object(inner) = inner else { return };
            place = inner;
        }
        place.insert(last.clone(), self.value.clone());
    }
}

fn short(flag: &str, side: Side) -> Failure {
    let side = side.as_str();
    Failure::usage(format!(
        "Unknown connector flag {flag}: it is written --{side}.CONNECTOR.FIELD, e.g. {}",
        match side {
            "source" => "--source.stripe.api-key",
            _ => "--destination.postgres.url",
        }
    ))
}

/// The type that the flags name for a side, if any do.
pub(crate) fn named(flags: &[Shorthand], side: Side) -> Option<&str> {
    flags.iter().find(|flag| flag.side == side).map(|flag| flag.connector.as_str())
}

/// The connector of a side with the flags merged over it: `{"type": T, T: {…}}`. Each field that the flags name replaces the one of
/// `given`, which must be of the same type. `known` are the types that there are.
pub(crate) fn merged(
    flags: &[Shorthand],
    side: Side,
    given: Option<Value>,
    known: &[String],
) -> Result<Option<Value>, Failure> {
    let flags: Vec<&Shorthand> = flags.iter().filter(|flag| flag.side == side).collect();
    let Some(first) = flags.first() else { return Ok(given) };
    let (word, connector) = (side.as_str(), first.connector.as_str());
    if let Some(other) = flags.iter().find(|flag| flag.connector != connector) {
        return Err(Failure::usage(format!(
            "{} and {} are of two connectors: a pipeline has one {word}",
            first.flag, other.flag
        )));
    }
    let stated = given.as_ref().and_then(|given| given["type"].as_str());
    if let Some(stated) = stated
        && stated != connector
    {
        return Err(Failure::usage(format!(
            "{} is of the {word} `{connector}`, but the {word} is given as `{stated}`",
            first.flag
        )));
    }
    if stated.is_none() && !known.iter().any(|name| name == connector) {
        return Err(Failure::usage(format!(
            "Unknown connector flag {}: there is no {word} `{connector}`; there are {}",
            first.flag,
            known.join(", ")
        )));
    }
    let mut config = match given {
        Some(Value::Object(mut given)) => match given.remove(connector) {
            Some(Value::Object(config)) => config,
            _ => Map::new(),
        },
        _ => Map::new(),
    };
    // Flags make a configuration of their own, whose fields replace those that are given.
    let mut own = Map::new();
    for flag in flags {
        flag.put(&mut own);
    }
    config.extend(own);
    let mut merged = Map::new();
    merged.insert("type".to_owned(), connector.into());
    merged.insert(connector.to_owned(), Value::Object(config));
    Ok(Some(Value::Object(merged)))
}

/// `apiKey`, `api-key` and `api_key` as `api_key`.
fn snake(part: &str) -> String {
    let mut snake = String::with_capacity(part.len() + 4);
    let mut before: Option<char> = None;
    for c in part.chars() {
        if c.is_uppercase() && before.is_some_and(|before| before.is_lowercase() || before.is_ascii_digit()) {
            snake.push('_');
        }
        match c {
            '-' => snake.push('_'),
            c => snake.extend(c.to_lowercase()),
        }
        before = Some(c);
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn taken(words: &[&str]) -> Result<(Vec<Shorthand>, Vec<String>), String> {
        let words = words.iter().map(OsString::from).collect();
        let text = |failure: Failure| failure.text().unwrap().to_owned();
        let (found, rest) = extract(words).map_err(text)?;
        Ok((found, rest.into_iter().map(|word| word.into_string().unwrap()).collect()))
    }

    fn built(words: &[&str], given: Option<Value>) -> Result<Option<Value>, String> {
        let known = ["stripe".to_owned(), "google_sheets".to_owned()];
        let (found, _) = taken(words)?;
        merged(&found, Side::Source, given, &known).map_err(|failure| failure.text().unwrap().to_owned())
    }

    #[test]
    fn flags_are_taken_out_and_the_rest_is_left() {
        let words = [
            "x",
            "create",
            "--source.stripe.api-key",
            "sk_1",
            "--id",
            "a",
            "--destination.sqlite.path=a=b.db",
        ];
        let (found, rest) = taken(&words).unwrap();
        assert_eq!(rest, ["x", "create", "--id", "a"]);
        assert_eq!(found[0].value, "sk_1");
        assert_eq!(
            (found[1].side, &*found[1].connector, &found[1].value),
            (Side::Destination, "sqlite", &json!("a=b.db"))
        );
        assert!(!format!("{found:?}").contains("sk_1"));
        let (found, rest) = taken(&["--", "--source.stripe.a", "1"]).unwrap();
        assert!(found.is_empty() && rest.len() == 3);
        let (found, rest) = taken(&["--source", r#"{"type": "a.b"}"#, "--x=1.5", "1.5"]).unwrap();
        assert!(found.is_empty() && rest.len() == 4, "no name with a dot");
    }

    #[test]
    fn values_are_json_or_text_at_nested_places() {
        let words = [
            "--source.stripe.rateLimit",
            "7",
            "--source.stripe.live=true",
            "--source.stripe.accounts",
            r#"["a"]"#,
            "--source.stripe.proxy.no-proxy",
            "localhost",
            "--source.stripe.proxy.Host",
            "h",
            "--source.stripe.x=",
        ];
        let expected = json!({"type": "stripe", "stripe": {
            "rate_limit": 7, "live": true, "accounts": ["a"], "proxy": {"no_proxy": "localhost", "host": "h"}, "x": "",
        }});
        assert_eq!(built(&words, None).unwrap().unwrap(), expected);
    }

    #[test]
    fn flags_go_over_what_is_given() {
        let given = json!({"type": "stripe", "stripe": {"api_key": "k", "proxy": {"port": 1}}});
        let words = ["--source.stripe.proxy.host", "h"];
        let expected = json!({"type": "stripe", "stripe": {"api_key": "k", "proxy": {"host": "h"}}});
        assert_eq!(built(&words, Some(given.clone())).unwrap().unwrap(), expected, "each field as a whole");
        assert_eq!(built(&[], Some(given.clone())).unwrap(), Some(given));
        let other = json!({"type": "shop", "shop": {"a": 1}});
        let words = ["--source.shop.b", "2"];
        assert_eq!(built(&words, Some(other)).unwrap().unwrap()["shop"], json!({"a": 1, "b": 2}));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let refused = |words: &[&str], given: Option<Value>| built(words, given).unwrap_err();
        assert_eq!(
            refused(&["--sauce.stripe.a", "1"], None),
            r#"Unknown connector flag --sauce.stripe.a: must start with "source." or "destination.""#
        );
        assert!(refused(&["--source.stripe", "1"], None).contains("--source.CONNECTOR.FIELD"));
        assert!(refused(&["--source.stripe..a", "1"], None).contains("--source.CONNECTOR.FIELD"));
        assert!(
            refused(&["--source.strip.a", "1"], None)
                .contains("no source `strip`; there are stripe, google_sheets")
        );
        assert!(refused(&["--source.stripe.a"], None).contains("needs a value"));
        assert!(refused(&["--source.stripe.a", "--json"], None).contains("needs a value"));
        let two = ["--source.stripe.a", "1", "--source.google-sheets.b", "2"];
        assert!(refused(&two, None).contains("two connectors"));
        let given = Some(json!({"type": "google_sheets"}));
        assert!(refused(&["--source.stripe.a", "1"], given).contains("given as `google_sheets`"));
    }

    proptest! {
        #[test]
        fn any_spelling_is_one_name(parts in prop::collection::vec("[a-z][a-z0-9]{1,5}", 1..4)) {
            let camel: String = parts.iter().enumerate().map(|(at, part)| {
                if at == 0 { part.clone() } else { part[..1].to_uppercase() + &part[1..] }
            }).collect();
            let expected = parts.join("_");
            prop_assert_eq!(snake(&parts.join("-")), expected.clone());
            prop_assert_eq!(snake(&camel), expected.clone());
            prop_assert_eq!(snake(&expected), expected);
        }

        #[test]
        fn any_value_arrives(value in "\\PC*", field in "[a-z]{1,8}") {
            prop_assume!(!value.starts_with("--"));
            let expected = serde_json::from_str(&value).unwrap_or_else(|_| Value::String(value.clone()));
            let flag = format!("--source.stripe.{field}");
            let apart = built(&[&flag, &value], None).unwrap().unwrap();
            let joined = built(&[&format!("{flag}={value}")], None).unwrap().unwrap();
            prop_assert_eq!(&apart, &joined);
            prop_assert_eq!(&apart["stripe"][&field], &expected);
        }

        #[test]
        fn nothing_panics(words in prop::collection::vec("(--)?[a-zé.=-]{0,12}", 0..6)) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            if let Ok((found, _)) = taken(&words) {
                let _ = merged(&found, Side::Source, None, &["stripe".to_owned()]);
            }
        }
    }
}
