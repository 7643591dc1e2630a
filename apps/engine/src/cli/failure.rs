//! How a command ends when it does not succeed.

use std::process::ExitCode;

use engine::EngineError;
use protocol::ErrorKind;

/// Why a command did not do what was asked; the text is for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The request is wrong.
    Usage(String),
    /// Something failed.
    Failed(String),
    /// It was said already what failed.
    Told,
    /// The user, or the system, wanted it to end.
    Interrupted,
}

impl Failure {
    pub(crate) fn usage(text: impl Into<String>) -> Failure {
        Failure::Usage(text.into())
    }

    pub(crate) fn failed(text: impl Into<String>) -> Failure {
        Failure::Failed(text.into())
    }

    /// The exit code, as the help text documents it.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Failure::Failed(_) | Failure::Told => 1,
            Failure::Usage(_) => 2,
            Failure::Interrupted => INTERRUPTED,
        })
    }

    /// What is left to say.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Failure::Usage(text) | Failure::Failed(text) => Some(text),
            Failure::Told | Failure::Interrupted => None,
        }
    }
}

/// What to do where no engine answers.
const NO_ENGINE: &str =
    "Is `sync-engine serve` running there, and is --engine-url (or ENGINE_URL) its address?";

/// What to do where an engine wants another token, or any.
pub(crate) const DENIED: &str = "Give the token that the engine was started with: as SYNC_ENGINE_TOKEN in the environment, or by --engine-token.";

/// The exit code of an interrupted command.
pub(crate) const INTERRUPTED: u8 = 130;

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Failure {
        let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
        for cause in causes {
            tracing::debug!(error = cause, "caused by");
        }
        let text = match &error {
            EngineError::NoEngine(text) => format!("{text}\n{NO_ENGINE}"),
            EngineError::Denied(text) => format!("{text}\n{DENIED}"),
            other => other.to_string(),
        };
        match error.kind() {
            ErrorKind::Config => Failure::Usage(text),
            _ => Failure::Failed(text),
        }
    }
}
