//! Is it a source or a destination?

use std::path::Path;

use super::program::{Program, Words};
use crate::Role;

/// What a program is: by its name, or by the one of `discover` and `write` that it does not know. `None` where neither tells.
pub async fn detect(command: &[String]) -> Option<Role> {
    let names = command.iter().filter_map(|word| Path::new(word).file_name()?.to_str());
    for name in names {
        if name.starts_with("source-") || name.starts_with("source_") {
            return Some(Role::Source);
        }
        if name.starts_with("destination-") || name.starts_with("destination_") {
            return Some(Role::Destination);
        }
    }
    let program = Program::new(command.to_vec());
    let lacks = async |word: &'static str| {
        let said = program.run(Words::of(&[word]), b"").await.ok()?;
        let words = said.stderr.to_lowercase();
        Some(words.contains("unknown command") && words.contains(word))
    };
    match (lacks("discover").await?, lacks("write").await?) {
        (false, true) => Some(Role::Source),
        (true, false) => Some(Role::Destination),
        _ => None,
    }
}
