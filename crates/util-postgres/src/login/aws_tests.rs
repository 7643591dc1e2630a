use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex as StdMutex};

use super::*;

/// The keys of AWS's own documentation.
fn documented_keys() -> Credentials {
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    Credentials::new("AKIAIOSFODNN7EXAMPLE", secret, None, None, "test")
}

fn database(role_arn: Option<&str>, external_id: Option<&str>) -> AwsDatabase {
    AwsDatabase {
        host: "prod-instance.us-east-1.rds.amazonaws.com".to_owned(),
        port: 3306,
        database: "app".to_owned(),
        user: "mysql user".to_owned(),
        region: "us-east-1".to_owned(),
        role_arn: role_arn.map(str::to_owned),
        external_id: external_id.map(str::to_owned),
    }
}

/// Signature version 4 by hand, from the token's own parameters.
fn signature_of(token: &str, secret: &str) -> String {
    use hmac::{Hmac, Mac};
    use sha2::{Digest, Sha256};
    let (host, query) = token.split_once("/?").unwrap();
    let mut parameters: Vec<&str> =
        query.split('&').filter(|part| !part.starts_with("X-Amz-Signature=")).collect();
    parameters.sort_unstable();
    let value = |name: &str| query.split('&').find_map(|part| part.strip_prefix(name)).unwrap();
    let (date, scope) = (value("X-Amz-Date="), value("X-Amz-Credential=").replace("%2F", "/"));
    let scope = scope.split_once('/').unwrap().1;
    let empty = hex::encode(Sha256::digest(b""));
    let canonical = format!("GET\n/\n{}\nhost:{host}\n\nhost\n{empty}", parameters.join("&"));
    let to_sign =
        format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(canonical.as_bytes())));
    let mac = |key: &[u8], text: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    let key = scope.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, part| mac(&key, part));
    hex::encode(mac(&key, &to_sign))
}

#[test]
fn a_token_is_a_signed_url_without_its_scheme() {
    let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let token = sign_token(&database(None, None), documented_keys(), moment).unwrap();
    assert!(
        token.starts_with(
            "prod-instance.us-east-1.rds.amazonaws.com:3306/?Action=connect&DBUser=mysql%20user&X-Amz-"
        ),
        "{token}"
    );
    for part in [
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20231114%2Fus-east-1%2Frds-db%2Faws4_request",
        "X-Amz-Date=20231114T221320Z",
        "X-Amz-Expires=900",
        "X-Amz-SignedHeaders=host",
    ] {
        assert!(token.contains(part), "{part} is not in {token}");
    }
    let signature = signature_of(&token, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    assert!(token.contains(&format!("X-Amz-Signature={signature}")), "{token}");
}

#[test]
fn credentials_are_kept_until_shortly_before_they_end() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let until = |seconds| {
        let end = now + Duration::from_secs(seconds);
        is_good(&Credentials::new("a", "b", None, Some(end), "test"), now)
    };
    assert!(until(301) && !until(300) && !until(10));
    assert!(!is_good(&documented_keys(), now), "nobody says for how long");
}

/// A Security Token Service on loopback: answers every request with keys that are good for so long, or a refusal.
struct Sts {
    url: String,
    requests: Arc<StdMutex<Vec<String>>>,
}

impl Sts {
    fn start(answer: impl Fn(usize) -> (u16, String) + Send + 'static) -> Sts {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(StdMutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                seen.lock().unwrap().push(read_request(&mut stream));
                let (status, body) = answer(number + 1);
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: text/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                stream.write_all((head + &body).as_bytes()).unwrap();
            }
        });
        Sts { url, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// A source of tokens that asks this service.
    async fn source(&self, database: AwsDatabase) -> TokenSource {
        let ambient = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(database.region.clone()))
            .endpoint_url(&self.url)
            .credentials_provider(SharedCredentialsProvider::new(documented_keys()))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .load()
            .await;
        let provider = provider_from(&ambient, &database).await.unwrap();
        TokenSource { database, provider: OnceCell::new_with(Some(provider)), kept: Mutex::new(None) }
    }
}

fn read_request(stream: &mut TcpStream) -> String {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .to_ascii_lowercase()
                .lines()
                .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the request ends early: {text}");
        request.extend_from_slice(&buffer[..count]);
    }
}

fn keys(number: usize, seconds: u64) -> String {
    let end = SystemTime::now() + Duration::from_secs(seconds);
    let end =
        aws_smithy_types::DateTime::from(end).fmt(aws_smithy_types::date_time::Format::DateTime).unwrap();
    format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
         <AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>secret{number}</SecretAccessKey>\
         <SessionToken>session{number}</SessionToken><Expiration>{end}</Expiration></Credentials>\
         <AssumedRoleUser><AssumedRoleId>A:sync-engine</AssumedRoleId><Arn>arn:aws:sts::1:assumed-role/r/s</Arn>\
         </AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
    )
}

#[tokio::test]
async fn a_role_is_taken_on_once_and_again_before_it_ends() {
    let sts = Sts::start(|number| (200, keys(number, if number == 1 { 3600 } else { 60 })));
    let role = "arn:aws:iam::1:role/sync";
    let source = sts.source(database(Some(role), Some("tenant 1"))).await;
    let (first, second) = tokio::join!(source.token(), source.token());
    for token in [first.unwrap(), second.unwrap()] {
        assert!(token.contains("X-Amz-Credential=ASIA1%2F"), "{token}");
        assert!(token.contains("X-Amz-Security-Token=session1"), "{token}");
        assert!(token.contains(&format!("X-Amz-Signature={}", signature_of(&token, "secret1"))), "{token}");
    }
    let [request] = &sts.requests()[..] else { panic!("{:?}", sts.requests()) };
    for part in [
        "Action=AssumeRole",
        "RoleSessionName=sync-engine",
        "ExternalId=tenant+1",
        "role%2Fsync",
        "AKIAIOSFODNN7EXAMPLE",
    ] {
        assert!(request.contains(part) || request.contains(&part.replace('+', "%20")), "{part}: {request}");
    }
    // Another configuration of the same process has keys of its own, and these end soon.
    let other = sts.source(database(Some(role), Some("tenant 2"))).await;
    assert!(other.token().await.unwrap().contains("ASIA2"));
    assert!(other.token().await.unwrap().contains("ASIA3"), "a minute is too short to be kept");
    assert!(source.token().await.unwrap().contains("ASIA1"));
}

#[tokio::test]
async fn a_role_that_is_refused_is_explained() {
    let refusal = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized to \
                   perform: sts:AssumeRole</Message></Error></ErrorResponse>";
    let sts = Sts::start(move |_| (403, refusal.to_owned()));
    let source = sts.source(database(Some("arn:aws:iam::1:role/sync"), None)).await;
    let error = source.token().await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Auth);
    let text = error.to_string();
    assert!(text.contains("role arn:aws:iam::1:role/sync") && text.contains("sts:AssumeRole"), "{text}");
    assert!(!text.contains("wJalr"), "{text}");
}

#[tokio::test]
async fn without_a_role_the_ambient_credentials_sign() {
    let sts = Sts::start(|_| (500, String::new()));
    let token = sts.source(database(None, None)).await.token().await.unwrap();
    assert!(token.contains("AKIAIOSFODNN7EXAMPLE"), "{token}");
    assert_eq!(sts.requests(), [""; 0]);
}
