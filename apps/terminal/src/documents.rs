//! JSON given as a flag: itself, as a file, or on stdin.

use std::io::Read;

use serde::de::DeserializeOwned;

use crate::failure::Failure;

/// Reads what `flag` was given: JSON where it begins with `{` or `[`, stdin for `-`, else a file.
pub fn read_any<T: DeserializeOwned>(flag: &str, given: &str) -> Result<T, Failure> {
    read_with(flag, given, |text| serde_json::from_str(text).map_err(|error| error.to_string()))
}

/// The same, parsed by `parse`, whose error says what is malformed.
pub fn read_with<T>(
    flag: &str,
    given: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<T, Failure> {
    let trimmed = given.trim();
    let (place, text) = if trimmed.starts_with(['{', '[']) {
        ("the JSON".to_owned(), trimmed.to_owned())
    } else if trimmed == "-" {
        let mut text = String::new();
        let read = std::io::stdin().lock().read_to_string(&mut text);
        read.map_err(|error| Failure::usage(format!("{flag}: stdin cannot be read: {error}")))?;
        ("stdin".to_owned(), text)
    } else {
        let text = std::fs::read_to_string(given)
            .map_err(|error| Failure::usage(format!("{flag}: {given} cannot be read: {error}")))?;
        (given.to_owned(), text)
    };
    parse(&text).map_err(|error| Failure::usage(format!("{flag}: {place} is malformed: {error}")))
}
