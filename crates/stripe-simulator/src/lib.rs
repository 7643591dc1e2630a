//! A faithful, stateful Stripe API in memory.
//!
//! [`Simulator`] serves the lists and objects of one API version over HTTP, as strictly as Stripe: the
//! same pages, refusals, limits and hidden rows. [`Control`] changes the account while clients read it
//! and tells what the truth is. Objects are generated on demand, so an account may hold millions.

mod api;
mod chance;
mod clock;
mod connection;
mod content;
mod control;
mod control_http;
mod counters;
mod error;
mod faults;
mod identity;
mod kinship;
mod lore;
mod paging;
mod pretty;
mod query;
mod refusal;
mod routes;
mod selection;
mod service;
mod simulator;
mod state;
mod template;
mod throttle;
mod timeline;
pub mod weights;
mod world;

pub use clock::Clock;
pub use control::{Control, NestedLists};
pub use counters::{Counters, EndpointCounters};
pub use error::SimulatorError;
pub use faults::{Fault, FaultRule, When};
pub use simulator::{DEFAULT_API_KEY, Running, Simulator, SimulatorBuilder};
pub use throttle::Limits;
pub use timeline::{Distribution, Span};
pub use world::{AccountFacts, Mutation, World, WorldSettings};
