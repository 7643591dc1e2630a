//! How a command ends when it does not succeed.

use std::process::ExitCode;

/// Why a command did not do what was asked; the text is for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
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
    /// A wrong request.
    pub fn usage(text: impl Into<String>) -> Failure {
        Failure::Usage(text.into())
    }

    /// Something that failed.
    pub fn failed(text: impl Into<String>) -> Failure {
        Failure::Failed(text.into())
    }

    /// The exit code, as the help text documents it.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Failure::Failed(_) | Failure::Told => 1,
            Failure::Usage(_) => 2,
            Failure::Interrupted => INTERRUPTED,
        })
    }

    /// What is left to say.
    pub fn text(&self) -> Option<&str> {
        match self {
            Failure::Usage(text) | Failure::Failed(text) => Some(text),
            Failure::Told | Failure::Interrupted => None,
        }
    }
}

/// The exit code of an interrupted command.
pub const INTERRUPTED: u8 = 130;
