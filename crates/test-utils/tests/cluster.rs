//! The throw-away servers themselves.

use test_utils::postgres::{Cluster, shared_database};
use tokio_postgres::{Client, NoTls};

async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

#[tokio::test]
async fn shared_databases_are_separate() {
    let (one, two) = (shared_database().await, shared_database().await);
    assert_ne!(one, two);
    connect(&one).await.unwrap().batch_execute("CREATE TABLE t (x int)").await.unwrap();
    assert!(connect(&two).await.unwrap().batch_execute("SELECT * FROM t").await.is_err());
}

#[tokio::test]
async fn a_crash_keeps_what_was_committed() {
    let cluster = Cluster::start();
    let client = connect(&cluster.url()).await.unwrap();
    client.batch_execute("CREATE TABLE t (x int); INSERT INTO t VALUES (7)").await.unwrap();
    client.batch_execute("BEGIN; INSERT INTO t VALUES (8)").await.unwrap();
    cluster.stop_immediate();
    assert!(connect(&cluster.url()).await.is_err());
    cluster.resume();
    let client = connect(&cluster.url()).await.unwrap();
    let rows: Vec<i32> =
        client.query("SELECT x FROM t", &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(rows, [7]);
    assert!(cluster.kill_backends().await >= 1);
    assert!(client.batch_execute("SELECT 1").await.is_err());
}

#[tokio::test]
async fn nothing_is_left_behind() {
    let cluster = Cluster::start();
    let (url, directory) = (cluster.url(), cluster.socket_directory().to_owned());
    connect(&url).await.unwrap();
    drop(cluster);
    assert!(connect(&url).await.is_err());
    assert!(!directory.exists());
}
