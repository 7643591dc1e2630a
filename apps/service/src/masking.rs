//! What of a connector's configuration is secret, and how it is shown.
//!
//! A secret is shown as `[set sha256:1a2b3c4d]`: that it is set, and digits by which two may be told apart. Whoever sends that back
//! means what is set already, so a client may change one field of what it got and send the rest as it is.

use std::borrow::Cow;

use ring::hmac;
use serde_json::{Map, Value};

/// Makes the digits by which secrets are told apart. They are keyed, so nobody who sees them can try passwords.
#[derive(Clone)]
pub struct Fingerprints(hmac::Key);

impl Fingerprints {
    /// Fingerprints with this key, which is to be secret and always the same.
    pub fn new(key: &[u8]) -> Fingerprints {
        Fingerprints(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    fn of(&self, secret: &str) -> String {
        let digest = hmac::sign(&self.0, secret.as_bytes());
        format!("[set sha256:{}]", hex::encode(&digest.as_ref()[..4]))
    }
}

/// The configuration as it is shown.
pub fn mask(config: &Map<String, Value>, fingerprints: &Fingerprints) -> Map<String, Value> {
    config.iter().map(|(name, value)| (name.clone(), masked(name, value, fingerprints))).collect()
}

/// The configuration that a client means: what equals what is shown of `stored` at the same place is what is stored there.
pub fn unmask(
    given: &Map<String, Value>,
    stored: &Map<String, Value>,
    fingerprints: &Fingerprints,
) -> Map<String, Value> {
    let meant = |(name, value): (&String, &Value)| {
        let value = match stored.get(name) {
            Some(known) if *value == masked(name, known, fingerprints) => known.clone(),
            Some(Value::Object(known)) => match value {
                Value::Object(given) => Value::Object(unmask(given, known, fingerprints)),
                other => other.clone(),
            },
            _ => value.clone(),
        };
        (name.clone(), value)
    };
    given.iter().map(meant).collect()
}

fn masked(name: &str, value: &Value, fingerprints: &Fingerprints) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value.clone(),
        // An address is of use without its password.
        Value::String(text) if text.contains("://") || text.contains('=') => {
            match in_text(text, fingerprints) {
                Cow::Owned(text) => text.into(),
                Cow::Borrowed(_) if logger::is_secret_name(name) && !text.contains("://") => {
                    fingerprints.of(text).into()
                }
                Cow::Borrowed(_) => value.clone(),
            }
        }
        Value::String(text) if logger::is_secret_name(name) || logger::redact_text(text) != *text => {
            fingerprints.of(text).into()
        }
        Value::Object(members) if !logger::is_secret_name(name) => Value::Object(mask(members, fingerprints)),
        Value::Array(items) if !logger::is_secret_name(name) => {
            items.iter().map(|item| masked(name, item, fingerprints)).collect()
        }
        other if logger::is_secret_name(name) => fingerprints.of(&other.to_string()).into(),
        other => other.clone(),
    }
}

/// The text with what is secret in it replaced.
fn in_text<'t>(text: &'t str, fingerprints: &Fingerprints) -> Cow<'t, str> {
    match logger::redact_text(text) {
        Cow::Owned(redacted) => redacted.replace(logger::REDACTED, &fingerprints.of(text)).into(),
        Cow::Borrowed(_) => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(config: &Value) -> Value {
        Value::Object(mask(config.as_object().unwrap(), &Fingerprints::new(b"k")))
    }

    fn config() -> Value {
        json!({
            "api_key": "sk_test_abcdefgh", "webhook_secret": "whsec_ijklmnop", "account_id": "acct_1",
            "url": "postgres://me:hunter2hunter2@db:5432/x?sslmode=require",
            "connection_string": "host=db user=me password=hunter3hunter3",
            "plain_url": "postgres://db/x", "nested": {"private_key": "PEMPEM", "deep": [{"token": "tttttt"}]},
            "credentials": {"client_id": "c", "refresh_token": "rrrr"}, "rate_limit": 5, "websocket": true,
            "note": "key sk_live_qrstuvwx in words",
        })
    }

    #[test]
    fn secrets_are_shown_as_set() {
        let shown = shown(&config());
        let text = shown.to_string();
        for secret in ["abcdefgh", "ijklmnop", "hunter", "PEMPEM", "tttttt", "rrrr", "qrstuvwx"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert!(shown["api_key"].as_str().unwrap().starts_with("[set sha256:"));
        assert!(shown["url"].as_str().unwrap().starts_with("postgres://me:[set sha256:"));
        assert_eq!((&shown["account_id"], &shown["rate_limit"]), (&json!("acct_1"), &json!(5)));
        assert_eq!(shown["plain_url"], "postgres://db/x");
    }

    #[test]
    fn what_was_shown_means_what_is_stored() {
        let (config, fingerprints) = (config(), Fingerprints::new(b"k"));
        let stored = config.as_object().unwrap();
        let mut sent = mask(stored, &fingerprints);
        assert_eq!(&unmask(&sent, stored, &fingerprints), stored);
        sent.insert("api_key".to_owned(), json!("sk_test_new"));
        sent.remove("rate_limit");
        let meant = unmask(&sent, stored, &fingerprints);
        assert_eq!(meant["api_key"], "sk_test_new");
        assert_eq!(meant["webhook_secret"], "whsec_ijklmnop");
        assert!(!meant.contains_key("rate_limit"));
        let other = unmask(&mask(stored, &Fingerprints::new(b"l")), stored, &fingerprints);
        assert_ne!(other["api_key"], stored["api_key"], "another store's");
    }
}
