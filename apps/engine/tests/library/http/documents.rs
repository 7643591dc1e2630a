//! The OpenAPI document, and the page that shows it.

use destination_google_sheets::{SheetsDestination, SheetsOptions};
use destination_postgres::PostgresDestination;
use destination_sqlite::SqliteDestination;
use engine::Registry;
use engine::api::{ApiOptions, openapi};
use serde_json::Value;
use source_stripe::{StripeSource, StripeSourceOptions};
use test_utils::openapi::references;

use super::served::{Answered, Served};
use crate::script::echo;

async fn document(internal_query: bool) -> Value {
    let served = Served::with(echo(), ApiOptions { internal_query, ..ApiOptions::default() }).await;
    Answered::of(served.get("/openapi.json")).await.json()
}

#[tokio::test]
async fn every_operation_is_there() {
    let document = document(true).await;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["title"], "Stripe Sync Engine");
    for (path, method, id) in [
        ("/health", "get", "health"),
        ("/pipeline_check", "post", "pipeline_check"),
        ("/pipeline_setup", "post", "pipeline_setup"),
        ("/pipeline_teardown", "post", "pipeline_teardown"),
        ("/source_discover", "post", "source_discover"),
        ("/pipeline_read", "post", "pipeline_read"),
        ("/pipeline_write", "post", "pipeline_write"),
        ("/pipeline_sync", "post", "pipeline_sync"),
        ("/pipeline_sync_batch", "post", "pipeline_sync_batch"),
        ("/meta/sources", "get", "meta_sources_list"),
        ("/meta/sources/{type}", "get", "meta_sources_get"),
        ("/meta/destinations", "get", "meta_destinations_list"),
        ("/meta/destinations/{type}", "get", "meta_destinations_get"),
        ("/internal/query", "post", "internalQuery"),
    ] {
        assert_eq!(document["paths"][path][method]["operationId"], id, "{path}");
        assert!(document["paths"][path][method]["responses"]["200"].is_object(), "{path}");
        assert!(document["info"]["description"].as_str().unwrap().contains(&format!("{path}`")), "{path}");
    }
    for path in ["/pipeline_read", "/pipeline_write", "/pipeline_sync"] {
        let body = &document["paths"][path]["post"]["requestBody"];
        assert_eq!(body["required"], true);
        assert!(body["content"]["application/json"].is_object());
    }
}

#[tokio::test]
async fn the_components_are_those_that_clients_know() {
    let document = document(false).await;
    assert!(document["paths"].get("/internal/query").is_none(), "it is not there");
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for name in "RecordMessage SourceStateMessage CatalogMessage LogMessage SpecMessage ConnectionStatusMessage \
                 StreamStatusMessage ControlMessage ProgressMessage EofMessage SourceInputMessage Message \
                 DiscoverOutput DestinationOutput SyncOutput CheckOutput SetupOutput TeardownOutput SyncState \
                 SourceState StreamProgress ProgressPayload RunStatus EofPayload PipelineConfig SourceConfig \
                 DestinationConfig SourceTestConfig DestinationTestConfig"
        .split_whitespace()
    {
        assert!(schemas.contains_key(name), "{name} is missing");
    }
    let text = serde_json::to_string(&document).unwrap();
    assert!(!text.contains("$schema") && !text.contains("$defs") && !text.contains("[object Object]"));
    let found = references(&document);
    assert!(!found.is_empty());
    for target in &found {
        let name = target.strip_prefix("#/components/schemas/").unwrap_or_else(|| panic!("{target}"));
        assert!(schemas.contains_key(name), "{target} leads nowhere");
    }
    assert_eq!(schemas["Message"]["discriminator"]["propertyName"], "type");
    assert_eq!(schemas["SourceConfig"]["discriminator"]["propertyName"], "type");
    assert_eq!(schemas["RecordMessage"]["properties"]["type"]["const"], "record");
    let control = &schemas["ControlPayload"]["oneOf"][0]["properties"]["source_config"]["$ref"];
    assert_eq!(control, "#/components/schemas/SourceTestConfig");
    let read = &document["paths"]["/pipeline_read"]["post"]["responses"]["200"];
    assert_eq!(read["content"]["application/x-ndjson"]["schema"]["$ref"], "#/components/schemas/Message");
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let served = Served::start(echo()).await;
    let page = Answered::of(served.get("/docs")).await;
    assert_eq!(page.status, 200);
    assert!(page.kind.starts_with("text/html"), "{}", page.kind);
    assert!(page.text.contains("fetch('openapi.json', "));
    for elsewhere in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.text.contains(elsewhere), "{elsewhere}");
    }
    assert!(page.text.contains("Authorization: `Bearer ${token}`") && page.text.contains("=== 401"));
    for kept in ["Storage", "cookie", "indexedDB", "location"] {
        assert!(!page.text.contains(kept), "the token is kept nowhere: {kept}");
    }
    let policy = served.get("/docs").send().await.unwrap().headers()["content-security-policy"].clone();
    let policy = policy.to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; ") && policy.contains("connect-src 'self'"), "{policy}");
}

/// The document of the program, as it is committed. `UPDATE_OPENAPI=1` writes it anew.
#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let registry = Registry::new()
        .with_source(StripeSource::new(StripeSourceOptions::default()))
        .with_destination(SqliteDestination)
        .with_destination(PostgresDestination)
        .with_destination(SheetsDestination::new(SheetsOptions::default()));
    let made = format!("{:#}\n", openapi(&registry, true));
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(file, &made).unwrap();
    }
    let committed = std::fs::read_to_string(file).unwrap();
    let differs = made.lines().zip(committed.lines()).find(|(made, committed)| made != committed);
    assert!(made == committed, "run this test with UPDATE_OPENAPI=1; the first difference: {differs:?}");
}
