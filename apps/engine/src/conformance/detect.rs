//! Is it a source or a destination?

use std::path::Path;

use conformance::Breach;

use super::program::{Program, Words};
use crate::Role;

/// What a program is: by its name, or by the one of `discover` and `write` that it does not know. `None` where neither tells. Fails
/// where it cannot be run.
pub async fn detect(command: &[String]) -> Result<Option<Role>, Breach> {
    let names = command.iter().filter_map(|word| Path::new(word).file_name()?.to_str());
    for name in names {
        if name.starts_with("source-") || name.starts_with("source_") {
            return Ok(Some(Role::Source));
        }
        if name.starts_with("destination-") || name.starts_with("destination_") {
            return Ok(Some(Role::Destination));
        }
    }
    let program = Program::new(command.to_vec());
    let lacks = async |word: &'static str| {
        let said = program.run(Words::of(&[word]), b"").await?;
        let words = said.stderr.to_lowercase();
        Ok(words.contains("unknown command") && words.contains(word))
    };
    Ok(match (lacks("discover").await?, lacks("write").await?) {
        (false, true) => Some(Role::Source),
        (true, false) => Some(Role::Destination),
        _ => None,
    })
}
