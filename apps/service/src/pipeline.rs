//! A pipeline as a resource: what a user asks for.

use protocol::{ConnectorConfig, PipelineConfig, StreamSelection, Transforms};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The shortest and the longest id, in characters.
const ID_LENGTH: std::ops::RangeInclusive<usize> = 3..=64;

/// What the user wants of a pipeline.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DesiredStatus {
    /// It is kept current.
    #[default]
    Active,
    /// It rests, and goes on where it stopped once it is active again.
    Paused,
    /// Everything that it made is removed, then it is forgotten.
    Deleted,
}

impl DesiredStatus {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            DesiredStatus::Active => "active",
            DesiredStatus::Paused => "paused",
            DesiredStatus::Deleted => "deleted",
        }
    }

    /// What is written so.
    pub fn parse(text: &str) -> Option<DesiredStatus> {
        [DesiredStatus::Active, DesiredStatus::Paused, DesiredStatus::Deleted]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}

/// A pipeline, with its secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// 3 to 64 letters, digits, `_` and `-`, a letter first.
    pub id: String,
    /// Words of the user for it.
    pub name: Option<String>,
    /// Where it reads.
    pub source: ConnectorConfig,
    /// Where it writes.
    pub destination: ConnectorConfig,
    /// Which streams; all when absent or empty.
    pub streams: Option<Vec<StreamSelection>>,
    /// What happens to records before they leave the source's side.
    pub transforms: Option<Transforms>,
    /// What the user wants of it.
    pub desired_status: DesiredStatus,
}

impl Pipeline {
    /// What the engine is asked with.
    pub fn config(&self) -> PipelineConfig {
        PipelineConfig {
            source: self.source.clone(),
            destination: self.destination.clone(),
            streams: self.streams.clone(),
            transforms: self.transforms.clone(),
        }
    }
}

/// Whether `id` may name a pipeline; the error completes "Invalid id: ".
pub fn check_id(id: &str) -> Result<(), &'static str> {
    if !ID_LENGTH.contains(&id.len()) {
        return Err("it has 3 to 64 characters");
    }
    if !id.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return Err("it begins with a letter");
    }
    if !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        return Err("it is made of letters, digits, `_` and `-`");
    }
    Ok(())
}

/// An id that nobody can guess: `pipe_` and 20 characters of base 36.
pub fn new_id() -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let digit = |_| char::from(DIGITS[rand::random_range(0..DIGITS.len())]);
    let digits: String = (0..20).map(digit).collect();
    format!("pipe_{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_a_form() {
        for good in ["abc", "a-b_C9", &"x".repeat(64), &new_id()] {
            assert_eq!(check_id(good), Ok(()), "{good}");
        }
        for bad in ["", "ab", "1abc", "_abc", "a/b", "a.b", "../x", "aé1", &"x".repeat(65)] {
            assert!(check_id(bad).is_err(), "{bad}");
        }
        assert_ne!(new_id(), new_id());
    }
}
