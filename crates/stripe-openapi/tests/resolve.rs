//! Catalogs that are not embedded: from a file, an address, the cache, or Stripe's repository, which is
//! played by a server on loopback.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use stripe_openapi::resolve::{self, Settings, SpecLocation};
use stripe_openapi::{ApiVersion, Error};

const DOCUMENT_PATH: &str = "/stripe/openapi/abc123/latest/openapi.spec3.sdk.json";

/// What the server has seen and what it answers.
struct Repository {
    base: String,
    seen: Mutex<Vec<String>>,
    document: String,
}

fn document(version: &str) -> String {
    format!(
        r##"{{"openapi": "3.0.0", "info": {{"version": "{version}"}}, "paths": {{"/v1/charges": {{"get": {{"responses":
        {{"200": {{"content": {{"application/json": {{"schema": {{"properties": {{"object": {{"enum": ["list"]}},
        "data": {{"type": "array", "items": {{"$ref": "#/components/schemas/charge"}}}}}}}}}}}}}}}}}}}}}},
        "components": {{"schemas": {{"charge": {{"x-resourceId": "charge"}}}}}}}}"##
    )
}

impl Repository {
    async fn start(document: String) -> Arc<Self> {
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("a bound address"));
        let repository = Arc::new(Self { base, seen: Mutex::default(), document });
        let router = Router::new()
            .route("/repos/stripe/openapi/commits", get(commits))
            .route("/slow", get(std::future::pending::<()>))
            .route("/limited", get(|| async { (StatusCode::FORBIDDEN, [("x-ratelimit-remaining", "0")]) }))
            .route(DOCUMENT_PATH, get(serve))
            .with_state(Arc::clone(&repository));
        tokio::spawn(async { axum::serve(listener, router).await });
        repository
    }

    fn settings(&self, cache_dir: Option<&Path>) -> Settings {
        Settings {
            api_base: self.base.clone(),
            raw_base: self.base.clone(),
            cache_dir: cache_dir.map(Path::to_owned),
            ..Settings::default()
        }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("no panic before").clone()
    }
}

async fn commits(
    State(repository): State<Arc<Repository>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let token = headers.get("authorization").map_or("none", |token| token.to_str().expect("an ASCII token"));
    repository
        .seen
        .lock()
        .expect("no panic before")
        .push(format!("commits until {}, token {token}", query["until"]));
    assert_eq!(query["path"], "latest/openapi.spec3.sdk.json");
    assert!(headers.contains_key("user-agent"));
    let none_yet = query["until"].as_str() < "2019";
    (if none_yet { "[]" } else { r#"[{"sha": "abc123", "commit": {}}]"# }).into_response()
}

async fn serve(State(repository): State<Arc<Repository>>, uri: Uri) -> String {
    repository.seen.lock().expect("no panic before").push(uri.path().to_owned());
    repository.document.clone()
}

fn version(text: &str) -> ApiVersion {
    text.parse().expect("a version")
}

#[tokio::test]
async fn an_embedded_version_needs_no_network() {
    let repository = Repository::start(document("2020-08-27")).await;
    let catalog = resolve::catalog(&version("2020-08-27"), &repository.settings(None)).await.unwrap();
    assert!(catalog.resources.len() > 50);
    assert_eq!(repository.seen(), [""; 0]);
}

#[tokio::test]
async fn an_unknown_version_is_downloaded_once_and_cached() {
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("new");
    let repository = Repository::start(document("2031-01-01.fir")).await;
    let mut settings = repository.settings(Some(&folder));
    settings.token = Some("secret".to_owned().into());
    assert!(!format!("{settings:?}").contains("secret"));
    for _ in 0..2 {
        let catalog = resolve::catalog(&version("2031-01-01.fir"), &settings).await.unwrap();
        assert_eq!((catalog.api_version.as_str(), catalog.resources.len()), ("2031-01-01.fir", 1));
    }
    assert_eq!(repository.seen(), ["commits until 2031-01-01T23:59:59Z, token Bearer secret", DOCUMENT_PATH]);
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["2031-01-01.fir.spec3.sdk.json"]);
}

#[tokio::test]
async fn a_cached_file_that_cannot_be_used_is_replaced() {
    for stale in ["{\"openapi\"".to_owned(), document("2030-01-01.elm")] {
        let cache = tempfile::tempdir().unwrap();
        let file = cache.path().join("2031-01-01.fir.spec3.sdk.json");
        std::fs::write(&file, stale).unwrap();
        let repository = Repository::start(document("2031-01-01.fir")).await;
        let settings = repository.settings(Some(cache.path()));
        resolve::catalog(&version("2031-01-01.fir"), &settings).await.unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), document("2031-01-01.fir"));
    }
}

#[tokio::test]
async fn an_unknown_version_never_becomes_another() {
    let cache = tempfile::tempdir().unwrap();
    let repository = Repository::start(document("2026-10-28.endive")).await;
    let settings = repository.settings(Some(cache.path()));
    let error = resolve::catalog(&version("2026-11-15.endive"), &settings).await.unwrap_err().to_string();
    assert!(error.contains("2026-11-15.endive is not built in (nearest: 2026-10-28.endive)"), "{error}");
    assert!(error.contains("by 2026-11-15 describes 2026-10-28.endive"), "{error}");
    assert!(error.contains("--stripe-spec"), "{error}");
    assert_eq!(std::fs::read_dir(cache.path()).unwrap().count(), 0, "a wrong document was kept");
}

#[tokio::test]
async fn failed_downloads_say_why() {
    let repository = Repository::start("<html>".to_owned()).await;
    let reason = |wanted: &'static str, settings: Settings| async move {
        match resolve::catalog(&version(wanted), &settings).await {
            Err(Error::UnknownVersion { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    };
    let reported = reason("2011-01-01", repository.settings(None)).await;
    assert_eq!(reported, "Stripe had published no document by 2011-01-01");
    let reported = reason("2031-01-01", repository.settings(None)).await;
    assert!(reported.starts_with("not a Stripe OpenAPI document"), "{reported}");
    let reported = reason("2031-01-01", Settings { max_bytes: 4, ..repository.settings(None) }).await;
    assert!(reported.ends_with("answered more than 4 bytes"), "{reported}");
    let lost = Settings { raw_base: format!("{}/nowhere", repository.base), ..repository.settings(None) };
    let reported = reason("2031-01-01", lost).await;
    assert!(reported.ends_with("answered 404 Not Found"), "{reported}");
    // Port 9 is discard: nothing listens there.
    let refused = Settings { api_base: "http://127.0.0.1:9".to_owned(), ..repository.settings(None) };
    let reported = reason("2031-01-01", refused).await;
    assert!(reported.starts_with("http://127.0.0.1:9/repos/stripe/openapi/commits: error"), "{reported}");
}

#[tokio::test]
async fn the_document_that_the_user_names_must_be_of_the_version() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spec.json");
    std::fs::write(&file, document("2031-01-01.fir")).unwrap();
    let repository = Repository::start(document("2031-01-01.fir")).await;
    let address = format!("{}{DOCUMENT_PATH}", repository.base);
    for place in [file.to_str().unwrap(), &address] {
        let spec: SpecLocation = place.parse().unwrap();
        let settings =
            Settings { spec: Some(spec), token: Some("secret".to_owned().into()), ..Settings::default() };
        let catalog = resolve::catalog(&version("2031-01-01.fir"), &settings).await.unwrap();
        assert_eq!(catalog.resources[0].table, "charge");
        // Even an embedded version is not used in its place.
        let error = resolve::catalog(&version("2020-08-27"), &settings).await.unwrap_err().to_string();
        assert!(error.contains("describes API version 2031-01-01.fir, not 2020-08-27"), "{error}");
    }
}

#[tokio::test]
async fn a_named_document_that_cannot_be_had_is_reported() {
    let repository = Repository::start(document("2031-01-01.fir")).await;
    let error = |place: String, timeout: Duration| async move {
        let settings = Settings { spec: Some(place.parse().unwrap()), timeout, ..Settings::default() };
        resolve::catalog(&version("2031-01-01.fir"), &settings).await.unwrap_err().to_string()
    };
    let minute = Duration::from_secs(60);
    let missing = error("/nowhere/spec.json".to_owned(), minute).await;
    assert!(missing.starts_with("cannot read the OpenAPI document /nowhere/spec.json: "), "{missing}");
    let limited = error(format!("{}/limited", repository.base), minute).await;
    assert!(limited.contains("403 Forbidden; GitHub's rate limit is used up"), "{limited}");
    let slow = error(format!("{}/slow", repository.base), Duration::from_millis(50)).await;
    assert!(slow.contains("timed out"), "{slow}");
}
