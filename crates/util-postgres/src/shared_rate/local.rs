//! The leases of one process, in its memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::budget::{Budget, Want};
use super::table::{Leased, VALID};

/// A rate that the syncs of one process share.
#[derive(Debug)]
pub struct LocalRate {
    began: Instant,
    accounts: Mutex<HashMap<String, Budget>>,
}

impl Default for LocalRate {
    fn default() -> LocalRate {
        LocalRate { began: Instant::now(), accounts: Mutex::default() }
    }
}

impl LocalRate {
    /// Replaces what `holder` has leased of `account` by what it wants now; without wants it gives all back.
    pub fn lease(&self, account: &str, holder: &str, wants: &[Want]) -> Leased {
        let now = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX);
        let valid = i64::try_from(VALID.as_millis()).unwrap_or(i64::MAX);
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let budget = accounts.entry(account.to_owned()).or_default();
        let grants = budget.lease(holder, wants, now, valid);
        let processes = budget.processes();
        if budget.is_unused() {
            accounts.remove(account);
        }
        Leased { grants, valid_for: VALID, processes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_of_one_account_share_and_others_do_not() {
        let rate = LocalRate::default();
        let want = [Want { level: "*".to_owned(), full_rate: 80.0, wanted: 80.0, exceeded: false }];
        let granted = |account, holder| {
            let leased = rate.lease(account, holder, &want);
            (leased.grants[0].per_second, leased.processes)
        };
        assert_eq!(granted("a", "first"), (80.0, 1));
        assert_eq!(granted("a", "second"), (0.0, 2), "the first has it all until it asks again");
        assert_eq!(granted("a", "first").0, 40.0);
        assert_eq!(granted("a", "second").0, 40.0);
        assert_eq!(granted("b", "third"), (80.0, 1));
        rate.lease("b", "third", &[]);
        assert_eq!(rate.accounts.lock().unwrap().len(), 1, "what nobody uses is forgotten");
    }
}
