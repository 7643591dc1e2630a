//! What becomes of a stream's records, as a text that a source can remember.

use hmac::{Hmac, Mac};
use protocol::{Transform, Transforms};
use serde::Serialize;
use sha2::Sha256;

use crate::EngineError;

/// Bytes of the digest: two ways of keeping a stream are never taken for one.
const LENGTH: usize = 16;

/// What makes a difference to a row.
#[derive(Serialize)]
struct Kept<'p> {
    fields: Vec<&'p str>,
    transform: Option<&'p Transform>,
}

/// Of a stream of which `fields` were selected; `None` where its records are kept as they are. The key of digests is part of it, as
/// another key makes other digests; it cannot be told from it more easily than from those.
pub(crate) fn revision(
    stream: &str,
    fields: Option<&[String]>,
    transforms: Option<&Transforms>,
) -> Result<Option<String>, EngineError> {
    let mut fields: Vec<&str> = fields.unwrap_or_default().iter().map(String::as_str).collect();
    fields.sort_unstable();
    fields.dedup();
    let transform = transforms.and_then(|transforms| transforms.streams.get(stream));
    let transform = transform.filter(|transform| **transform != Transform::default());
    if fields.is_empty() && transform.is_none() {
        return Ok(None);
    }
    let hashes = transform.is_some_and(|transform| !transform.hash.is_empty());
    let key = transforms.and_then(|transforms| transforms.hash_key.as_deref()).filter(|_| hashes);
    let failed = |error: String| EngineError::Request(format!("stream `{stream}`: {error}"));
    let kept = serde_json::to_vec(&Kept { fields, transform }).map_err(|error| failed(error.to_string()))?;
    let digest = Hmac::<Sha256>::new_from_slice(key.unwrap_or_default().as_bytes());
    let digest = digest.map_err(|error| failed(error.to_string()))?.chain_update(kept).finalize();
    Ok(Some(hex::encode(&digest.into_bytes()[..LENGTH])))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(fields: &[&str], transforms: Value) -> Option<String> {
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        let transforms: Transforms = serde_json::from_value(transforms).unwrap();
        revision("order", Some(&fields), Some(&transforms)).unwrap()
    }

    #[test]
    fn it_is_there_where_records_are_changed() {
        assert_eq!(revision("order", None, None).unwrap(), None);
        assert_eq!(of(&[], json!({"streams": {"other": {"redact": ["a"]}, "order": {}}})), None);
        assert_eq!(of(&["a", "b"], json!({"streams": {}})).unwrap().len(), 2 * LENGTH);
    }

    #[test]
    fn whatever_makes_a_difference_changes_it_and_nothing_else() {
        let rules = |key: &str, rules: Value| json!({"hash_key": key, "streams": {"order": rules}});
        let plain = of(&["a", "b"], json!({"streams": {}}));
        assert_eq!(plain, of(&["b", "a", "b"], json!({"hash_key": "unused", "streams": {}})));
        let hashed = of(&["a", "b"], rules("k", json!({"hash": ["a"]})));
        let all = [
            plain,
            hashed.clone(),
            of(&["a"], json!({"streams": {}})),
            of(&["a", "b"], rules("l", json!({"hash": ["a"]}))),
            of(&["a", "b"], rules("k", json!({"redact": ["a"]}))),
            of(&["a", "b"], rules("k", json!({"rename": {"a": "z"}}))),
            of(&["a", "b"], rules("k", json!({"where": [{"field": "a", "in": [1]}]}))),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(hashed, of(&["b", "a"], rules("k", json!({"hash": ["a"]}))));
        let redacted = |key| of(&[], rules(key, json!({"redact": ["a"]})));
        assert_eq!(redacted("k"), redacted("l"), "it digests nothing");
    }
}
