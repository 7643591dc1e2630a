//! Temporal's development server on a free port.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How often it is asked whether it answers, a tenth of a second apart.
const TRIES: u32 = 600;

/// How often it is started before it counts as broken.
const LAUNCHES: u32 = 5;

/// A running server; it ends with this value. What it knows is in a file, which survives a kill.
#[derive(Debug)]
pub struct Server {
    process: Child,
    program: PathBuf,
    port: u16,
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts one, and waits until its namespace is there. `scripts/temporal-dev` installs the program where it is missing.
    ///
    /// # Panics
    /// If it cannot be installed or does not start.
    pub async fn start() -> Server {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/temporal-dev");
        let installed =
            Command::new(script).stderr(Stdio::inherit()).output().expect("scripts/temporal-dev runs");
        assert!(installed.status.success(), "scripts/temporal-dev could not install the server");
        let program = PathBuf::from(String::from_utf8(installed.stdout).expect("a path").trim());
        let folder = tempfile::tempdir().expect("a temporary directory");
        let port = free_port();
        let process = launch(&program, port, folder.path());
        let mut server = Server { process, program, port, folder };
        // Between finding a free port and using it somebody else may take it.
        for _ in 0..LAUNCHES {
            if server.answers().await {
                return server;
            }
            server.port = free_port();
            server.launch();
        }
        panic!("the development server does not start");
    }

    /// Kills it, as the kernel would.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Starts it again if it was killed, on the same port; it remembers everything. Whoever uses it finds out when it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub fn launch(&mut self) {
        if self.process.try_wait().expect("it is our process").is_some() {
            self.process = launch(&self.program, self.port, self.folder.path());
        }
    }

    /// Starts it again after it was killed, and waits until it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn restart(&mut self) {
        for _ in 0..LAUNCHES {
            self.launch();
            if self.answers().await {
                return;
            }
            // Beside its port it takes others, which may be free again soon.
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("the development server does not start again on port {}", self.port);
    }

    /// Waits until it answers; `false` when it ended instead.
    async fn answers(&mut self) -> bool {
        for _ in 0..TRIES {
            if self.process.try_wait().expect("it is our process").is_some() {
                return false;
            }
            // It takes connections before its namespace is there.
            let describe = ["operator", "namespace", "describe", "default"];
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() && self.ask(&describe).is_ok() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the development server on port {} does not answer", self.port);
    }

    /// Its process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Where it is: `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The folder of what it remembers.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs Temporal's own command line against it, and answers what it prints; what it says about a failure else.
    pub fn ask(&self, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.program);
        let output = command.args(words).args(["--address", &self.address()]).output().expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that is free, below those that the system gives to connections: after a kill it is to be free still.
fn free_port() -> u16 {
    let random = || RandomState::new().build_hasher().finish();
    let ports = std::iter::repeat_with(|| 10_000 + u16::try_from(random() % 20_000).unwrap_or_default());
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.take(1_000).find(is_free).expect("there are free ports")
}

fn launch(program: &Path, port: u16, folder: &Path) -> Child {
    Command::new(program)
        .args("server start-dev --headless --log-level never --ip 127.0.0.1 --port".split(' '))
        .arg(port.to_string())
        .arg("--db-filename")
        .arg(folder.join("temporal.db"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server starts")
}
