//! The Google Sheets server answers as Google does.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use test_utils::sheets::{CLIENT_ID, CLIENT_SECRET, Cell, Fault, REFRESH_TOKEN, SheetsServer, picture};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One request over a connection of its own; status 0 where the answer breaks off.
async fn call(server: &SheetsServer, token: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
    let address = server.url().replace("http://", "");
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // A connection that breaks off ends the text, too.
    let _ = stream.read_to_string(&mut answer).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    match serde_json::from_str(body) {
        Ok(body) => (status, body),
        Err(_) => (0, Value::Null),
    }
}

async fn signed_in() -> (SheetsServer, String, String) {
    let server = SheetsServer::start().await.unwrap();
    let id = server.create("Stripe Sync");
    let form = format!(
        "grant_type=refresh_token&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}&refresh_token={}",
        REFRESH_TOKEN.replace('/', "%2F")
    );
    let (status, answer) = call(&server, "", "POST", "/token", &form).await;
    assert_eq!(status, 200, "{answer}");
    let token = answer["access_token"].as_str().unwrap().to_owned();
    (server, id, token)
}

#[tokio::test]
async fn values_are_kept_as_they_are_written() {
    let (server, id, token) = signed_in().await;
    let path = format!("/v4/spreadsheets/{id}/values:batchUpdate");
    let body = json!({"valueInputOption": "RAW", "data": [
        {"range": "'Sheet1'!A1:C2", "values": [["id", "n"], ["=1+2", 7, true]]},
    ]});
    let (status, answer) = call(&server, &token, "POST", &path, &body.to_string()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(*server.spreadsheet(&id).sheets[0].cell(1, 0), Cell::Text("=1+2".to_owned()));
    let read = format!(
        "/v4/spreadsheets/{id}/values:batchGet?ranges=Sheet1!A2:A&ranges=Sheet1!1:1&valueRenderOption=UNFORMATTED_VALUE"
    );
    let (status, answer) = call(&server, &token, "GET", &read, "").await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["valueRanges"][0]["values"], json!([["=1+2"]]));
    assert_eq!(answer["valueRanges"][1]["values"], json!([["id", "n"]]));
    assert!(picture(&server.spreadsheet(&id), "Sheet1", 3, 3).contains("=1+2"));
}

#[tokio::test]
async fn mistakes_are_refused_and_change_nothing() {
    let (server, id, token) = signed_in().await;
    let values = format!("/v4/spreadsheets/{id}/values:batchUpdate");
    let structure = format!("/v4/spreadsheets/{id}:batchUpdate");
    let data = |range: &str, value: Value| {
        json!({"valueInputOption": "RAW", "data": [{"range": range, "values": [[value]]}]}).to_string()
    };
    for (path, body, part) in [
        (&values, data("Nowhere!A1", json!(1)), "Unable to parse range"),
        (&values, data("Sheet1!A1001", json!(1)), "exceeds grid limits"),
        (&values, data("Sheet1!A1", json!([1])), "list_value"),
        (&values, data("Sheet1!A1", json!("x".repeat(50_001))), "50000 characters"),
        (&structure, json!({"requests": []}).to_string(), "at least one request"),
        (
            &structure,
            json!({"requests": [{"addSheet": {"properties": {"title": "SHEET1"}}}]}).to_string(),
            "already exists",
        ),
        (
            &structure,
            json!({"requests": [{"addSheet": {"properties": {"name": "x"}}}]}).to_string(),
            "unknown field",
        ),
        (
            &structure,
            json!({"requests": [
                {"addSheet": {"properties": {"title": "x"}}},
                {"appendDimension": {"sheetId": 0, "dimension": "ROWS", "length": 1_000_000}},
            ]})
            .to_string(),
            "above the limit of 10000000 cells",
        ),
    ] {
        let (status, answer) = call(&server, &token, "POST", path, &body).await;
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(status == 400 && message.contains(part), "{body:.200}: {status} {answer}");
    }
    let spreadsheet = server.spreadsheet(&id);
    assert_eq!((spreadsheet.sheets.len(), spreadsheet.sheets[0].cells.len()), (1, 0));
}

#[tokio::test]
async fn quotas_permissions_and_faults() {
    let (server, id, token) = signed_in().await;
    let path = format!("/v4/spreadsheets/{id}/values/Sheet1!A1:append?valueInputOption=RAW");
    let body = json!({"values": [["x"]]}).to_string();
    assert_eq!(call(&server, "stale", "POST", &path, &body).await.0, 401);
    server.fail_next_writes([Fault::Unavailable, Fault::Forbidden, Fault::ResetBefore, Fault::ResetAfter]);
    for (status, rows) in [(503, 0), (403, 0), (0, 0), (0, 1), (200, 2)] {
        assert_eq!(call(&server, &token, "POST", &path, &body).await.0, status);
        assert_eq!(server.spreadsheet(&id).sheets[0].cells.len(), rows);
    }
    server.set_quota(std::time::Duration::from_secs(3600), 6);
    assert_eq!(call(&server, &token, "POST", &path, &body).await.0, 200);
    assert_eq!(call(&server, &token, "POST", &path, &body).await.0, 429);
    assert_eq!(server.calls().refused, 1);
    server.revoke();
    let form = format!(
        "grant_type=refresh_token&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}&refresh_token=1%2F%2Ftests"
    );
    let (status, answer) = call(&server, "", "POST", "/token", &form).await;
    assert_eq!((status, answer["error"].as_str()), (400, Some("invalid_grant")));
}
