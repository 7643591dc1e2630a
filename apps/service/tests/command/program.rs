//! Running the program in a folder of its own, with an environment of its own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A key that must never be printed.
pub(crate) const KEY: &str = "sk_test_veryverysecret";

/// A folder, and variables.
pub(crate) struct Program {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// How the program ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn new() -> Program {
        Program { folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Program {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the program.
    pub(crate) fn start(&self, words: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_sync-service"))
            .args(words)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            // Nothing may leave this machine.
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Runs the program to its end. Whatever it does, it never prints the key, and never panics.
    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        let output = self.start(words).wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let ended =
            Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
        for printed in [&ended.stdout, &ended.stderr] {
            assert!(!printed.contains("veryverysecret"), "a key was printed:\n{printed}");
            assert!(!printed.contains("panicked"), "{printed}");
        }
        ended
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Ended {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Stdout as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// Stdout as lines of JSON.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
