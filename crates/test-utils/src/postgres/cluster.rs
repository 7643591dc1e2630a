//! One server and its directory.

use std::io::{ErrorKind, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use super::binaries::{self, Account};

/// Runs the server (`$1` and on) until standard input ends or says a word, then stops it at once.
/// Input ends when the test process does, however it ends; then the directory goes too.
const KEEPER: &str = r#"
directory=$0
{ "$@" </dev/null >"$directory/log" 2>&1; : >"$directory/ended"; } &
read word
until [ -e "$directory/ended" ]; do
    read server <"$directory/data/postmaster.pid" && kill -QUIT $server
    sleep 0.02
done
[ "$word" = keep ] || rm -rf "$directory"
"#;

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Whether commits survive a crash of the machine. Off is faster; a crash of the server alone
    /// loses nothing either way.
    pub fsync: bool,
    /// Further settings, as in `postgresql.conf`.
    pub options: Vec<(String, String)>,
    /// Certificate and key, both PEM, with which the server offers TLS.
    pub tls: Option<(String, String)>,
    /// Lines put before the others in `pg_hba.conf`.
    pub access: Vec<String>,
}

/// A PostgreSQL server in a temporary directory, on a free port of 127.0.0.1 and on a socket in that directory.
///
/// The superuser `postgres` needs no password; every other role must give its own. The server stops
/// when the value is dropped, and also when the test process is killed.
pub struct Cluster {
    directory: TempDir,
    account: Account,
    binaries: PathBuf,
    settings: Settings,
    port: u16,
    keeper: Mutex<Option<Child>>,
}

impl Cluster {
    /// Starts a server with the default settings.
    ///
    /// # Panics
    /// If PostgreSQL is not installed or does not start; the message says what to do.
    pub fn start() -> Cluster {
        Cluster::start_with(Settings::default())
    }

    /// Starts a server.
    ///
    /// # Panics
    /// If PostgreSQL is not installed or does not start; the message says what to do.
    pub fn start_with(settings: Settings) -> Cluster {
        let (binaries, account) = (binaries::directory(), Account::choose());
        let directory = tempfile::Builder::new().prefix("sync-pg-").tempdir().expect("a temporary directory");
        account.own(directory.path());
        let mut cluster =
            Cluster { directory, account, binaries, settings, port: 0, keeper: Mutex::new(None) };
        cluster.initialise();
        // Between finding a free port and using it somebody else may take it.
        for _ in 0..5 {
            cluster.port = free_port();
            if cluster.launch() {
                return cluster;
            }
        }
        panic!("PostgreSQL does not start:\n{}", cluster.log());
    }

    /// The connection string of the database `postgres`, over TCP, as superuser.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The connection string of the database called `name`, which need not exist.
    pub fn url_of(&self, name: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// The connection string of a new, empty database called `name`.
    pub async fn database(&self, name: &str) -> String {
        self.execute(&format!("CREATE DATABASE \"{name}\"")).await;
        self.url_of(name)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process of the server, parent of all that serve it.
    ///
    /// # Panics
    /// If the server does not run.
    pub fn process_id(&self) -> u32 {
        let file = self.data().join("postmaster.pid");
        let text = std::fs::read_to_string(file).expect("the server runs");
        text.lines()
            .next()
            .and_then(|line| line.trim().parse().ok())
            .expect("its file begins with its number")
    }

    /// The directory of the server's socket.
    pub fn socket_directory(&self) -> &Path {
        self.directory.path()
    }

    /// Runs SQL as superuser in the database `postgres`.
    pub async fn execute(&self, sql: &str) {
        let client = connect(&self.url()).await;
        client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// Ends every connection but its own, as an administrator would. Answers how many there were.
    pub async fn kill_backends(&self) -> u64 {
        let client = connect(&self.url()).await;
        let sql = "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 10000)) FROM pg_stat_activity \
                   WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        let count: i64 = client.query_one(sql, &[]).await.expect("backends can be ended").get(0);
        count.unsigned_abs()
    }

    /// Stops the server at once, as a crash would: what was not committed is lost.
    pub fn stop_immediate(&self) {
        let keeper = self.keeper.lock().expect("no panic while it was held").take();
        if let Some(mut keeper) = keeper {
            if let Some(mut input) = keeper.stdin.take() {
                input.write_all(b"keep\n").expect("the keeper listens");
            }
            keeper.wait().expect("the keeper ends");
        }
    }

    /// Starts the server again after [`Cluster::stop_immediate`], on the same port.
    pub fn resume(&self) {
        assert!(self.launch(), "PostgreSQL does not start again:\n{}", self.log());
    }

    /// [`Cluster::stop_immediate`] and [`Cluster::resume`].
    pub fn restart(&self) {
        self.stop_immediate();
        self.resume();
    }

    /// What the server wrote to its log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn initialise(&self) {
        let output = self
            .account
            .command(self.binaries.join("initdb"))
            .args([
                "--no-sync",
                "--no-locale",
                "--encoding=UTF8",
                "--auth=trust",
                "--username=postgres",
                "--pgdata",
            ])
            .arg(self.data())
            .current_dir(self.directory.path())
            .output()
            .expect("initdb runs");
        assert!(output.status.success(), "initdb failed:\n{}", String::from_utf8_lossy(&output.stderr));
        let mut access = self.settings.access.join("\n");
        access += "\nlocal all all trust\nhost all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        self.place("pg_hba.conf", &access);
        if let Some((certificate, key)) = &self.settings.tls {
            self.place("server.crt", certificate);
            self.place("server.key", key);
        }
    }

    fn place(&self, name: &str, content: &str) {
        let path = self.data().join(name);
        std::fs::write(&path, content).expect("the data directory is writable");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("permissions can be set");
        self.account.own(&path);
    }

    /// Starts the server and waits until it takes connections; `false` when it ended instead.
    fn launch(&self) -> bool {
        let _ = std::fs::remove_file(self.directory.path().join("ended"));
        let mut command = self.account.command("sh");
        command.arg("-c").arg(KEEPER).arg(self.directory.path());
        command.arg(self.binaries.join("postgres")).arg("-D").arg(self.data());
        let fast = if self.settings.fsync { "on" } else { "off" };
        let port = self.port.to_string();
        let socket = self.directory.path().display().to_string();
        let own = [
            ("listen_addresses", "127.0.0.1"),
            ("port", &port),
            ("unix_socket_directories", &socket),
            ("fsync", fast),
            ("full_page_writes", fast),
            ("ssl", if self.settings.tls.is_some() { "on" } else { "off" }),
            ("max_connections", "100"),
            ("autovacuum_naptime", "10min"),
        ];
        let chosen = self.settings.options.iter().map(|(name, value)| (&**name, &**value));
        for (name, value) in own.into_iter().chain(chosen) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        // A group of its own: Ctrl-C in a terminal must reach the test process only.
        let keeper = command
            .process_group(0)
            .current_dir(self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("`sh` runs");
        *self.keeper.lock().expect("no panic while it was held") = Some(keeper);
        self.wait_until_ready()
    }

    /// `postmaster.pid` says `ready` in its last line once connections are taken.
    fn wait_until_ready(&self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            match std::fs::read_to_string(self.data().join("postmaster.pid")) {
                Ok(lines) if lines.lines().nth(7).is_some_and(|status| status.trim() == "ready") => {
                    return true;
                }
                Err(error) if error.kind() != ErrorKind::NotFound => panic!("postmaster.pid: {error}"),
                _ => {}
            }
            if self.directory.path().join("ended").exists() {
                self.stop_immediate();
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Ok(Some(mut keeper)) = self.keeper.get_mut().map(Option::take) {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
    }
}

pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
    listener.local_addr().expect("a bound socket has an address").port()
}

async fn connect(url: &str) -> Client {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.unwrap_or_else(|error| panic!("{url}: {error:?}"));
    tokio::spawn(connection);
    client
}
