//! What a connector says when it cannot go on.

use std::error::Error as StdError;
use std::fmt;

/// What sort of failure it is. The kind decides whether trying again can help; the text never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The configuration or the request is wrong; the user must change it.
    Config,
    /// The credentials are refused or not sufficient.
    Auth,
    /// The other side asks for fewer requests.
    RateLimited,
    /// A passing fault: network, time-out, server error.
    Transient,
    /// The other side will not do this, however often it is asked.
    Permanent,
    /// A defect of ours.
    Internal,
}

impl ErrorKind {
    const ALL: [ErrorKind; 6] = [
        ErrorKind::Config,
        ErrorKind::Auth,
        ErrorKind::RateLimited,
        ErrorKind::Transient,
        ErrorKind::Permanent,
        ErrorKind::Internal,
    ];

    /// As it is written where a failure travels as a message.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorKind::Config => "config",
            ErrorKind::Auth => "auth",
            ErrorKind::RateLimited => "rate_limited",
            ErrorKind::Transient => "transient",
            ErrorKind::Permanent => "permanent",
            ErrorKind::Internal => "internal",
        }
    }

    /// The kind that is written so.
    pub fn parse(text: &str) -> Option<ErrorKind> {
        ErrorKind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A failure of a connector: a kind, a sentence for the user, and the cause for the log.
#[derive(Debug)]
pub struct ConnectorError {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl ConnectorError {
    /// A failure with a sentence that says what went wrong, where, and what to do.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> ConnectorError {
        ConnectorError { kind, message: message.into(), source: None }
    }

    /// [`ErrorKind::Config`].
    pub fn config(message: impl Into<String>) -> ConnectorError {
        ConnectorError::new(ErrorKind::Config, message)
    }

    /// [`ErrorKind::Internal`].
    pub fn internal(message: impl Into<String>) -> ConnectorError {
        ConnectorError::new(ErrorKind::Internal, message)
    }

    /// The same failure with its cause, which goes to the log and not to the user.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> ConnectorError {
        self.source = Some(source.into());
        self
    }

    /// What sort of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for ConnectorError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl StdError for ConnectorError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// An error with its causes: the outermost alone seldom tells what happened.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let sentence = error.to_string();
        // Some libraries repeat their cause's words.
        if !text.contains(&sentence) {
            text = format!("{text}: {sentence}");
        }
        cause = error.source();
    }
    text
}
