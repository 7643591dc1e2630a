//! A service account gets a token for what it signs.
#![allow(clippy::unwrap_used)]

use destination_google_sheets::jwt::ServiceAccountKey;
use test_utils::sheets::{SheetsServer, service_account_key};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn exchange(server: &SheetsServer, assertion: &str) -> String {
    let form =
        format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}");
    let address = server.url().replace("http://", "");
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let request = format!(
        "POST /token HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn what_is_signed_is_exchanged() {
    let server = SheetsServer::start().await.unwrap();
    let key = ServiceAccountKey::parse(&service_account_key(&server.url()).to_string()).unwrap();
    let now = protocol::Timestamp::now().unix_seconds();
    let good = key.assertion(now).unwrap();
    assert!(exchange(&server, &good).await.contains("access_token"));
    let late = key.assertion(now - 7200).unwrap();
    assert!(exchange(&server, &late).await.contains("short-lived"));
    let (signed, _) = good.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", late.rsplit_once('.').unwrap().1);
    assert!(exchange(&server, &forged).await.contains("Invalid JWT Signature"));
    assert_eq!(server.tokens_given(), 1);
}

#[test]
fn other_files_are_no_keys() {
    let error = ServiceAccountKey::parse(r#"{"type":"authorized_user"}"#).unwrap_err();
    assert!(error.contains("authorized_user"), "{error}");
    assert!(ServiceAccountKey::parse("hello").unwrap_err().contains("not JSON"));
}
