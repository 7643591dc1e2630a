//! A lease that is kept while the work goes on.

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::store::{Lease, RENEWAL, Store, StoreError, TERM};

/// A lease, renewed until this is dropped, which gives it back.
pub(super) struct Held {
    store: Store,
    pub(super) lease: Lease,
    /// Cancelled when the lease is lost: whatever is under way must end at once.
    pub(super) lost: CancellationToken,
    renewing: Option<AbortOnDropHandle<()>>,
}

impl Held {
    /// Keeps the lease; `stop` is cancelled when somebody asks for it.
    pub(super) fn keep(store: Store, lease: Lease, stop: CancellationToken) -> Held {
        let lost = CancellationToken::new();
        let renewing =
            AbortOnDropHandle::new(tokio::spawn(renew(store.clone(), lease.clone(), stop, lost.clone())));
        Held { store, lease, lost, renewing: Some(renewing) }
    }

    /// Gives it back now.
    pub(super) async fn release(mut self) {
        self.renewing = None;
        give_back(&self.store, &self.lease).await;
    }
}

impl Drop for Held {
    /// Whoever failed or went away before its end gives it back, too.
    fn drop(&mut self) {
        if self.renewing.take().is_some() {
            let (store, lease) = (self.store.clone(), self.lease.clone());
            tokio::spawn(async move { give_back(&store, &lease).await });
        }
    }
}

/// Where it cannot be given back it ends by itself.
async fn give_back(store: &Store, lease: &Lease) {
    if let Err(error) = store.release(lease).await {
        tracing::warn!(pipeline = lease.pipeline, error = %error, "a lease could not be given back");
    }
}

async fn renew(store: Store, lease: Lease, stop: CancellationToken, lost: CancellationToken) {
    // It was good when it was taken; from its last renewal it is for less than its term, as answers take time.
    let mut good_until = Instant::now() + TERM;
    loop {
        tokio::time::sleep(RENEWAL).await;
        let asked_at = Instant::now();
        let renewed = tokio::select! {
            renewed = store.renew(&lease) => renewed,
            () = tokio::time::sleep_until(good_until) => Err(StoreError::Unmet),
        };
        match renewed {
            Ok(asked) => {
                good_until = asked_at + TERM;
                if asked {
                    stop.cancel();
                }
            }
            Err(StoreError::Unmet) => break,
            Err(error) => {
                tracing::warn!(pipeline = lease.pipeline, error = %error, "a lease could not be renewed yet");
                if Instant::now() >= good_until {
                    break;
                }
            }
        }
    }
    lost.cancel();
}
