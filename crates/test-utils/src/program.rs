//! A program in a folder of its own, with an environment of its own. Whatever goes wrong panics.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use protocol::Message;
use serde_json::Value;

/// A key that must never be printed.
pub const KEY: &str = "sk_test_veryverysecret";

/// The part of it by which it is recognised.
const SECRET: &str = "veryverysecret";

/// A program, a folder, and what it is given besides words.
pub struct Program {
    program: String,
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
    stdin: String,
    prefix: Option<String>,
}

/// How the program ended.
pub struct Ended {
    /// Its exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Program {
    /// The program at this path, such as `env!("CARGO_BIN_EXE_sync-engine")`, which only its own tests know; in a new folder.
    pub fn at(program: &str) -> Program {
        Program {
            program: program.to_owned(),
            folder: tempfile::tempdir().expect("a folder for the program"),
            variables: Vec::new(),
            stdin: String::new(),
            prefix: None,
        }
    }

    /// The same, with a variable of the environment; beside these there are only `PATH`, `HOME` (the folder), and a proxy that
    /// nothing gets through.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Program {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same, with this text on stdin.
    #[must_use]
    pub fn stdin(mut self, text: &str) -> Program {
        text.clone_into(&mut self.stdin);
        self
    }

    /// The same, with shell commands before the program starts.
    #[must_use]
    pub fn after(mut self, commands: &str) -> Program {
        self.prefix = Some(commands.to_owned());
        self
    }

    /// The same, with a file in its folder.
    #[must_use]
    pub fn file(self, name: &str, text: &str) -> Program {
        std::fs::write(self.path(name), text).unwrap_or_else(|error| panic!("{name}: {error}"));
        self
    }

    /// The path of something in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the program; its stdout and stderr are read by the caller.
    pub fn start(&self, words: &[&str]) -> Child {
        let mut command = match &self.prefix {
            None => Command::new(&self.program),
            Some(prefix) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("{prefix}; exec \"$0\" \"$@\""), &self.program]);
                shell
            }
        };
        let mut child = command
            .args(words)
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            // Nothing may leave this machine.
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", self.program));
        if let Some(mut stdin) = child.stdin.take() {
            // The program may not want it.
            let _ = stdin.write_all(self.stdin.as_bytes());
        }
        child
    }

    /// Runs the program to its end. Whatever it does, it never prints [`KEY`], and never panics.
    pub fn run(&self, words: &[&str]) -> Ended {
        let output = self.start(words).wait_with_output().expect("the program's output");
        let text = |bytes| String::from_utf8(bytes).expect("the program prints UTF-8");
        let ended =
            Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
        for printed in [&ended.stdout, &ended.stderr] {
            assert!(!printed.contains(SECRET), "a key was printed:\n{printed}");
            assert!(!printed.contains("panicked"), "{printed}");
        }
        ended
    }
}

impl Ended {
    /// Fails unless it ended with this exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Ended {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// Stdout as lines of JSON.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        self.each()
    }

    /// Stdout as messages; fails if anything else is there.
    #[track_caller]
    pub fn messages(&self) -> Vec<Message> {
        self.each()
    }

    #[track_caller]
    fn each<T: serde::de::DeserializeOwned>(&self) -> Vec<T> {
        let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.stdout.lines().map(read).collect()
    }
}

/// Reads a running program's stderr up to a line with `text` in it, and answers that line.
pub fn wait_for(stderr: &mut BufReader<impl Read>, text: &str) -> String {
    let mut seen = String::new();
    loop {
        let from = seen.len();
        let read = stderr.read_line(&mut seen).expect("stderr of the program");
        assert!(read > 0, "ended before `{text}`:\n{seen}");
        if seen[from..].contains(text) {
            return seen.split_off(from);
        }
    }
}

/// Sends a running program a signal, by its name: `INT`, `TERM`.
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status();
    assert!(sent.is_ok_and(|sent| sent.success()), "SIG{name} cannot be sent");
}

/// The text with the folder and ports made the same for every run.
pub fn settled(text: &str, folder: &Path) -> String {
    let text = text.replace(&folder.display().to_string(), "FOLDER");
    let mut settled = String::new();
    for line in text.lines() {
        let mut rest = line;
        while let Some(at) = rest.find("127.0.0.1:") {
            let end = at + "127.0.0.1:".len();
            settled += &rest[..end];
            settled += "PORT";
            rest = rest[end..].trim_start_matches(|c: char| c.is_ascii_digit());
        }
        settled += rest;
        settled.push('\n');
    }
    settled
}
