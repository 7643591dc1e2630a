//! Whether two JSON texts mean the same: key order and the spelling of a number do not count, its
//! digits do. No number goes through a float.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use anyhow::{Context, Result, bail};
use serde_json::value::RawValue;

/// What the engine adds to an object, and Stripe does not know.
const STAMPS: &[&str] = &["_updated_at", "_account_id", "_parent_id"];

/// The `id` of an object, and a hash of what the object means without the engine's stamps.
pub fn identify(text: &[u8]) -> Result<(String, u64)> {
    let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(text)?;
    let id = members.get("id").context("an object without `id`")?;
    let id: String = serde_json::from_str(id.get())?;
    let mut out = String::new();
    for (key, value) in members.iter().filter(|(key, _)| !STAMPS.contains(&key.as_ref())) {
        write_member(key, value, &mut out)?;
    }
    let mut hasher = DefaultHasher::new();
    out.hash(&mut hasher);
    Ok((id, hasher.finish()))
}

fn write_member(key: &str, value: &RawValue, out: &mut String) -> Result<()> {
    out.push_str(&serde_json::to_string(key)?);
    out.push(':');
    write_value(value, out)?;
    out.push(',');
    Ok(())
}

fn write_value(value: &RawValue, out: &mut String) -> Result<()> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'{') => {
            out.push('{');
            let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(text)?;
            for (key, value) in members {
                write_member(&key, value, out)?;
            }
            out.push('}');
        }
        Some(b'[') => {
            out.push('[');
            for item in serde_json::from_str::<Vec<&RawValue>>(text)? {
                write_value(item, out)?;
                out.push(',');
            }
            out.push(']');
        }
        Some(b'"') => out.push_str(&serde_json::to_string(&serde_json::from_str::<Cow<'_, str>>(text)?)?),
        Some(b't' | b'f' | b'n') => out.push_str(text),
        Some(_) => out.push_str(&number(text)?),
        None => bail!("an empty JSON value"),
    }
    Ok(())
}

/// The significant digits and the power of ten of the last of them: `-1.50e3` gives `-15e2`.
fn number(text: &str) -> Result<String> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let mut exponent: i64 = exponent.parse().with_context(|| format!("the number {text}"))?;
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    exponent -= i64::try_from(fraction.len())?;
    let digits = format!("{whole}{fraction}");
    let kept = digits.trim_end_matches('0');
    exponent += i64::try_from(digits.len() - kept.len())?;
    let kept = kept.trim_start_matches('0');
    if kept.is_empty() {
        return Ok("0e0".to_owned());
    }
    Ok(format!("{sign}{kept}e{exponent}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_does_not_count() {
        let plain = identify(br#"{"id":"a","n":1500,"s":"\u00e9","l":[1,null]}"#).unwrap();
        let other = identify(b"{\n \"s\": \"\xc3\xa9\", \"l\": [1.0, null],\n \"n\": 1.5e3, \"id\": \"a\", \"_updated_at\": 3}").unwrap();
        assert_eq!(plain, other);
    }

    #[test]
    fn digits_do() {
        let of = |n: &str| identify(format!("{{\"id\":\"a\",\"n\":{n}}}").as_bytes()).unwrap().1;
        assert_ne!(of("9007199254740993"), of("9007199254740992"));
        assert_ne!(of("123456789012345678901234567890"), of("123456789012345678901234567891"));
        assert_ne!(of("1"), of("-1"));
        assert_ne!(of("1"), of("10"));
        assert_eq!(of("0.10"), of("1e-1"));
    }
}
