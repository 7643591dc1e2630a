//! The sync protocol: what sources, destinations and engines say to each other.
//!
//! A [`Message`] is one JSON object on one line. A [`Source`] emits messages, a [`Destination`]
//! takes them, makes records durable and hands the messages back; a `source_state` comes back
//! only after every earlier record it covers is durable. Record payloads are never parsed into a
//! tree: [`RawJson`] keeps the text as it came. Of children that their parent no longer holds a [`Sweep`] tells.
//!
//! This crate knows no connector, no engine, no storage and no process environment.

mod batch;
mod catalog;
mod connector;
mod content_hash;
mod control;
mod counted;
mod erased;
mod error;
mod inspect;
mod log;
mod look_up;
mod message;
mod ndjson;
mod pipeline;
#[cfg(feature = "program")]
pub mod program;
mod progress;
mod raw_json;
mod schema;
mod state;
mod status;
mod sweep;
mod timestamp;
mod transform;
mod wire;
mod write_loop;

pub use batch::{Batch, BatchLimits, BatchWriter};
pub use catalog::{
    CatalogMessage, ConfiguredCatalog, ConfiguredStream, DestinationSyncMode, Range, Stream, SyncMode,
    SystemColumn, TimeRange,
};
pub use connector::{
    Destination, InputStream, MessageStream, ReadRequest, RequestCount, Source, StateStore, WriteRequest,
    empty_stream, first_of, once, run_to_end,
};
pub use content_hash::ContentHash;
pub use control::Control;
pub use counted::counted;
pub use erased::{AnyDestination, AnySource};
pub use error::{ConnectorError, ErrorKind, with_causes};
pub use inspect::{InspectRequest, InspectedRows, RowStream, StoredRow};
pub use log::{Log, LogLevel, TRACE};
pub use look_up::{LookUpRequest, ObjectRef};
pub use message::{ConnectorSpec, Message, Payload, Record};
pub use ndjson::{DEFAULT_MAX_LINE_BYTES, NdjsonError, NdjsonReader, encode_line, read_messages};
pub use pipeline::{ConnectorConfig, PipelineConfig, StreamSelection};
pub use progress::{
    DerivedProgress, Eof, EofPayload, ProgressPayload, RunStatus, StreamProgress, StreamRunStatus,
};
pub use raw_json::{RawJson, RawJsonError, scalar_text};
pub use schema::{message_schema, payload_schemas};
pub use state::{SourceState, SourceStateMessage, SyncRunState, SyncState};
pub use status::{ConnectionState, ConnectionStatus, StreamStatus, StreamStatusMessage};
pub use sweep::{PARENT_ID, Segment, Sweep, segments};
pub use timestamp::{Timestamp, TimestampError};
pub use transform::{Condition, Transform, Transforms};
pub use write_loop::write_batches;
