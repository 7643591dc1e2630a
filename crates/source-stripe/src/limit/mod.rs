//! How many requests Stripe is asked at a time, so that neither its limits are exceeded nor the account's
//! other traffic is crowded out (fidelity K1).

mod bucket;
mod gate;
mod limiter;

pub(crate) use gate::{Admission, Gate};
pub(crate) use limiter::{Answer, Limiter, Limits, Refused};
