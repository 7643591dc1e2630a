//! The `stripe-simulator` command.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use serde_json::Value;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stripe-simulator"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn it_says_where_it_listens_and_stops_on_sigterm() {
    let arguments =
        ["--table", "customer=30", "--api-version", "2020-08-27", "--api-key", "sk_test_mine", "--pretty"];
    let mut child = command(&arguments).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (ready["api_key"].as_str(), ready["api_version"].as_str()),
        (Some("sk_test_mine"), Some("2020-08-27"))
    );
    let url = format!("{}/v1/customers?limit=100", ready["url"].as_str().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let text = runtime.block_on(async {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let request = reqwest::Client::new().get(url).bearer_auth("sk_test_mine");
        request.send().await.unwrap().text().await.unwrap()
    });
    assert!(text.starts_with("{\n  \"object\": \"list\""));
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["data"].as_array().unwrap().len(), 30);
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    let counters: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(counters["endpoints"]["/v1/customers"]["objects"], 30);
}

#[test]
fn it_serves_connected_accounts_and_restricted_keys() {
    let arguments = [
        "--table",
        "customer=5",
        "--connected",
        "3",
        "--connected-objects",
        "50",
        "--restricted-key",
        "rk_test_some=rak_connected_account_read",
        "--restricted-key",
        "rk_test_most=!rak_customer_read",
        "--limit-preset",
        "test",
        "--taken-share",
        "0.2",
    ];
    let mut child = command(&arguments).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = serde_json::from_str::<Value>(&line).unwrap()["url"].as_str().unwrap().to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::new();
        let ask = async |key: &str, path: &str| {
            let answer = http.get(format!("{url}{path}")).bearer_auth(key).send().await.unwrap();
            (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
        };
        let (status, accounts) = ask("rk_test_some", "/v1/accounts").await;
        assert_eq!((status, accounts["data"].as_array().unwrap().len()), (200, 3));
        assert_eq!(ask("rk_test_some", "/v1/customers").await.0, 403);
        assert_eq!(ask("rk_test_most", "/v1/customers").await.0, 403);
        assert_eq!(ask("rk_test_most", "/v1/charges").await.0, 200);
        let id = accounts["data"][0]["id"].as_str().unwrap();
        let connected = http.get(format!("{url}/v1/account")).bearer_auth("rk_test_some");
        let connected = connected.header("stripe-account", id).send().await.unwrap();
        assert_eq!(connected.json::<Value>().await.unwrap()["id"], id);
    });
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn wrong_arguments_are_explained() {
    for (arguments, words) in [
        (&["--api-version", "1999-01-01"][..], "API version `1999-01-01` is not known"),
        (&["--table", "customers=3"], "no listable table `customers`"),
        (&["--table", "customer"], "expected TABLE=N"),
        (&["--restricted-key", "rk_test_1"], "expected KEY=PERMISSIONS"),
        (&["--restricted-key", "rk_test_1=!rak_charge_read,rak_customer_read"], "either what the key may do"),
    ] {
        let output = command(arguments).output().unwrap();
        assert!(!output.status.success());
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(words), "{told}");
    }
}
