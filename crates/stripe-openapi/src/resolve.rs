//! From the name of an API version to its catalog, wherever that comes from.
//!
//! In this order: the document that the user names; the embedded facts; the cache; Stripe's public repository.
//! Whatever is read must say that it describes the version asked for: an unknown version never becomes another.

mod cache;
mod fetch;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::version::nearest;
use crate::{ApiVersion, Catalog, Error, embedded, parse};

/// Where to look for catalogs that are not embedded.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A document named by the user: it alone is used.
    pub spec: Option<SpecLocation>,
    /// Folder that keeps what was downloaded; nothing is kept without one.
    pub cache_dir: Option<PathBuf>,
    /// Base of GitHub's API, which tells the commit of a date.
    pub api_base: String,
    /// Base of the files in GitHub's repositories.
    pub raw_base: String,
    /// A token for GitHub, which raises its rate limit.
    pub token: Option<SecretString>,
    /// Time allowed for each download, from connecting to the last byte.
    pub timeout: Duration,
    /// Size allowed for each download, in bytes.
    pub max_bytes: usize,
}

impl Default for Settings {
    /// GitHub itself without token or cache, a minute, and 64 MiB: six times Stripe's largest document.
    fn default() -> Self {
        Self {
            spec: None,
            cache_dir: None,
            api_base: "https://api.github.com".to_owned(),
            raw_base: "https://raw.githubusercontent.com".to_owned(),
            token: None,
            timeout: Duration::from_secs(60),
            max_bytes: 64 << 20,
        }
    }
}

/// Where a document named by the user is: `http://…` and `https://…` are addresses, all else is a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpecLocation {
    /// A file.
    File(PathBuf),
    /// An address.
    Url(String),
}

impl FromStr for SpecLocation {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_url = text.starts_with("http://") || text.starts_with("https://");
        Ok(if is_url { Self::Url(text.to_owned()) } else { Self::File(text.into()) })
    }
}

/// The catalog of `version`.
///
/// Uses the network only if the version is neither embedded nor cached, or if the user names an address. The
/// process must have installed a TLS provider by then.
pub async fn catalog(version: &ApiVersion, settings: &Settings) -> Result<Arc<Catalog>, Error> {
    if let Some(location) = &settings.spec {
        return named_by_user(version, location, settings).await.map(Arc::new);
    }
    if let Some(catalog) = embedded::catalog(version.as_str()) {
        return Ok(catalog);
    }
    if let Some(catalog) = cache::read(version, settings).await {
        return Ok(Arc::new(catalog));
    }
    let unknown = |reason| Error::UnknownVersion {
        version: version.to_string(),
        nearest: nearest(version.as_str(), embedded::versions()).join(", "),
        reason,
    };
    let text = fetch::from_repository(version, settings).await.map_err(unknown)?;
    let catalog = parse::catalog_from_slice(&text).map_err(|error| unknown(error.to_string()))?;
    if catalog.api_version != version.as_str() {
        let found = &catalog.api_version;
        return Err(unknown(format!(
            "the newest document that Stripe published by {} describes {found}",
            version.date()
        )));
    }
    cache::write(version, settings, text).await;
    Ok(Arc::new(catalog))
}

async fn named_by_user(
    version: &ApiVersion,
    location: &SpecLocation,
    settings: &Settings,
) -> Result<Catalog, Error> {
    let (origin, text) = match location {
        SpecLocation::File(path) => {
            let text = tokio::fs::read(path).await;
            (
                path.display().to_string(),
                text.map_err(|source| Error::Unreadable { path: path.clone(), source })?,
            )
        }
        SpecLocation::Url(url) => {
            let text = fetch::from_url(url, settings).await;
            (url.clone(), text.map_err(|reason| Error::UnusableDocument { origin: url.clone(), reason })?)
        }
    };
    let parsed = parse::catalog_from_slice(&text);
    let catalog = parsed
        .map_err(|error| Error::UnusableDocument { origin: origin.clone(), reason: error.to_string() })?;
    if catalog.api_version == version.as_str() {
        Ok(catalog)
    } else {
        Err(Error::OtherVersion { origin, found: catalog.api_version, wanted: version.to_string() })
    }
}
