//! Webhooks: verified, then stored durably, then acknowledged.

mod intake;
mod secrets;

pub(crate) use intake::{Intake, Taken};
pub(crate) use secrets::{Secret, Secrets};
