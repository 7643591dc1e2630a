//! What `jsonb` cannot store: the escape `\u0000`, and escapes of half a surrogate pair.

/// The JSON text with each escape that `jsonb` refuses replaced by `\ufffd` (the replacement
/// character), of the same length. `None` where there is none, which is nearly always.
pub(super) fn storable(json: &[u8]) -> Option<Vec<u8>> {
    let mut replaced: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &json[at..]) {
        let escape = at + found;
        let Some(unit) = code_unit(json, escape) else {
            at = escape + 2;
            continue;
        };
        at = escape + 6;
        match unit {
            0xD800..=0xDBFF if matches!(code_unit(json, at), Some(0xDC00..=0xDFFF)) => at += 6,
            0 | 0xD800..=0xDFFF => {
                replaced.get_or_insert_with(|| json.to_vec())[escape..at].copy_from_slice(b"\\ufffd");
            }
            _ => {}
        }
    }
    replaced
}

/// The UTF-16 code unit that a `\uXXXX` at `at` stands for, if one is there.
fn code_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_is_refused_is_replaced() {
        for (text, expected) in [
            (r#"{"a":"x\u0000y"}"#, r#"{"a":"x\ufffdy"}"#),
            (r#"{"a":"x\\u0000y"}"#, r#"{"a":"x\\u0000y"}"#),
            (r#""\\\u0000""#, r#""\\\ufffd""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\uD83D""#, r#""\ufffd""#),
            (r#""\ude00\ud83d""#, r#""\ufffd\ufffd""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\ud83d\\ude00""#, r#""\ufffd\\ude00""#),
            (r#""\u00e9 \n \" é""#, r#""\u00e9 \n \" é""#),
        ] {
            let stored = storable(text.as_bytes()).map(|stored| String::from_utf8(stored).unwrap());
            assert_eq!(stored.as_deref(), (text != expected).then_some(expected));
        }
    }

    proptest! {
        #[test]
        fn the_result_is_always_storable(
            parts in prop::collection::vec(
                prop::sample::select(vec![r"\u0000", r"\ud83d", r"\uDE00", r"\\", r"\n", "u0000", r"\u00e9", "é", "a"]),
                0..12,
            ),
        ) {
            let text = format!("\"{}\"", parts.concat());
            let stored = storable(text.as_bytes()).unwrap_or_else(|| text.clone().into_bytes());
            prop_assert_eq!(stored.len(), text.len());
            let value: String = serde_json::from_slice(&stored).unwrap();
            prop_assert!(!value.contains('\0'));
            if let Ok(original) = serde_json::from_str::<String>(&text) {
                prop_assert_eq!(value, original.replace('\0', "\u{fffd}"));
            }
        }
    }
}
