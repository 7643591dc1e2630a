//! Ways to a real server: sockets, proxies, passwords, limits, and a pooler in between.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use test_utils::postgres::{Cluster, Settings, shared_cluster, shared_database};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use util_postgres::{
    Address, ConnectOptions, Database, FailureKind, PostgresError, Proxy, TransactionLimits,
};

fn options() -> ConnectOptions {
    ConnectOptions { application_name: "login test".to_owned(), connections: 2, ..ConnectOptions::default() }
}

/// What one value of SQL is, over a fresh connection.
async fn ask(url: &str, options: &ConnectOptions, sql: &str) -> Result<String, PostgresError> {
    let database = Database::new(&Address::parse(url)?, options)?;
    let connection = database.connect().await?;
    let rows = connection.simple_query(sql).await.map_err(|error| database.failure(error))?;
    let value = rows.iter().find_map(|row| match row {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    Ok(value.unwrap())
}

#[tokio::test]
async fn a_socket_is_a_host() {
    let cluster = shared_cluster();
    let directory = cluster.socket_directory().display().to_string();
    let encoded = directory.replace('/', "%2F");
    for url in [
        format!("host={directory} port={} user=postgres dbname=postgres", cluster.port()),
        format!("postgres://postgres@{encoded}:{}/postgres", cluster.port()),
    ] {
        let sql = "SELECT coalesce(host(inet_client_addr()), 'a socket')";
        assert_eq!(ask(&url, &options(), sql).await.unwrap(), "a socket");
        // A proxy leads to other machines.
        let proxy = Proxy { host: "127.0.0.1".to_owned(), port: 1, except: Vec::new() };
        let options = ConnectOptions { proxy: Some(proxy), ..options() };
        assert_eq!(ask(&url, &options, sql).await.unwrap(), "a socket");
    }
}

#[tokio::test]
async fn names_and_limits_reach_the_server() {
    let url = shared_database().await;
    let name = "SELECT current_setting('application_name')";
    assert_eq!(ask(&url, &options(), name).await.unwrap(), "login test");
    assert_eq!(ask(&format!("{url}?application_name=mine"), &options(), name).await.unwrap(), "mine");

    let limits = TransactionLimits {
        statement: Some(Duration::from_millis(1500)),
        lock: Some(Duration::from_millis(700)),
        idle: Some(Duration::from_secs(9)),
    };
    let database =
        Database::new(&Address::parse(&url).unwrap(), &ConnectOptions { limits, ..options() }).unwrap();
    let mut connection = database.connect().await.unwrap();
    let settings = "SELECT concat_ws(' ', current_setting('statement_timeout'), current_setting('lock_timeout'), \
                    current_setting('idle_in_transaction_session_timeout'))";
    let transaction = connection.transaction().await.unwrap();
    let inside: String = transaction.query_one(settings, &[]).await.unwrap().get(0);
    transaction.commit().await.unwrap();
    let outside: String = connection.query_one(settings, &[]).await.unwrap().get(0);
    assert_eq!((&*inside, &*outside), ("1500ms 700ms 9s", "0 0 0"));

    let transaction = connection.transaction().await.unwrap();
    let error = transaction.batch_execute("SELECT pg_sleep(60)").await.unwrap_err();
    assert!(database.failure(error).is_transient());
}

#[tokio::test]
async fn a_password_may_come_from_a_file_and_change() {
    let cluster = shared_cluster();
    cluster.execute("CREATE ROLE filed LOGIN PASSWORD 'first one'").await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    let options = ConnectOptions { password_file: Some(file.clone()), ..options() };
    let url = format!("postgres://filed@127.0.0.1:{}/postgres", cluster.port());
    let who = "SELECT current_user";
    let missing = ask(&url, &options, who).await.unwrap_err();
    assert_eq!(missing.kind(), FailureKind::Config);
    assert!(missing.to_string().contains("cannot be read: No such file"), "{missing}");
    std::fs::write(&file, "first one\n").unwrap();

    let database = Database::new(&Address::parse(&url).unwrap(), &options).unwrap();
    let first = database.connect().await.unwrap();
    cluster.execute("ALTER ROLE filed PASSWORD ' second'").await;
    let refused = database.connect().await.unwrap_err();
    assert_eq!(refused.kind(), FailureKind::Auth);
    assert!(!refused.to_string().contains("first one"), "{refused}");
    std::fs::write(&file, " second\r\n").unwrap();
    drop((first, database.connect().await.unwrap()));

    std::fs::write(&file, "\n").unwrap();
    assert!(ask(&url, &options, who).await.unwrap_err().to_string().contains("is empty"));
    let twice = format!("postgres://filed:word@127.0.0.1:{}/postgres", cluster.port());
    assert!(ask(&twice, &options, who).await.unwrap_err().to_string().contains("given twice"));
}

/// A proxy on loopback. Answers its port and how many tunnels it opened.
async fn proxy(status: &'static str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let opened = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&opened);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let counter = Arc::clone(&counter);
            tokio::spawn(tunnel(client, status, counter));
        }
    });
    (port, opened)
}

async fn tunnel(mut client: TcpStream, status: &'static str, opened: Arc<AtomicUsize>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap();
    assert!(head.contains(&format!("\r\nHost: {target}\r\n")), "{head}");
    if status != "HTTP/1.1 200 Connection established" {
        client.write_all(format!("{status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).await.unwrap();
        return;
    }
    opened.fetch_add(1, Ordering::Relaxed);
    // A name that only the proxy knows.
    let target = target.replace("db.example.com", "127.0.0.1");
    let mut server = TcpStream::connect(target).await.unwrap();
    client.write_all(format!("{status}\r\nVia: a proxy\r\n\r\n").as_bytes()).await.unwrap();
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

fn through(port: u16, except: &[&str]) -> ConnectOptions {
    let except = except.iter().map(ToString::to_string).collect();
    ConnectOptions { proxy: Some(Proxy { host: "127.0.0.1".to_owned(), port, except }), ..options() }
}

#[tokio::test]
async fn a_proxy_may_be_in_between() {
    let url = shared_database().await;
    let (port, opened) = proxy("HTTP/1.1 200 Connection established").await;
    assert_eq!(ask(&url, &through(port, &["localhost"]), "SELECT 1").await.unwrap(), "1");
    assert_eq!(opened.load(Ordering::Relaxed), 1);
    assert_eq!(ask(&url, &through(port, &["127.0.0.1"]), "SELECT 1").await.unwrap(), "1");
    assert_eq!(opened.load(Ordering::Relaxed), 1, "this host needs none");
    // The second of two hosts is the one that takes writes.
    let server = shared_cluster().port();
    let hosts = format!("postgres://postgres@127.0.0.1:1,127.0.0.1:{server}/postgres");
    for (attributes, works) in [("read-write", true), ("read-only", false)] {
        let url = format!("{hosts}?target_session_attrs={attributes}");
        let result = ask(&url, &through(port, &["127.0.0.1"]), "SELECT 1").await;
        assert_eq!(result.is_ok(), works, "{attributes}: {result:?}");
    }
}

#[tokio::test]
async fn a_proxy_may_refuse() {
    let url = shared_database().await;
    for (status, kind) in [
        ("HTTP/1.1 407 Proxy Authentication Required", FailureKind::Config),
        ("HTTP/1.0 503 Service Unavailable", FailureKind::Transient),
        ("SSH-2.0-OpenSSH", FailureKind::Config),
    ] {
        let (port, _) = proxy(status).await;
        let error = ask(&url, &through(port, &[]), "SELECT 1").await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains(&format!("proxy CONNECT failed: {status}")), "{error}");
    }
    let error = ask(&url, &through(1, &[]), "SELECT 1").await.unwrap_err();
    assert!(error.to_string().contains("the proxy 127.0.0.1:1 cannot be reached"), "{error}");
    // One that takes the connection and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let limit = ConnectOptions {
        connect_timeout: Some(Duration::from_millis(200)),
        ..through(silent.local_addr().unwrap().port(), &[])
    };
    let error = ask(&url, &limit, "SELECT 1").await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("does not answer"), "{error}");
}

/// A server of the wide world has to prove who it is unless told. The proxy leads its name to a server
/// that cannot.
#[tokio::test]
async fn the_safe_default_says_how_to_relax_it() {
    let (port, _) = proxy("HTTP/1.1 200 Connection established").await;
    let at =
        |mode: &str| format!("postgres://postgres@db.example.com:{}/postgres{mode}", shared_cluster().port());
    let error = ask(&at(""), &through(port, &[]), "SELECT 1").await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Config);
    let text = error.to_string();
    assert!(text.contains("does not support TLS") && text.contains("No sslmode was given"), "{text}");
    let error = ask(&at("?sslmode=verify-full"), &through(port, &[]), "SELECT 1").await.unwrap_err();
    assert!(!error.to_string().contains("No sslmode was given"), "{error}");
    for mode in ["?sslmode=disable", "?sslmode=prefer"] {
        assert_eq!(ask(&at(mode), &through(port, &[]), "SELECT 1").await.unwrap(), "1");
    }
}

/// Passwords by SCRAM, where the server also proves that it knows them.
#[tokio::test]
async fn scram_logs_in() {
    let cluster = Cluster::start_with(Settings::default());
    cluster.execute("CREATE ROLE scrambled LOGIN PASSWORD 'pä\"ss:/@'").await;
    let url = format!(
        "postgres://scrambled:p%C3%A4%22ss%3A%2F%40@127.0.0.1:{}/postgres?channel_binding=prefer",
        cluster.port()
    );
    assert_eq!(ask(&url, &options(), "SELECT current_user").await.unwrap(), "scrambled");
    let bound = url.replace("prefer", "require");
    let error = ask(&bound, &options(), "SELECT 1").await.unwrap_err();
    assert!(error.to_string().contains("channel binding"), "{error}");
}
