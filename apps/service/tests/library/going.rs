//! Pipelines that are deleted, and cannot go.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::served::{Kept, PATIENCE, Served, account};

async fn ask(served: &Served, method: Method, path: &str) -> (StatusCode, String) {
    let (status, body) = served.ask(method, path, None).await;
    (status, body["error"].as_str().map_or_else(|| body.to_string(), str::to_owned))
}

/// A pipeline whose tables cannot be removed any more, deleted: it answers once that has failed.
async fn stuck(served: &Served, pipeline: &Value) -> PathBuf {
    let id = pipeline["id"].as_str().unwrap();
    served.post("/pipelines", pipeline).await;
    served.until(id, |now| now["status"] == "ready").await;
    let file = served.file(id);
    // What is named is a folder by now.
    for end in ["db", "db-wal", "db-shm"] {
        let _ = std::fs::remove_file(file.with_extension(end));
    }
    std::fs::create_dir(&file).unwrap();
    assert_eq!(ask(served, Method::DELETE, &format!("/pipelines/{id}")).await.0, StatusCode::OK);
    served.until(id, |now| now["error"].as_str().is_some_and(|why| why.contains("cannot be removed"))).await;
    file
}

async fn is_gone(served: &Served, id: &str) {
    for _ in 0..PATIENCE.as_millis() / 50 {
        if served.store.get(id).await.unwrap().is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{id} is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_go_says_so_and_goes_once_it_can() {
    let account = account().await;
    let served = Served::start(Kept::File).await;
    let pipeline = served.pipeline(&account, "pipe_stuck", false);
    let file = stuck(&served, &pipeline).await;

    let (status, why) = ask(&served, Method::GET, "/pipelines/pipe_stuck").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(why.starts_with("Pipeline pipe_stuck not found: it is deleted, but"), "{why}");
    assert!(why.contains("cannot be opened"), "{why}");
    let (status, body) = served.ask(Method::POST, "/pipelines", Some(&pipeline)).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(
        body["error"].as_str().unwrap().starts_with("Pipeline pipe_stuck already exists: it is deleted"),
        "{body}"
    );
    // The log is written a moment after the failure.
    let mut log = String::new();
    for _ in 0..PATIENCE.as_millis() / 50 {
        let status;
        (status, log) = ask(&served, Method::GET, "/pipelines/pipe_stuck/logs").await;
        assert_eq!(status, StatusCode::OK);
        if log.contains("teardown: ") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(log.contains("teardown: "), "{log}");

    std::fs::remove_dir(&file).unwrap();
    assert_eq!(ask(&served, Method::DELETE, "/pipelines/pipe_stuck").await.0, StatusCode::OK);
    is_gone(&served, "pipe_stuck").await;
    assert_eq!(ask(&served, Method::DELETE, "/pipelines/pipe_stuck").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_go_is_forgotten_without_teardown() {
    let account = account().await;
    let served = Served::start(Kept::File).await;
    let pipeline = served.pipeline(&account, "pipe_lost", false);
    let file = stuck(&served, &pipeline).await;
    let path = "/pipelines/pipe_lost?skip_teardown=true";
    let (status, deleted) = served.ask(Method::DELETE, path, None).await;
    assert_eq!((status, deleted), (StatusCode::OK, json!({"id": "pipe_lost", "deleted": true})));
    assert_eq!(ask(&served, Method::GET, "/pipelines/pipe_lost").await.1, "Pipeline pipe_lost not found");
    std::fs::remove_dir(&file).unwrap();
    served.post("/pipelines", &pipeline).await;
    served.until("pipe_lost", |now| now["status"] == "ready").await;

    // What works is left as it is, too.
    assert_eq!(ask(&served, Method::DELETE, path).await.0, StatusCode::OK);
    is_gone(&served, "pipe_lost").await;
    let database = rusqlite::Connection::open(&file).unwrap();
    let rows: i64 = database.query_row("select count(*) from customer", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 250);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_followed_ends_with_its_pipeline() {
    let account = account().await;
    let served = Served::start(Kept::File).await;
    served.post("/pipelines", &served.pipeline(&account, "pipe_log", false)).await;
    served.until("pipe_log", |now| now["status"] == "ready").await;
    let followed = served.request(Method::GET, "/pipelines/pipe_log/logs?follow=true").send().await.unwrap();
    assert_eq!(ask(&served, Method::DELETE, "/pipelines/pipe_log").await.0, StatusCode::OK);
    let log =
        tokio::time::timeout(PATIENCE, followed.text()).await.expect("it is followed without end").unwrap();
    let first: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    assert_eq!(first["message"], "Setting up");
    assert!(first["at"].as_str().unwrap().ends_with('Z'), "as all times: {first}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_no_text_name_nothing() {
    let served = Served::idle().await;
    for path in ["/pipelines/%ff", "/pipelines/%ff/logs", "/tokens/%ff"] {
        let method = if path.starts_with("/tokens") { Method::DELETE } else { Method::GET };
        let (status, body) = served.ask(method, path, None).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}: {body}");
        assert!(body["error"].is_string(), "{path}: {body}");
    }
    let (status, body) = served.ask(Method::POST, "/webhooks/%ff", None).await;
    assert_eq!((status, body), (StatusCode::NOT_FOUND, json!("pipeline not found")));
}
