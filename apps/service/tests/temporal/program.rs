//! `sync-service` as processes: one that serves, and workers.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::server::Server;

/// The master key of all of them.
pub(crate) const MASTER_KEY: &str = "5eec0de0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1";

/// What takes longer than this does not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process, killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    /// What it said.
    words: PathBuf,
}

impl Process {
    /// Starts `sync-service` with these words over the store at `store`; what it says goes to the file `name` in `folder`.
    pub(crate) fn start(name: &str, words: &[&str], server: &Server, store: &str, folder: &Path) -> Process {
        let file = folder.join(name);
        let said = std::fs::File::create(&file).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_sync-service"))
            .args(words)
            .args(["--allow-private-addresses", "--follow-interval", "3600"])
            .current_dir(folder)
            .env_clear()
            .env("HOME", folder)
            .env("SYNC_SERVICE_MASTER_KEY", MASTER_KEY)
            .env("SERVICE_STORE", store)
            .env("TEMPORAL_ADDRESS", server.at().address)
            // Everything that could tell a secret.
            .env("LOG_LEVEL", "debug")
            .stdin(Stdio::null())
            .stdout(said.try_clone().unwrap())
            .stderr(said)
            .spawn()
            .unwrap();
        Process { child, words: file }
    }

    /// What it said so far.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.words).unwrap()).into_owned()
    }

    /// Waits until it says this, and answers the line.
    pub(crate) fn says(&mut self, what: &str) -> String {
        let started = Instant::now();
        loop {
            let said = self.said();
            if let Some(line) =
                said.split_inclusive('\n').find(|line| line.contains(what) && line.ends_with('\n'))
            {
                return line.to_owned();
            }
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && started.elapsed() < PATIENCE,
                "{what} was not said ({ended:?}): {said}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Where it listens, once it does.
    pub(crate) fn listens(&mut self) -> String {
        let line = self.says("Listening on ");
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
        url.trim_end_matches(',').to_owned()
    }

    /// Asks it to stop, and waits for its end.
    pub(crate) fn stop(mut self) -> ExitStatus {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        self.child.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
