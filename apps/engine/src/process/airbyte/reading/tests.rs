//! What a source may say, line by line, and what becomes of it.

use protocol::{ConfiguredCatalog, ConfiguredStream, ErrorKind, SourceState, SyncMode};
use serde_json::{Value, json};

use super::*;
use crate::process::airbyte::catalog;

fn selected(incremental: bool) -> Vec<Selected> {
    let airbyte = |name: &str, key: Value| {
        json!({"name": name, "json_schema": {"properties": {DELETED_AT: {}}}, "supported_sync_modes": ["full_refresh", "incremental"],
               "source_defined_cursor": true, "source_defined_primary_key": key, "is_resumable": true})
    };
    let mut configured = ConfiguredCatalog::default();
    for (name, key) in [("users", json!([["id"]])), ("lines", json!([]))] {
        let stream = catalog::stream(airbyte(name, key).as_object().cloned().unwrap()).unwrap();
        let sync_mode = if incremental { SyncMode::Incremental } else { SyncMode::FullRefresh };
        configured.streams.push(ConfiguredStream { sync_mode, ..ConfiguredStream::whole(stream) });
    }
    catalog::configured(&configured).unwrap().0
}

/// What the lines become, and how the read ends.
fn read_as(
    incremental: bool,
    lines: &[Value],
    ended: Result<(), ConnectorError>,
) -> (Vec<Value>, Option<String>) {
    let schema = json!({"properties": {"password": {"airbyte_secret": true}}});
    let config = json!({"password": "open sesame"});
    let secrets = Secrets::of(schema.as_object().unwrap(), config.as_object().unwrap());
    let mut reading = Reading::new(selected(incremental), secrets, Timestamp::from_unix_seconds(1000));
    let mut out = Vec::new();
    for line in lines {
        let text = line.as_str().map_or_else(|| line.to_string(), str::to_owned);
        reading.take(&text.into(), &mut out);
    }
    let error = reading.end(ended, &mut out).err().map(|error| error.to_string());
    let said = out.iter().map(|message| {
        let mut value = serde_json::to_value(message).unwrap();
        let kind = value["type"].as_str().unwrap().to_owned();
        json!({&kind: value[&kind].take()})
    });
    (said.collect(), error)
}

fn read(lines: &[Value]) -> Vec<Value> {
    let (said, error) = read_as(true, lines, Ok(()));
    assert_eq!(error, None);
    said
}

fn record(stream: &str, data: Value) -> Value {
    let mut record = json!({"type": "RECORD", "record": {"stream": stream, "emitted_at": 1_500.25}});
    record["record"]["data"] = data;
    record
}

fn status(stream: &str, status: &str) -> Value {
    json!({"type": "TRACE", "trace": {"type": "STREAM_STATUS", "emitted_at": 1.5,
           "stream_status": {"stream_descriptor": {"name": stream}, "status": status}}})
}

fn failure(stream: Option<&str>, text: &str, kind: &str) -> Value {
    let mut error = json!({"message": text, "failure_type": kind, "stack_trace": "at open sesame"});
    if let Some(stream) = stream {
        error["stream_descriptor"] = json!({"name": stream});
    }
    json!({"type": "TRACE", "trace": {"type": "ERROR", "emitted_at": 1, "error": error}})
}

fn of(stream: &str, status: &str) -> Value {
    json!({"stream_status": {"stream": stream, "status": status}})
}

fn failed(stream: &str, error: &str) -> Value {
    json!({"stream_status": {"stream": stream, "status": "error", "error": error}})
}

#[test]
fn records_get_a_version_and_where_they_need_one_a_key() {
    let said = read(&[
        record("users", json!({"id": 7, "n": 1})),
        record("users", json!({"id": 8, DELETED_AT: "2026-01-01"})),
        record("users", json!({})),
        record("lines", json!({"_a": 1})),
        record("lines", json!({"_a": 2})),
        record("others", json!({"id": 1})),
    ]);
    assert_eq!(said[0], of("users", "start"));
    let first = &said[1]["record"];
    assert_eq!(first["data"], json!({"id": 7, "n": 1, "_updated_at": 1000}));
    assert_eq!(first["emitted_at"], "1970-01-01T00:00:01.500Z");
    assert_eq!(said[2]["record"]["recordDeleted"], true);
    assert_eq!(said[3]["record"]["data"], json!({"_updated_at": 1000}));
    let ids: Vec<&str> =
        [5, 6].iter().map(|at| said[*at]["record"]["data"]["_airbyte_raw_id"].as_str().unwrap()).collect();
    assert!(ids[0].len() == 32 && ids[0] != ids[1], "{ids:?}");
    assert!(said[7]["log"]["message"].as_str().unwrap().starts_with("1 record of streams that were not"));
    assert_eq!(&said[8..], [of("users", "complete"), of("lines", "complete")]);
}

#[test]
fn what_is_no_message_is_a_line_of_the_log_without_secrets() {
    let said = read(&[
        json!("plain words: open sesame"),
        json!("{\"type\": \"LATER\", \"later\": {}}"),
        json!("[1]"),
        json!({"type": "LOG", "log": {"level": "FATAL", "message": "open sesame", "stack_trace": "open sesame"}}),
        json!({"type": "TRACE", "trace": {"type": "ESTIMATE", "emitted_at": 1, "estimate": {"name": "users", "type": "STREAM", "row_estimate": 5}}}),
        json!({"type": "CONTROL", "control": {"type": "CONNECTOR_CONFIG", "emitted_at": 1, "connectorConfig": {"config": {"password": "new"}}}}),
    ]);
    assert_eq!(said[0], json!({"log": {"level": "info", "message": "plain words: [redacted]"}}));
    assert_eq!(said[1]["log"]["message"], "a message of type LATER means nothing to this engine");
    assert_eq!(said[2], json!({"log": {"level": "info", "message": "[1]"}}));
    let fatal = json!({"level": "error", "message": "[redacted]", "data": {"stack_trace": "[redacted]"}});
    assert_eq!(said[3], json!({ "log": fatal }));
    assert_eq!(said[4]["log"]["data"]["row_estimate"], 5);
    let control = json!({"control_type": "source_config", "source_config": {"password": "new"}});
    assert_eq!(said[5], json!({ "control": control }));
}

#[test]
fn streams_fail_alone_whichever_comes_first_status_or_reason() {
    let gone = || Err(ConnectorError::new(ErrorKind::Permanent, "source-x exited with code 1"));
    for lines in [
        [
            status("users", "STARTED"),
            failure(Some("users"), "no rights", "config_error"),
            status("users", "INCOMPLETE"),
        ],
        [
            status("users", "STARTED"),
            status("users", "INCOMPLETE"),
            failure(Some("users"), "no rights", "config_error"),
        ],
    ] {
        let mut lines = lines.to_vec();
        lines.extend([record("lines", json!({"a": 1})), status("lines", "COMPLETE")]);
        lines.push(failure(None, "some streams failed", "system_error"));
        let (said, error) = read_as(true, &lines, gone());
        assert_eq!(error, None, "of each stream it is known how it ended");
        assert!(
            said.contains(&failed("users", "no rights")) && said.contains(&of("lines", "complete")),
            "{said:?}"
        );
    }
    let (said, error) = read_as(true, &[status("users", "INCOMPLETE")], gone());
    assert_eq!(error.unwrap(), "source-x exited with code 1");
    assert_eq!(said.last().unwrap(), &failed("users", "source-x exited with code 1"));
    let said = read(&[status("users", "INCOMPLETE")]);
    assert!(said.contains(&failed("users", NO_REASON)), "{said:?}");
}

#[test]
fn a_source_that_fails_says_so_in_its_own_words() {
    let exit = Err(ConnectorError::new(ErrorKind::Permanent, "source-x exited with code 1"));
    let lines =
        [status("users", "STARTED"), failure(None, "the server is gone: open sesame", "transient_error")];
    let (said, error) = read_as(true, &lines, exit);
    assert_eq!(error.unwrap(), "the server is gone: [redacted]");
    let log = &said[1]["log"];
    assert_eq!((&log["level"], &log["data"]["stack_trace"]), (&json!("error"), &json!("at [redacted]")));
    assert!(!said.iter().any(|said| said["stream_status"]["status"] == "complete"), "{said:?}");
    // Also where its exit code is 0.
    assert_eq!(read_as(true, &lines[1..], Ok(())).1.unwrap(), "the server is gone: [redacted]");
}

fn state_of(said: &[Value]) -> SourceState {
    let mut state = SourceState::default();
    for said in said {
        if let Some(said) = said.get("source_state") {
            state.apply(&serde_json::from_value(said.clone()).unwrap());
        }
    }
    state
}

fn given(said: &[Value], incremental: bool) -> Value {
    let given = position::given(&state_of(said), &selected(incremental)).unwrap();
    given.map_or(Value::Null, |given| serde_json::from_str(given.get()).unwrap())
}

fn stream_state(name: &str, state: &Value) -> Value {
    json!({"type": "STREAM", "stream": {"stream_descriptor": {"name": name}, "stream_state": state}})
}

#[test]
fn states_of_all_kinds_come_back_as_they_were() {
    let say = |state: &Value| json!({"type": "STATE", "state": state});
    let users = stream_state("users", &json!({"at": 5}));
    assert_eq!(given(&read(&[say(&users)]), true), json!([users]));
    // Other streams' states are not for us.
    assert_eq!(given(&read(&[say(&stream_state("others", &json!(1)))]), true), Value::Null);
    let global = json!({"type": "GLOBAL", "global": {"shared_state": {"lsn": 9}, "stream_states": []}});
    assert_eq!(given(&read(&[say(&global)]), true), json!([global]));
    for legacy in
        [json!({"data": {"users": {"at": 5}}}), json!({"type": "LEGACY", "data": {"users": {"at": 5}}})]
    {
        assert_eq!(given(&read(&[say(&legacy)]), true), json!({"users": {"at": 5}}));
    }
    let foreign = SourceState { global: RawJson::parse("7").unwrap(), ..SourceState::default() };
    assert!(position::given(&foreign, &[]).unwrap_err().to_string().contains("not one of an Airbyte source"));
}

#[test]
fn a_full_refresh_goes_on_until_it_is_complete_and_then_begins_anew() {
    let page = json!({"type": "STATE", "state": stream_state("users", &json!({"page": 3}))});
    let exit = || Err(ConnectorError::new(ErrorKind::Permanent, "killed"));
    let (broken_off, _) = read_as(false, std::slice::from_ref(&page), exit());
    assert_eq!(given(&broken_off, false), json!([stream_state("users", &json!({"page": 3}))]));
    assert_eq!(given(&broken_off, true), Value::Null, "it is no cursor");
    let (whole, _) = read_as(false, &[page, status("users", "COMPLETE")], Ok(()));
    assert_eq!(given(&whole, false), Value::Null);
    let end = whole.iter().position(|said| *said == of("users", "complete")).unwrap();
    assert!(whole[end - 1]["source_state"]["data"]["complete"] == true, "before the end: {whole:?}");
}
