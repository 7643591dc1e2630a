//! The suite that every destination must pass.

use std::sync::Arc;

use destination_postgres::PostgresDestination;
use protocol::{AnyDestination, Stream};
use serde_json::json;
use test_utils::conformance::Config;
use test_utils::conformance::destination::{DestinationFixture, Exactness, Rows, run_all};
use test_utils::postgres::shared_database;
use tokio_postgres::{Client, NoTls};
use util_postgres::{quote_identifier, shorten_identifier};

/// With the projection under test.
struct Fixture(&'static str);

impl Fixture {
    fn config(&self, url: &str) -> Config {
        let config = json!({"url": url, "schema": "stripe", "projection": self.0});
        config.as_object().cloned().unwrap()
    }
}

async fn client(config: &Config) -> anyhow::Result<Client> {
    let url = config["url"].as_str().unwrap();
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

impl DestinationFixture for Fixture {
    fn destination(&self) -> Arc<dyn AnyDestination> {
        Arc::new(PostgresDestination)
    }

    fn exactness(&self) -> Exactness {
        Exactness::Value
    }

    async fn fresh(&self) -> anyhow::Result<Config> {
        Ok(self.config(&shared_database().await))
    }

    async fn unusable(&self) -> anyhow::Result<Vec<Config>> {
        let url = shared_database().await;
        let database = url.rsplit('/').next().unwrap();
        let read_only = format!("ALTER DATABASE {database} SET default_transaction_read_only = on");
        client(&self.config(&url)).await?.batch_execute(&read_only).await?;
        Ok(vec![
            self.config(&format!("{url}_missing")),
            self.config("postgres://nobody@127.0.0.1:1/nothing"),
            self.config(&url),
        ])
    }

    async fn rows(&self, config: &Config, stream: &Stream) -> anyhow::Result<Option<Rows>> {
        let client = client(config).await?;
        let table = format!("stripe.{}", quote_identifier(&shorten_identifier(&stream.name)));
        let there = client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).await?;
        if !there.get::<_, bool>(0) {
            return Ok(None);
        }
        let key: Vec<String> = stream
            .key_fields()
            .into_iter()
            .map(|field| quote_identifier(&shorten_identifier(field)))
            .collect();
        let sql = format!("SELECT ARRAY[{}], _raw_data::text FROM {table}", key.join(", "));
        let rows = client.query(&sql, &[]).await?;
        Ok(Some(rows.iter().map(|row| (row.get(0), row.get(1))).collect()))
    }

    async fn make_foreign_table(&self, config: &Config) -> anyhow::Result<()> {
        let sql = "CREATE SCHEMA IF NOT EXISTS stripe; CREATE TABLE stripe.mine AS SELECT 7 AS x";
        Ok(client(config).await?.batch_execute(sql).await?)
    }

    async fn foreign_table_is_whole(&self, config: &Config) -> anyhow::Result<bool> {
        let row =
            client(config).await?.query_one("SELECT array_agg(x) = ARRAY[7] FROM stripe.mine", &[]).await?;
        Ok(row.get(0))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    run_all(&Fixture("generated")).await.assert_passed();
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms_with_typed_columns() {
    run_all(&Fixture("typed")).await.assert_passed();
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms_with_views() {
    run_all(&Fixture("view")).await.assert_passed();
}
