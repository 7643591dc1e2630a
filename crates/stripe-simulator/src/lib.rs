//! A faithful, stateful Stripe API in memory.
