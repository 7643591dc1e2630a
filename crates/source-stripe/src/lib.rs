//! The Stripe source: reads every listable object of an account.
