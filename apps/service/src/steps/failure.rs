//! Why a step was not done.

use engine::EngineError;
use protocol::ErrorKind;

use crate::store::StoreError;

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
pub enum StepFailure {
    /// Somebody else works on the pipeline.
    #[error("somebody else works on the pipeline at present")]
    Busy,
    /// There is no such pipeline (any more).
    #[error("there is no such pipeline")]
    Gone,
    /// The lease was lost: somebody else may work on it by now, so nothing more was saved.
    #[error("the lease of the pipeline was lost")]
    Lost,
    /// It failed; the pipeline says so.
    #[error("{message}")]
    Failed {
        /// What went wrong, and what to do. Holds no secret.
        message: String,
        /// Whether it lasts until somebody changes something.
        lasting: bool,
    },
    /// The store cannot be asked.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for StepFailure {
    fn from(error: StoreError) -> StepFailure {
        match error {
            StoreError::Unmet => StepFailure::Lost,
            other => StepFailure::Store(other),
        }
    }
}

impl From<EngineError> for StepFailure {
    fn from(error: EngineError) -> StepFailure {
        let lasting = matches!(error.kind(), ErrorKind::Config | ErrorKind::Auth | ErrorKind::Permanent);
        StepFailure::Failed { message: logger::redact_text(&error.to_string()).into_owned(), lasting }
    }
}
