//! What is wrong with a request, and where.

use std::fmt;

use serde::Serialize;

/// One step from the body to the place of an issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Step {
    /// The member of an object.
    Member(String),
    /// The item of an array, counted from 0.
    Item(usize),
}

impl From<&str> for Step {
    fn from(member: &str) -> Step {
        Step::Member(member.to_owned())
    }
}

impl From<usize> for Step {
    fn from(item: usize) -> Step {
        Step::Item(item)
    }
}

/// One thing that is wrong with a request, as clients of the reference read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Issue {
    /// What sort of issue: `invalid_type`, `invalid_value`, `invalid_union`, `too_small`, `custom`.
    pub code: &'static str,
    /// Where in the body.
    pub path: Vec<Step>,
    /// A sentence about it.
    pub message: String,
}

impl Issue {
    /// Something of another type than expected, or nothing where something is required.
    pub fn invalid_type(path: Vec<Step>, expected: &str, received: &str) -> Issue {
        let message = format!("Invalid input: expected {expected}, received {received}");
        Issue { code: "invalid_type", path, message }
    }

    /// Something that a rule beyond types forbids.
    pub fn custom(path: Vec<Step>, message: impl Into<String>) -> Issue {
        Issue { code: "custom", path, message: message.into() }
    }
}

/// Everything that is wrong with a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Issues(pub Vec<Issue>);

impl Issues {
    /// Adds one, and answers `None`, for the value that is not there.
    pub fn note<T>(&mut self, issue: Issue) -> Option<T> {
        self.0.push(issue);
        None
    }
}

impl fmt::Display for Issues {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, issue) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(formatter, "{separator}{}", issue.message)?;
        }
        Ok(())
    }
}
