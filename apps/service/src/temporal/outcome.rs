//! How steps and backfills ended, as the workflows see it.

use serde::{Deserialize, Serialize};
use temporalio_sdk::{ActivityExecutionError, ApplicationFailure};

use super::steps::StepFailure;

/// The type of a failure that lasts; upstream's name.
const LASTING: &str = "SyncFailed";
/// The type of a failure that passes by itself.
const PASSING: &str = "SyncInterrupted";
/// The type of a failure because somebody else works on the pipeline.
const BUSY: &str = "PipelineBusy";
/// The type of a failure because there is no such pipeline.
const GONE: &str = "PipelineGone";

/// The longest message that goes into a history, in characters.
const MESSAGE: usize = 1_000;

/// How a backfill, or a comparison, ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BackfillOutcome {
    /// Whether it is over; else it goes on later.
    pub done: bool,
    /// How many records were moved.
    pub records: u64,
    /// How many steps it took.
    pub steps: u64,
    /// The streams that failed.
    pub failed_streams: Vec<String>,
    /// When events were last followed to their end, in milliseconds since 1970.
    pub followed_at: u64,
    /// Why it is not over, when it failed.
    pub failed: Option<Failed>,
}

/// Why a step failed, after its retries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failed {
    /// It lasts until somebody changes something; else it passes by itself.
    pub lasting: bool,
    /// There is no such pipeline any more.
    pub gone: bool,
    /// It was cancelled, which is no failure.
    pub cancelled: bool,
    /// What went wrong.
    pub message: String,
}

impl Failed {
    /// What passes by itself.
    pub(super) fn passing(message: impl Into<String>) -> Failed {
        Failed { message: message.into(), ..Failed::default() }
    }
}

impl From<ActivityExecutionError> for Failed {
    fn from(error: ActivityExecutionError) -> Failed {
        if matches!(error, ActivityExecutionError::Cancelled(_)) {
            return Failed { cancelled: true, message: error.to_string(), ..Failed::default() };
        }
        // What cannot be read does not get better before another version runs.
        let unreadable = matches!(error, ActivityExecutionError::Serialization(_));
        let Some(cause) = error.cause() else {
            return Failed { lasting: unreadable, message: error.to_string(), ..Failed::default() };
        };
        let kind = match cause {
            temporalio_common::error::IncomingError::Application(failure) => failure.type_name(),
            _ => None,
        };
        Failed {
            lasting: kind == Some(LASTING),
            gone: kind == Some(GONE),
            cancelled: cause.as_cancelled().is_some(),
            message: cause.to_string(),
        }
    }
}

/// A step's failure as Temporal retries it, or does not.
pub(super) fn failure(failure: StepFailure) -> ApplicationFailure {
    let StepFailure { lasting, busy, gone, message } = failure;
    let kind = match (gone, busy, lasting) {
        (true, ..) => GONE,
        (_, true, _) => BUSY,
        (_, _, true) => LASTING,
        _ => PASSING,
    };
    ApplicationFailure::builder(shortened(message))
        .type_name(kind.to_owned())
        .non_retryable(kind == GONE || kind == LASTING)
        .build()
}

fn shortened(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(MESSAGE) {
        message.truncate(end);
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_not_retried() {
        let of = |lasting, busy, gone| {
            let failure = failure(StepFailure { lasting, busy, gone, message: "m".to_owned() });
            (failure.type_name().map(str::to_owned), failure.is_non_retryable())
        };
        assert_eq!(of(true, false, false), (Some("SyncFailed".to_owned()), true));
        assert_eq!(of(false, false, false), (Some("SyncInterrupted".to_owned()), false));
        assert_eq!(of(false, true, false), (Some("PipelineBusy".to_owned()), false));
        assert_eq!(of(true, true, true), (Some("PipelineGone".to_owned()), true));
    }

    #[test]
    fn a_history_holds_no_long_messages() {
        assert_eq!(shortened("é".repeat(MESSAGE)).chars().count(), MESSAGE);
        assert_eq!(shortened("é".repeat(MESSAGE + 5)).chars().count(), MESSAGE + 1);
    }
}
