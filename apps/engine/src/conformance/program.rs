//! Running one command of a connector, and keeping what it said.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use conformance::Breach;
use protocol::{Message, Payload};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::process::Flags;

/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Last lines of stderr that are told.
const LAST_WORDS: usize = 5;

/// A connector's program.
#[derive(Debug, Clone)]
pub(super) struct Program {
    words: Vec<String>,
}

/// What a command said, and how it ended.
pub(super) struct Said {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
    status: ExitStatus,
}

/// Arguments after the program's own words; files among them are gone with it.
#[derive(Default)]
pub(super) struct Words {
    words: Vec<OsString>,
    flags: Flags,
}

impl Words {
    pub(super) fn of(words: &[&str]) -> Words {
        Words { words: words.iter().map(OsString::from).collect(), flags: Flags::default() }
    }

    /// The same with a flag whose value is in a file.
    pub(super) fn with(mut self, flag: &'static str, value: &impl Serialize) -> Result<Words, Breach> {
        let flags = std::mem::take(&mut self.flags).with(flag, value);
        self.flags = flags.map_err(|error| {
            Breach::new("a place for temporary files", format!("a file cannot be written: {error}"))
        })?;
        Ok(self)
    }
}

impl Program {
    pub(super) fn new(words: Vec<String>) -> Program {
        Program { words }
    }

    /// Starts a command in a process group of its own.
    pub(super) fn start(&self, words: &Words, stdin: Stdio) -> Result<Running, Breach> {
        let (program, first) = self
            .words
            .split_first()
            .ok_or_else(|| Breach::new("the words of a command", "there are none"))?;
        let child = Command::new(program)
            .args(first)
            .args(&words.words)
            .args(words.flags.words())
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        let child = child
            .map_err(|error| Breach::new("a program", format!("{program} cannot be started: {error}")))?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Ok(Running { child, group })
    }

    /// Runs a command to its end, with this on stdin.
    pub(super) async fn run(&self, words: Words, input: &[u8]) -> Result<Said, Breach> {
        let stdin = if input.is_empty() { Stdio::null() } else { Stdio::piped() };
        let mut running = self.start(&words, stdin)?;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let talk = async {
            let child = &mut running.child;
            let (out, err, stdin) = (child.stdout.take(), child.stderr.take(), child.stdin.take());
            let feed = async {
                if let Some(mut stdin) = stdin {
                    // It need not read all of it.
                    let _ = stdin.write_all(input).await;
                }
            };
            let listen = async {
                if let Some(mut out) = out {
                    out.read_to_end(&mut stdout).await?;
                }
                Ok::<_, std::io::Error>(())
            };
            let listen_to_words = async {
                if let Some(mut err) = err {
                    err.read_to_end(&mut stderr).await?;
                }
                Ok::<_, std::io::Error>(())
            };
            let ((), heard, understood) = tokio::join!(feed, listen, listen_to_words);
            heard.and(understood)?;
            child.wait().await
        };
        let ended = tokio::time::timeout(PATIENCE, talk).await;
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        match ended {
            Ok(Ok(status)) => Ok(Said { stdout, stderr, status }),
            Ok(Err(error)) => Err(Breach::new("to hear it", error.to_string())),
            Err(_) => Err(Breach::new(
                format!("an end within {} s", PATIENCE.as_secs()),
                format!("it went on and was killed{}", told(&stderr)),
            )),
        }
    }
}

/// A process with all that it started. Dropping it ends them.
pub(super) struct Running {
    pub(super) child: Child,
    group: Option<Pid>,
}

impl Running {
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // It may have ended by itself.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// The last words, behind a colon.
fn told(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() {
        return "; stderr is empty".to_owned();
    }
    let last = lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n");
    format!("; stderr says: {last}")
}

impl Said {
    /// How it ended, in words, with what it said last.
    pub(super) fn ending(&self) -> String {
        let how = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, signal) => format!("an end by signal {}", signal.unwrap_or_default()),
        };
        how + &told(&self.stderr)
    }

    /// The messages on stdout. Fails where something else is there.
    pub(super) fn messages(&self) -> Result<Vec<Message>, Breach> {
        let lines = self.stdout.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let mut messages = Vec::new();
        for (at, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
            let message = serde_json::from_slice(line).map_err(|error| {
                let line = String::from_utf8_lossy(line);
                Breach::new(
                    "messages and nothing else on stdout, one JSON object per line",
                    format!("line {}: {error}: {line:.300}", at + 1),
                )
            });
            messages.push(message?);
        }
        Ok(messages)
    }

    /// What the messages say, but for the log.
    pub(super) fn payloads(&self) -> Result<Vec<Payload>, Breach> {
        let payloads = self.messages()?.into_iter().map(|message| message.payload);
        Ok(payloads.filter(|payload| !matches!(payload, Payload::Log(_))).collect())
    }

    /// Fails unless it ended with exit code 0.
    pub(super) fn succeeded(&self) -> Result<(), Breach> {
        Breach::unless(self.status.success(), "exit code 0", || self.ending())
    }

    /// Fails unless it ended with another exit code, words on stderr, and no garbage on stdout. Answers the words.
    pub(super) fn refused(&self) -> Result<&str, Breach> {
        let failed = self.status.code().is_some_and(|code| code != 0);
        Breach::unless(failed, "an exit code other than 0", || self.ending())?;
        Breach::unless(!self.stderr.trim().is_empty(), "words on stderr that say what is wrong", || {
            "stderr is empty".to_owned()
        })?;
        let said = self.payloads()?;
        Breach::unless(said.is_empty(), "nothing on stdout but `log`", || {
            format!("`{}` is there", said[0].type_name())
        })?;
        Ok(&self.stderr)
    }

    /// The one message of the kind that the command is asked for.
    pub(super) fn one<T>(&self, kind: &str, pick: impl Fn(Payload) -> Option<T>) -> Result<T, Breach> {
        let mut found = Vec::new();
        for payload in self.payloads()? {
            let name = payload.type_name();
            match pick(payload) {
                Some(picked) => found.push(picked),
                None => {
                    let came = format!("`{name}` is there, too");
                    return Err(Breach::new(format!("one `{kind}`, and `log`"), came));
                }
            }
        }
        self.succeeded()?;
        let count = found.len();
        match found.pop() {
            Some(picked) if count == 1 => Ok(picked),
            _ => Err(Breach::new(format!("one `{kind}`"), format!("there are {count}"))),
        }
    }
}
