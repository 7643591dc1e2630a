//! PgBouncer before a cluster.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::Cluster;
use super::binaries::Account;

const MISSING: &str = "the pooler `pgbouncer` was not found. Install it (Debian and Ubuntu: `apt install pgbouncer`, \
    macOS: `brew install pgbouncer`).";

/// PgBouncer in transaction mode on a free port of 127.0.0.1: each transaction may run in another session of
/// the server. It stops when the value is dropped.
pub struct Pooler {
    directory: TempDir,
    port: u16,
    process: Child,
}

impl Pooler {
    /// Starts one before `cluster`, with at most `sessions` connections to it.
    ///
    /// # Panics
    /// If PgBouncer is not installed or does not start.
    pub fn before(cluster: &Cluster, sessions: usize) -> Pooler {
        let account = Account::choose();
        let directory =
            tempfile::Builder::new().prefix("sync-pool-").tempdir().expect("a temporary directory");
        let port = super::cluster::free_port();
        let configuration = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n\
             default_pool_size = {sessions}\nserver_round_robin = 1\nmax_client_conn = 200\n",
            cluster.port()
        );
        let path = directory.path().join("pgbouncer.ini");
        std::fs::write(&path, configuration).expect("a configuration can be written");
        for path in [directory.path(), &path] {
            account.own(path);
        }
        let log = std::fs::File::create(directory.path().join("log")).expect("a log can be written");
        let process = account
            .command(program())
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{MISSING} ({error})"));
        let mut pooler = Pooler { directory, port, process };
        pooler.wait_until_ready();
        pooler
    }

    /// The connection string of the database called `name`, by way of the pooler.
    pub fn url_of(&self, name: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.process.try_wait().expect("a child can be waited for");
            if ended.is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
                panic!("pgbouncer does not start:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Debian puts it where only administrators' `PATH` leads.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let mut candidates = directories.map(|directory| directory.join("pgbouncer"));
    candidates.find(|candidate| candidate.is_file()).unwrap_or_else(|| panic!("{MISSING}"))
}
