//! How a command is ended by others.

use std::process::Stdio;
use std::time::Duration;

use conformance::Breach;
use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};

use super::program::{Program, Running, Words};

/// How long a program may take to end once it is told to.
const GRACE: Duration = Duration::from_secs(10);

/// How long its first message is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that was started, was given its input, and has said something or has ended. What it still wants of stdin stays open.
struct Begun {
    running: Running,
    stdout: Option<BufReader<ChildStdout>>,
    _stdin: Option<ChildStdin>,
}

async fn begin(program: &Program, words: &Words, input: &[u8]) -> Result<Begun, Breach> {
    let stdin = if input.is_empty() { Stdio::null() } else { Stdio::piped() };
    let mut running = program.start(words, stdin)?;
    let mut stdin = running.child.stdin.take();
    if let Some(stdin) = &mut stdin {
        // It may have ended; that is seen below.
        let _ = tokio::time::timeout(GRACE, stdin.write_all(input)).await;
    }
    let mut stdout = running.child.stdout.take().map(BufReader::new);
    if let Some(err) = running.child.stderr.take() {
        tokio::spawn(async move {
            let mut err = err;
            // Nobody must wait for us; what it says is not asked for here.
            let _ = tokio::io::copy(&mut err, &mut tokio::io::sink()).await;
        });
    }
    if let Some(stdout) = stdout.as_mut() {
        let mut first = Vec::new();
        // One that says nothing before its input ends is ended all the same.
        let patience = if stdin.is_some() { Duration::from_secs(2) } else { PATIENCE };
        let _ = tokio::time::timeout(patience, stdout.read_until(b'\n', &mut first)).await;
    }
    Ok(Begun { running, stdout, _stdin: stdin })
}

/// Whether SIGTERM ends it, its stdout being read and its stdin staying open.
pub(super) async fn terminated(
    program: &Program,
    words: impl Fn() -> Result<Words, Breach>,
    input: &[u8],
) -> Result<(), Breach> {
    let words = words()?;
    let mut begun = begin(program, &words, input).await?;
    begun.running.signal(Signal::TERM);
    let drained = begun.stdout.take().map(|stdout| {
        tokio::spawn(async move {
            let mut stdout = stdout;
            let mut rest = Vec::new();
            // It ends with the process.
            let _ = stdout.read_to_end(&mut rest).await;
        })
    });
    let ended = tokio::time::timeout(GRACE, begun.running.child.wait()).await;
    if let Some(drained) = drained {
        drained.abort();
    }
    Breach::unless(ended.is_ok(), "an end soon after SIGTERM", || {
        format!("it goes on after {} s", GRACE.as_secs())
    })
}

/// Whether it ends once nobody reads its stdout and its stdin has ended.
pub(super) async fn closed_pipe(
    program: &Program,
    words: impl Fn() -> Result<Words, Breach>,
    input: &[u8],
) -> Result<(), Breach> {
    let words = words()?;
    let Begun { mut running, stdout, _stdin: stdin } = begin(program, &words, input).await?;
    drop(stdout);
    drop(stdin);
    let ended = tokio::time::timeout(GRACE, running.child.wait()).await;
    Breach::unless(ended.is_ok(), "an end soon after whoever reads stdout has gone", || {
        format!("it goes on after {} s", GRACE.as_secs())
    })
}
