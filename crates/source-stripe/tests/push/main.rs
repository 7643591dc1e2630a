//! Webhook endpoints that setup registers with a simulated Stripe and teardown removes.
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

mod account;
mod adopting;
mod registering;
