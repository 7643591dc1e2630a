//! What clients say of a pipeline.

use axum::extract::Request;
use engine::Role;
use engine::api::parts;
use http_api::{ApiError, Issue, Issues, Step};
use protocol::ConnectorConfig;
use serde_json::{Map, Value};

use super::resource::KEY_IS_SET;
use crate::pipeline::{DesiredStatus, Pipeline, check_id, new_id};
use crate::service::Service;
use crate::store::Change;
use crate::stripe::{STRIPE, is_same_address, is_stripe, keep_found};

/// Reads what clients say of pipelines.
pub(super) struct Reader<'a> {
    pub(super) service: &'a Service,
}

/// The object in the body of a request; an empty body is an empty object where `optional`.
pub(crate) async fn object(request: Request, optional: bool) -> Result<Map<String, Value>, ApiError> {
    let (head, body) = request.into_parts();
    let body = http_api::whole(body, false).await?;
    if body.is_empty() && optional {
        return Ok(Map::new());
    }
    let members = http_api::read_whole(Request::from_parts(head, body.into())).await?;
    let member = |(name, text): (String, protocol::RawJson)| {
        serde_json::from_slice(text.as_bytes()).map(|value| (name, value)).map_err(|_| ApiError::Malformed)
    };
    members.into_iter().map(member).collect()
}

impl Reader<'_> {
    /// The pipeline that a client wants to create.
    pub(super) fn created(&self, mut members: Map<String, Value>) -> Result<Pipeline, ApiError> {
        let mut issues = Issues::default();
        let id = match members.get("id") {
            None | Some(Value::Null) => new_id(),
            Some(Value::String(id)) => {
                if let Err(why) = check_id(id) {
                    issues.0.push(wrong_id(why));
                }
                id.clone()
            }
            Some(_) => {
                issues.0.push(Issue::invalid_type(vec!["id".into()], "string", "something else"));
                String::new()
            }
        };
        fill_defaults(&mut members);
        let change = self.read(&members, None, &mut issues);
        for (name, given) in [("source", &change.source), ("destination", &change.destination)] {
            if given.is_none() && !members.contains_key(name) {
                issues.0.push(Issue::invalid_type(vec![name.into()], "object", "undefined"));
            }
        }
        if change.desired_status == Some(DesiredStatus::Deleted) {
            issues.0.push(Issue::custom(
                vec!["desired_status".into()],
                "a pipeline cannot be created as deleted",
            ));
        }
        if !issues.0.is_empty() {
            return Err(ApiError::Invalid(issues));
        }
        let (Some(source), Some(destination)) = (change.source, change.destination) else {
            return Err(ApiError::Internal);
        };
        Ok(Pipeline {
            id,
            name: change.name.flatten(),
            source,
            destination,
            streams: change.streams.flatten(),
            transforms: change.transforms.flatten(),
            desired_status: change.desired_status.unwrap_or_default(),
        })
    }

    /// What a client wants to change of `before`. Its `id` is ignored.
    pub(super) fn changed(
        &self,
        members: &Map<String, Value>,
        before: &Pipeline,
    ) -> Result<Change, ApiError> {
        let mut issues = Issues::default();
        let change = self.read(members, Some(before), &mut issues);
        if issues.0.is_empty() { Ok(change) } else { Err(ApiError::Invalid(issues)) }
    }

    fn read(&self, members: &Map<String, Value>, before: Option<&Pipeline>, issues: &mut Issues) -> Change {
        let mut members = members.clone();
        if let Some(before) = before {
            self.unmask(&mut members, Role::Source, &before.source, issues);
            self.unmask(&mut members, Role::Destination, &before.destination, issues);
            keep_hash_key(&mut members, before);
        }
        let given = parts(&self.service.engine, &members, &[], issues);
        let name = match members.get("name") {
            None => None,
            Some(Value::Null) => Some(None),
            Some(Value::String(name)) if name.chars().count() <= LONGEST_NAME => Some(Some(name.clone())),
            Some(Value::String(_)) => {
                let text = format!("Too big: expected string to have <={LONGEST_NAME} characters");
                issues.note(Issue { code: "too_big", path: vec!["name".into()], message: text })
            }
            Some(_) => issues.note(Issue::invalid_type(vec!["name".into()], "string", "something else")),
        };
        let desired_status = match members.get("desired_status") {
            None => None,
            Some(value) => value.as_str().and_then(DesiredStatus::parse).or_else(|| {
                let text = r#"Invalid option: expected one of "active"|"paused"|"deleted""#.to_owned();
                issues.note(Issue {
                    code: "invalid_value",
                    path: vec!["desired_status".into()],
                    message: text,
                })
            }),
        };
        Change {
            name,
            source: given.source,
            destination: given.destination,
            streams: given.streams,
            transforms: given.transforms,
            desired_status,
        }
    }

    /// Puts secrets back that the client sends as they were shown.
    fn unmask(
        &self,
        members: &mut Map<String, Value>,
        role: Role,
        before: &ConnectorConfig,
        issues: &mut Issues,
    ) {
        let side = role.to_string();
        let Some(Value::Object(given)) = members.get_mut(&side) else { return };
        if given.get("type").and_then(Value::as_str) != Some(&before.connector) {
            return;
        }
        let Some(Value::Object(config)) = given.get_mut(&before.connector) else { return };
        match self.service.meant(role, config, before) {
            Ok(meant) => {
                // A key that is not told must not be sent to another address than before.
                let moved = !is_same_address(&meant, &before.config);
                let kept = meant.get("api_key") != config.get("api_key");
                if moved && kept {
                    let path = [&*side, &*before.connector, "api_key"].map(Step::from).to_vec();
                    issues.0.push(Issue::custom(path, "send the key itself together with another base_url"));
                }
                *config = meant;
                if role == Role::Source && is_stripe(before) {
                    keep_found(config, &before.config);
                }
            }
            Err(issue) => {
                let place = [Step::from(&*side), Step::from(&*before.connector)];
                let path = place.into_iter().chain(issue.path).collect();
                issues.0.push(Issue { path, ..issue });
            }
        }
    }
}

/// Longest words for a pipeline, in characters.
const LONGEST_NAME: usize = 200;

pub(super) fn wrong_id(why: &str) -> Issue {
    Issue { code: "invalid_format", path: vec!["id".into()], message: format!("Invalid id: {why}") }
}

/// What a configuration of Stripe has unless it says otherwise.
fn fill_defaults(members: &mut Map<String, Value>) {
    let Some(Value::Object(source)) = members.get_mut("source") else { return };
    if source.get("type").and_then(Value::as_str) == Some(STRIPE)
        && let Some(Value::Object(config)) = source.get_mut(STRIPE)
    {
        config.entry("api_version").or_insert_with(|| stripe_openapi::embedded::newest_version().into());
    }
}

fn keep_hash_key(members: &mut Map<String, Value>, before: &Pipeline) {
    let known = before.transforms.as_ref().and_then(|transforms| transforms.hash_key.clone());
    if let (Some(known), Some(Value::Object(transforms))) = (known, members.get_mut("transforms"))
        && transforms.get("hash_key").and_then(Value::as_str) == Some(KEY_IS_SET)
    {
        transforms.insert("hash_key".to_owned(), known.into());
    }
}
