//! Trying again.

use std::iter;
use std::time::Duration;

use crate::PostgresError;

/// How long to wait at first, and how much longer each time.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const GROWTH: u32 = 4;

/// The longest wait between two tries: how late the end of a failure may be noticed.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// For how long a passing failure is put up with unless told: enough for a server to restart.
pub(crate) const BRIEFLY: Duration = Duration::from_secs(15);

/// The waits between tries, which add up to `patience`.
fn waits(patience: Duration) -> impl Iterator<Item = Duration> {
    let mut left = patience;
    let mut next = FIRST_WAIT;
    iter::from_fn(move || {
        let wait = next.min(left);
        left -= wait;
        next = (next * GROWTH).min(LONGEST_WAIT);
        (!wait.is_zero()).then_some(wait)
    })
}

/// Does `work` until it succeeds, fails for good, or has failed in a passing way for fifteen seconds.
/// `what` names it in the log.
pub async fn retrying<T, E, F>(what: &str, work: impl FnMut() -> F) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
    E: AsRef<PostgresError> + std::error::Error + 'static,
{
    retrying_for(BRIEFLY, what, work).await
}

/// As [`retrying`], with waits that add up to `patience`.
pub(crate) async fn retrying_for<T, E, F>(
    patience: Duration,
    what: &str,
    mut work: impl FnMut() -> F,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
    E: AsRef<PostgresError> + std::error::Error + 'static,
{
    let mut waits = waits(patience);
    loop {
        match work().await {
            Err(error) if error.as_ref().is_transient() => match waits.next() {
                Some(wait) => {
                    tracing::warn!(what, error = &error as &dyn std::error::Error, ?wait, "trying again");
                    tokio::time::sleep(wait).await;
                }
                None => return Err(error),
            },
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn waits_grow() {
        let millis: Vec<_> = waits(Duration::from_secs(30)).map(|wait| wait.as_millis()).collect();
        assert_eq!(millis, [100, 400, 1600, 6400, 10_000, 10_000, 1500]);
        assert_eq!(waits(Duration::ZERO).count(), 0);
    }

    proptest! {
        #[test]
        fn waits_add_up(millis in 0..1_000_000_u64) {
            let patience = Duration::from_millis(millis);
            prop_assert_eq!(waits(patience).sum::<Duration>(), patience);
            prop_assert!(waits(patience).all(|wait| wait <= LONGEST_WAIT));
        }
    }
}
