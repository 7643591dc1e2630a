//! The catalogs of every known version, built into the binary as compressed facts.
//!
//! The facts are unpacked at the first use, and each catalog is built at its first use and kept.

use std::io::Read;
use std::sync::{Arc, LazyLock, OnceLock};

use flate2::read::GzDecoder;

use crate::Catalog;
use crate::history::History;

/// The packed facts, made by the build script from `catalog/`.
static PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/catalog.gz"));

/// Name of the file that lists the versions.
pub const VERSIONS_FILE: &str = "versions";

static FACTS: LazyLock<Facts> = LazyLock::new(Facts::unpack);

struct Facts {
    /// Newest first.
    versions: Vec<&'static str>,
    text: &'static str,
    catalogs: Vec<OnceLock<Option<Arc<Catalog>>>>,
    history: OnceLock<Option<History>>,
}

impl Facts {
    fn unpack() -> Self {
        let mut text = String::new();
        if let Err(error) = GzDecoder::new(PACKED).read_to_string(&mut text) {
            tracing::error!(%error, "the embedded catalogs cannot be unpacked");
        }
        // Kept for the life of the process, like the packed facts themselves.
        let text: &'static str = text.leak();
        let listed = files(text).find(|(name, _)| *name == VERSIONS_FILE).map_or("", |(_, listed)| listed);
        let versions: Vec<&'static str> = listed.lines().rev().collect();
        let catalogs = versions.iter().map(|_| OnceLock::new()).collect();
        Self { versions, text, catalogs, history: OnceLock::new() }
    }

    fn history(&self) -> Option<&History> {
        let read = || {
            let versions = self.versions.iter().rev().map(|version| (*version).to_owned()).collect();
            let resources = files(self.text).filter(|(name, _)| *name != VERSIONS_FILE);
            History::read(versions, resources).inspect_err(report).ok()
        };
        self.history.get_or_init(read).as_ref()
    }
}

/// The tests read every catalog, so that no released binary can come here.
fn report(error: &crate::Error) {
    tracing::error!(%error, "the embedded catalogs are malformed");
}

/// Splits the unpacked facts into files: name and text.
fn files(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let parts = text.split("\n=").map(|part| part.strip_prefix('=').unwrap_or(part));
    parts.filter_map(|part| part.split_once('\n'))
}

/// The names of all embedded versions, newest first.
pub fn versions() -> &'static [&'static str] {
    &FACTS.versions
}

/// The newest embedded version.
pub fn newest_version() -> &'static str {
    FACTS.versions.first().copied().unwrap_or("")
}

/// The catalog of a version, or nothing if it is not embedded.
pub fn catalog(version: &str) -> Option<Arc<Catalog>> {
    let index = FACTS.versions.iter().position(|known| *known == version)?;
    let read = || {
        let catalog = FACTS.history()?.catalog(version).inspect_err(report).ok()??;
        Some(Arc::new(catalog))
    };
    FACTS.catalogs[index].get_or_init(read).clone()
}
