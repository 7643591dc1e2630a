//! Trying again.

use std::time::Duration;

use crate::PostgresError;

/// Waits between tries: five tries over some fifteen seconds, enough for a server to restart or fail over.
const WAITS: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(10)];

/// Does `work` until it succeeds, fails for good, or has failed in a passing way five times.
/// `what` names it in the log.
pub async fn retrying<T, E, F>(what: &str, mut work: impl FnMut() -> F) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
    E: AsRef<PostgresError> + std::error::Error + 'static,
{
    let mut waits = WAITS.into_iter();
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
