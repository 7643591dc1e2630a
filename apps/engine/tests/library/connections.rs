//! Discovery, check, setup, teardown.

use engine::{Role, Setup, Side};
use protocol::ErrorKind;
use serde_json::json;

use crate::script::{Script, echo, echoing, heard, kinds, scripted};

#[tokio::test]
async fn both_sides_are_checked_and_named() {
    let script = Script::saying(&["a"], vec![]);
    let checked = script.engine().pipeline_check(scripted(), Side::Both).unwrap();
    let (messages, error) = heard(checked).await;
    assert!(error.is_none(), "a failed check is a message, not an error");
    let mut by: Vec<&str> = messages.iter().map(|message| message.emitted_by.as_deref().unwrap()).collect();
    by.sort_unstable();
    assert_eq!(by, ["destination/test", "source/script"]);
    assert!(messages.iter().all(|message| message.ts.is_some()));
    let only = script.engine().pipeline_check(scripted(), Side::Only(Role::Destination)).unwrap();
    assert_eq!(heard(only).await.0.len(), 1);
}

#[tokio::test]
async fn a_wrong_configuration_is_refused_before_anything_happens() {
    let pipeline = echoing(&json!({"strems": {}}));
    let error = echo().pipeline_check(pipeline, Side::Both).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("unknown field `strems`"), "{error}");
}

#[tokio::test]
async fn connectors_without_setup_are_silent() {
    let request = Setup { pipeline: echoing(&json!({})), side: Side::Both, discovered: None };
    let (messages, error) = heard(echo().pipeline_setup(request)).await;
    assert!(messages.is_empty() && error.is_none());
    let (messages, error) = heard(echo().pipeline_teardown(echoing(&json!({})), Side::Both).unwrap()).await;
    assert!(messages.is_empty() && error.is_none());
}

#[tokio::test]
async fn discovery_passes_through() {
    let source = echoing(&json!({"streams": {"a": {"primary_key": [["k"]]}}})).source;
    let catalog = echo().discover(&source).await.unwrap();
    assert_eq!(catalog.streams[0].primary_key, [["k"]]);
    let (messages, _) = heard(echo().source_discover(&source).unwrap()).await;
    assert_eq!(kinds(&messages), ["catalog"]);
    assert!(messages[0].emitted_by.is_none() && messages[0].ts.is_none(), "untagged");
}

#[tokio::test]
async fn a_destination_without_states_has_no_store() {
    let destination = echoing(&json!({})).destination;
    assert!(echo().state_store(&destination, "default").await.unwrap().is_none());
}
