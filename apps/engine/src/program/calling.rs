//! How a command of a generated command line begins and ends: words to a call, an answer to an exit code.

use std::io::ErrorKind;

use http::StatusCode;
use logger::redact_text;
use openapi_cli::{AnswerError, Call, Described, Failed, Words, WordsError};
use terminal::failure::Failure;
use terminal::output::Screen;

/// The call that the words ask for. Words that do not fit together are wrong usage.
pub fn call<D: Described>(words: &Words<D>) -> Result<Call, Failure> {
    words.call().map_err(|error| match error {
        WordsError::Document(error) => Failure::failed(error.to_string()),
        WordsError::Call(error) => Failure::usage(error.to_string()),
    })
}

/// How the command ends after a call. What was answered without success is said as the API says it, with `denied` below it where
/// the token was not the right one.
pub fn called<E: Into<Failure>>(
    done: Result<(), Failed<E>>,
    screen: &Screen,
    denied: Option<&str>,
) -> Result<(), Failure> {
    match done {
        Ok(()) => Ok(()),
        Err(Failed::Transport(error)) => Err(error.into()),
        Err(Failed::Answer(error)) => match &error {
            AnswerError::Status { status, .. } => {
                screen.line(&redact_text(&error.to_string()));
                if let Some(denied) = denied.filter(|_| *status == StatusCode::UNAUTHORIZED) {
                    screen.line(denied);
                }
                Err(Failure::Told)
            }
            // Whoever read along has enough.
            AnswerError::Output(cause) if cause.kind() == ErrorKind::BrokenPipe => Ok(()),
            _ => Err(Failure::failed(error.to_string())),
        },
    }
}
