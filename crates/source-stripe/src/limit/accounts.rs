//! The accounts that a process asks for, each with one limiter.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use secrecy::SecretString;

use super::gate::{Gate, Throttle};
use super::lease::{Share, SharedBudget, account_name};
use super::limiter::Limits;
use crate::client::Behalf;
use crate::meter::RequestMeter;

/// The limiters of the accounts that a process asks for. Clones are the same limiters: all reads of an account through them
/// share its rate evenly, and what one leaves the others take.
#[derive(Debug, Clone, Default)]
pub struct AccountLimiters {
    accounts: Arc<Mutex<HashMap<String, Weak<Throttle>>>>,
}

impl AccountLimiters {
    /// A gate for one more read of the account of `key`, or of the account in whose name it asks. With a `budget` the account's
    /// rate is leased from there; then call it within a runtime.
    pub(crate) fn gate(
        &self,
        key: &SecretString,
        behalf: Option<&Behalf>,
        limits: Limits,
        budget: Option<&Arc<dyn SharedBudget>>,
        meter: Arc<RequestMeter>,
    ) -> Arc<Gate> {
        let name = account_name(key, behalf);
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.retain(|_, throttle| throttle.strong_count() > 0);
        let throttle = accounts.get(&name).and_then(Weak::upgrade).unwrap_or_else(|| {
            let throttle = match budget {
                None => Arc::new(Throttle::new(limits)),
                Some(budget) => Throttle::shared(limits, Share::new(Arc::clone(budget), name.clone())),
            };
            accounts.insert(name, Arc::downgrade(&throttle));
            throttle
        });
        Gate::new(throttle, limits, meter)
    }
}
