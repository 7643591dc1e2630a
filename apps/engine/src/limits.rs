//! When a request has to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use protocol::MessageStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::EngineError;

/// Share of the time limit that the source gets where the destination does not say otherwise.
pub(crate) const DEFAULT_SOFT_FRACTION: f64 = 0.8;

/// The time a request may take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeLimits {
    /// After this, the output ends at once; what is not durable by then is read again later.
    pub hard: Option<Duration>,
    /// After this, the source is no longer read, and the destination writes what it has.
    pub soft: Option<Duration>,
}

impl TimeLimits {
    /// Fails where a limit is zero.
    pub(crate) fn validate(self) -> Result<(), EngineError> {
        for (limit, name) in [(self.hard, "time_limit"), (self.soft, "soft_time_limit")] {
            if limit.is_some_and(|limit| limit.is_zero()) {
                return Err(EngineError::Request(format!("`{name}` must be more than 0 seconds")));
            }
        }
        Ok(())
    }

    /// The limits with the soft one derived from the hard one, where it was not given and the hard
    /// one leaves room (two seconds or more).
    pub(crate) fn with_soft_fraction(self, fraction: Option<f64>) -> TimeLimits {
        let derived = self
            .hard
            .filter(|hard| *hard >= Duration::from_secs(2))
            .map(|hard| hard.mul_f64(fraction.unwrap_or(DEFAULT_SOFT_FRACTION)));
        TimeLimits { hard: self.hard, soft: self.soft.or(derived) }
    }
}

/// Why the source was no longer read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cut(Arc<AtomicBool>);

impl Cut {
    pub(crate) fn happened(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn mark(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// `messages` until `deadline` or `stop`, also while they are idle. `cut` tells an early end from a
/// natural one. The source is dropped as soon as it is cut.
pub(crate) fn until_stopped(
    mut messages: MessageStream,
    deadline: Option<Instant>,
    stop: CancellationToken,
    cut: Cut,
) -> MessageStream {
    Box::pin(async_stream::stream! {
        let stopped = async move {
            tokio::select! {
                () = stop.cancelled() => stopped_on_request(),
                () = at(deadline) => tracing::warn!(event = "SYNC_TIME_LIMIT_SOFT", "SYNC_TIME_LIMIT_SOFT: the source is no longer read"),
            }
        };
        tokio::pin!(stopped);
        loop {
            let message = tokio::select! {
                biased;
                () = &mut stopped => {
                    cut.mark();
                    break;
                }
                message = messages.next() => message,
            };
            match message {
                Some(message) => yield message,
                None => break,
            }
        }
        drop(messages);
    })
}

/// Says that somebody stopped it.
pub(crate) fn stopped_on_request() {
    tracing::warn!(event = "SYNC_ABORTED", "SYNC_ABORTED: stopped on request");
}

/// Says that the time is over.
pub(crate) fn hard_limit_reached() {
    tracing::warn!(event = "SYNC_TIME_LIMIT_HARD", "SYNC_TIME_LIMIT_HARD: the request ends now");
}

/// Waits for `deadline`, or for ever.
pub(crate) async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(hard: Option<u64>, soft: Option<u64>) -> TimeLimits {
        TimeLimits { hard: hard.map(Duration::from_secs), soft: soft.map(Duration::from_secs) }
    }

    #[test]
    fn the_soft_limit_follows_from_the_hard_one() {
        let soft = |limits: TimeLimits, fraction| limits.with_soft_fraction(fraction).soft;
        assert_eq!(soft(seconds(Some(10), None), None), Some(Duration::from_secs(8)));
        assert_eq!(soft(seconds(Some(10), None), Some(0.5)), Some(Duration::from_secs(5)));
        assert_eq!(soft(seconds(Some(10), Some(3)), Some(0.5)), Some(Duration::from_secs(3)));
        assert_eq!(soft(seconds(Some(1), None), None), None);
        assert_eq!(soft(seconds(None, None), Some(0.5)), None);
    }

    #[test]
    fn zero_is_no_limit_one_can_keep() {
        assert!(seconds(Some(0), None).validate().unwrap_err().to_string().contains("time_limit"));
        assert!(seconds(None, Some(0)).validate().unwrap_err().to_string().contains("soft_time_limit"));
        assert!(seconds(Some(1), Some(1)).validate().is_ok());
    }
}
