//! Values as cells: what is written, and what reads back as it.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

/// Most characters in a cell; <https://support.google.com/drive/answer/37603>.
pub const CELL_CHARACTERS: usize = 50_000;
/// What stands at the end of a text that was cut.
pub const CUT: &str = "… (cut by sync-engine)";

/// A cell as JSON, and whether its text was cut.
pub struct Written<'v> {
    /// The JSON.
    pub json: Cow<'v, str>,
    /// Whether the text was longer than a cell.
    pub cut: bool,
}

/// The cell of a value, to be written `RAW`: texts stay texts whatever they begin with, `null` empties the cell, an
/// object or array is its JSON text. A number is a number where a double has exactly its digits, and a text else.
pub fn written(value: Option<&RawValue>) -> Written<'_> {
    let whole = |json: Cow<'static, str>| Written { json, cut: false };
    let Some(json) = value.map(RawValue::get) else { return whole(Cow::Borrowed("\"\"")) };
    match json.as_bytes().first() {
        Some(b'n') => whole(Cow::Borrowed("\"\"")),
        Some(b'"') => match json.len() <= CELL_CHARACTERS && !json.contains("\\u") {
            true => Written { json: Cow::Borrowed(json), cut: false },
            false => text(&text_of(json)),
        },
        Some(b't' | b'f') => Written { json: Cow::Borrowed(json), cut: false },
        Some(b'{' | b'[') => text(json),
        _ if is_exact(json) => Written { json: Cow::Borrowed(json), cut: false },
        _ => text(json),
    }
}

/// What a JSON text says; halves of characters, which no sheet can hold, are replaced.
fn text_of(json: &str) -> Cow<'_, str> {
    match serde_json::from_str::<String>(json) {
        Ok(text) => Cow::Owned(text),
        Err(_) => Cow::Borrowed(json),
    }
}

fn text(text: &str) -> Written<'static> {
    let (json, cut) = match text.char_indices().nth(CELL_CHARACTERS) {
        None => (Value::from(text), false),
        Some(_) => {
            let kept = CELL_CHARACTERS - CUT.chars().count();
            let kept: String = text.chars().take(kept).collect();
            (Value::from(format!("{kept}{CUT}")), true)
        }
    };
    Written { json: Cow::Owned(json.to_string()), cut }
}

/// Whether a double has exactly these digits, in the range where a sheet shows them all.
fn is_exact(json: &str) -> bool {
    let Ok(number) = json.parse::<f64>() else { return false };
    if number.abs() > 9_007_199_254_740_991.0 || (number != 0.0 && number.abs() < 0.0001) {
        return false;
    }
    // The shortest spelling of a double; `1.0`, `1e2` and `-0` are not.
    number.to_string() == json && json != "-0"
}

/// A cell that was read as the text that a key or a version has.
pub fn read_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn cell(json: &str) -> String {
        let value: Box<RawValue> = serde_json::from_str(json).unwrap();
        written(Some(&value)).json.into_owned()
    }

    #[test]
    fn numbers_keep_their_digits() {
        for exact in ["0", "7", "-7", "1.5", "0.1", "9007199254740991", "1700000000"] {
            assert_eq!(cell(exact), exact);
        }
        for text in ["9007199254740993", "0.10", "1.0", "1e2", "-0", "12345678901234567890.5", "0.00001"] {
            assert_eq!(cell(text), format!("\"{text}\""));
        }
    }

    #[test]
    fn texts_are_texts() {
        for text in ["\"=1+2\"", "\"+1\"", "\"-1\"", "\"@x\"", "\"007\"", "\"TRUE\"", "\"\""] {
            assert_eq!(cell(text), text);
        }
        assert_eq!(cell(r#""\u003d1""#), "\"=1\"");
        assert_eq!(cell("null"), "\"\"");
        assert_eq!(cell("true"), "true");
        assert_eq!(cell(r#"{"a":[1.10]}"#), r#""{\"a\":[1.10]}""#);
    }

    #[test]
    fn long_texts_are_cut_and_say_so() {
        let value: Box<RawValue> =
            serde_json::from_str(&format!("\"{}\"", "é".repeat(CELL_CHARACTERS + 1))).unwrap();
        let Written { json, cut } = written(Some(&value));
        let text: String = serde_json::from_str(&json).unwrap();
        assert!(cut && text.ends_with(CUT));
        assert_eq!(text.chars().count(), CELL_CHARACTERS);
        let value: Box<RawValue> =
            serde_json::from_str(&format!("\"{}\"", "é".repeat(CELL_CHARACTERS))).unwrap();
        assert!(!written(Some(&value)).cut);
    }
}
