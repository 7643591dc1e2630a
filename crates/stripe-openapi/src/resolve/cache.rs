//! Documents that were downloaded before.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::Settings;
use crate::{ApiVersion, Catalog, parse};

/// The file of a version. Its name is safe: a version holds nothing but letters, digits, `-`, `_` and `.`.
fn file(version: &ApiVersion, settings: &Settings) -> Option<PathBuf> {
    Some(settings.cache_dir.as_ref()?.join(format!("{version}.spec3.sdk.json")))
}

/// The cached catalog of `version`. A file that cannot be used counts as absent, and is written anew.
pub(super) async fn read(version: &ApiVersion, settings: &Settings) -> Option<Catalog> {
    let path = file(version, settings)?;
    let text = tokio::fs::read(&path).await.ok()?;
    match parse::catalog_from_slice(&text) {
        Ok(catalog) if catalog.api_version == version.as_str() => Some(catalog),
        Ok(catalog) => {
            tracing::warn!(path = %path.display(), found = catalog.api_version, "ignoring a cached document of another version");
            None
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "ignoring a cached document that cannot be read");
            None
        }
    }
}

/// Keeps a downloaded document. Failing to do so costs a download next time and nothing now.
pub(super) async fn write(version: &ApiVersion, settings: &Settings, text: Vec<u8>) {
    let Some(path) = file(version, settings) else { return };
    let place = path.clone();
    let written = tokio::task::spawn_blocking(move || replace(&place, &text)).await;
    let error = match written {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::warn!(path = %path.display(), error, "cannot keep the downloaded document");
}

/// Writes beside the file and renames, so that no reader sees a part of it.
fn replace(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
    fresh.write_all(text)?;
    fresh.as_file().sync_all()?;
    fresh.persist(path)?;
    Ok(())
}
