//! One command of a connector.

use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt};
use protocol::{ConnectorError, ErrorKind, Message, MessageStream, NdjsonError, NdjsonReader};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::airbyte::Secrets;
use super::files::Flags;
use super::tail::{Tail, listen};

/// How long a process may go on after it closed its stdout.
const LINGER: Duration = Duration::from_secs(30);

/// How long the end of the input is waited for once the process has closed its stdout.
const INPUT_LINGER: Duration = Duration::from_millis(100);

/// Written at once to stdin where lines come faster than they are taken.
const AT_ONCE: usize = 64 << 10;

/// Lines for stdin, each with its line feed.
pub(super) type Lines = Pin<Box<dyn Stream<Item = Result<Vec<u8>, ConnectorError>> + Send>>;

/// A command that is to be run.
pub(super) struct Run {
    /// The program and its first words.
    pub(super) command: Arc<[String]>,
    pub(super) operation: &'static str,
    pub(super) flags: Flags,
    /// Without any, stdin is empty.
    pub(super) input: Option<Lines>,
    /// Hidden in what it says on stderr.
    pub(super) hidden: Secrets,
}

/// What is read from stdout, one after the other.
pub(super) trait Heard: Send + Sized {
    /// The next one, or `None` at the end.
    fn next(
        stdout: &mut NdjsonReader<ChildStdout>,
    ) -> impl Future<Output = Result<Option<Self>, NdjsonError>> + Send;
}

impl Heard for Message {
    async fn next(stdout: &mut NdjsonReader<ChildStdout>) -> Result<Option<Message>, NdjsonError> {
        stdout.next_message().await
    }
}

/// Lines, whatever they say.
impl Heard for Bytes {
    async fn next(stdout: &mut NdjsonReader<ChildStdout>) -> Result<Option<Bytes>, NdjsonError> {
        stdout.next_text().await
    }
}

impl Run {
    fn is_optional(&self) -> bool {
        matches!(self.operation, "setup" | "teardown")
    }

    /// The messages as they come; the process begins with the first that is pulled. An error where the process fails, with
    /// what it said last.
    pub(super) fn messages(self) -> MessageStream {
        self.said()
    }

    /// The same for messages or lines.
    pub(super) fn said<T: Heard + 'static>(
        mut self,
    ) -> Pin<Box<dyn Stream<Item = Result<T, ConnectorError>> + Send>> {
        Box::pin(async_stream::stream! {
            let (mut process, pipes) = match Process::start(&self) {
                Ok(started) => started,
                Err(error) => {
                    yield Err(error);
                    return;
                }
            };
            let input = self.input.take().zip(pipes.stdin).map(|(lines, stdin)| Input::feed(lines, stdin));
            let mut messages = NdjsonReader::new(pipes.stdout);
            let garbage = loop {
                match T::next(&mut messages).await {
                    Ok(Some(message)) => yield Ok(message),
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            let refused = match input {
                Some(input) => input.refused().await,
                None => None,
            };
            let ended = match garbage {
                Some(error) => {
                    process.kill();
                    Err(format!("{}: its stdout is not understood: {error}", process.name))
                }
                None => process.end().await,
            };
            let words = process.last_words().await;
            match (refused, ended) {
                // Whoever feeds it has failed, and that is why it ended.
                (Some(error), _) => yield Err(error),
                (None, Err(_)) if self.is_optional() && lacks(&words, self.operation) => {}
                (None, Err(text)) => yield Err(ConnectorError::new(ErrorKind::Permanent, text + &words)),
                (None, Ok(())) => {}
            }
        })
    }
}

/// Whether a program says that it does not know the command.
fn lacks(words: &str, operation: &str) -> bool {
    let words = words.to_lowercase();
    words.contains("unknown command") && words.contains(operation)
}

/// What is written into a process.
struct Input(JoinHandle<Option<ConnectorError>>);

impl Input {
    fn feed(lines: Lines, stdin: ChildStdin) -> Input {
        Input(tokio::spawn(feed(lines, stdin)))
    }

    /// Why whoever gives the input has failed, if so. What the process did not want is not waited for.
    async fn refused(mut self) -> Option<ConnectorError> {
        tokio::time::timeout(INPUT_LINGER, &mut self.0).await.ok().and_then(Result::ok).flatten()
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Writes lines as the process takes them, then closes its stdin. A process that reads no more says by its exit code why.
async fn feed(mut lines: Lines, mut stdin: ChildStdin) -> Option<ConnectorError> {
    let mut waiting = Vec::new();
    let failure = loop {
        let next = match lines.next().now_or_never() {
            Some(next) => next,
            None => {
                stdin.write_all(&waiting).await.ok()?;
                waiting.clear();
                lines.next().await
            }
        };
        match next {
            Some(Ok(line)) => waiting.extend_from_slice(&line),
            Some(Err(error)) => break Some(error),
            None => break None,
        }
        if waiting.len() >= AT_ONCE {
            stdin.write_all(&waiting).await.ok()?;
            waiting.clear();
        }
    };
    // What came before a failure is written all the same.
    let _ = stdin.write_all(&waiting).await;
    failure
}

/// What a process is talked to by.
struct Pipes {
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
}

/// A running process with all that it started. Dropping it ends them.
struct Process {
    name: String,
    child: Child,
    group: Option<Pid>,
    tail: Arc<Mutex<Tail>>,
    listening: JoinHandle<()>,
}

impl Process {
    fn start(run: &Run) -> Result<(Process, Pipes), ConnectorError> {
        let name = run.command.first().cloned().unwrap_or_default();
        let not_started = |error: &dyn std::fmt::Display| {
            ConnectorError::config(format!("{name} cannot be started: {error}"))
        };
        let mut child = Command::new(&name)
            .args(&run.command[1..])
            .arg(run.operation)
            .args(run.flags.words())
            .stdin(if run.input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| not_started(&error))?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdout), Some(stderr)) = (stdout, stderr) else {
            return Err(not_started(&"it has no pipes"));
        };
        let tail = Arc::default();
        let heard = BufReader::<ChildStderr>::new(stderr);
        let listening = tokio::spawn(listen(name.clone(), heard, Arc::clone(&tail), run.hidden.clone()));
        Ok((Process { name, child, group, tail, listening }, Pipes { stdin, stdout }))
    }

    fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            // It may have ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Waits for the end of a process that says nothing more; tells how it failed, if it did.
    async fn end(&mut self) -> Result<(), String> {
        let ended = tokio::time::timeout(LINGER, self.child.wait()).await;
        // What it started ends with it.
        self.kill();
        match ended {
            Ok(Ok(status)) => told(&self.name, status),
            Ok(Err(error)) => Err(format!("{} cannot be waited for: {error}", self.name)),
            Err(_) => Err(format!(
                "{} closed its stdout and did not end within {} s; it was killed",
                self.name,
                LINGER.as_secs()
            )),
        }
    }

    /// The last lines of stderr, to be put behind a failure.
    async fn last_words(&mut self) -> String {
        // It ends with the process; one that hands its stderr on must not keep us.
        let _ = tokio::time::timeout(INPUT_LINGER, &mut self.listening).await;
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.told()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        self.listening.abort();
    }
}

fn told(name: &str, status: ExitStatus) -> Result<(), String> {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(format!("{name} exited with code {code}")),
        (None, signal) => Err(format!("{name} was killed by signal {}", signal.unwrap_or_default())),
    }
}
