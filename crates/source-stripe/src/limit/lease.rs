//! A rate that other processes use too: where it is leased, and who keeps the leases.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::gate::Throttle;
use crate::client::Behalf;

/// The level that counts the requests to all endpoints.
pub const ALL_ENDPOINTS: &str = "*";

/// How often leases are renewed while they are used.
const RENEWAL: Duration = Duration::from_millis(500);

/// The least time between two leases, however many endpoints are asked for the first time.
const LEAST_PAUSE: Duration = Duration::from_millis(100);

/// Whoever has not leased by then goes on alone, and tries again only now and then.
const PATIENCE: Duration = Duration::from_millis(1500);
const RETRY: Duration = Duration::from_secs(3);

/// What is wanted of one level.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetWant {
    /// The endpoint's path, or [`ALL_ENDPOINTS`].
    pub endpoint: String,
    /// Requests per second that all processes together may send.
    pub full_rate: f64,
    /// Requests per second that this one could use.
    pub wanted: f64,
    /// Whether Stripe said since the last lease that it was too much.
    pub exceeded: bool,
}

/// Rates that may be used for a while.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetLease {
    /// Requests per second for each want, in their order.
    pub rates: Vec<f64>,
    /// From the moment of asking.
    pub valid_for: Duration,
    /// How many lease of the same account at present, this one included.
    pub holders: usize,
}

/// The rate of an account, shared with other processes that ask Stripe for the same account.
pub trait SharedBudget: Send + Sync + fmt::Debug {
    /// Replaces what `holder` has leased of `account` by what it wants now; without wants it gives all back.
    /// Both are opaque names.
    fn lease(
        &self,
        account: String,
        holder: String,
        wants: Vec<BudgetWant>,
    ) -> BoxFuture<'static, Result<BudgetLease, Box<dyn Error + Send + Sync>>>;
}

/// Whose budget it is, and under which name we take from it.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<dyn SharedBudget>,
    account: String,
    holder: String,
}

impl Share {
    /// A share of `account` under a name of its own.
    pub(super) fn new(budget: Arc<dyn SharedBudget>, account: String) -> Share {
        Share { budget, account, holder: format!("{:016x}", rand::random::<u64>()) }
    }
}

/// A name for the account of `key`, or for the account in whose name it asks. The key itself goes nowhere.
pub(super) fn account_name(key: &SecretString, behalf: Option<&Behalf>) -> String {
    let mut hash = Sha256::new_with_prefix(key.expose_secret().as_bytes());
    if let Some(behalf) = behalf {
        hash.update(behalf.account());
    }
    hex::encode(&hash.finalize()[..16])
}

/// Keeps the leases of `throttle` until it is dropped. `hungry` is told when something is wanted that is not leased.
pub(super) async fn keep(throttle: Weak<Throttle>, share: Share, hungry: Arc<Notify>) {
    let mut asked = Instant::now();
    let mut alone = false;
    let mut holders = 1;
    loop {
        let Some(wants) =
            throttle.upgrade().map(|throttle| throttle.with(|limiter, _| limiter.wants(asked.elapsed())))
        else {
            // Others need not wait until the leases end.
            let back = share.budget.lease(share.account, share.holder, Vec::new());
            let _ = timeout(PATIENCE, back).await;
            return;
        };
        asked = Instant::now();
        if wants.is_empty() {
            hungry.notified().await;
            continue;
        }
        let names: Vec<(String, f64)> =
            wants.iter().map(|want| (want.endpoint.clone(), want.full_rate)).collect();
        let lease = share.budget.lease(share.account.clone(), share.holder.clone(), wants);
        let leased = match timeout(PATIENCE, lease).await {
            Ok(leased) => leased,
            Err(_) => Err("it does not answer in time".into()),
        };
        let Some(throttle) = throttle.upgrade() else { continue };
        let pause = match leased {
            Ok(lease) => {
                if std::mem::take(&mut alone) {
                    tracing::info!("the rate limit is shared with other processes again");
                }
                holders = lease.holders.max(1);
                let until = throttle.time_of(asked) + lease.valid_for;
                throttle.lease(
                    names.iter().zip(&lease.rates).map(|((name, _), rate)| (name.as_str(), *rate)),
                    until,
                );
                RENEWAL
            }
            Err(error) => {
                // As many as there were last, and one at least.
                let others = holders.max(2) as f64;
                if !std::mem::replace(&mut alone, true) {
                    tracing::warn!(
                        error = &*error as &dyn Error,
                        "the shared rate limit cannot be asked for ({error}); going on alone at {:.0} requests per \
                         second, and trying again",
                        throttle.with(|limiter, _| limiter.full_rate()) / others
                    );
                }
                let until = throttle.time_of(Instant::now()) + RETRY + PATIENCE + RENEWAL;
                throttle.lease(names.iter().map(|(name, full)| (name.as_str(), full / others)), until);
                RETRY
            }
        };
        drop(throttle);
        let renewal = asked + pause;
        tokio::time::sleep(LEAST_PAUSE).await;
        tokio::select! {
            () = tokio::time::sleep_until(renewal) => {}
            () = hungry.notified() => {}
        }
    }
}
