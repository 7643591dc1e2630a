//! How many requests Stripe is asked at a time, so that neither its limits are exceeded nor the account's
//! other traffic is crowded out (fidelity K1).

mod bucket;
mod gate;
mod leases;
mod limiter;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod simulation_tests;

pub(crate) use gate::{Admission, Gate};
pub(crate) use leases::Share;
pub use leases::{ALL_ENDPOINTS, BudgetLease, BudgetWant, SharedBudget};
pub(crate) use limiter::{Answer, Limiter, Limits, Refused};
