//! Which parts of a configuration are secret: by name, by what the schema says, and by how they look.

use std::borrow::Cow;
use std::ops::Range;

use logger::{is_secret_name, redact_text};
use serde_json::Value;
use url::Url;

use crate::schema::{Place, words};

/// What of a text is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Secrecy {
    /// These bytes of it; often none.
    Parts(Vec<Range<usize>>),
    /// All of it.
    Whole,
}

/// Names that are secret beside those that are so in logs: whole names, joined from their words.
const NAMES: &[&str] = &["pat", "pwd", "pass", "passphrase", "auth", "jwt"];

/// Last words of names that are secret, and the words before them that make them public.
const KEYS: &[&str] = &["key", "keys", "pem"];
const PUBLIC_KEYS: &[&str] = &[
    "primary",
    "foreign",
    "sort",
    "partition",
    "public",
    "cluster",
    "cert",
    "certificate",
    "ca",
    "idempotency",
    "object",
];

/// Whether everything under this name is secret; an address that may hold a password is judged by [`of_text`].
pub(super) fn is_secret(name: &str, place: &Place<'_>) -> bool {
    let secret_by_schema = place.says("writeOnly", &Value::Bool(true))
        || place.says("airbyte_secret", &Value::Bool(true))
        || place.says("format", &Value::from("password"));
    secret_by_schema || is_secret_name(name) || is_key_name(name)
}

fn is_key_name(name: &str) -> bool {
    let words = words(name);
    if NAMES.contains(&words.concat().as_str()) {
        return true;
    }
    match words.iter().rev().position(|word| !KEYS.contains(&word.as_str())) {
        Some(0) => false,
        // `key` alone may be the name of anything; `api_key` and the like is not.
        None => false,
        Some(at) => !PUBLIC_KEYS.contains(&words[words.len() - 1 - at].as_str()),
    }
}

/// Whether a name that is secret as such stands for an address: only the password in it is.
pub(super) fn is_address_name(name: &str) -> bool {
    let words = words(name);
    let last = words.last().map(String::as_str);
    matches!(last, Some("dsn" | "url" | "uri")) || words.concat().ends_with("connectionstring")
}

/// What of a text is secret, whatever its name.
pub(super) fn of_text(text: &str) -> Secrecy {
    if text.contains("PRIVATE KEY-----") {
        return Secrecy::Whole;
    }
    let Some(mut parts) = (if text.contains("://") { of_url(text) } else { Some(of_settings(text)) }) else {
        return Secrecy::Whole;
    };
    parts.retain(|part| !part.is_empty());
    parts.sort_by_key(|part| part.start);
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(parts.len());
    for part in parts {
        match joined.last_mut() {
            Some(last) if part.start <= last.end => last.end = last.end.max(part.end),
            _ => joined.push(part),
        }
    }
    // What a log would hide beside that is hidden with all around it.
    let rest = replaced(text, &joined, |_| String::new());
    if matches!(redact_text(&rest), Cow::Owned(_)) { Secrecy::Whole } else { Secrecy::Parts(joined) }
}

/// The text with these parts, which are in order, replaced.
pub(super) fn replaced(text: &str, parts: &[Range<usize>], by: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for part in parts {
        out.push_str(&text[copied..part.start]);
        out.push_str(&by(&text[part.clone()]));
        copied = part.end;
    }
    out.push_str(&text[copied..]);
    out
}

/// The password of a URL and the secret parameters after it. `None` where nobody can say what is what.
fn of_url(text: &str) -> Option<Vec<Range<usize>>> {
    let colon = text.find("://")?;
    let start = colon + 3;
    let is_web =
        ["http", "https", "ws", "wss"].iter().any(|scheme| text[..colon].eq_ignore_ascii_case(scheme));
    let mut parts = Vec::new();
    let authority = if is_web {
        // What a browser would not understand may hold a password anywhere.
        Url::parse(text).ok()?;
        &text[start..start + text[start..].find(['/', '?', '#', '\\']).unwrap_or(text.len() - start)]
    } else {
        // An unescaped `@` or `/` may be part of a password: the last `@` counts.
        &text[start..]
    };
    if let Some(at) = authority.rfind('@') {
        match authority[..at].find(':') {
            Some(colon) => parts.push(start + colon + 1..start + at),
            // A lone user of a web address is a token as a rule.
            None if is_web => parts.push(start..start + at),
            None => {}
        }
    }
    let Some(query) = text[start..].find('?').map(|at| start + at + 1) else { return Some(parts) };
    let end = text[query..].find('#').map_or(text.len(), |at| query + at);
    let mut at = query;
    for parameter in text[query..end].split('&') {
        if let Some((name, value)) = parameter.split_once('=') {
            let begin = at + name.len() + 1;
            if is_secret_name(name) || is_key_name(name) {
                parts.push(begin..begin + value.len());
            }
        }
        at += parameter.len() + 1;
    }
    // A password with a `#` goes on behind it.
    if end < text.len() && parts.last().is_some_and(|part| part.end == end) {
        parts.push(end..text.len());
    }
    Some(parts)
}

/// The values of secret names in `host=… password=…`, as libpq reads it.
fn of_settings(text: &str) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(sign) = text[at..].find('=').map(|sign| at + sign) {
        let name = text[at..sign].trim_end();
        let name = name.rsplit(|c: char| c.is_whitespace() || c == ';').next().unwrap_or_default();
        let start = sign + 1 + (text[sign + 1..].len() - text[sign + 1..].trim_start().len());
        let end = start + value_length(&text[start..]);
        if is_secret_name(name) || is_key_name(name) {
            parts.push(start..end);
        }
        at = end;
    }
    parts
}

/// The length of a value: quoted up to its quote, else up to the next space, or to a `;` with another setting behind it. A
/// backslash takes the next character's meaning.
fn value_length(text: &str) -> usize {
    let quoted = text.starts_with('\'');
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(usize::from(quoted)) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\'' if quoted => return at + 1,
            ';' if !quoted && begins_setting(&text[at + 1..]) => return at,
            c if !quoted && c.is_whitespace() => return at,
            _ => {}
        }
    }
    text.len()
}

/// Whether a text begins as `Name=`, `Two Words=`.
fn begins_setting(text: &str) -> bool {
    let name = text.find('=').map(|sign| &text[..sign]);
    name.is_some_and(|name| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ' || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_addresses_are_found() {
        for (text, shown) in [
            (
                "postgres://me:hunter2@host:5432/db?sslmode=require",
                "postgres://me:X@host:5432/db?sslmode=require",
            ),
            ("postgres://me:p@ss/w?rd@host/db", "postgres://me:X@host/db"),
            ("postgres://me@host/db?password=a%20b&x=1", "postgres://me@host/db?password=X&x=1"),
            ("postgres:///db?user=me&password=p@ss", "postgres:///db?user=me&password=X"),
            ("postgres://me@host/db", "postgres://me@host/db"),
            ("https://token@git.example.com/a", "https://X@git.example.com/a"),
            ("https://example.com/@someone?page=2", "https://example.com/@someone?page=2"),
            ("https://example.com/hook?api_key=abc#top", "https://example.com/hook?api_key=X"),
            ("host=a password=hunter2 user=b", "host=a password=X user=b"),
            ("host = a password = 'hun ter\\'2' user=b", "host = a password = X user=b"),
            ("Server=h;Pwd=hunter2", "Server=h;Pwd=X"),
            ("a = 'b' and c = 'd'", "a = 'b' and c = 'd'"),
            ("", ""),
        ] {
            let Secrecy::Parts(parts) = of_text(text) else { panic!("{text}") };
            assert_eq!(replaced(text, &parts, |_| "X".to_owned()), shown);
        }
        for whole in [
            "https://me:p/w@host",
            "uses sk_live_abc",
            "-----BEGIN RSA PRIVATE KEY-----\nMII",
            r#"{"private_key": "abc"}"#,
        ] {
            assert_eq!(of_text(whole), Secrecy::Whole, "{whole}");
        }
    }

    #[test]
    fn names_are_judged_by_their_words() {
        let place = Place::root(&Value::Null);
        for secret in [
            "api_key",
            "apiKey",
            "webhook_secret",
            "ssl_key_pem",
            "service_account_key",
            "refresh_token",
            "PAT",
            "connection_string",
            "encryptionKey",
            "passphrase",
            "signing_keys",
        ] {
            assert!(is_secret(secret, &place), "{secret}");
        }
        for open in [
            "primary_key",
            "key",
            "base_url",
            "schema",
            "ssl_ca_pem",
            "ssl_cert_pem",
            "keyspace",
            "path",
            "pem",
        ] {
            assert!(!is_secret(open, &place), "{open}");
        }
        let schema = serde_json::json!({"properties": {"code": {"airbyte_secret": true}, "pin": {"format": "password"}}});
        let root = Place::root(&schema);
        assert!(is_secret("code", &root.member("code")) && is_secret("pin", &root.member("pin")));
    }
}
