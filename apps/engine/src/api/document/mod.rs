//! The OpenAPI document, made from the types and from the connectors that there are.

mod operations;
mod schemas;

use axum::Json;
use axum::response::{Html, IntoResponse, Response};
use http::header;
use http_api::openapi::{About, document};
use serde_json::Value;

use super::Shared;
use crate::Registry;

pub use schemas::components;

/// The page that shows the document; it loads nothing from elsewhere.
const BROWSER: &str = include_str!("browser.html");

/// What a browser lets the page do: run what is in it, and ask the server that it is from.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const DESCRIPTION: &str = "\
Keeps a copy of everything in a Stripe account in the user's own database. The API keeps nothing between requests: \
each has the whole pipeline in its body, and a sync answers the state that goes into the next one.

Answers of `application/x-ndjson` are streams of messages, one JSON object per line; blank lines say that the work goes \
on. Their status is 200 even where the work fails: then a `log` of level `error`, whose `data` names the `kind` of the \
failure, and a failed `connection_status` end them. `pipeline_reconcile` tells what it finds by the `data` of `log` \
messages, the last of which has the whole report. `pipeline_read`, `pipeline_write` and `pipeline_sync` also take \
`application/x-ndjson`: the first line is the body without `stdin`, every further line a message.";

/// The OpenAPI document of an API with these connectors. `internal_query` is whether `/internal/query` exists.
pub fn openapi(registry: &Registry, internal_query: bool) -> Value {
    let mut components = schemas::components(registry);
    let operations = operations::operations(&mut components, internal_query);
    let mut tags = vec![
        ("Status", "Whether the server works, and what it has done."),
        ("Stateless Sync API", "Operations on pipelines."),
        ("Meta", "Which connectors there are."),
    ];
    if internal_query {
        tags.push(("Internal", "For tests and scripts."));
    }
    let about =
        About { title: "Stripe Sync Engine", version: "1.0.0", description: DESCRIPTION, tags: &tags };
    document(about, &operations, components)
}

/// `GET /openapi.json`.
pub(super) async fn serve(server: Shared) -> Json<Value> {
    let made = || openapi(server.engine.registry(), server.options.internal_query);
    Json(server.document.get_or_init(made).clone())
}

/// `GET /docs`: the page that shows the document. It holds nothing of this server, so nobody needs a token for it; for the
/// document, which says what the server knows, it asks its reader for one.
pub async fn browse() -> Response {
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(BROWSER)).into_response()
}
