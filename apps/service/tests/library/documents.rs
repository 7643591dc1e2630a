//! The OpenAPI document, and the page that shows it.

use destination_google_sheets::SheetsOptions;
use engine::program::built_in;
use serde_json::Value;
use service::api::openapi;
use source_stripe::StripeSourceOptions;
use test_utils::openapi::references;

use crate::served::{Kept, Place, Served};
use service::guard::Guard;

fn made() -> Value {
    openapi(&built_in(StripeSourceOptions::default(), SheetsOptions::default()))
}

/// The document of the program, as it is committed. `UPDATE_OPENAPI=1` writes it anew.
#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let made = format!("{:#}\n", made());
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(file, &made).unwrap();
    }
    let committed = std::fs::read_to_string(file).unwrap();
    let differs = made.lines().zip(committed.lines()).find(|(made, committed)| made != committed);
    let renew = "UPDATE_OPENAPI=1 cargo test -p service --test library documents";
    assert!(made == committed, "if this is meant, run `{renew}`; the first difference: {differs:?}");
}

#[test]
fn references_lead_somewhere() {
    let document = made();
    let found = references(&document);
    assert!(!found.is_empty());
    for target in &found {
        let pointer = target.strip_prefix('#').unwrap_or_else(|| panic!("{target}"));
        assert!(document.pointer(pointer).is_some(), "{target} leads nowhere");
    }
}

#[tokio::test]
async fn what_is_described_is_there() {
    let served = Served::with(Place::new(Kept::File).await, None, false, Guard::default()).await;
    let document = served.get("/openapi.json").await;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let place = path.replace("{id}", "pipe_none").replace("{pipeline_id}", "pipe_none");
            let method = method.to_uppercase().parse().unwrap();
            let (status, answer) = served.ask(method, &place, None).await;
            // A route that is not there answers in words of its own.
            assert_ne!(answer, "404 Not Found", "{path}");
            let documented = &operation["responses"][status.as_str()];
            assert!(documented.is_object(), "{path} answers {status}, which is not described: {answer}");
        }
    }
}
