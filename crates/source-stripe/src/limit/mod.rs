//! How many requests Stripe is asked at a time, so that neither its limits are exceeded nor the account's
//! other traffic is crowded out (fidelity K1).

mod accounts;
#[cfg(test)]
mod accounts_tests;
mod bucket;
mod gate;
mod lease;
mod limiter;
mod queue;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod simulation_tests;

pub use accounts::AccountLimiters;
pub(crate) use gate::{Admission, Gate};
pub use lease::{ALL_ENDPOINTS, BudgetLease, BudgetWant, SharedBudget};
pub(crate) use limiter::{Answer, Limiter, Limits, Refused};
