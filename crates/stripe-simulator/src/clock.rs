use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where the simulated API reads the time: the machine's clock, or one that tests move.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System { started: Instant },
    Manual { start: i64, elapsed_ns: Arc<AtomicU64> },
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System { started: Instant::now() })
    }

    /// A clock that stands at `start` (unix seconds) until it is advanced. Copies move together.
    pub fn manual(start: i64) -> Self {
        Self(Source::Manual { start, elapsed_ns: Arc::new(AtomicU64::new(0)) })
    }

    /// Moves a manual clock; the machine's clock moves by itself.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual { elapsed_ns, .. } = &self.0 {
            elapsed_ns.fetch_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX), Ordering::SeqCst);
        }
    }

    /// Unix seconds.
    pub fn now(&self) -> i64 {
        match &self.0 {
            Source::System { .. } => {
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
            }
            Source::Manual { start, .. } => start + self.elapsed().as_secs() as i64,
        }
    }

    /// Time since the clock was made.
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Source::System { started } => started.elapsed(),
            Source::Manual { elapsed_ns, .. } => Duration::from_nanos(elapsed_ns.load(Ordering::SeqCst)),
        }
    }
}
