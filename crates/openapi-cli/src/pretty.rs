//! JSON for people: the same text, indented. Numbers and strings stay as they were written.

/// The text of a valid JSON value with two spaces per level. What is no JSON comes out as some other arrangement of
/// white space, nothing worse.
pub(crate) fn pretty(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let mut depth: usize = 0;
    let mut rest = json.char_indices().filter(|(_, letter)| !letter.is_ascii_whitespace()).peekable();
    // Where the string that was copied last ends.
    let mut copied = 0;
    while let Some((at, letter)) = rest.next() {
        if at < copied {
            continue;
        }
        match letter {
            '"' => {
                copied = string_end(json, at);
                text.push_str(&json[at..copied]);
            }
            '{' | '[' => {
                text.push(letter);
                let closing = if letter == '{' { '}' } else { ']' };
                if rest.peek().is_some_and(|(_, next)| *next == closing) {
                    rest.next();
                    text.push(closing);
                } else {
                    depth += 1;
                    line(&mut text, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut text, depth);
                text.push(letter);
            }
            ',' => {
                text.push(',');
                line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            other => text.push(other),
        }
    }
    text
}

/// Where the string that begins at `from` ends, its closing quote included.
fn string_end(json: &str, from: usize) -> usize {
    let mut escaped = false;
    for (at, byte) in json.bytes().enumerate().skip(from + 1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    json.len()
}

fn line(text: &mut String, depth: usize) {
    text.push('\n');
    for _ in 0..depth {
        text.push_str("  ");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail loudly")]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn digits_stay() {
        let json = r#"{"a":1.10000000000000000001,"b":[],"c":{},"d":["x, {y}: \"z\"\\",1e400]}"#;
        let expected = concat!(
            "{\n  \"a\": 1.10000000000000000001,\n  \"b\": [],\n  \"c\": {},\n",
            "  \"d\": [\n    \"x, {y}: \\\"z\\\"\\\\\",\n    1e400\n  ]\n}"
        );
        assert_eq!(pretty(json), expected);
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_is_what_serde_prints(value in json()) {
            let expected = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(&pretty(&value.to_string()), &expected);
            prop_assert_eq!(pretty(&expected), expected, "and prints it again the same");
        }
    }
}
