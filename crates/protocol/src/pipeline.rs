//! A source, a destination and what to sync between them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{SyncMode, TimeRange, Transforms};

/// A connector and its configuration; on the wire `{"type": T, T: {…}}`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectorConfig {
    /// The connector's type, e.g. `stripe`.
    pub connector: String,
    /// Its own configuration; empty where the wire has none.
    pub config: Map<String, Value>,
}

impl ConnectorConfig {
    /// A connector with its configuration.
    pub fn new(connector: impl Into<String>, config: Map<String, Value>) -> ConnectorConfig {
        ConnectorConfig { connector: connector.into(), config }
    }
}

impl Serialize for ConnectorConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("type", &self.connector)?;
        map.serialize_entry(&self.connector, &self.config)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for ConnectorConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut wire = Map::<String, Value>::deserialize(deserializer)?;
        let connector = match wire.remove("type") {
            Some(Value::String(connector)) => connector,
            Some(_) => return Err(D::Error::custom("`type` must be a string")),
            None => return Err(D::Error::missing_field("type")),
        };
        match wire.remove(&connector) {
            None | Some(Value::Null) => Ok(ConnectorConfig::new(connector, Map::new())),
            Some(Value::Object(config)) => Ok(ConnectorConfig::new(connector, config)),
            Some(_) => Err(D::Error::custom(format_args!("`{connector}` must be an object"))),
        }
    }
}

impl JsonSchema for ConnectorConfig {
    fn schema_name() -> Cow<'static, str> {
        "ConnectorConfig".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "A connector's type, and its configuration under a key of that name.",
            "properties": {"type": {"type": "string"}},
            "required": ["type"],
            "additionalProperties": {"type": "object"},
        })
    }
}

/// What to sync of one stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StreamSelection {
    /// Name of the stream.
    pub name: String,
    /// How to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_mode: Option<SyncMode>,
    /// Fields to keep; all when absent or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<String>>,
    /// Most records to read in the backfill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub backfill_limit: Option<u64>,
    /// The range of `created` to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_range: Option<TimeRange>,
}

/// A sync from one source to one destination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PipelineConfig {
    /// Where to read.
    pub source: ConnectorConfig,
    /// Where to write.
    pub destination: ConnectorConfig,
    /// Which streams; all when absent or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streams: Option<Vec<StreamSelection>>,
    /// What happens to records before they leave the source's side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transforms: Option<Transforms>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_connector_without_configuration_has_an_empty_one() {
        let read: ConnectorConfig = serde_json::from_value(json!({"type": "test", "other": 1})).unwrap();
        assert_eq!(read, ConnectorConfig::new("test", Map::new()));
        assert_eq!(serde_json::to_value(&read).unwrap(), json!({"type": "test", "test": {}}));
    }

    #[test]
    fn wrong_shapes_are_named() {
        for (wire, expected) in [
            (json!({"stripe": {}}), "missing field `type`"),
            (json!({"type": 1}), "`type` must be a string"),
            (json!({"type": "stripe", "stripe": []}), "`stripe` must be an object"),
        ] {
            let error = serde_json::from_value::<ConnectorConfig>(wire).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
