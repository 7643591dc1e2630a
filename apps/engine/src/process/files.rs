//! Arguments as files: what is secret must not be in the list of processes, and a catalog may be longer than an argument.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;
use tempfile::{NamedTempFile, TempPath};

/// The flags of a command. Their files are gone with it.
#[derive(Debug, Default)]
pub(crate) struct Flags {
    files: Vec<(&'static str, TempPath)>,
}

impl Flags {
    /// The same with one more flag.
    pub(crate) fn with(mut self, flag: &'static str, value: &impl Serialize) -> io::Result<Flags> {
        // Such a file can be read by its owner only.
        let mut file = NamedTempFile::with_prefix("sync-engine-")?;
        serde_json::to_writer(&mut file, value)?;
        file.flush()?;
        self.files.push((flag, file.into_temp_path()));
        Ok(self)
    }

    /// The words for the command line.
    pub(crate) fn words(&self) -> impl Iterator<Item = PathBuf> {
        self.files.iter().flat_map(|(flag, path)| [PathBuf::from(flag), path.to_path_buf()])
    }
}
