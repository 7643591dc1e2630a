//! What is only kept for a while is forgotten in time.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::store::{Store, StoreError};

/// How often what is old is looked for.
const EVERY: Duration = Duration::from_secs(60);

/// Forgets what is old, again and again until `stop`. Several processes may do so over one store. `keep_logs` is how long entries of
/// pipelines' logs are kept; `None` as long as their number allows.
pub async fn upkeep(store: Store, keep_logs: Option<Duration>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = forget_old(&store, keep_logs).await {
            tracing::warn!(error = %error, "what is old cannot be forgotten");
        }
    }
}

async fn forget_old(store: &Store, keep_logs: Option<Duration>) -> Result<(), StoreError> {
    store.forget_old_deliveries().await?;
    store.forget_old_answers().await?;
    let Some(keep) = keep_logs else { return Ok(()) };
    let keep = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
    store.forget_old_entries(store.now().await?.saturating_sub(keep)).await?;
    Ok(())
}
