//! The rate of Stripe's accounts, shared fairly by the pipelines of one process.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use source_stripe::{BudgetLease, BudgetWant, SharedBudget};
use tokio::time::Instant;
use util_postgres::shared_rate::{Budget, Want};

/// For how long a lease is good.
const VALID: Duration = Duration::from_secs(2);

/// Leases by account, in memory.
#[derive(Clone, Default)]
pub struct MemoryBudget {
    accounts: Arc<Mutex<HashMap<String, Budget>>>,
    began: Arc<Mutex<Option<Instant>>>,
}

impl fmt::Debug for MemoryBudget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MemoryBudget").finish_non_exhaustive()
    }
}

impl MemoryBudget {
    /// Milliseconds since the first lease.
    fn now(&self) -> i64 {
        let began =
            *self.began.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
        i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

impl SharedBudget for MemoryBudget {
    fn lease(
        &self,
        account: String,
        holder: String,
        wants: Vec<BudgetWant>,
    ) -> BoxFuture<'static, Result<BudgetLease, Box<dyn Error + Send + Sync>>> {
        let wanted = |want: BudgetWant| Want {
            level: want.endpoint,
            full_rate: want.full_rate,
            wanted: want.wanted,
            exceeded: want.exceeded,
        };
        let wants: Vec<Want> = wants.into_iter().map(wanted).collect();
        let valid = i64::try_from(VALID.as_millis()).unwrap_or(i64::MAX);
        let now = self.now();
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let budget = accounts.entry(account).or_default();
        let grants = budget.lease(&holder, &wants, now, valid);
        let lease = BudgetLease {
            rates: grants.into_iter().map(|grant| grant.per_second).collect(),
            valid_for: VALID,
            holders: budget.processes(),
        };
        std::future::ready(Ok(lease)).boxed()
    }
}
