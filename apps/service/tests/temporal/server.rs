//! Temporal's development server on a free port, for one test.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use service::temporal::{Address, Client};

/// A running server; it ends with this value.
pub(crate) struct Server {
    process: Child,
    program: String,
    port: u16,
    /// Where it keeps what it must not forget.
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts one, and waits until it answers.
    pub(crate) async fn start() -> Server {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/temporal-dev");
        let installed =
            Command::new(script).stderr(Stdio::inherit()).output().expect("scripts/temporal-dev runs");
        assert!(installed.status.success(), "scripts/temporal-dev could not install the server");
        let program = String::from_utf8(installed.stdout).expect("a path").trim().to_owned();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let process = run(&program, port, folder.path());
        let mut server = Server { process, program, port, folder };
        server.answers().await;
        server
    }

    /// Kills it, as the kernel would.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Starts it again after it was killed; it remembers everything.
    pub(crate) async fn restart(&mut self) {
        self.process = run(&self.program, self.port, self.folder.path());
        self.answers().await;
    }

    async fn answers(&mut self) {
        for _ in 0..600 {
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("the development server ended: {status}");
            }
            // It answers before its namespace is there.
            if let Ok(client) = Client::connect(&self.at()).await
                && matches!(client.describe("nobody").await, Ok(None))
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the development server on port {} does not answer", self.port);
    }

    /// Where it keeps what it must not forget.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where it is.
    pub(crate) fn at(&self) -> Address {
        Address { address: format!("127.0.0.1:{}", self.port), ..Address::default() }
    }

    /// Runs Temporal's own command line against it, and answers what it prints.
    pub(crate) fn command(&self, args: &[&str]) -> String {
        let mut command = Command::new(&self.program);
        let output = command.args(args).args(["--address", &self.at().address]).output().unwrap();
        assert!(output.status.success(), "temporal {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A connection to it.
    pub(crate) async fn client(&self) -> Client {
        Client::connect(&self.at()).await.expect("the server answers")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn run(program: &str, port: u16, folder: &Path) -> Child {
    Command::new(program)
        .args("server start-dev --headless --log-level error --ip 127.0.0.1 --port".split(' '))
        .arg(port.to_string())
        .arg("--db-filename")
        .arg(folder.join("temporal.db"))
        .stdout(Stdio::null())
        .spawn()
        .expect("the server starts")
}
