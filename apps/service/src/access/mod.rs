//! Who may ask for what: tokens, what they allow, and what was done with them.

mod attempts;
mod audit;
mod gate;
pub(crate) mod routes;
mod tokens;

pub(crate) use audit::entries;
pub use audit::{AuditEntry, record};
pub use gate::{Actor, Gate, GateOptions};
pub use tokens::{NewToken, Scope, Token, create_token, revoke_token, tokens};
