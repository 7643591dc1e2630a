//! JSON given as a flag: itself, as a file, or on stdin.

use protocol::{ConnectorConfig, StreamSelection, Transforms};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use terminal::documents;
pub(crate) use terminal::documents::read_any;

use super::failure::Failure;

/// What `--config` holds: a pipeline, any part of which may be missing.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PipelineDocument {
    #[serde(default)]
    pub(crate) source: Option<ConnectorConfig>,
    #[serde(default)]
    pub(crate) destination: Option<ConnectorConfig>,
    #[serde(default)]
    pub(crate) streams: Vec<StreamSelection>,
    #[serde(default)]
    pub(crate) transforms: Option<Transforms>,
}

/// What `--params` holds: the parameters of one run.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParamsDocument {
    #[serde(default)]
    pub(crate) streams: Vec<StreamSelection>,
    #[serde(default)]
    pub(crate) since: Option<String>,
    #[serde(default)]
    pub(crate) until: Option<String>,
    #[serde(default)]
    pub(crate) backfill_limit: Option<std::num::NonZeroU64>,
    /// Seconds.
    #[serde(default)]
    pub(crate) time_limit: Option<f64>,
    /// Seconds.
    #[serde(default)]
    pub(crate) soft_time_limit: Option<f64>,
    #[serde(default)]
    pub(crate) run_id: Option<String>,
    #[serde(default)]
    pub(crate) sync_id: Option<String>,
}

const STREAM_KEYS: &[&str] = &["name", "sync_mode", "fields", "backfill_limit", "time_range"];

/// Reads what `flag` was given: JSON where it begins with `{`, stdin for `-`, else a file. Refuses what a selection of streams does not
/// have.
pub(crate) fn read<T: DeserializeOwned>(flag: &str, given: &str) -> Result<T, Failure> {
    documents::read_with(flag, given, parse)
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let parsed = serde_json::from_str(text).map_err(|error| error.to_string())?;
    // Selections of streams also come from clients, where unknown keys are let through; people
    // mistype.
    let raw: Map<String, Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    for (index, stream) in raw.get("streams").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let keys = stream.as_object().into_iter().flat_map(Map::keys);
        if let Some(key) = keys.into_iter().find(|key| !STREAM_KEYS.contains(&key.as_str())) {
            return Err(format!(
                "streams[{index}] has an unknown key `{key}`; there is {}",
                STREAM_KEYS.join(", ")
            ));
        }
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: DeserializeOwned + std::fmt::Debug>(given: &str) -> String {
        match read::<T>("--config", given).unwrap_err() {
            Failure::Usage(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn json_is_told_from_files() {
        let read: PipelineDocument =
            read("--config", r#" {"source": {"type": "stripe", "stripe": {"api_key": "k"}}}"#).unwrap();
        assert_eq!(read.source.unwrap().config["api_key"], "k");
        assert!(
            refused::<PipelineDocument>("no/such.json").starts_with("--config: no/such.json cannot be read")
        );
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let text = refused::<PipelineDocument>("{\n  \"source\": {\"type\": \"stripe\",}\n}");
        assert_eq!(text, "--config: the JSON is malformed: trailing comma at line 2 column 31");
        let text = refused::<PipelineDocument>(r#"{"sorce": {}}"#);
        assert!(text.contains("unknown field `sorce`, expected one of"), "{text}");
        let text = refused::<ParamsDocument>(r#"{"streams": [{"name": "a"}, {"name": "b", "field": []}]}"#);
        assert!(text.contains("streams[1] has an unknown key `field`"), "{text}");
    }
}
