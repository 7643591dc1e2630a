//! From flags, environment and documents to what a command works with. Pure: the environment and the
//! documents are passed in.

mod choice;
mod connector;
mod destination;
mod run;
mod source;

pub(crate) use choice::{StreamChoice, parse_duration, parse_moment};
pub(crate) use destination::{DestinationSettings, resolve_destination};
pub(crate) use run::{Position, RunSettings, resolve_run, resolve_selection};
pub(crate) use source::{SourceSettings, resolve_source};

use engine::Registry;
use serde_json::{Map, Value};

use super::documents::PipelineDocument;
use super::environment::Environment;

/// What all resolutions look at.
pub(crate) struct Given<'a> {
    pub(crate) environment: &'a Environment,
    /// What `--config` holds.
    pub(crate) document: Option<&'a PipelineDocument>,
    /// For the fields that each connector knows.
    pub(crate) registry: &'a Registry,
}

/// An object of the connector's configuration, as a flag gave it.
pub(crate) type ConfigFlag<'a> = Option<&'a Map<String, Value>>;
