//! `/v1/webhook_endpoints`, as far as it changes something; lists and retrievals are like any other.

use std::sync::Arc;

use http::Method;
use serde_json::{Map, Value, json};

use super::form::Form;
use super::outbox::Interest;
use crate::api::Page;
use crate::control::Control;
use crate::refusal::Refusal;
use crate::state::{Served, State};
use crate::world::View;

const PATH: &str = "/v1/webhook_endpoints";
pub(crate) const TABLE: &str = "webhook_endpoint";
/// Endpoints per mode, as Stripe allows.
const MOST: u64 = 16;

/// Whether a request would create, update or delete an endpoint.
pub(crate) fn is_change(method: &Method, path: &str) -> bool {
    let one =
        || path.strip_prefix(PATH).and_then(|rest| rest.strip_prefix('/')).is_some_and(|id| !id.is_empty());
    match method.as_str() {
        "POST" => path == PATH || one(),
        "DELETE" => one(),
        _ => false,
    }
}

/// Answers a request that creates, updates or deletes an endpoint; `None` if it is about something else.
pub(crate) fn answer(
    state: &Arc<State>,
    served: &Served,
    method: &Method,
    path: &str,
    body: &[u8],
) -> Option<Result<Page, Refusal>> {
    if !is_change(method, path) {
        return None;
    }
    let form = Form::parse(body);
    let control = Control { state: Arc::clone(state) };
    Some(match path.strip_prefix(PATH)?.strip_prefix('/') {
        None => create(&control, served, &form),
        Some(id) if method == Method::POST => update(&control, served, id, &form),
        Some(id) => delete(&control, id),
    })
}

fn create(control: &Control, served: &Served, form: &Form) -> Result<Page, Refusal> {
    let known = ["api_version", "connect", "description", "enabled_events", "expand", "metadata", "url"];
    let mut fields = fields(served, form, &known)?;
    for needed in ["enabled_events", "url"] {
        if !fields.contains_key(needed) {
            return Err(Refusal::missing_parameter(needed));
        }
    }
    let state = &control.state;
    if let Some(version) = form.get("api_version") {
        if state.served(Some(version)).is_none() {
            return Err(
                Refusal::new(400, format!("Invalid Stripe API version: {version}")).param("api_version")
            );
        }
        fields.insert("api_version".into(), version.into());
    } else {
        fields.insert("api_version".into(), Value::Null);
    }
    if control.count(TABLE).map_err(gone)? >= MOST {
        let mode = if served.world().settings.livemode { "live" } else { "test" };
        let words = format!("You have reached the maximum of {MOST} {mode} webhook endpoints.");
        return Err(Refusal::new(400, words));
    }
    let connect = boolean(form, "connect")?.unwrap_or(false);
    fields.entry("description").or_insert(Value::Null);
    fields.entry("metadata").or_insert_with(|| json!({}));
    fields.insert("status".into(), "enabled".into());
    fields.insert("application".into(), Value::Null);
    fields.insert("secret".into(), Value::Null);
    let columns = served.world().table_index(TABLE).map_err(gone)?;
    fields.retain(|name, _| served.world().layout(columns).column(name).is_some());
    let secret = state.outbox.token("whsec_", 32);
    let id = control.create(TABLE, Value::Object(fields)).map_err(refused)?.id;
    state.outbox.register(&id, &secret, Interest { account: state.id.clone(), connect });
    let mut object = shown(served, &id)?;
    object.insert("secret".into(), secret.into());
    Ok(page(&Value::Object(object)))
}

fn update(control: &Control, served: &Served, id: &str, form: &Form) -> Result<Page, Refusal> {
    let known = ["description", "disabled", "enabled_events", "expand", "metadata", "url"];
    let mut fields = fields(served, form, &known)?;
    if let Some(disabled) = boolean(form, "disabled")? {
        fields.insert("status".into(), if disabled { "disabled" } else { "enabled" }.into());
    }
    control.update(TABLE, id, Value::Object(fields)).map_err(|_| missing(id))?;
    Ok(page(&Value::Object(shown(served, id)?)))
}

fn delete(control: &Control, id: &str) -> Result<Page, Refusal> {
    control.delete(TABLE, id).map_err(|_| missing(id))?;
    Ok(page(&json!({"id": id, "object": TABLE, "deleted": true})))
}

fn boolean(form: &Form, name: &str) -> Result<Option<bool>, Refusal> {
    match form.get(name) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(other) => Err(Refusal::new(400, format!("Invalid boolean: {other}")).param(name)),
    }
}

/// The parameters that both requests take, checked.
fn fields(served: &Served, form: &Form, known: &[&str]) -> Result<Map<String, Value>, Refusal> {
    if let Some(unknown) = form.unknown(known) {
        return Err(Refusal::unknown_parameter(unknown));
    }
    let mut fields = Map::new();
    if let Some(url) = form.get("url") {
        let live = served.world().settings.livemode;
        let words = match () {
            () if !url.starts_with("http://") && !url.starts_with("https://") => {
                "Invalid URL: An explicit scheme (such as https) must be provided."
            }
            () if live && !url.starts_with("https://") => "Invalid URL: URL must be https in live mode.",
            () => "",
        };
        if !words.is_empty() {
            return Err(Refusal::new(400, words).code("url_invalid").param("url"));
        }
        fields.insert("url".into(), url.into());
    }
    if let Some(kinds) = form.array("enabled_events") {
        let world = served.world();
        let exists = |kind: &str| {
            let mut events = world.catalog.resources.iter().flat_map(|resource| &resource.events);
            kind == "*" || events.any(|event| event.name == kind)
        };
        for (index, kind) in kinds.iter().enumerate() {
            if !exists(kind) {
                let words = format!("Invalid enabled_events[{index}]: `{kind}` is not an event type");
                return Err(Refusal::new(400, words).param(&format!("enabled_events[{index}]")));
            }
        }
        fields.insert("enabled_events".into(), json!(kinds));
    }
    if let Some(text) = form.get("description") {
        fields.insert("description".into(), text.into());
    }
    if let Some(metadata) = form.hash("metadata") {
        fields.insert("metadata".into(), metadata.into());
    }
    Ok(fields)
}

fn shown(served: &Served, id: &str) -> Result<Map<String, Value>, Refusal> {
    let world = served.world();
    let table = world.table_index(TABLE).map_err(gone)?;
    let row = world.find(table, id).ok_or_else(|| missing(id))?;
    let mut text = Vec::new();
    world.write_object(table, row, View::PLAIN, &mut text);
    serde_json::from_slice(&text).map_err(|_| Refusal::broken(500))
}

fn page(object: &Value) -> Page {
    Page { body: object.to_string().into_bytes(), objects: 1 }
}

fn missing(id: &str) -> Refusal {
    Refusal::no_such(TABLE, id, "webhook_endpoint", 404)
}

#[allow(clippy::needless_pass_by_value)] // as `map_err` wants it
fn gone(_: crate::SimulatorError) -> Refusal {
    Refusal::unknown_url("POST", PATH)
}

#[allow(clippy::needless_pass_by_value)] // as `map_err` wants it
fn refused(error: crate::SimulatorError) -> Refusal {
    Refusal::new(400, error.to_string())
}
