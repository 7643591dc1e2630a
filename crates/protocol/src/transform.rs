//! What happens to records before they leave the source's side.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Rules for the records of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transforms {
    /// The secret under which values are digested: any text. Whoever has it can tell whether a guess is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash_key: Option<String>,
    /// The rules by stream. A stream that is not synced may have some.
    #[serde(default)]
    pub streams: BTreeMap<String, Transform>,
}

/// Rules for the records of one stream, applied in this order: `where`, then `hash` and `redact`, then `rename`.
///
/// A field is named by the names that lead to it, with dots between them (`billing_details.email`); a list on the way
/// stands for each of its items. The fields of the key, the version and the parent cannot be changed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transform {
    /// Only records for which all of these hold. A record that does not (any more) is deleted from the copy.
    #[serde(default, rename = "where", skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Fields whose values are replaced by a keyed digest: 64 hexadecimal digits of HMAC-SHA256 under
    /// [`Transforms::hash_key`]. Equal values have equal digests; null stays null.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hash: Vec<String>,
    /// Fields whose values are replaced by null.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redact: Vec<String>,
    /// New names of top-level fields, by their old ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rename: BTreeMap<String, String>,
}

/// What must be true of one field, all that is given at once. An absent field is null.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The field: a string, number, boolean or null in the records.
    pub field: String,
    /// It is one of these.
    #[serde(default, rename = "in", skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<Value>>,
    /// It is none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_in: Option<Vec<Value>>,
    /// It is a number, and this or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// It is a number, and less than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub less_than: Option<f64>,
}
