//! The sync engine: wires a source to a destination through the message protocol.
//!
//! [`Engine`] offers the operations; each answers a stream of messages that is produced as it is
//! pulled and whose drop stops the work. What decides is pure: building the catalog, the state of
//! a run, limits, progress, what may reach the destination. The destination pulls the source, so
//! nothing queues between them.
//!
//! The engine keeps no state, and knows no environment variable and no terminal; processes only where a [`Registry`] is
//! told to look for connectors that are programs ([`process`]). What programs need to hold one is in [`program`].

pub mod api;
pub mod conformance;
pub mod echo;
pub mod program;
pub mod remote;

mod cadence;
mod connection;
mod delivery;
mod engine;
mod error;
mod limits;
pub mod process;
mod progress;
mod projection;
mod read;
mod reconcile;
mod registry;
mod remote_comparison;
mod remote_failures;
mod revision;
mod run;
mod selection;
mod stored;
mod sync;
mod sync_batch;
mod traced;
mod transform;
mod write;

pub use connection::{Setup, Side};
pub use engine::Engine;
pub use error::{EngineError, Role};
pub use limits::TimeLimits;
pub use progress::Progress;
pub use projection::Projection;
pub use read::PipelineRead;
pub use reconcile::{Differences, Outcome, Reconcile, ReconcileReport, StreamReport};
pub use registry::Registry;
pub use run::{RunLedger, initial_state};
pub use selection::{ConfiguredCatalogs, configure, nearest};
pub use sync::PipelineSync;
pub use sync_batch::PipelineSyncBatch;

/// What an operation answers: messages, produced as they are pulled. Dropping it stops the work.
pub type EngineStream =
    std::pin::Pin<Box<dyn futures::Stream<Item = Result<protocol::Message, EngineError>> + Send>>;
