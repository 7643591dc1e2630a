//! Running the program in a folder of its own, with an environment of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use protocol::Message;

/// A key that must never be printed.
pub(crate) const KEY: &str = "sk_test_veryverysecret";

/// A folder, and what the program is given besides words.
pub(crate) struct Program {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
    stdin: String,
    prefix: Option<String>,
}

/// How the program ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn new() -> Program {
        Program {
            folder: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
            stdin: String::new(),
            prefix: None,
        }
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Program {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn stdin(mut self, text: &str) -> Program {
        text.clone_into(&mut self.stdin);
        self
    }

    /// Shell commands before the program starts.
    pub(crate) fn after(mut self, commands: &str) -> Program {
        self.prefix = Some(commands.to_owned());
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn file(self, name: &str, text: &str) -> Program {
        std::fs::write(self.path(name), text).unwrap();
        self
    }

    /// Starts the program; its stderr is read by the caller.
    pub(crate) fn start(&self, words: &[&str]) -> Child {
        let program = env!("CARGO_BIN_EXE_sync-engine");
        let mut command = match &self.prefix {
            None => Command::new(program),
            Some(prefix) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("{prefix}; exec \"$0\" \"$@\""), program]);
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
            .unwrap();
        // The program may not want it.
        let _ = child.stdin.take().unwrap().write_all(self.stdin.as_bytes());
        child
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

    /// Stdout as messages; fails if anything else is there.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }
}

/// Reads a running program's stderr up to a line with `text` in it.
pub(crate) fn wait_for(stderr: &mut BufReader<impl Read>, text: &str) {
    let mut seen = String::new();
    loop {
        let from = seen.len();
        assert!(stderr.read_line(&mut seen).unwrap() > 0, "ended before `{text}`:\n{seen}");
        if seen[from..].contains(text) {
            return;
        }
    }
}

pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status().unwrap();
    assert!(sent.success());
}

/// The text with the folder, ports and durations made the same for every run.
pub(crate) fn settled(text: &str, folder: &Path) -> String {
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
