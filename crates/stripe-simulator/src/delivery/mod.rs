//! Sending events: to webhook endpoints by HTTP, to Stripe CLI sessions by WebSocket.
//!
//! * `fate` decides what becomes of a delivery: pure, drawn from the seed.
//! * `signature` signs, `form` reads form-encoded bodies: pure.
//! * `endpoints` answers `/v1/webhook_endpoints`, `sessions` answers `/v1/stripecli/sessions`.
//! * `outbox` holds what is to be sent; `post` and `socket` send it: the edges.

pub(crate) mod endpoints;
pub(crate) mod fate;
pub(crate) mod form;
pub(crate) mod outbox;
pub(crate) mod post;
pub(crate) mod sessions;
pub(crate) mod signature;
pub(crate) mod socket;

pub use fate::DeliverySettings;
pub(crate) use outbox::Outbox;
