//! The Stripe source: reads every listable object of an account.
//!
//! [`StripeSource`] is the connector. Its parts, from the pure to the edge:
//!
//! * `window`, `stream_state`: ranges of `created`, and what is remembered between reads;
//! * `plan`: which pages to ask for (few requests, full use of the rate limit, exact states); `landmarks`: where
//!   else a list may be begun that cannot be narrowed by time;
//! * `limit`, `retry`, `verdict`: how fast to ask, when to ask again, what a refusal means;
//! * `page`: from the text of a list to stamped records, without a tree;
//! * `children`: the rows that lie in the rows of other streams, or under them;
//! * `brought`: what one request of a plan brings;
//! * `nested`: completes lists within objects;
//! * `passes`: the lists that make a stream complete; `streams`: all streams of a read;
//! * `current`: what changed since, by events and by reading again;
//! * `past_events`: events as input, for those who push them in;
//! * `look_up`: single objects, for those who compare a copy with Stripe;
//! * `preflight`: what a key may read, stream by stream;
//! * `push`: events that are delivered to this process: webhooks, the WebSocket of the Stripe CLI, input;
//! * `accounts`: the accounts that are connected to the key's own, read side by side as one;
//! * `client`, `connections`, `stripe_clock`, `account`, `clocks`: the HTTP edge;
//! * `setup`: what is prepared with Stripe before a sync, and undone after the last;
//! * `driver`, `delivery`: all streams at once, in bounded memory, pulled by whoever reads.
//!
//! The crate reads no environment variables: which proxy there is, is an option.

mod account;
mod accounts;
mod brought;
mod children;
mod client;
mod clocks;
mod config;
mod connections;
mod current;
mod delivery;
mod discover;
mod driver;
mod failure;
mod formed;
mod hydrate;
mod landmarks;
mod lane;
mod limit;
mod look_up;
mod meter;
mod nested;
mod page;
mod passes;
mod past_events;
mod plan;
mod preflight;
mod proxy;
mod push;
mod read;
mod retry;
mod room;
mod setup;
mod source;
mod spec;
mod stream_state;
mod streams;
mod stripe_clock;
mod verdict;
mod window;

#[cfg(fuzzing)]
pub mod fuzzing;

pub use accounts::Accounts;
pub use config::{StripeConfig, is_live, is_test};
pub use limit::{ALL_ENDPOINTS, AccountLimiters, BudgetLease, BudgetWant, SharedBudget};
pub use meter::RequestMeter;
pub use proxy::ProxyRules;
pub use push::{WebhookRefusal, webhook_event};
pub use source::{StripeSource, StripeSourceOptions};
