//! Proxies, authorities of one's own, and addresses with a path: what lies between here and Stripe.

use std::sync::{Arc, Mutex};

use futures::StreamExt;
use protocol::{ConnectionState, Payload, Source};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use source_stripe::{ProxyRules, StripeSource, StripeSourceOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use crate::reading::{Account, newest, simulation};

/// How the proxy answers.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Passes,
    Refuses(&'static str),
}

/// A proxy on this machine. Whatever host is asked for, it asks `target`.
struct Proxy {
    address: String,
    /// The first line of each connection.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    async fn start(target: String, manner: Manner) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://somebody:hush@{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(pass(connection, target.clone(), manner, Arc::clone(&seen)));
            }
        });
        Proxy { address, asked }
    }

    fn source(&self, no_proxy: &str) -> StripeSource {
        let variable = |name: &str| match name {
            "HTTPS_PROXY" => Some(self.address.as_str()),
            "NO_PROXY" => Some(no_proxy),
            _ => None,
        };
        let proxy = ProxyRules::from_variables(variable).unwrap();
        StripeSource::new(StripeSourceOptions { proxy, ..StripeSourceOptions::default() })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn pass(mut client: TcpStream, target: String, manner: Manner, asked: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match client.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let text = String::from_utf8(head.clone()).unwrap();
    let first = text.lines().next().unwrap().to_owned();
    assert!(text.to_lowercase().contains("proxy-authorization: basic c29tzwjvzhk6ahvzaa=="), "{text}");
    asked.lock().unwrap().push(first.clone());
    if let Manner::Refuses(answer) = manner {
        // The client may be gone already.
        let _ = client.write_all(format!("{answer}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await;
        return;
    }
    let mut server = TcpStream::connect(target).await.unwrap();
    if first.starts_with("CONNECT ") {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    } else {
        server.write_all(&head).await.unwrap();
    }
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

/// TLS in front of `target`, under this name; answers its address and the authority that vouches for it.
async fn encrypted(target: String, name: &str) -> (String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let (acceptor, target) = (acceptor.clone(), target.clone());
            tokio::spawn(async move {
                // Whoever does not trust the certificate goes away.
                let Ok(mut client) = acceptor.accept(connection).await else { return };
                let mut server = TcpStream::connect(target).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (address, authority.pem())
}

async fn account() -> (Account, String) {
    let account = Account::start(&newest(), simulation(&newest()).table("charge", 3)).await;
    let address = account.running.url().strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
    (account, address)
}

/// Whether the source can be used, and what it says.
async fn check(source: &StripeSource, account: &Account) -> (bool, String) {
    let mut messages = source.check(account.config());
    match messages.next().await.unwrap() {
        Ok(message) => match message.payload {
            Payload::ConnectionStatus(status) => {
                (status.status == ConnectionState::Succeeded, status.message.unwrap_or_default())
            }
            other => panic!("{other:?}"),
        },
        Err(error) => (false, error.to_string()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_go_through_the_proxy_and_an_authority_of_ones_own_is_trusted() {
    let (mut account, address) = account().await;
    let (tls, authority) = encrypted(address, "api.stripe.test").await;
    let proxy = Proxy::start(tls, Manner::Passes).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &authority).unwrap();
    for certificate in [authority.as_str(), file.to_str().unwrap()] {
        account.config = json!({"base_url": "https://api.stripe.test", "ca_certificate": certificate});
        let (ok, text) = check(&proxy.source(""), &account).await;
        assert!(ok, "{text}");
    }
    assert_eq!(
        proxy.asked(),
        ["CONNECT api.stripe.test:443 HTTP/1.1", "CONNECT api.stripe.test:443 HTTP/1.1"]
    );

    // Nobody else vouches for it.
    account.config = json!({"base_url": "https://api.stripe.test"});
    let (ok, text) = check(&proxy.source(""), &account).await;
    assert!(!ok && text.contains("cannot reach api.stripe.test by way of the proxy 127.0.0.1:"), "{text}");
    assert!(text.to_lowercase().contains("certificate") && !text.contains("hush"), "{text}");
    account.config = json!({"ca_certificate": "/nowhere.pem"});
    let (ok, text) = check(&proxy.source(""), &account).await;
    assert!(!ok && text.contains("ca_certificate: the file /nowhere.pem cannot be read"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_requests_go_through_the_proxy_too_and_exceptions_do_not() {
    let (mut account, address) = account().await;
    let proxy = Proxy::start(address.clone(), Manner::Passes).await;
    account.config = json!({"base_url": "http://api.stripe.test"});
    let (ok, text) = check(&proxy.source("10.0.0.0/8"), &account).await;
    assert!(ok, "{text}");
    assert_eq!(proxy.asked(), ["GET http://api.stripe.test/v1/account HTTP/1.1"]);
    // The name exists nowhere, so that it cannot be reached without the proxy.
    let (ok, _) = check(&proxy.source("*.stripe.test"), &account).await;
    assert!(!ok);
    // This machine is always asked directly.
    account.config = json!({});
    assert!(check(&proxy.source(""), &account).await.0);
    assert_eq!(proxy.asked().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_refuses_is_named() {
    let (mut account, _) = account().await;
    account.config = json!({"base_url": "https://api.stripe.test"});
    for (answer, word) in [
        ("HTTP/1.1 407 Proxy Authentication Required", "authorization required"),
        ("HTTP/1.1 403 Forbidden", "unsuccessful"),
    ] {
        let proxy = Proxy::start(String::new(), Manner::Refuses(answer)).await;
        let (ok, text) = check(&proxy.source(""), &account).await;
        assert!(!ok && text.contains("by way of the proxy 127.0.0.1:"), "{text}");
        assert!(text.contains(word) && !text.contains("hush"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_may_have_a_path() {
    let (mut account, _) = account().await;
    let refused = Manner::Refuses("HTTP/1.1 404 Not Found");
    for base in ["http://gateway.test/stripe/eu", "http://gateway.test/stripe/eu/"] {
        let proxy = Proxy::start(String::new(), refused).await;
        account.config = json!({"base_url": base});
        assert!(!check(&proxy.source(""), &account).await.0);
        assert_eq!(proxy.asked(), ["GET http://gateway.test/stripe/eu/v1/account HTTP/1.1"]);
    }
}
