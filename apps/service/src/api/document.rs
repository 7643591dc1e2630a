//! The OpenAPI document, made from the types and from the connectors that there are.

use axum::Json;
use engine::Registry;
use engine::api::schemas;
use http_api::NDJSON;
use http_api::openapi::{About, Answer, Components, Content, Operation, document, reference};
use protocol::{EofPayload, SyncState};
use serde_json::{Value, json};

use super::Shared;
use super::resource::Resource;
use crate::access::{AuditEntry, NewToken, Scope, Token};
use crate::pipeline::DesiredStatus;
use crate::store::Entry;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain";

const DESCRIPTION: &str = "\
Keeps pipelines, and carries each on by itself: set-up, backfill, then changes for as long as it is wanted.

Clients of other machines send a token (`Authorization: Bearer …`, made by `sync-service tokens create`). Secrets are shown as \
`[set sha256:…]`, and stay as they are when they are sent back so. Answers of `application/x-ndjson` are streams of messages, \
one JSON object per line; blank lines say that the work goes on. Their status is 200 even where the work fails: then a `log` of \
level `error` and a failed `connection_status` end them.";

/// The OpenAPI document of an API that knows these connectors.
pub fn openapi(registry: &Registry) -> Value {
    let mut components = schemas(registry);
    let operations = operations(&mut components);
    let tags = [
        ("Status", "Whether the service works, and what it does."),
        ("Pipelines", "Pipelines as resources."),
        ("Operations", "What is done to a pipeline by hand."),
        ("Webhooks", "What Stripe posts."),
        ("Tokens", "Who may ask for what."),
        ("Audit", "Who did what."),
    ];
    let about =
        About { title: "Stripe Sync Service", version: "1.0.0", description: DESCRIPTION, tags: &tags };
    document(about, &operations, components)
}

/// `GET /openapi.json`.
pub(super) async fn serve(server: Shared) -> Json<Value> {
    let made = || openapi(server.service.engine.registry());
    Json(server.document.get_or_init(made).clone())
}

fn operations(components: &mut Components) -> Vec<Operation> {
    let mut all = status();
    all.extend(pipelines(components));
    all.extend(by_hand(components));
    all.push(webhooks());
    all.extend(access(components));
    all
}

/// What is true of most operations, to be completed.
struct Draft {
    operation: Operation,
}

impl Draft {
    fn new(
        method: &'static str,
        path: &'static str,
        id: &'static str,
        tag: &'static str,
        summary: &'static str,
    ) -> Draft {
        let parameters = if path.contains("{id}") { vec![in_path("id")] } else { Vec::new() };
        let operation =
            Operation { method, path, id, tag, summary, parameters, body: Vec::new(), answers: Vec::new() };
        Draft { operation }
    }

    fn query(mut self, name: &str, description: &str, schema: &Value) -> Draft {
        self.operation.parameters.push(json!({
            "name": name, "in": "query", "required": false, "description": description, "schema": schema,
        }));
        self
    }

    fn header(mut self, name: &str, description: &str) -> Draft {
        self.operation.parameters.push(json!({
            "name": name, "in": "header", "required": false, "description": description, "schema": {"type": "string"},
        }));
        self
    }

    fn body(mut self, kind: &'static str, schema: Value) -> Draft {
        self.operation.body.push((kind, schema));
        self
    }

    fn answers(mut self, status: u16, description: &'static str, content: Content) -> Draft {
        self.operation.answers.push((status, description, Some(content)));
        self
    }

    fn fails(mut self, status: u16, description: &'static str) -> Draft {
        self.operation.answers.push((status, description, Some(error())));
        self
    }

    /// With what any operation of the API may answer besides.
    fn done(mut self) -> Operation {
        let known: Vec<u16> = self.operation.answers.iter().map(|(status, ..)| *status).collect();
        let takes = !self.operation.body.is_empty()
            || self.operation.parameters.iter().any(|given| given["in"] == "query");
        let mut refusals: Vec<Answer> = vec![
            (401, "The token is missing or wrong.", Some(error())),
            (
                403,
                "The token does not allow it, or the service has no tokens and was asked under a foreign name.",
                Some(error()),
            ),
            (429, "Too many requests of this address had no right token.", Some(error())),
            (503, "The store cannot be reached now.", Some(error())),
        ];
        if takes {
            refusals.push((400, "The request is wrong.", Some(error())));
        }
        if !self.operation.body.is_empty() {
            refusals.push((413, "The body is too long.", Some(error())));
        }
        if self.operation.path.contains("{id}") {
            refusals.push((404, "There is no such thing.", Some(error())));
        }
        self.operation.answers.extend(refusals.into_iter().filter(|(status, ..)| !known.contains(status)));
        self.operation.answers.sort_by_key(|(status, ..)| *status);
        self.operation
    }
}

fn error() -> Content {
    (JSON, reference("Error"))
}

fn in_path(name: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})
}

fn text() -> Value {
    json!({"type": "string"})
}

fn switch() -> Value {
    json!({"type": "boolean", "default": false})
}

fn number(least: u64) -> Value {
    json!({"type": "integer", "minimum": least})
}

fn seconds() -> Value {
    json!({"type": "number", "exclusiveMinimum": 0})
}

fn object(properties: &Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required})
}

fn list_of(item: &Value) -> Value {
    object(
        &json!({"data": {"type": "array", "items": item}, "has_more": {"type": "boolean"}}),
        &["data", "has_more"],
    )
}

fn ok(more: &Value) -> Value {
    let mut properties = more.as_object().cloned().unwrap_or_default();
    properties.insert("ok".to_owned(), json!({"type": "boolean"}));
    object(&Value::Object(properties), &["ok"])
}

fn status() -> Vec<Operation> {
    let plain = |path, id, summary, answers| Operation {
        method: "get",
        path,
        id,
        tag: "Status",
        summary,
        parameters: Vec::new(),
        body: Vec::new(),
        answers,
    };
    let build = json!({"hostname": text(), "commit": text(), "commit_url": text(), "build_date": text()});
    let metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    vec![
        plain(
            "/health",
            "health",
            "Whether the program runs",
            vec![(200, "It runs.", Some((JSON, ok(&build))))],
        ),
        plain(
            "/ready",
            "ready",
            "Whether the store can be asked",
            vec![
                (200, "It can.", Some((JSON, ok(&json!({}))))),
                (503, "It cannot, or the program is about to stop.", Some((JSON, ok(&json!({}))))),
            ],
        ),
        Draft::new("get", "/metrics", "metrics", "Status", "Figures for Prometheus")
            .answers(200, "The figures.", (metrics, text()))
            .done(),
    ]
}

fn pipelines(components: &mut Components) -> Vec<Operation> {
    let pipeline = components.of::<Resource>();
    let desired = components.of::<DesiredStatus>();
    let entry = components.of::<Entry>();
    let parts = |more: &Value| {
        let mut properties = json!({
            "name": {"type": ["string", "null"], "maxLength": 200},
            "source": reference("SourceConfig"),
            "destination": reference("DestinationConfig"),
            "streams": {"type": ["array", "null"], "items": reference("StreamSelection")},
            "transforms": {"type": ["object", "null"]},
            "desired_status": desired,
        });
        if let (Value::Object(all), Value::Object(more)) = (&mut properties, more) {
            all.extend(more.clone());
        }
        properties
    };
    let id = json!({"id": {"type": "string", "minLength": 3, "maxLength": 64, "pattern": "^[a-zA-Z][a-zA-Z0-9_-]*$"}});
    let new = object(&parts(&id), &["source", "destination"]);
    let changed = object(&parts(&json!({})), &[]);
    let deleted = object(&json!({"id": text(), "deleted": {"const": true}}), &["id", "deleted"]);
    let tag = "Pipelines";
    let one = || (JSON, pipeline.clone());
    let if_match = "The ETag of the version that is to be changed; another one is refused.";
    vec![
        Draft::new("get", "/pipelines", "pipelines.list", tag, "All pipelines, the newest first")
            .query(
                "limit",
                "At most so many.",
                &json!({"type": "integer", "minimum": 1, "maximum": 1000, "default": 1000}),
            )
            .query("starting_after", "Those after the pipeline of this id.", &text())
            .answers(200, "The pipelines.", (JSON, list_of(&pipeline)))
            .done(),
        Draft::new("post", "/pipelines", "pipelines.create", tag, "Create a pipeline")
            .query("skip_check", "Whether to create it without asking both sides.", &switch())
            .header(
                "Idempotency-Key",
                "The same key, within a day, answers what the first request with it did.",
            )
            .body(JSON, new.clone())
            .answers(201, "It is created.", one())
            .fails(409, "There is one of this id, or a request with this key is under way.")
            .done(),
        Draft::new(
            "post",
            "/pipelines/check",
            "pipelines.check_new",
            tag,
            "Ask both sides of a pipeline that is not created",
        )
        .body(JSON, new)
        .answers(200, "What they say.", (NDJSON, reference("Message")))
        .done(),
        Draft::new("get", "/pipelines/{id}", "pipelines.get", tag, "One pipeline")
            .answers(200, "The pipeline.", one())
            .done(),
        Draft::new("patch", "/pipelines/{id}", "pipelines.update", tag, "Change a pipeline")
            .header("If-Match", if_match)
            .body(JSON, changed)
            .answers(200, "The pipeline as it is now.", one())
            .fails(409, "It is deleted.")
            .fails(412, "It was changed meanwhile.")
            .done(),
        Draft::new(
            "delete",
            "/pipelines/{id}",
            "pipelines.delete",
            tag,
            "Remove what a pipeline made, and forget it",
        )
        .query("skip_teardown", "Whether to forget it at once, and leave what it made.", &switch())
        .header("If-Match", if_match)
        .answers(200, "It is being removed.", (JSON, deleted))
        .fails(409, "What it made cannot be removed.")
        .fails(412, "It was changed meanwhile.")
        .done(),
        Draft::new("post", "/pipelines/{id}/retry", "pipelines.retry", tag, "Try what failed at once")
            .answers(200, "The pipeline.", one())
            .done(),
        Draft::new("get", "/pipelines/{id}/logs", "pipelines.logs", tag, "The log of a pipeline")
            .query("run_id", "Entries of this run only.", &text())
            .query("after", "Entries after the one of this sequence; without it, the newest.", &number(0))
            .query(
                "limit",
                "At most so many.",
                &json!({"type": "integer", "minimum": 1, "maximum": 10000, "default": 200}),
            )
            .query("follow", "Whether to wait for further ones.", &switch())
            .answers(200, "The entries, oldest first.", (NDJSON, entry))
            .done(),
        Draft::new("get", "/pipelines/{id}/wait", "pipelines.wait", tag, "Wait until a delivery is applied")
            .query("event", "The event to wait for.", &text())
            .query("object", "The object: everything delivered about it.", &text())
            .query(
                "timeout",
                "For so many seconds.",
                &json!({"type": "integer", "minimum": 0, "maximum": 300, "default": 30}),
            )
            .answers(
                200,
                "It is applied.",
                (JSON, object(&json!({"applied": {"const": true}}), &["applied"])),
            )
            .fails(408, "Not in time.")
            .done(),
    ]
}

fn by_hand(components: &mut Components) -> Vec<Operation> {
    let state = components.of::<SyncState>();
    let eof = components.of::<EofPayload>();
    let tag = "Operations";
    let overrides = object(
        &json!({
            "source": reference("SourceConfig"),
            "destination": reference("DestinationConfig"),
            "streams": {"type": ["array", "null"], "items": reference("StreamSelection")},
            "sync_state": state,
        }),
        &[],
    );
    let side = json!({"type": "string", "enum": ["source", "destination"]});
    let connection = |path, id, summary| {
        Draft::new("post", path, id, tag, summary)
            .query("only", "One side only.", &side)
            .answers(200, "What the connectors say.", (NDJSON, reference("Message")))
            .done()
    };
    let tested = object(&json!({"eof": eof, "sync_state": state}), &["eof"]);
    let optional = |mut operation: Operation| {
        operation.body = vec![(JSON, overrides.clone())];
        operation
    };
    vec![
        optional(
            Draft::new(
                "post",
                "/pipelines/{id}/sync",
                "pipelines.sync",
                tag,
                "Sync a pipeline, and hear how it goes",
            )
            .query("time_limit", "For at most so many seconds.", &seconds())
            .query("run_id", "Requests with the same id are one run.", &text())
            .query("reset_state", "Whether to begin anew.", &switch())
            .answers(200, "What the sync says.", (NDJSON, reference("SyncOutput")))
            .fails(413, "The body is too long.")
            .done(),
        ),
        optional(
            Draft::new(
                "post",
                "/pipelines/{id}/sync_batch",
                "pipelines.sync_batch",
                tag,
                "Sync a pipeline, and hear how it ended",
            )
            .query("state_limit", "Up to so many states.", &number(1))
            .query("run_id", "Requests with the same id are one run.", &text())
            .query("reset_state", "Whether to begin anew.", &switch())
            .answers(200, "How it ended.", (JSON, eof.clone()))
            .fails(413, "The body is too long.")
            .done(),
        ),
        connection("/pipelines/{id}/check", "pipelines.check", "Ask both sides whether they work"),
        connection("/pipelines/{id}/setup", "pipelines.setup", "Make what a pipeline needs"),
        connection(
            "/pipelines/{id}/teardown",
            "pipelines.teardown",
            "Remove what setup made, and pause the pipeline",
        ),
        Draft::new(
            "post",
            "/pipelines/{id}/simulate_webhook_sync",
            "pipelines.simulate_webhook_sync",
            tag,
            "Apply past events as if they were delivered",
        )
        .query("created_after", "Events since, in unix seconds; the last day if absent.", &number(0))
        .query("limit", "At most so many.", &number(1))
        .answers(200, "What the sync says.", (NDJSON, reference("SyncOutput")))
        .done(),
        Draft::new(
            "post",
            "/pipelines/{id}/sync_workflow_test",
            "pipelines.sync_workflow_test",
            tag,
            "Run a whole backfill, and hear how it ended",
        )
        .query("time_limit", "Seconds for each step.", &seconds())
        .answers(200, "How it ended.", (JSON, tested))
        .done(),
    ]
}

fn webhooks() -> Operation {
    let said = |words| Some((TEXT, json!({"type": "string", "description": words})));
    Operation {
        method: "post",
        path: "/webhooks/{pipeline_id}",
        id: "webhooks.push",
        tag: "Webhooks",
        summary: "Take an event of Stripe's",
        parameters: vec![
            in_path("pipeline_id"),
            json!({"name": "stripe-signature", "in": "header", "required": false, "schema": {"type": "string"}}),
        ],
        body: vec![(JSON, json!({"type": "object"}))],
        answers: vec![
            (200, "It is stored durably.", said("ok")),
            (400, "The pipeline takes no webhooks, or the body is no event.", said("why")),
            (401, "Nothing proves that it is Stripe's.", said("why")),
            (404, "There is no such pipeline.", said("why")),
            (413, "The body is too long.", said("why")),
            (503, "It cannot be stored now; Stripe sends it again.", said("why")),
        ],
    }
}

fn access(components: &mut Components) -> Vec<Operation> {
    let (token, new) = (components.of::<Token>(), components.of::<NewToken>());
    let (scope, entry) = (components.of::<Scope>(), components.of::<AuditEntry>());
    let asked = object(
        &json!({"name": {"type": "string", "minLength": 1, "maxLength": 200}, "scope": scope}),
        &["name"],
    );
    let revoked = object(&json!({"id": text(), "revoked": {"const": true}}), &["id", "revoked"]);
    let tag = "Tokens";
    vec![
        Draft::new("get", "/tokens", "tokens.list", tag, "All tokens, without their text")
            .answers(200, "The tokens.", (JSON, list_of(&token)))
            .done(),
        Draft::new("post", "/tokens", "tokens.create", tag, "Make a token; its text is told only now")
            .body(JSON, asked)
            .answers(201, "The token.", (JSON, new))
            .done(),
        Draft::new(
            "delete",
            "/tokens/{id}",
            "tokens.revoke",
            tag,
            "Revoke a token; it stops within five seconds",
        )
        .answers(200, "It is revoked.", (JSON, revoked))
        .done(),
        Draft::new("get", "/audit", "audit.list", "Audit", "Who changed what, the newest first")
            .query("before", "Entries before the one of this sequence.", &number(0))
            .query(
                "limit",
                "At most so many.",
                &json!({"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}),
            )
            .answers(200, "The entries.", (JSON, list_of(&entry)))
            .done(),
    ]
}
