//! Connecting: encryption, keys, and what is wrong with what was given.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use secrecy::SecretString;
use service::temporal::{Address, Client, Link, Tls};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::server::Server;

/// Somebody who signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "Some Authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.as_ref().pem()
    }

    /// A certificate for this name, and its key.
    fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }
}

/// Encrypts what is sent to a server, as `temporal.test`, for those only whose certificate the authority signed. Answers its port.
async fn encrypting(server: &Server, authority: &Authority) -> u16 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (certificate, key) = authority.sign("temporal.test");
    let mut trusted = RootCertStore::empty();
    trusted.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let verifier = WebPkiClientVerifier::builder(Arc::new(trusted)).build().unwrap();
    let mut config = rustls::ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let address = server.address();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (acceptor, address) = (acceptor.clone(), address.clone());
            tokio::spawn(async move {
                // Who is refused has gone away.
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let mut server = TcpStream::connect(address).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_encrypted_and_both_sides_are_known() {
    let (server, authority) = (Server::start().await, Authority::new());
    let port = encrypting(&server, &authority).await;
    let identity = |authority: &Authority| {
        let (certificate, key) = authority.sign("sync-service");
        (certificate, SecretString::from(key))
    };
    let given = Tls {
        ca: Some(authority.pem()),
        server_name: Some("temporal.test".to_owned()),
        identity: Some(identity(&authority)),
    };
    let stranger = Authority::new();
    let connect = async |tls: Tls| {
        let address = format!("localhost:{port}");
        // A key travels only where the connection is encrypted.
        let api_key = Some(SecretString::from("a-key"));
        let to = Address { address, tls: Some(tls), api_key, ..Address::default() };
        match Client::connect(&to).await {
            Ok(client) => client.describe("nobody").await.map(|_| ()),
            Err(error) => Err(error),
        }
    };
    connect(given.clone()).await.unwrap();
    for (what, wrong) in [
        ("another authority", Tls { ca: Some(stranger.pem()), ..given.clone() }),
        ("what the system trusts", Tls { ca: None, ..given.clone() }),
        ("another name", Tls { server_name: Some("other.test".to_owned()), ..given.clone() }),
        ("no certificate of ours", Tls { identity: None, ..given.clone() }),
        ("one of somebody else's", Tls { identity: Some(identity(&stranger)), ..given.clone() }),
    ] {
        let error = connect(wrong).await.expect_err(what).to_string();
        assert!(error.starts_with("cannot connect to Temporal at localhost:"), "{what}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_waited_for() {
    let mut server = Server::start().await;
    server.kill();
    let link = Link::open(server.at()).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let away = link.now().err().expect("it is away").to_string();
    assert!(away.contains("it could not be reached so far"), "{away}");
    server.restart().await;
    let client = link.connected().await.unwrap();
    assert_eq!(client.describe("nobody").await.unwrap(), None);
}

/// What the program says, which ends at once as it was used wrongly.
fn refused(folder: &Path, words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_sync-service"))
        .args(words)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("TEMPORAL_ADDRESS", "127.0.0.1:1")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
    assert!(!said.contains("planted"), "{said}");
    said
}

#[test]
fn what_is_wrong_is_said_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = Authority::new().sign("sync-service");
    for (name, text) in
        [("cert.pem", &*certificate), ("key.pem", &key), ("words", "planted words"), ("empty", "")]
    {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    for (words, expected) in [
        (
            &["--temporal-tls-ca", "nowhere.pem"][..],
            "--temporal-tls-ca: nowhere.pem cannot be read: No such file",
        ),
        (&["--temporal-tls-ca", "words"], "--temporal-tls-ca: words holds no certificate in PEM (-----BEGIN"),
        (&["--temporal-tls-ca", "empty"], "--temporal-tls-ca: empty holds no certificate"),
        (&["--temporal-tls-ca", "key.pem"], "--temporal-tls-ca: key.pem holds no certificate"),
        (
            &["--temporal-tls-cert", "cert.pem", "--temporal-tls-key", "nowhere"],
            "--temporal-tls-key: nowhere cannot be read",
        ),
        (
            &["--temporal-tls-cert", "cert.pem", "--temporal-tls-key", "cert.pem"],
            "--temporal-tls-key: cert.pem holds no private key in PEM",
        ),
        (&["--temporal-tls-cert", "cert.pem"], "--temporal-tls-key <FILE>"),
        (&["--temporal-address", "ftp://temporal"], "the Temporal address `ftp://temporal` is none"),
        (
            &["--temporal-address", "http://temporal:7233", "--temporal-api-key", "plantedkey"],
            "TLS and API keys need an https:// address",
        ),
    ] {
        for program in ["serve", "worker", "webhook"] {
            let said = refused(folder.path(), &[&[program], words].concat());
            assert!(said.contains(expected), "{program} {words:?}: {said}");
        }
    }
    let left = std::fs::read_dir(folder.path()).unwrap().filter(|entry| {
        !["cert.pem", "key.pem", "words", "empty"]
            .contains(&entry.as_ref().unwrap().file_name().to_str().unwrap())
    });
    assert_eq!(left.count(), 0, "nothing was made");
}
