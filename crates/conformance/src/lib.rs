//! What is true of every connector, as rules about what it said: the part that `sync-engine conformance` and the suites of the
//! tests share.
//!
//! Pure: whoever runs a connector and listens to it is elsewhere. Each rule takes what was said and answers a [`Breach`] where it
//! does not hold.

mod breach;
mod catalog;
mod handing_back;
mod reading;
mod schema;
pub mod script;

pub use breach::Breach;
pub use catalog::catalog_is_sound;
pub use handing_back::comes_back_in_order;
pub use reading::{
    Keys, RowCounts, keys_of, nothing_is_lost, only_of_the_streams, only_what_sources_say,
    records_have_their_version, rows_by_stream, state_after, states_at, statuses_come_in_order,
};
pub use schema::{is_config_schema, unfit_configs};
