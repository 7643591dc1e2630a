//! `destination-google-sheets` as a program.

use std::process::Command;

use protocol::Payload;
use serde_json::json;
use test_utils::sheets::{CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, SheetsServer};

use crate::{SHEETS, SOURCE, account, catalog, messages, run, source_config};

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_piped_into_a_spreadsheet() {
    let account = account().await;
    let server = SheetsServer::start().await.unwrap();
    let (id, url) = (server.create("Copy"), server.url());
    let folder = tempfile::tempdir().unwrap();
    let source = source_config(&account).to_string();
    let destination = json!({
        "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN,
        "spreadsheet_id": id, "base_url": url, "drive_url": url, "token_url": format!("{url}/token"),
    });
    std::fs::write(folder.path().join("source.json"), &source).unwrap();
    std::fs::write(folder.path().join("destination.json"), destination.to_string()).unwrap();
    std::fs::write(folder.path().join("catalog.json"), catalog(&source).to_string()).unwrap();
    let words = format!(
        "{SHEETS} setup --config destination.json --catalog catalog.json >setup.log && \
         {SOURCE} read --config source.json --catalog catalog.json </dev/null | \
         {SHEETS} write --config destination.json --catalog catalog.json"
    );
    let mut shell = Command::new("bash");
    let piped = shell.args(["-o", "pipefail", "-c", &words]).current_dir(folder.path()).output().unwrap();
    assert!(piped.status.success(), "{}", String::from_utf8_lossy(&piped.stderr));
    let handed_back = messages(&piped);
    let records = handed_back.iter().filter(|message| matches!(message.payload, Payload::Record(_))).count();
    assert_eq!(records, 470, "records are handed back");
    let spreadsheet = server.spreadsheet(&id);
    for table in ["customer", "charge"] {
        let sheet = spreadsheet.sheet(table).unwrap();
        assert_eq!(sheet.headers()[0], "id");
        let mut ids: Vec<String> = sheet.data().map(|row| row[0].shown()).collect();
        let mut wanted = account.control().ids(table).unwrap();
        ids.sort();
        wanted.sort();
        assert_eq!(ids, wanted, "{table}");
    }

    let wrong = json!({"service_account_json": 5});
    let refused = run(SHEETS, &["check", "--config", &wrong.to_string()]);
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(text.contains("the configuration of destination `google"), "{text}");
    account.stop().await;
}
