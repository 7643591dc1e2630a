//! The operations of the document.

use http_api::NDJSON;
use http_api::openapi::{Answer, Components, Content, Operation, reference};
use protocol::SyncState;
use serde_json::{Map, Value, json};

const JSON: &str = "application/json";
const SYNC: &str = "Stateless Sync API";

type Answers = Vec<Answer>;

/// Every operation, in the order of the document.
pub(super) fn operations(components: &mut Components, internal_query: bool) -> Vec<Operation> {
    let state = components.of::<SyncState>();
    let mut all = status();
    all.extend(connections());
    all.extend(syncs(&state));
    all.extend(meta());
    if internal_query {
        all.push(query());
    }
    all
}

/// What any operation may answer besides.
fn refusals() -> Answers {
    vec![
        (401, "The token is missing or wrong.", Some((JSON, reference("Error")))),
        (
            403,
            "The server has no token and was asked under a foreign name.",
            Some((JSON, reference("Error"))),
        ),
    ]
}

fn with_refusals(mut answers: Answers, takes_body: bool) -> Answers {
    if takes_body {
        answers.push((400, "The request is wrong.", Some((JSON, reference("Error")))));
    }
    answers.extend(refusals());
    if takes_body {
        answers.push((413, "The body is too long.", Some((JSON, reference("Error")))));
    }
    answers
}

fn get(
    path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    answers: Answers,
) -> Operation {
    let answers = with_refusals(answers, false);
    Operation { method: "get", path, id, tag, summary, parameters: Vec::new(), body: Vec::new(), answers }
}

fn status() -> Vec<Operation> {
    let ok = |more: Value| {
        let mut properties = json!({"ok": {"type": "boolean"}});
        if let (Value::Object(all), Value::Object(more)) = (&mut properties, more) {
            all.extend(more);
        }
        json!({"type": "object", "properties": properties, "required": ["ok"]})
    };
    let text = json!({"type": "string"});
    let build = json!({"hostname": text, "commit": text, "commit_url": text, "build_date": text});
    let ready = ok(json!({}));
    let metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    vec![
        get(
            "/health",
            "health",
            "Status",
            "Whether the program runs",
            vec![(200, "It runs.", Some((JSON, ok(build))))],
        ),
        get(
            "/ready",
            "ready",
            "Status",
            "Whether the program takes new work",
            vec![
                (200, "It does.", Some((JSON, ready.clone()))),
                (503, "It is about to stop.", Some((JSON, ready))),
            ],
        ),
        get(
            "/metrics",
            "metrics",
            "Status",
            "Figures for Prometheus",
            vec![(200, "The figures.", Some((metrics, text)))],
        ),
    ]
}

fn action_id() -> Value {
    json!({
        "name": "X-Action-Id",
        "in": "header",
        "required": false,
        "description": "The client's name for what it does; it is in the log lines of this request.",
        "schema": {"type": "string"},
    })
}

fn run_id() -> Value {
    json!({
        "name": "run_id",
        "in": "query",
        "required": false,
        "description": "Name of the run, for the log only.",
        "schema": {"type": "string"},
    })
}

fn object(properties: &Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required})
}

fn post(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    body: Vec<Content>,
    answers: Answers,
) -> Operation {
    let answers = with_refusals(answers, true);
    let parameters = vec![action_id(), run_id()];
    Operation { method: "post", path, id, tag: SYNC, summary, parameters, body, answers }
}

fn streamed(output: &str) -> Answers {
    vec![(200, "Messages, one per line.", Some((NDJSON, reference(output))))]
}

fn connections() -> Vec<Operation> {
    let sides = || {
        let only =
            json!({"type": "string", "enum": ["source", "destination"], "description": "One side only."});
        vec![(JSON, object(&json!({"pipeline": reference("PipelineConfig"), "only": only}), &["pipeline"]))]
    };
    let discover = object(&json!({"source": reference("SourceConfig")}), &["source"]);
    vec![
        post(
            "/pipeline_check",
            "pipeline_check",
            "Ask both connectors whether they work",
            sides(),
            streamed("CheckOutput"),
        ),
        post(
            "/pipeline_setup",
            "pipeline_setup",
            "Create what the pipeline needs",
            sides(),
            streamed("SetupOutput"),
        ),
        post(
            "/pipeline_teardown",
            "pipeline_teardown",
            "Remove what setup made",
            sides(),
            streamed("TeardownOutput"),
        ),
        post(
            "/source_discover",
            "source_discover",
            "What the source offers",
            vec![(JSON, discover)],
            streamed("DiscoverOutput"),
        ),
    ]
}

fn syncs(state: &Value) -> Vec<Operation> {
    let pipeline = reference("PipelineConfig");
    let seconds =
        |description: &str| json!({"type": "number", "exclusiveMinimum": 0, "description": description});
    let name = |description: &str| json!({"type": "string", "description": description});
    let stdin = json!({
        "type": "array",
        "items": reference("Message"),
        "description": "What is pushed in; without it the source is read.",
    });
    let mut sync = json!({
        "pipeline": pipeline,
        "time_limit": seconds("Seconds after which the answer ends."),
        "soft_time_limit": seconds("Seconds after which the source is no longer read."),
        "run_id": name("Requests of the same name are one run."),
        "sync_id": name("Name under which the destination also keeps the state, beside its rows; without `state`, the \
                         sync goes on from there."),
        "stdin": stdin,
        "state": state,
    });
    let with_lines = |properties: &Value, required: &[&str]| {
        let mut first = properties.clone();
        without(&mut first, "stdin");
        let first_required: Vec<&str> = required.iter().copied().filter(|name| *name != "stdin").collect();
        vec![(JSON, object(properties, required)), (NDJSON, object(&first, &first_required))]
    };
    let sync_body = with_lines(&sync, &["pipeline"]);
    without(&mut sync, "sync_id");
    let read_body = with_lines(&sync, &["pipeline"]);
    let write = json!({"pipeline": pipeline, "stdin": stdin});
    let write_body = with_lines(&write, &["pipeline", "stdin"]);
    let batch = json!({
        "pipeline": pipeline,
        "run_id": name("Requests of the same name are one run."),
        "state_limit": {"type": "integer", "minimum": 1, "default": 1000, "description": "Most states of the source."},
        "state": state,
    });
    let comparison = json!({
        "pipeline": pipeline,
        "sync_id": name("Name of the sync whose copy this is. The destination keeps under it, apart from the state of the sync, how \
                         far the comparison came; the same request goes on from there."),
        "since": {"type": "string", "format": "date-time", "description": "Only objects created since; a date is taken, too."},
        "repair": {"type": "boolean", "default": false, "description": "Write what is missing or different, and delete rows whose \
                   object is proven to be gone."},
        "max_requests": {"type": "integer", "minimum": 1, "description": "Requests to the source after which comparing stops."},
        "time_limit": seconds("Seconds after which comparing stops; the answer ends with the report."),
    });
    let eof: Answers = vec![
        (200, "How it ended.", Some((JSON, reference("EofPayload")))),
        (500, "It failed; the log of the server says why.", Some((JSON, reference("Error")))),
    ];
    vec![
        post(
            "/pipeline_read",
            "pipeline_read",
            "Read the source without a destination",
            read_body,
            streamed("Message"),
        ),
        post(
            "/pipeline_write",
            "pipeline_write",
            "Write given messages",
            write_body,
            streamed("DestinationOutput"),
        ),
        post(
            "/pipeline_sync",
            "pipeline_sync",
            "Copy from the source into the destination",
            sync_body,
            streamed("SyncOutput"),
        ),
        post(
            "/pipeline_reconcile",
            "pipeline_reconcile",
            "Compare the destination with the source, and repair it if asked",
            vec![(JSON, object(&comparison, &["pipeline"]))],
            streamed("ReconcileOutput"),
        ),
        post(
            "/pipeline_sync_batch",
            "pipeline_sync_batch",
            "Copy up to a number of states, and answer once",
            vec![(JSON, object(&batch, &["pipeline"]))],
            eof,
        ),
    ]
}

fn without(properties: &mut Value, name: &str) {
    if let Value::Object(properties) = properties {
        let kept: Map<String, Value> =
            std::mem::take(properties).into_iter().filter(|(key, _)| key != name).collect();
        *properties = kept;
    }
}

fn meta() -> Vec<Operation> {
    let schema = json!({"type": "object", "description": "JSON Schema of the connector's configuration."});
    let one =
        json!({"type": "object", "properties": {"config_schema": schema}, "required": ["config_schema"]});
    let item =
        object(&json!({"type": {"type": "string"}, "config_schema": schema}), &["type", "config_schema"]);
    let list = object(&json!({"items": {"type": "array", "items": item}}), &["items"]);
    let listed = || vec![(200, "The connectors.", Some((JSON, list.clone())))];
    let found = || {
        vec![
            (200, "How it is configured.", Some((JSON, one.clone()))),
            (404, "There is no such connector.", Some((JSON, reference("Error")))),
        ]
    };
    let kind = json!({"name": "type", "in": "path", "required": true, "schema": {"type": "string"}});
    let of_type = |operation: Operation| Operation { parameters: vec![kind.clone()], ..operation };
    vec![
        get("/meta/sources", "meta_sources_list", "Meta", "All sources", listed()),
        of_type(get("/meta/sources/{type}", "meta_sources_get", "Meta", "One source", found())),
        get("/meta/destinations", "meta_destinations_list", "Meta", "All destinations", listed()),
        of_type(get(
            "/meta/destinations/{type}",
            "meta_destinations_get",
            "Meta",
            "One destination",
            found(),
        )),
    ]
}

fn query() -> Operation {
    let text = json!({"type": "string"});
    let body = object(&json!({"connection_string": text, "url": text, "sql": text}), &["sql"]);
    let rows = json!({"type": "array", "items": {"type": "object"}});
    let answer = object(&json!({"rows": rows, "rowCount": {"type": "integer"}}), &["rows", "rowCount"]);
    let answers = vec![(200, "The rows.", Some((JSON, answer)))];
    let operation = post(
        "/internal/query",
        "internalQuery",
        "Run SQL on a PostgreSQL database",
        vec![(JSON, body)],
        answers,
    );
    Operation { tag: "Internal", ..operation }
}
