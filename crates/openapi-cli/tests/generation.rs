//! The command line of the engine's own document, and the requests that it makes.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::io;

use bytes::Bytes;
use clap::Command;
use futures::{StreamExt, TryStreamExt, stream};
use http::{Request, Response};
use openapi_cli::{AnswerError, Api, ByteStream, Failed, Naming, RequestBody, perform};
use serde_json::Value;

const NAMING: Naming<'_> = Naming { groups: &[("Stateless Sync API", "pipeline")], reserved: &[] };

fn api() -> Api {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../apps/engine/openapi.json");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    Api::read(&document, &NAMING).unwrap()
}

fn program() -> Command {
    Command::new("api").subcommand_required(true).subcommands(api().commands())
}

fn bytes(texts: &[&str]) -> ByteStream {
    let texts: Vec<Bytes> = texts.iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect();
    stream::iter(texts.into_iter().map(Ok)).boxed()
}

/// Method, address, headers and body of what these words ask for, with this stdin.
async fn asked(words: &[&str], stdin: &[&str]) -> String {
    let matches = program().try_get_matches_from([&["api"], words].concat()).unwrap();
    told(api().call(&matches).unwrap().request(bytes(stdin))).await
}

async fn told(request: Request<RequestBody>) -> String {
    let (head, body) = request.into_parts();
    let body = match body {
        RequestBody::Empty => String::new(),
        RequestBody::Bytes(body) => String::from_utf8(body.to_vec()).unwrap(),
        RequestBody::Stream(body) => {
            let parts: Vec<Bytes> = body.try_collect().await.unwrap();
            format!("[streamed] {}", String::from_utf8(parts.concat()).unwrap())
        }
    };
    let mut text = format!("{} {}\n", head.method, head.uri);
    for (name, value) in &head.headers {
        text += &format!("{name}: {}\n", value.to_str().unwrap());
    }
    text + &body
}

#[test]
fn groups_and_commands_are_those_of_the_document() {
    program().debug_assert();
    let mut listed = String::new();
    for group in program().get_subcommands() {
        for command in group.get_subcommands() {
            let about = command.get_about().unwrap();
            listed += &format!("{} {}: {about}\n", group.get_name(), command.get_name());
        }
    }
    insta::assert_snapshot!(listed);
}

#[test]
fn help_comes_from_the_document() {
    for (name, words) in [
        ("help_sync", ["api", "pipeline", "pipeline-sync", "--help"]),
        ("help_check", ["api", "pipeline", "pipeline-check", "--help"]),
        ("help_source", ["api", "meta", "meta-sources-get", "--help"]),
    ] {
        let help = program().term_width(100).try_get_matches_from(words).unwrap_err();
        insta::assert_snapshot!(name, help.to_string());
    }
}

#[test]
fn what_is_required_is_wanted_and_choices_are_kept() {
    let refused =
        |words: &[&str]| program().try_get_matches_from([&["api"], words].concat()).unwrap_err().to_string();
    assert!(refused(&["pipeline", "pipeline-check"]).contains("--pipeline"));
    assert!(refused(&["meta", "meta-sources-get"]).contains("<type>"));
    let wrong = refused(&["pipeline", "pipeline-check", "--pipeline", "{}", "--only", "left"]);
    assert!(wrong.contains("possible values: source, destination"), "{wrong}");
}

#[tokio::test]
async fn values_go_where_they_belong() {
    let mut text = String::new();
    for (words, stdin) in [
        (&["meta", "meta-sources-get", "a b/ü"][..], &[][..]),
        (
            &[
                "pipeline",
                "pipeline-sync",
                "--pipeline",
                r#"{"a":1.50}"#,
                "--run-id",
                "7 & 8",
                "--time-limit",
                "1.5",
                "--x-action-id",
                "mine",
            ][..],
            &[][..],
        ),
        (
            &["pipeline", "pipeline-write", "--pipeline", "{}", "--body", "-"][..],
            &["{\"a\":1}\n", "{\"a\":2}\n"][..],
        ),
        (&["pipeline", "pipeline-write", "--body", "-"][..], &["{\"pipeline\":{}}\n"][..]),
        (&["pipeline", "pipeline-check", "--body", "-"][..], &["{\"pipeline\":{}}"][..]),
        (&["internal", "internal-query", "--sql", "select 1"][..], &[][..]),
    ] {
        text += &format!("## {}\n{}\n\n", words.join(" "), asked(words, stdin).await.trim_end());
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_value_cannot_lead_to_another_path() {
    let matches = program().try_get_matches_from(["api", "meta", "meta-sources-get", ".."]).unwrap();
    assert_eq!(api().call(&matches).unwrap_err().to_string(), "`..` cannot be the type");
}

#[test]
fn json_that_is_not_valid_never_travels() {
    let refused = |words: &[&str]| {
        let matches = program().try_get_matches_from([&["api"], words].concat()).unwrap();
        api().call(&matches).map(|_| ()).unwrap_err().to_string()
    };
    let told = refused(&["pipeline", "pipeline-check", "--pipeline", "{bad"]);
    assert!(
        told.starts_with("--pipeline: its JSON is not valid: key must be a string at line 1 column 2."),
        "{told}"
    );
    let told = refused(&["pipeline", "pipeline-sync", "--pipeline", "{}", "--state", "{\"source\": {}"]);
    assert!(told.starts_with("--state: its JSON is not valid: EOF while parsing an object"), "{told}");
}

async fn printed(status: u16, media: &str, body: &[&str]) -> Result<String, Failed<io::Error>> {
    let matches = program().try_get_matches_from(["api", "status", "health"]).unwrap();
    let response =
        Response::builder().status(status).header("content-type", media).body(bytes(body)).unwrap();
    let mut out = Vec::new();
    let transport = |_| async { Ok(response) };
    perform(api().call(&matches).unwrap(), bytes(&[]), transport, &mut out).await?;
    Ok(String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn answers_are_printed_by_their_type() {
    let json = printed(200, "application/json", &[r#"{"ok":tr"#, "ue}"]).await.unwrap();
    assert_eq!(json, "{\n  \"ok\": true\n}\n");
    let lines =
        printed(200, "application/x-ndjson", &["{\"a\"", ":1}\n\n{\"a\":2}\n", "\n", "{\"a\":3}"]).await;
    assert_eq!(lines.unwrap(), "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");
    assert_eq!(printed(200, "text/plain", &["as it", " is"]).await.unwrap(), "as it is");
    assert_eq!(printed(204, "application/json", &[]).await.unwrap(), "");
    let failed = printed(404, "application/json", &[r#"{"error":"no"}"#]).await.unwrap_err();
    assert_eq!(failed.to_string(), r#"Error 404: {"error":"no"}"#);
    assert!(matches!(failed, Failed::Answer(AnswerError::Status { .. })));
}
