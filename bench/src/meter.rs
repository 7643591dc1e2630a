//! What work costs: time, processors of client and server, log and disk.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use test_utils::postgres::{Cluster, Settings};
use tokio_postgres::{Client, NoTls};

/// `/proc` counts processor time in hundredths of a second on every Linux.
const TICK: f64 = 0.01;

/// A server for the measurements: durable, and large enough that no checkpoint falls into one.
pub(crate) fn server() -> Cluster {
    let options = [
        ("shared_buffers", "1GB"),
        ("max_wal_size", "16GB"),
        ("checkpoint_timeout", "1h"),
        ("autovacuum", "off"),
    ];
    let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Cluster::start_with(Settings { fsync: true, options: options.into(), ..Settings::default() })
}

pub(crate) async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// What one piece of work cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// Processor seconds of this process.
    pub(crate) client: f64,
    /// Processor seconds of the server's processes.
    pub(crate) server: f64,
    /// Bytes of write-ahead log.
    pub(crate) wal: i64,
    /// Bytes that the database grew by.
    pub(crate) disk: i64,
}

/// Reads the meters of a server before and after.
pub(crate) struct Meter<'c> {
    cluster: &'c Cluster,
    client: Client,
}

impl<'c> Meter<'c> {
    /// In the database at `url`.
    pub(crate) async fn of(cluster: &'c Cluster, url: &str) -> Result<Meter<'c>> {
        Ok(Meter { cluster, client: connect(url).await? })
    }

    /// Does `work` and answers what it cost. Its connections must be closed when it ends.
    pub(crate) async fn measure(&self, work: impl Future<Output = Result<()>>) -> Result<Cost> {
        self.client.batch_execute("CHECKPOINT").await?;
        let (wal, disk) = self.read().await?;
        let (client, server) = (own_seconds()?, self.server_seconds()?);
        let started = Instant::now();
        work.await?;
        let wall = started.elapsed();
        let client = own_seconds()? - client;
        let server = self.server_seconds()? - server;
        let (wal_after, disk_after) = self.read().await?;
        Ok(Cost { wall, client, server, wal: wal_after - wal, disk: disk_after - disk })
    }

    async fn read(&self) -> Result<(i64, i64)> {
        let sql = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint, \
                   pg_database_size(current_database())";
        let row = self.client.query_one(sql, &[]).await?;
        Ok((row.get(0), row.get(1)))
    }

    /// Of the postmaster, of the processes that it has seen end, and of those that run.
    fn server_seconds(&self) -> Result<f64> {
        let postmaster = self.cluster.process_id();
        let own = Stat::of(postmaster)?;
        let mut ticks = own.own + own.ended;
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // A process may end while we look.
            let Ok(stat) = Stat::of(process) else { continue };
            if stat.parent == postmaster {
                ticks += stat.own;
            }
        }
        Ok(ticks as f64 * TICK)
    }
}

fn own_seconds() -> Result<f64> {
    Ok(Stat::of(std::process::id())?.own as f64 * TICK)
}

/// Processor seconds of the processes that this one has started and seen end, and of theirs.
pub(crate) fn ended_seconds() -> Result<f64> {
    Ok(Stat::of(std::process::id())?.ended as f64 * TICK)
}

/// A line of `/proc/<process>/stat`, times in ticks.
struct Stat {
    parent: u32,
    own: u64,
    ended: u64,
}

impl Stat {
    fn of(process: u32) -> Result<Stat> {
        let text = std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("stat"))?;
        // The name, in parentheses, may hold anything.
        let rest = text.rsplit_once(')').context("no name in stat")?.1;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |at: usize| -> Result<u64> { Ok(fields.get(at).context("a short stat")?.parse()?) };
        Ok(Stat {
            parent: u32::try_from(number(1)?)?,
            own: number(11)? + number(12)?,
            ended: number(13)? + number(14)?,
        })
    }
}
