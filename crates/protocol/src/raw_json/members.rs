//! Finding a few top-level members of an object without reading the rest of it.
//!
//! Every record is looked at for its key and its version, and is valid JSON by then. So values nobody asks for are not
//! parsed: of nested ones only brackets and strings are told apart.

use std::ops::Range;

/// Where the values of the named members are. Of a repeated key the last counts. `None` where the text is not what it
/// should be, or a key is written with escapes: then a parser must judge.
pub(super) fn find<const N: usize>(text: &[u8], names: [&str; N]) -> Option<[Option<Range<usize>>; N]> {
    let mut found = [const { None }; N];
    let mut at = after_space(text, 0);
    if text.get(at) != Some(&b'{') {
        return None;
    }
    at = after_space(text, at + 1);
    if text.get(at) == Some(&b'}') {
        return ends(text, at + 1).then_some(found);
    }
    loop {
        if text.get(at) != Some(&b'"') {
            return None;
        }
        let key_end = string_end(text, at + 1)?;
        let key = &text[at + 1..key_end];
        if key.contains(&b'\\') {
            return None;
        }
        at = after_space(text, key_end + 1);
        if text.get(at) != Some(&b':') {
            return None;
        }
        let begin = after_space(text, at + 1);
        let end = value_end(text, begin)?;
        if let Some(place) = names.iter().position(|name| name.as_bytes() == key) {
            found[place] = Some(begin..end);
        }
        at = after_space(text, end);
        match text.get(at)? {
            b',' => at = after_space(text, at + 1),
            b'}' => return ends(text, at + 1).then_some(found),
            _ => return None,
        }
    }
}

fn ends(text: &[u8], at: usize) -> bool {
    after_space(text, at) == text.len()
}

fn after_space(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count()
}

/// The place of the quote that ends the string whose content begins at `at`.
fn string_end(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// The place behind the value that begins at `at`.
fn value_end(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'"' => Some(string_end(text, at + 1)? + 1),
        b'{' | b'[' => nested_end(text, at),
        b',' | b':' | b'}' | b']' => None,
        _ => {
            let ends = |byte: &u8| matches!(byte, b',' | b'}' | b' ' | b'\n' | b'\r' | b'\t');
            text[at..].iter().position(ends).map(|length| at + length)
        }
    }
}

/// The place behind the object or array that begins at `at`.
fn nested_end(text: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match text.get(at)? {
            b'"' => at = string_end(text, at + 1)?,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    fn texts<const N: usize>(text: &str, names: [&str; N]) -> Option<Vec<Option<String>>> {
        let found = find(text.as_bytes(), names)?;
        Some(found.into_iter().map(|range| range.map(|range| text[range].to_owned())).collect())
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            r#"[a-c"\\{}\[\],: \n😀]{0,6}"#.prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(r#"[a-c"\\]{0,3}"#, inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_a_parser_finds(
            members in prop::collection::vec(("[a-d]{0,2}", value()), 0..6),
            space in prop::sample::select(vec!["", " ", "\n\t"]),
        ) {
            let parts: Vec<String> = members
                .iter()
                .map(|(key, value)| format!("{space}\"{key}\"{space}:{space}{value}{space}"))
                .collect();
            let text = format!("{space}{{{space}{}}}{space}", parts.join(","));
            let parsed: Value = serde_json::from_str(&text).unwrap();
            let names = ["a", "bc", "d", ""];
            let expected: Vec<Option<Value>> = names.iter().map(|name| parsed.get(name).cloned()).collect();
            let found = texts(&text, names).unwrap();
            let found: Vec<Option<Value>> =
                found.iter().map(|text| text.as_ref().map(|text| serde_json::from_str(text).unwrap())).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn nothing_is_too_strange(text in r#"[{}\[\]",:\\a1 ]{0,12}"#) {
            // Whatever a parser takes is found alike; the rest must merely not panic.
            let found = texts(&text, ["a"]);
            if let (Some(found), Ok(Value::Object(parsed))) = (found, serde_json::from_str(&text)) {
                let value = found[0].as_ref().map(|text| serde_json::from_str::<Value>(text).unwrap());
                prop_assert_eq!(value.as_ref(), parsed.get("a"));
            }
        }
    }

    #[test]
    fn what_is_not_an_object_is_left_to_a_parser() {
        for text in [
            "",
            "[1]",
            "{",
            "{\"a\"",
            "{\"a\":}",
            "{\"a\":1",
            "{\"a\":1}x",
            "{a:1}",
            "{\"\\u0061\":1}",
            "{\"a\":\"x}",
        ] {
            assert_eq!(find(text.as_bytes(), ["a"]), None, "{text}");
        }
    }
}
