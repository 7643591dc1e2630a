//! A large table gains columns while others read and write it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use stripe_simulator::Simulator;
use tempfile::TempDir;
use test_utils::postgres::Cluster;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};

use crate::database::Database;
use crate::process::Sync;

/// Columns that the table lacks at first: texts, numbers, flags, objects, references.
const GAINED: [&str; 8] =
    ["address", "balance", "delinquent", "email", "invoice_settings", "livemode", "name", "default_source"];

/// Objects that the account has; the table gets the others as copies of them.
const ORIGINALS: u64 = 200;

/// What others noticed.
#[derive(Debug)]
pub struct Seen {
    /// Rows in the table.
    pub rows: i64,
    /// Size of the table with what is stored out of line, before, in MiB.
    pub table_mib: i64,
    /// How long the change took.
    pub took: Duration,
    /// Statements of the reader and of the writer meanwhile.
    pub statements: usize,
    /// The longest that one of them took before the change, and during it.
    pub longest_before: Duration,
    /// See `longest_before`.
    pub longest_during: Duration,
    /// The longest that one of them waited for a lock during the change.
    pub longest_wait: Duration,
}

/// Gives a table of `rows` rows eight columns, by `sync-engine setup`, while one session reads and one writes; ends
/// with every row having them.
pub async fn prove(rows: i64) -> Result<Seen> {
    let version = stripe_openapi::embedded::newest_version();
    let catalog =
        stripe_openapi::embedded::catalog(version).with_context(|| format!("no catalog for {version}"))?;
    let simulator = Simulator::builder(catalog).objects(ORIGINALS).start().await?;
    let cluster = Cluster::start();
    let url = cluster.url();
    let (folder, database) = (TempDir::new()?, Database::Postgres(url.clone()));
    let words = folder.path().join("words");
    let sync = Sync::new(&simulator, &database, None).streams(&["customer"]);
    sync.run(&words).await?;

    let client = connect(&url).await?;
    let drop: Vec<String> = GAINED.iter().map(|column| format!("DROP COLUMN \"{column}\"")).collect();
    client.batch_execute(&format!("ALTER TABLE stripe.customer {}", drop.join(", "))).await?;
    let copy = "WITH originals AS MATERIALIZED (SELECT _raw_data, _updated_at, row_number() OVER () - 1 AS place, \
                count(*) OVER () AS originals FROM stripe.customer) \
                INSERT INTO stripe.customer (_raw_data, _updated_at) \
                SELECT jsonb_set(_raw_data, '{id}', to_jsonb('copy_' || n)), _updated_at \
                FROM generate_series(1, $1::bigint) AS n, originals WHERE place = n % originals";
    client.execute(copy, &[&rows]).await?;
    for sql in ["VACUUM ANALYZE stripe.customer", "CHECKPOINT"] {
        client.batch_execute(sql).await?;
    }
    let before = client
        .query_one(
            "SELECT pg_relation_filenode('stripe.customer'), pg_table_size('stripe.customer') >> 20",
            &[],
        )
        .await?;
    let (file, table_mib): (u32, i64) = (before.get(0), before.get(1));

    let alone = Traffic::start(&url, rows).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let alone = alone.stop().await?;
    let during = Traffic::start(&url, rows).await?;
    let started = Instant::now();
    sync.command("setup").run(&words).await?;
    let took = started.elapsed();
    let during = during.stop().await?;

    let after = client
        .query_one("SELECT count(*), pg_relation_filenode('stripe.customer') FROM stripe.customer", &[])
        .await?;
    ensure!(after.get::<_, u32>(1) == file, "the table was rewritten");
    let wrong = "SELECT count(*) FROM stripe.customer WHERE address IS DISTINCT FROM _raw_data->'address' \
                 OR balance IS DISTINCT FROM (_raw_data->>'balance')::bigint OR name IS DISTINCT FROM _raw_data->>'name' \
                 OR livemode IS DISTINCT FROM (_raw_data->>'livemode')::boolean \
                 OR email IS DISTINCT FROM _raw_data->>'email'";
    let wrong: i64 = client.query_one(wrong, &[]).await?.get(0);
    ensure!(wrong == 0, "{wrong} rows lack what their payload says:\n{}", std::fs::read_to_string(&words)?);
    simulator.stop().await;
    Ok(Seen {
        rows: after.get(0),
        table_mib,
        took,
        statements: during.statements,
        longest_before: alone.longest,
        longest_during: during.longest,
        longest_wait: during.longest_wait,
    })
}

async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// A reader, a writer, and somebody who watches what they wait for.
struct Traffic {
    ended: Arc<AtomicBool>,
    users: Vec<JoinHandle<Result<(usize, Duration)>>>,
    watcher: JoinHandle<Result<Duration>>,
}

struct Noticed {
    statements: usize,
    longest: Duration,
    longest_wait: Duration,
}

impl Traffic {
    async fn start(url: &str, rows: i64) -> Result<Traffic> {
        let ended = Arc::new(AtomicBool::new(false));
        let read = "SELECT count(_raw_data->>'id') FROM stripe.customer WHERE id = 'copy_' || $1::bigint";
        let write = "UPDATE stripe.customer SET _synced_at = now(), _raw_data = jsonb_set(_raw_data, '{name}', '\"New\"') \
                     WHERE id = 'copy_' || $1::bigint";
        let mut users = Vec::new();
        for sql in [read, write] {
            let (client, ended) = (connect(url).await?, Arc::clone(&ended));
            users.push(tokio::spawn(async move {
                let (mut count, mut longest, mut number) = (0, Duration::ZERO, 1);
                while !ended.load(Ordering::Relaxed) {
                    number = (number * 48_271) % 2_147_483_647;
                    let started = Instant::now();
                    client.execute(sql, &[&(number % rows + 1)]).await?;
                    longest = longest.max(started.elapsed());
                    count += 1;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                Ok((count, longest))
            }));
        }
        let (client, watched) = (connect(url).await?, Arc::clone(&ended));
        let watcher = tokio::spawn(async move {
            // Only those who read and write, not the change itself.
            let waits = "SELECT COALESCE(max(extract(epoch FROM clock_timestamp() - l.waitstart)), 0)::float8 \
                         FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) \
                         WHERE NOT l.granted AND a.application_name NOT LIKE 'sync-engine%'";
            let mut longest: f64 = 0.0;
            while !watched.load(Ordering::Relaxed) {
                longest = longest.max(client.query_one(waits, &[]).await?.get(0));
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Ok(Duration::from_secs_f64(longest))
        });
        Ok(Traffic { ended, users, watcher })
    }

    async fn stop(self) -> Result<Noticed> {
        self.ended.store(true, Ordering::Relaxed);
        let mut noticed =
            Noticed { statements: 0, longest: Duration::ZERO, longest_wait: self.watcher.await?? };
        for user in self.users {
            let (count, longest) = user.await??;
            noticed.statements += count;
            noticed.longest = noticed.longest.max(longest);
        }
        Ok(noticed)
    }
}
