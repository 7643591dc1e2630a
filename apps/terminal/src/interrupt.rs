//! Ctrl-C and SIGTERM.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure::{Failure, INTERRUPTED};
use crate::output::Screen;

/// Whether the user, or the system, wants the work to end.
#[derive(Clone)]
pub struct Interrupt {
    stop: CancellationToken,
}

impl Interrupt {
    /// Begins to listen. The first signal asks the work to end; the second ends the process.
    pub fn listen(screen: Screen) -> Result<Interrupt, Failure> {
        Interrupt::listen_saying(screen, "Stopping: what was read is being saved")
    }

    /// The same; `said` tells people what the first signal does.
    pub fn listen_saying(screen: Screen, said: &'static str) -> Result<Interrupt, Failure> {
        let stop = CancellationToken::new();
        let failed = |error: std::io::Error| Failure::failed(format!("signals cannot be handled: {error}"));
        let keyboard = signal(SignalKind::interrupt()).map_err(failed)?;
        let system = signal(SignalKind::terminate()).map_err(failed)?;
        tokio::spawn(watch(keyboard, system, stop.clone(), screen, said));
        Ok(Interrupt { stop })
    }

    /// The token that is cancelled by the first signal.
    pub fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Whether the first signal came.
    pub fn happened(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Does the work, unless it is interrupted: then it is dropped.
    pub async fn unless<T, E: Into<Failure>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Failure::Interrupted),
            done = work => done.map_err(Into::into),
        }
    }
}

async fn watch(
    mut keyboard: Signal,
    mut system: Signal,
    stop: CancellationToken,
    screen: Screen,
    said: &'static str,
) {
    for again in [false, true] {
        let by_keyboard = tokio::select! {
            _ = keyboard.recv() => true,
            _ = system.recv() => false,
        };
        if again {
            screen.clear();
            screen.note("Aborted. What was saved before stays; run the same command again to continue.");
            std::process::exit(i32::from(INTERRUPTED));
        }
        stop.cancel();
        let how = if by_keyboard { "Ctrl-C again aborts" } else { "another signal aborts" };
        screen.note(&format!("{said} ({how})."));
    }
}
