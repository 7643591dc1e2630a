//! An engine elsewhere is the engine.

use engine::api::ApiOptions;
use engine::remote::RemoteEngine;
use engine::{EngineError, PipelineRead, PipelineSync, PipelineSyncBatch, Role, Setup, Side};
use futures::{StreamExt, TryStreamExt};
use protocol::{ConnectorConfig, PipelineConfig};
use secrecy::SecretString;
use serde_json::{Map, json};

use super::served::Served;
use super::sources::Flood;
use crate::script::{Cue, Script, echo, echoing, eof, heard, input, kinds, record, said, scripted, state};

fn remote(served: &Served) -> RemoteEngine {
    RemoteEngine::new(&served.url("/"), None).unwrap()
}

#[tokio::test]
async fn every_operation_says_there_what_it_says_here() {
    let served = Served::start(echo()).await;
    let (there, here) = (remote(&served), echo());
    let pipeline = || echoing(&json!({"streams": {"a": {}}}));
    let pushed = || Some(input(vec![record("a", "1"), state("a", 3)]));
    let setup = Setup { pipeline: pipeline(), side: Side::Only(Role::Source), discovered: None };

    let (checked, error) = heard(there.pipeline_check(&pipeline(), Side::Both)).await;
    assert!(error.is_none());
    let (expected, _) = heard(here.pipeline_check(pipeline(), Side::Both).unwrap()).await;
    assert_eq!(kinds(&checked), kinds(&expected));
    assert_eq!(checked[0].emitted_by, expected[0].emitted_by);
    assert_eq!(kinds(&heard(there.pipeline_setup(&setup)).await.0), ["log"]);
    assert!(heard(there.pipeline_teardown(&pipeline(), Side::Both)).await.0.is_empty());
    let (discovered, _) = heard(there.source_discover(&pipeline().source)).await;
    assert_eq!(
        discovered[0].payload,
        heard(here.source_discover(&pipeline().source).unwrap()).await.0[0].payload
    );

    let read = || PipelineRead { input: pushed(), ..PipelineRead::new(pipeline()) };
    let (messages, _) = heard(there.pipeline_read(read())).await;
    assert_eq!(kinds(&messages), ["record", "source_state", "eof"]);

    let sync =
        || PipelineSync { input: pushed(), run_id: Some("r".to_owned()), ..PipelineSync::new(pipeline()) };
    let (messages, error) = heard(there.pipeline_sync(sync())).await;
    assert!(error.is_none());
    let (expected, _) = heard(here.pipeline_sync(sync())).await;
    assert_eq!(kinds(&messages), kinds(&expected));
    let (ending, state_here) =
        (eof(&messages).ending_state.as_ref().unwrap(), eof(&expected).ending_state.clone());
    assert_eq!(ending.source, state_here.unwrap().source);

    let given = futures::stream::iter((0..5000).map(|id| Ok(said(record("a", &id.to_string())))));
    let (messages, error) = heard(there.pipeline_write(&pipeline(), given)).await;
    assert!(error.is_none());
    assert_eq!(messages.len(), 5000);
    let listed = there.connectors(Role::Source).await.unwrap();
    assert_eq!(listed["items"][0]["type"], "test");
}

#[tokio::test]
async fn a_batch_is_answered() {
    let served = Served::start(Script::saying(&["a"], vec![state("a", 1), state("a", 2)]).engine()).await;
    let batch = PipelineSyncBatch { state_limit: 1, ..PipelineSyncBatch::new(scripted()) };
    assert!(remote(&served).pipeline_sync_batch(batch).await.unwrap().has_more);
}

#[tokio::test]
async fn refusals_are_errors_with_their_words() {
    let token = Some(SecretString::from("t".to_owned()));
    let served = Served::with(echo(), ApiOptions { token: token.clone(), ..ApiOptions::default() }).await;
    let unknown = PipelineConfig { source: ConnectorConfig::new("nowhere", Map::new()), ..scripted() };
    let (_, error) = heard(remote(&served).pipeline_check(&unknown, Side::Both)).await;
    let error = error.unwrap();
    assert!(error.to_string().starts_with("Engine /pipeline_check failed (401): {"));
    assert!(matches!(error, EngineError::Denied(_)), "{error:?}");
    let known = RemoteEngine::new(&served.url(""), token).unwrap();
    let (_, error) = heard(known.pipeline_check(&unknown, Side::Both)).await;
    let text = error.unwrap().to_string();
    assert!(text.starts_with("Engine /pipeline_check failed (400): {") && text.contains("nowhere"), "{text}");
    assert!(RemoteEngine::new("ftp://host", None).is_err() && RemoteEngine::new("host", None).is_err());
    let nobody = RemoteEngine::new("http://127.0.0.1:1", None).unwrap();
    let (_, error) = heard(nobody.pipeline_check(&unknown, Side::Both)).await;
    let error = error.unwrap();
    assert!(matches!(&error, EngineError::NoEngine(text) if text.contains("cannot be asked")), "{error:?}");
}

#[tokio::test]
async fn any_request_can_be_sent_and_a_refusal_is_an_answer() {
    let token = Some(SecretString::from("t".to_owned()));
    let served = Served::with(echo(), ApiOptions { token: token.clone(), ..ApiOptions::default() }).await;
    let asked = async |engine: &RemoteEngine, path: &str| {
        let request = http::Request::get(path).body("").unwrap();
        let (head, body) = engine.call(request).await.unwrap().into_parts();
        (head.status.as_u16(), body.try_collect::<Vec<_>>().await.unwrap().concat())
    };
    let known = RemoteEngine::new(&served.url("/"), token).unwrap();
    let (status, body) = asked(&known, "/meta/sources/test?any=thing").await;
    assert_eq!(status, 200);
    assert!(String::from_utf8(body).unwrap().starts_with("{\"config_schema\""));
    assert_eq!(asked(&known, "/nowhere").await.0, 404);
    assert_eq!(asked(&remote(&served), "/meta/sources").await.0, 401);
}

#[tokio::test]
async fn a_failure_there_is_told_as_it_is_over_http() {
    let cues = vec![Cue::Say(record("a", "1")), Cue::Fail("the cable was cut")];
    let served = Served::start(Script::new(&["a"], cues).engine()).await;
    let (messages, error) = heard(remote(&served).pipeline_sync(PipelineSync::new(scripted()))).await;
    assert!(error.is_none());
    assert_eq!(kinds(&messages), ["eof", "log", "connection_status"]);
}

#[tokio::test]
async fn dropping_an_answer_ends_the_work() {
    let flood = Flood::default();
    let served = Served::start(flood.engine()).await;
    let pipeline = PipelineConfig { source: ConnectorConfig::new("flood", Map::new()), ..scripted() };
    let mut messages = remote(&served).pipeline_read(PipelineRead::new(pipeline));
    messages.next().await.unwrap().unwrap();
    drop(messages);
    while flood.open.load(std::sync::atomic::Ordering::SeqCst) > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}
