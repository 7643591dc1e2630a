//! Rates of Stripe accounts that several syncs share.

use std::error::Error;
use std::sync::Arc;

use futures::future::{BoxFuture, ready};
use source_stripe::{BudgetLease, BudgetWant, SharedBudget};
use util_postgres::shared_rate::{Leased, LocalRate, SharedRate, Want};

type Leasing = BoxFuture<'static, Result<BudgetLease, Box<dyn Error + Send + Sync>>>;

/// Leases rates in a table of PostgreSQL, which processes share.
#[derive(Debug)]
pub struct TableBudget(SharedRate);

impl TableBudget {
    /// Leases in this table.
    pub fn new(rate: SharedRate) -> TableBudget {
        TableBudget(rate)
    }
}

impl SharedBudget for TableBudget {
    fn lease(&self, account: String, holder: String, wants: Vec<BudgetWant>) -> Leasing {
        let rate = self.0.clone();
        let wants: Vec<Want> = wants.into_iter().map(wanted).collect();
        Box::pin(async move { Ok(lease(rate.lease(&account, &holder, &wants).await?)) })
    }
}

/// Leases rates among the syncs of one process.
#[derive(Debug, Clone, Default)]
pub struct MemoryBudget(Arc<LocalRate>);

impl SharedBudget for MemoryBudget {
    fn lease(&self, account: String, holder: String, wants: Vec<BudgetWant>) -> Leasing {
        let wants: Vec<Want> = wants.into_iter().map(wanted).collect();
        Box::pin(ready(Ok(lease(self.0.lease(&account, &holder, &wants)))))
    }
}

fn wanted(want: BudgetWant) -> Want {
    Want { level: want.endpoint, full_rate: want.full_rate, wanted: want.wanted, exceeded: want.exceeded }
}

fn lease(leased: Leased) -> BudgetLease {
    BudgetLease {
        rates: leased.grants.into_iter().map(|grant| grant.per_second).collect(),
        valid_for: leased.valid_for,
        holders: leased.processes,
    }
}
