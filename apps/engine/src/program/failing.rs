//! How a program ends by a failure of the engine.

use protocol::ErrorKind;
use terminal::failure::Failure;

use crate::EngineError;

/// What to do where no engine answers.
const NO_ENGINE: &str =
    "Is `sync-engine serve` running there, and is --engine-url (or ENGINE_URL) its address?";

/// What to do where an engine wants another token, or any.
pub const DENIED: &str = "Give the token that the engine was started with: as SYNC_ENGINE_TOKEN in the environment, or by --engine-token.";

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
