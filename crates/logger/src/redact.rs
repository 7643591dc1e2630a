//! Hiding secrets: by the name they go under, and by how they look.

use std::borrow::Cow;

use serde_json::Value;

/// Stands where a secret was.
pub const REDACTED: &str = "[redacted]";

/// Words that make the name of a field secret, compared without case and punctuation.
const SECRET_WORDS: &[&str] = &[
    "apikey",
    "password",
    "passwd",
    "secret",
    "authorization",
    "connectionstring",
    "privatekey",
    "accesskey",
    "credential",
    "cookie",
];

/// Names that are secret as a whole or at their end.
const SECRET_ENDINGS: &[&str] = &["token", "secrets", "dsn"];

/// How Stripe's keys begin, longest first, so that what the key is for stays readable.
const KEY_PREFIXES: &[&str] =
    &["sk_live_", "sk_test_", "rk_live_", "rk_test_", "sk_org_", "whsec_", "sk_", "rk_"];

/// Whether a value under this name must not be shown.
pub fn is_secret_name(name: &str) -> bool {
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    SECRET_WORDS.iter().any(|word| plain.contains(word))
        || SECRET_ENDINGS.iter().any(|ending| plain.ends_with(ending))
}

/// Hides secrets at any depth: values under secret names whole, other texts by [`redact_text`].
pub fn redact_json(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(redact_json),
        Value::Object(members) => {
            for (name, value) in members {
                if is_secret_name(name) && !value.is_null() && !value.is_boolean() {
                    *value = Value::String(REDACTED.to_owned());
                } else {
                    redact_json(value);
                }
            }
        }
        other => redact_texts(other),
    }
}

/// Hides what looks like a secret in every text, whatever its name: for values whose names are data.
pub fn redact_texts(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(redacted) = redact_text(text) {
                *text = redacted;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact_texts),
        Value::Object(members) => members.values_mut().for_each(redact_texts),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Hides what looks like a secret: Stripe keys, passwords in URLs, bearer tokens, `password=…`.
pub fn redact_text(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while at < text.len() {
        match secret_at(text, at) {
            Some((start, end)) => {
                out.push_str(&text[copied..start]);
                out.push_str(REDACTED);
                copied = end;
                at = end;
            }
            None => at += text[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    if copied == 0 && out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// The secret, as byte positions, that the words at `at` announce.
fn secret_at(text: &str, at: usize) -> Option<(usize, usize)> {
    let rest = &text[at..];
    let at_word = !text[..at].chars().next_back().is_some_and(is_word);
    let found = if rest.starts_with("://") {
        url_password(rest)
    } else if at_word {
        key(rest).or_else(|| bearer(rest)).or_else(|| assigned(rest))
    } else {
        None
    };
    found.map(|(start, end)| (at + start, at + end))
}

fn key(rest: &str) -> Option<(usize, usize)> {
    let start = KEY_PREFIXES.iter().find(|prefix| rest.starts_with(**prefix))?.len();
    let length = rest[start..].find(|c: char| !is_word(c)).unwrap_or(rest.len() - start);
    (length > 0).then_some((start, start + length))
}

fn bearer(rest: &str) -> Option<(usize, usize)> {
    let scheme = rest.get(..7)?;
    if !scheme.eq_ignore_ascii_case("bearer ") {
        return None;
    }
    let length = rest[7..].find(ends_value).unwrap_or(rest.len() - 7);
    // "bearer token" in a sentence is no secret; tokens are longer than words.
    (length >= 12).then_some((7, 7 + length))
}

/// `name=value` and `"name":"value"` under a secret name.
fn assigned(rest: &str) -> Option<(usize, usize)> {
    let length = rest.find(|c: char| !is_word(c) && c != '-')?;
    if length == 0 || !is_secret_name(&rest[..length]) {
        return None;
    }
    let after = &rest[length..];
    let quoted = ["\":\"", "\": \"", "='", "=\""].into_iter().find(|sign| after.starts_with(*sign));
    let start = length + quoted.map_or_else(|| usize::from(after.starts_with('=')), str::len);
    if start == length {
        return None;
    }
    let value = &rest[start..];
    let end = if quoted.is_some() { value.find(['"', '\'']) } else { value.find(ends_value) };
    let end = end.unwrap_or(value.len());
    (end > 0).then_some((start, start + end))
}

/// The password of `://user:password@host`. An unescaped `@` or `/` may be part of it, so the last
/// `@` counts: rather hide too much than half a password.
fn url_password(rest: &str) -> Option<(usize, usize)> {
    let url = &rest[..rest.find(|c: char| c.is_whitespace() || "\"'`<>".contains(c)).unwrap_or(rest.len())];
    let at = url.rfind('@')?;
    let colon = 3 + url[3..at].find(':')?;
    (colon + 1 < at).then_some((colon + 1, at))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn ends_value(c: char) -> bool {
    c.is_whitespace() || "&\"'`,;)}]<>".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn hides_what_looks_like_a_secret() {
        for (text, shown) in [
            ("Invalid key sk_live_abc123!", "Invalid key sk_live_[redacted]!"),
            ("rk_test_x", "rk_test_[redacted]"),
            ("(whsec_AbC)", "(whsec_[redacted])"),
            ("sk_short", "sk_[redacted]"),
            ("postgres://me:p@ss/word@host/db", "postgres://me:[redacted]@host/db"),
            ("postgres://me:hunter2@host:5432/db?x=1", "postgres://me:[redacted]@host:5432/db?x=1"),
            ("host=a password=hunter2 user=b", "host=a password=[redacted] user=b"),
            (r#"{"api_key":"abc","n":1}"#, r#"{"api_key":"[redacted]","n":1}"#),
            ("Authorization: Bearer abcdefghijklmnop", "Authorization: Bearer [redacted]"),
            ("é sk_live_1 é", "é sk_live_[redacted] é"),
        ] {
            assert_eq!(redact_text(text), shown, "{text}");
        }
    }

    #[test]
    fn leaves_ordinary_words_alone() {
        for text in [
            "risk_score and task_id",
            "http://127.0.0.1:8080/v1/charges?limit=100",
            "postgres://me@host/db",
            "the bearer of news",
            "a password is needed",
            "sk_",
        ] {
            assert!(matches!(redact_text(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn hides_by_name_at_any_depth() {
        let mut value = json!({
            "source": {"stripe": {"api_key": "k", "webhook_secret": "w", "base_url": "http://x"}},
            "list": [{"refreshToken": "t"}, {"DB-Password": 5}],
            "primary_key": "id",
            "password": null,
            "note": "uses sk_test_123",
        });
        redact_json(&mut value);
        assert_eq!(
            value,
            json!({
                "source": {"stripe": {"api_key": REDACTED, "webhook_secret": REDACTED, "base_url": "http://x"}},
                "list": [{"refreshToken": REDACTED}, {"DB-Password": REDACTED}],
                "primary_key": "id",
                "password": null,
                "note": "uses sk_test_[redacted]",
            })
        );
    }
}
