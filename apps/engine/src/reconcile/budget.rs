//! How many requests a comparison may cost.

use protocol::RequestCount;

/// So many objects come with one request.
const PER_REQUEST: u64 = 100;

/// Rows that are held in memory at a time, unless the budget wants fewer.
const MOST_ROWS: u64 = 20_000;

/// What may be spent, and what was.
pub(crate) struct Budget {
    pub(crate) most: Option<u64>,
    pub(crate) spent: RequestCount,
}

impl Budget {
    pub(crate) fn new(most: Option<u64>, spent: RequestCount) -> Budget {
        Budget { most, spent }
    }

    pub(crate) fn used(&self) -> u64 {
        (self.spent)()
    }

    /// Whether all of it is used.
    pub(crate) fn is_spent(&self) -> bool {
        self.most.is_some_and(|most| self.used() >= most)
    }

    /// Whether more than all of it is used. What was asked for with the last request still is taken.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.most.is_some_and(|most| self.used() > most)
    }

    /// Whether reading so many objects in one go would take more than all of it, even from the start.
    pub(crate) fn can_never_read(&self, rows: u64) -> bool {
        self.most.is_some_and(|most| requests_for(rows) > most)
    }

    /// Whether reading so many objects would take more than what is left.
    pub(crate) fn cannot_read_now(&self, rows: u64) -> bool {
        self.most.is_some_and(|most| self.used() + requests_for(rows) > most)
    }

    /// How many rows to compare at a time, so that some parts fit into the budget.
    pub(crate) fn rows_at_a_time(&self) -> u32 {
        let rows = self.most.map_or(MOST_ROWS, |most| (most / 4 * PER_REQUEST).clamp(PER_REQUEST, MOST_ROWS));
        u32::try_from(rows).unwrap_or(u32::MAX)
    }
}

/// Requests that reading so many objects takes.
pub(crate) fn requests_for(rows: u64) -> u64 {
    rows.div_ceil(PER_REQUEST).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn a_budget_is_spent_by_requests() {
        let sent = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&sent);
        let budget = Budget::new(Some(10), Arc::new(move || counted.load(Ordering::SeqCst)));
        assert!(!budget.is_spent() && !budget.cannot_read_now(1000) && budget.cannot_read_now(1001));
        sent.store(10, Ordering::SeqCst);
        assert!(budget.is_spent() && !budget.is_exceeded() && budget.cannot_read_now(0));
        assert!(budget.can_never_read(1001) && !budget.can_never_read(1000));
        assert_eq!(budget.rows_at_a_time(), 200);
    }

    #[test]
    fn without_a_budget_memory_is_the_limit() {
        let budget = Budget::new(None, Arc::new(|| 5));
        assert!(!budget.is_spent() && !budget.can_never_read(u64::MAX / 2));
        assert_eq!(budget.rows_at_a_time(), 20_000);
    }
}
