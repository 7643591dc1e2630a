//! Is it a pipeline, and what is wrong with it if not.

use http_api::{Issue, Issues, Step};
use protocol::{ConnectorConfig, PipelineConfig, StreamSelection, Transforms};
use serde_json::{Map, Value};

use super::body::kind;
use crate::{Engine, Role};

/// The parts of a pipeline that were given, each right for itself.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// Where to read.
    pub source: Option<ConnectorConfig>,
    /// Where to write.
    pub destination: Option<ConnectorConfig>,
    /// Which streams; the inner `None` is a `null`.
    pub streams: Option<Option<Vec<StreamSelection>>>,
    /// What happens to records; the inner `None` is a `null`.
    pub transforms: Option<Option<Transforms>>,
}

/// The pipeline that `value` describes. Members that no pipeline has are ignored.
pub(super) fn pipeline(engine: &Engine, value: &Value, issues: &mut Issues) -> Option<PipelineConfig> {
    let at: [Step; 1] = ["pipeline".into()];
    let Value::Object(members) = value else {
        return issues.note(Issue::invalid_type(at.to_vec(), "object", kind(value)));
    };
    let before = issues.0.len();
    let parts = parts(engine, members, &at, issues);
    for (name, given) in [("source", &parts.source), ("destination", &parts.destination)] {
        if given.is_none() && !members.contains_key(name) {
            let path = at.iter().cloned().chain([name.into()]).collect();
            issues.0.push(Issue::invalid_type(path, "object", "undefined"));
        }
    }
    for (name, null) in
        [("streams", parts.streams == Some(None)), ("transforms", parts.transforms == Some(None))]
    {
        if null {
            let path = at.iter().cloned().chain([name.into()]).collect();
            issues.0.push(Issue::invalid_type(path, "a value", "null"));
        }
    }
    if issues.0.len() > before {
        return None;
    }
    Some(PipelineConfig {
        source: parts.source?,
        destination: parts.destination?,
        streams: parts.streams.flatten(),
        transforms: parts.transforms.flatten(),
    })
}

/// Reads those parts of a pipeline that `members` have; what is wrong with them is noted with its place below `at`.
pub fn parts(engine: &Engine, members: &Map<String, Value>, at: &[Step], issues: &mut Issues) -> Parts {
    let within = |member: &str| -> Vec<Step> { at.iter().cloned().chain([member.into()]).collect() };
    let mut side = |role: Role, name: &str| {
        members.get(name).and_then(|value| connector(engine, role, value, &within(name), issues))
    };
    let source = side(Role::Source, "source");
    let destination = side(Role::Destination, "destination");
    let streams = match members.get("streams") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(Value::Array(items)) => {
            let path = within("streams");
            let selections =
                items.iter().enumerate().filter_map(|(index, item)| selection(&path, index, item, issues));
            Some(Some(selections.collect()))
        }
        Some(other) => issues.note(Issue::invalid_type(within("streams"), "array", kind(other))),
    };
    let transforms = match members.get("transforms") {
        None => None,
        Some(Value::Null) => Some(None),
        Some(given) => match serde_path_to_error::deserialize(given) {
            Ok(transforms) => Some(Some(transforms)),
            Err(error) => {
                let place = format!("transforms.{}", error.path());
                let message = format!("Invalid input: {place}: {}", error.into_inner());
                issues.note(Issue { code: "invalid_value", path: within("transforms"), message })
            }
        },
    };
    Parts { source, destination, streams, transforms }
}

/// The connector that `value` names, whether there is one or not.
pub(super) fn named(value: &Value, path: Vec<Step>, issues: &mut Issues) -> Option<ConnectorConfig> {
    let within = |member: &str| path.iter().cloned().chain([member.into()]).collect::<Vec<Step>>();
    let Value::Object(members) = value else {
        return issues.note(Issue::invalid_type(path, "object", kind(value)));
    };
    let name = match members.get("type") {
        Some(Value::String(name)) => name,
        other => {
            let received = other.map_or("undefined", kind);
            return issues.note(Issue::invalid_type(within("type"), "string", received));
        }
    };
    let config = match members.get(name) {
        None => Map::new(),
        Some(Value::Object(config)) => config.clone(),
        Some(other) => return issues.note(Issue::invalid_type(within(name), "object", kind(other))),
    };
    Some(ConnectorConfig::new(name, config))
}

/// The connector that `value` configures. Any type that the engine can resolve is taken.
fn connector(
    engine: &Engine,
    role: Role,
    value: &Value,
    path: &[Step],
    issues: &mut Issues,
) -> Option<ConnectorConfig> {
    let within = |member: &str| path.iter().cloned().chain([member.into()]).collect::<Vec<Step>>();
    let configured = named(value, path.to_vec(), issues)?;
    let ConnectorConfig { connector: name, config } = &configured;
    let registry = engine.registry();
    let valid = match role {
        Role::Source => registry.source(name).map(|known| known.validate(config)),
        Role::Destination => registry.destination(name).map(|known| known.validate(config)),
    };
    match valid {
        Ok(Ok(())) => Some(configured),
        Ok(Err(error)) => {
            // What the connector says may quote what it was given.
            let text = logger::redact_text(&error.to_string()).into_owned();
            issues.note(Issue::custom(within(name), text))
        }
        Err(error) => {
            let message = format!("Invalid discriminator value: {error}");
            issues.note(Issue { code: "invalid_union", path: within("type"), message })
        }
    }
}

fn selection(at: &[Step], index: usize, value: &Value, issues: &mut Issues) -> Option<StreamSelection> {
    let path = |member: Option<&str>| -> Vec<Step> {
        at.iter().cloned().chain([index.into()]).chain(member.map(Step::from)).collect()
    };
    let Value::Object(members) = value else {
        return issues.note(Issue::invalid_type(path(None), "object", kind(value)));
    };
    match members.get("name") {
        Some(Value::String(_)) => {}
        other => {
            let received = other.map_or("undefined", kind);
            return issues.note(Issue::invalid_type(path(Some("name")), "string", received));
        }
    }
    if members.get("backfill_limit").and_then(Value::as_u64) == Some(0) {
        let message = "Too small: expected int >0".to_owned();
        return issues.note(Issue { code: "too_small", path: path(Some("backfill_limit")), message });
    }
    if let Some((name, _)) = members.iter().find(|(name, value)| value.is_null() && *name != "name") {
        return issues.note(Issue::invalid_type(path(Some(name)), "a value", "null"));
    }
    match serde_json::from_value(value.clone()) {
        Ok(selection) => Some(selection),
        Err(error) => {
            let message = format!("Invalid input: {error}");
            issues.note(Issue { code: "invalid_value", path: path(None), message })
        }
    }
}
