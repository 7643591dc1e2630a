//! Ctrl-C and SIGTERM.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::note;

/// A token that the first signal cancels. The second one ends the process.
pub(crate) fn listen() -> Result<CancellationToken, Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("signals cannot be handled: {error}"));
    let mut keyboard = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut system = signal(SignalKind::terminate()).map_err(failed)?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        for again in [false, true] {
            tokio::select! {
                _ = keyboard.recv() => {}
                _ = system.recv() => {}
            }
            if again {
                note("Aborted. What was saved before stays.");
                std::process::exit(130);
            }
            note("Stopping: what is under way is being saved (another signal aborts).");
            told.cancel();
        }
    });
    Ok(stop)
}
