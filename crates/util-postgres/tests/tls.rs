//! Encrypted connections to a real server.
#![allow(clippy::unwrap_used, missing_docs)]

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use test_utils::postgres::{Cluster, Settings};
use util_postgres::{Address, ConnectOptions, Database, FailureKind, PostgresError};

struct Server {
    cluster: Cluster,
    /// Of the server's certificate, which names `localhost` only.
    authority: String,
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "Some Authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn server(access: &[&str]) -> Server {
    let authority = authority();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let settings = Settings {
        tls: Some((certificate.pem(), key.serialize_pem())),
        access: access.iter().map(ToString::to_string).collect(),
        ..Settings::default()
    };
    Server { cluster: Cluster::start_with(settings), authority: authority.as_ref().pem() }
}

/// Connects, and says whether the connection is encrypted.
async fn encrypted(url: &str, ssl_ca_pem: Option<&str>) -> Result<bool, PostgresError> {
    let options = ConnectOptions {
        application_name: "tls test".to_owned(),
        connections: 1,
        ssl_ca_pem: ssl_ca_pem.map(str::to_owned),
        ..ConnectOptions::default()
    };
    let database = Database::new(&Address::parse(url)?, &options)?;
    let connection = database.connect().await?;
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    Ok(connection.query_one(sql, &[]).await.map_err(|error| database.failure(error))?.get(0))
}

#[tokio::test]
async fn each_mode_does_what_it_says() {
    let Server { cluster, authority: trusted } = server(&[]);
    let stranger = authority().as_ref().pem();
    let url = |host: &str, mode: &str| {
        format!("postgres://postgres@{host}:{}/postgres?sslmode={mode}", cluster.port())
    };
    // The certificate names localhost, not 127.0.0.1.
    for (host, mode, pem, expected) in [
        ("127.0.0.1", "disable", None, Some(false)),
        ("127.0.0.1", "allow", None, Some(false)),
        ("127.0.0.1", "prefer", None, Some(true)),
        ("127.0.0.1", "require", None, Some(true)),
        ("127.0.0.1", "require", Some(&stranger), None),
        ("127.0.0.1", "verify-ca", Some(&trusted), Some(true)),
        ("127.0.0.1", "verify-ca", Some(&stranger), None),
        ("127.0.0.1", "verify-ca", None, None),
        ("127.0.0.1", "verify-full", Some(&trusted), None),
        ("localhost", "verify-full", Some(&trusted), Some(true)),
        ("localhost", "verify-full", Some(&stranger), None),
    ] {
        let result = encrypted(&url(host, mode), pem.map(String::as_str)).await;
        match (result, expected) {
            (Ok(encrypted), Some(expected)) => assert_eq!(encrypted, expected, "{host} {mode}"),
            (Err(error), None) => assert_eq!(error.kind(), FailureKind::Config, "{host} {mode}: {error}"),
            (result, expected) => panic!("{host} {mode}: {result:?}, expected {expected:?}"),
        }
    }
    let plain = encrypted(&format!("postgres://postgres@127.0.0.1:{}/postgres", cluster.port()), None).await;
    assert!(!plain.unwrap(), "this machine needs no encryption");
    let error = encrypted(&url("127.0.0.1", "verify-full"), Some(&trusted)).await.unwrap_err().to_string();
    assert!(
        error.contains("TLS failed") && error.contains("use the host name in the certificate"),
        "{error}"
    );
}

#[tokio::test]
async fn the_authority_may_be_a_file() {
    let Server { cluster, authority: trusted } = server(&[]);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("root ca.pem");
    std::fs::write(&file, trusted).unwrap();
    let url = |file: &str| {
        format!(
            "host=localhost port={} user=postgres sslmode=verify-full sslrootcert='{file}'",
            cluster.port()
        )
    };
    assert!(encrypted(&url(&file.display().to_string()), None).await.unwrap());
    let error = encrypted(&url("/no/such.pem"), None).await.unwrap_err();
    assert!(error.to_string().contains("sslrootcert /no/such.pem is not readable"), "{error}");
    let error =
        encrypted(&format!("{}?sslmode=verify-ca", cluster.url()), Some("nonsense")).await.unwrap_err();
    assert!(error.to_string().contains("ssl_ca_pem holds no certificate"), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_said() {
    let cluster = Cluster::start();
    let url = |mode: &str| format!("{}?sslmode={mode}", cluster.url());
    assert!(!encrypted(&url("prefer"), None).await.unwrap());
    let error = encrypted(&url("require"), None).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Config);
    assert!(error.to_string().contains("server does not support TLS"), "{error}");
}

#[tokio::test]
async fn a_server_that_insists_is_obeyed() {
    let Server { cluster, .. } =
        server(&["hostssl all all 127.0.0.1/32 trust", "host all all 127.0.0.1/32 reject"]);
    let url =
        |mode: &str| format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode={mode}", cluster.port());
    for mode in ["require", "prefer", "allow"] {
        assert!(encrypted(&url(mode), None).await.unwrap(), "{mode}");
    }
    let error = encrypted(&url("disable"), None).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Auth);
    assert!(error.to_string().contains("no encryption"), "{error}");
}

#[tokio::test]
async fn a_server_that_wants_no_encryption_is_obeyed_where_that_may_be() {
    let Server { cluster, .. } =
        server(&["hostnossl all all 127.0.0.1/32 trust", "host all all 127.0.0.1/32 reject"]);
    let url =
        |mode: &str| format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode={mode}", cluster.port());
    for mode in ["prefer", "allow", "disable"] {
        assert!(!encrypted(&url(mode), None).await.unwrap(), "{mode}");
    }
    assert_eq!(encrypted(&url("require"), None).await.unwrap_err().kind(), FailureKind::Auth);
}

/// Against a server with somebody else's certificate, the password over SCRAM with channel binding is
/// bound to this connection.
#[tokio::test]
async fn scram_binds_to_the_channel() {
    let Server { cluster, authority: trusted } = server(&[]);
    cluster.execute("CREATE ROLE bound LOGIN PASSWORD 'secret'").await;
    let url = |mode: &str| {
        format!(
            "postgres://bound:secret@localhost:{}/postgres?sslmode={mode}&channel_binding=require",
            cluster.port()
        )
    };
    assert!(encrypted(&url("verify-full"), Some(&trusted)).await.unwrap());
    assert!(encrypted(&url("require"), None).await.unwrap());
    assert!(encrypted(&url("disable"), None).await.is_err());
}

/// The server must know whom the certificate names.
#[tokio::test]
async fn a_client_certificate_logs_in() {
    let clients = authority();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "postgres");
    let certificate = params.signed_by(&key, &clients).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (certificate, key) =
        (place("client.crt", &certificate.pem()), place("client.key", &key.serialize_pem()));

    let server_key = KeyPair::generate().unwrap();
    let server_params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let server_certificate = server_params.signed_by(&server_key, &clients).unwrap();
    // The server reads the authority from its own certificate's file, which holds both.
    let chain = server_certificate.pem() + &clients.as_ref().pem();
    let cluster = Cluster::start_with(Settings {
        tls: Some((chain, server_key.serialize_pem())),
        options: vec![("ssl_ca_file".to_owned(), "server.crt".to_owned())],
        access: vec!["hostssl all all 127.0.0.1/32 cert".to_owned()],
        ..Settings::default()
    });
    let base = format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode=require", cluster.port());
    let text = |path: &str| std::fs::read_to_string(path).unwrap();
    let options = ConnectOptions {
        ssl_identity_pem: Some((text(&certificate), text(&key).into())),
        ..ConnectOptions::default()
    };
    let database = Database::new(&Address::parse(&base).unwrap(), &options).unwrap();
    drop(database.connect().await.unwrap());
    let with = |key: &str| format!("{base}&sslcert={certificate}&sslkey={key}");
    assert!(encrypted(&with(&key), None).await.unwrap());
    assert_eq!(encrypted(&base, None).await.unwrap_err().kind(), FailureKind::Auth);
    let error = encrypted(&with("/no/such.key"), None).await.unwrap_err();
    assert!(error.to_string().contains("/no/such.key is not a readable PEM file"), "{error}");
}
