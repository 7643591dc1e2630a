//! A faithful, stateful Stripe API in memory.
//!
//! [`Simulator`] serves the lists and objects of one API version over HTTP, as strictly as Stripe: the
//! same pages, refusals, limits and hidden rows. [`Control`] changes the account while clients read it
//! and tells what the truth is. Objects are generated on demand, so an account may hold millions.
//!
//! How it is built:
//!
//! * `world` knows which objects exist and what they hold. An object that nobody touched is a pure function
//!   of the seed, its table and its ordinal (`timeline`, `identity`, `kinship`, `content`, `template`); only
//!   changes are stored. All changes go through one function, which knows before and after.
//! * `events` tells of each change: `/v1/events` and `/v2/core/events`, as Stripe does.
//! * `delivery` sends events to webhook endpoints and Stripe CLI sessions.
//! * `query`, `selection`, `paging` and `api` answer a request from a world: pure, without a clock.
//! * `connect` holds the accounts that are connected to the one behind the keys: each a world of its own.
//! * `access` says who asks, for which account, and what the key may do.
//! * `throttle` and `faults` decide which requests are let through and which are to fail: pure, too.
//! * `service`, `connection` and `control_http` are the edge: sockets, time, HTTP.
//! * `lore` and `refusal` hold what Stripe does and says that no OpenAPI document tells.

mod access;
mod accounts;
mod api;
mod chance;
mod clock;
mod connect;
mod connection;
mod content;
mod control;
mod control_http;
mod counters;
mod delivery;
mod error;
mod events;
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
mod stir;
mod template;
mod throttle;
mod timeline;
pub mod weights;
mod world;

pub use access::Permissions;
pub use clock::Clock;
pub use control::{Control, NestedLists};
pub use counters::{Counters, EndpointCounters, SecondCounters};
pub use delivery::DeliverySettings;
pub use error::SimulatorError;
pub use events::EventSettings;
pub use faults::{Fault, FaultRule, When};
pub use simulator::{DEFAULT_API_KEY, Running, Simulator, SimulatorBuilder};
pub use throttle::Limits;
pub use timeline::{Distribution, Span};
pub use world::{AccountFacts, Mutation, World, WorldSettings};
