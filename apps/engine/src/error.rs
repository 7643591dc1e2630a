//! Why an operation failed.

use std::fmt;

use protocol::{ConnectorError, ErrorKind};

/// Which end of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Where records come from.
    Source,
    /// Where records go.
    Destination,
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Role::Source => "source",
            Role::Destination => "destination",
        })
    }
}

/// A failure, as the user reads it. The cause, where there is one, is for the log.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The pipeline names a connector that is not registered.
    #[error("unknown {role} connector `{name}`; there is {known}{looked}", known = list(.known), looked = looked(*.role, .name, *.programs))]
    UnknownConnector {
        /// Which end.
        role: Role,
        /// The name in the pipeline.
        name: String,
        /// The registered names.
        known: Vec<String>,
        /// Whether it was looked for among programs, too.
        programs: bool,
    },
    /// The pipeline selects streams that the source does not have.
    #[error("{}", unknown_streams(.unknown))]
    UnknownStreams {
        /// Each unknown name, with the names nearest to it.
        unknown: Vec<(String, Vec<String>)>,
    },
    /// A connector failed.
    #[error("{source}")]
    Connector {
        /// Which end.
        role: Role,
        /// Its type.
        connector: String,
        /// What it says.
        source: ConnectorError,
    },
    /// A connector did not finish its setup in time.
    #[error("{connector} setup timed out after {seconds}s; run setup again, it goes on where it was")]
    SetupTimedOut {
        /// E.g. `destination/postgres`.
        connector: String,
        /// The limit.
        seconds: u64,
    },
    /// An engine elsewhere failed, or is not understood.
    #[error("{0}")]
    Remote(String),
    /// What an engine elsewhere told of a failure.
    #[error("{text}")]
    Told {
        /// What sort of failure it is there.
        kind: ErrorKind,
        /// What it says.
        text: String,
    },
    /// An engine elsewhere has no such operation: it is older than who asks.
    #[error("{0}")]
    Outdated(String),
    /// Nobody answers where an engine should be, or somebody who is none.
    #[error("{0}")]
    NoEngine(String),
    /// An engine elsewhere wants a token, or another one.
    #[error("{0}")]
    Denied(String),
    /// The request contradicts itself.
    #[error("{0}")]
    Request(String),
}

impl EngineError {
    pub(crate) fn source(connector: &str, source: ConnectorError) -> EngineError {
        EngineError::Connector { role: Role::Source, connector: connector.to_owned(), source }
    }

    pub(crate) fn destination(connector: &str, source: ConnectorError) -> EngineError {
        EngineError::Connector { role: Role::Destination, connector: connector.to_owned(), source }
    }

    /// What sort of failure it is; [`ErrorKind::Config`] means that the user must change the request.
    pub fn kind(&self) -> ErrorKind {
        match self {
            EngineError::UnknownConnector { .. }
            | EngineError::UnknownStreams { .. }
            | EngineError::Request(_) => ErrorKind::Config,
            EngineError::Connector { source, .. } => source.kind(),
            EngineError::Told { kind, .. } => *kind,
            EngineError::Denied(_) => ErrorKind::Auth,
            EngineError::Outdated(_) => ErrorKind::Permanent,
            EngineError::SetupTimedOut { .. } | EngineError::Remote(_) | EngineError::NoEngine(_) => {
                ErrorKind::Transient
            }
        }
    }
}

fn looked(role: Role, name: &str, programs: bool) -> String {
    if programs { format!(", and no program `{role}-{name}`") } else { String::new() }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn unknown_streams(unknown: &[(String, Vec<String>)]) -> String {
    let named: Vec<String> = unknown
        .iter()
        .map(|(name, near)| match near.as_slice() {
            [] => format!("`{name}`"),
            near => format!("`{name}` (did you mean {}?)", near.join(" or ")),
        })
        .collect();
    let noun = if unknown.len() == 1 { "stream" } else { "streams" };
    format!("the source has no {noun} {}", named.join(", "))
}
