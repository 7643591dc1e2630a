//! JSON values compared without a float in between.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

/// The value as text with sorted keys, no white space, one form of each string, and numbers digit by
/// digit: equal texts are equal values. Of a repeated key the last counts.
pub(super) fn canonical(text: &str) -> anyhow::Result<String> {
    let mut out = String::new();
    write(serde_json::from_str(text)?, &mut out)?;
    Ok(out)
}

/// Most characters of a cell, and how many of a longer text are compared.
const CELL: (usize, usize) = (50_000, 40_000);

/// An object as the cells of a row: texts by the names of its members. What is `null`, an empty text or without a name takes no
/// cell, nor does `_synced_at`, which is the destination's. Of a text that is too long for a cell only the beginning counts.
pub(super) fn cells(text: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
    let mut cells = BTreeMap::new();
    for (name, value) in members {
        let json = value.get();
        let shown = match json.as_bytes().first() {
            Some(b'n') => continue,
            Some(b'"') => serde_json::from_str::<String>(json)?,
            Some(b't' | b'f') => json.to_uppercase(),
            _ => json.to_owned(),
        };
        let (most, compared) = CELL;
        let shown =
            if shown.chars().count() >= most { shown.chars().take(compared).collect() } else { shown };
        if !shown.is_empty() && !name.is_empty() && name != "_synced_at" {
            cells.insert(name, shown);
        }
    }
    Ok(cells)
}

fn write(value: &RawValue, out: &mut String) -> anyhow::Result<()> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'{') => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
            out.push('{');
            for (at, (key, member)) in members.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key).to_string());
                out.push(':');
                write(member, out)?;
            }
            out.push('}');
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            out.push('[');
            for (at, item) in items.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(item, out)?;
            }
            out.push(']');
        }
        Some(b'"') => out.push_str(&Value::String(serde_json::from_str(text)?).to_string()),
        _ => out.push_str(text),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_one_text() {
        let a = canonical(r#" {"b": [1.10, 18446744073709551616, null], "a": "\u00e9\/"} "#).unwrap();
        assert_eq!(a, r#"{"a":"é/","b":[1.10,18446744073709551616,null]}"#);
        assert_ne!(canonical("1.10").unwrap(), canonical("1.1").unwrap());
        assert_ne!(canonical("9007199254740993").unwrap(), canonical("9007199254740992").unwrap());
    }
}
