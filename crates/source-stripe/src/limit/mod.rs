//! How many requests Stripe is asked at a time, so that neither its limits are exceeded nor the account's
//! other traffic is crowded out (fidelity K1).

mod bucket;
mod gate;
mod limiter;
mod shared;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod simulation_tests;

pub(crate) use gate::{Admission, Gate};
pub(crate) use limiter::{Answer, Limiter, Limits, Refused};
pub(crate) use shared::Share;
pub use shared::{ALL_ENDPOINTS, BudgetLease, BudgetWant, SharedBudget};
