//! How connections are made: by which proxy, and whose certificates are trusted. The same for requests and the WebSocket.

use std::time::Duration;

use protocol::{ConnectorError, with_causes};
use url::Url;

use crate::proxy::ProxyRules;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// What all connections of a client have in common.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connections {
    proxies: ProxyRules,
    authorities: Vec<reqwest::Certificate>,
}

/// A way to a host.
pub(crate) struct Way {
    pub(crate) builder: reqwest::ClientBuilder,
    /// The proxy on it, by name.
    pub(crate) proxy: Option<String>,
}

impl Connections {
    /// Connections by `proxies`, which trust the system's authorities and those in `ca_certificate`: PEM, or the path
    /// of a file of it.
    pub(crate) fn new(
        proxies: &ProxyRules,
        ca_certificate: Option<&str>,
    ) -> Result<Connections, ConnectorError> {
        let authorities = ca_certificate.map_or(Ok(Vec::new()), authorities)?;
        Ok(Connections { proxies: proxies.clone(), authorities })
    }

    /// The way to the host of `url`.
    pub(crate) fn to(&self, url: &Url) -> Result<Way, ConnectorError> {
        // Fails when another part of the process was first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            // Those of the environment are none of ours: the rules were passed in.
            .no_proxy();
        let proxy = self.proxies.proxy_for(url);
        if let Some(proxy) = proxy {
            let way = reqwest::Proxy::all(proxy.address()).map_err(|error| {
                let (name, problem) = (proxy.name(), error.without_url());
                ConnectorError::config(format!("the proxy {name} cannot be used: {problem}"))
            })?;
            builder = builder.proxy(way);
        }
        if !self.authorities.is_empty() {
            builder = builder.tls_certs_merge(self.authorities.clone());
        }
        Ok(Way { builder, proxy: proxy.map(|proxy| proxy.name().to_owned()) })
    }
}

/// The certificates of a configuration: PEM itself, or a file of it.
fn authorities(given: &str) -> Result<Vec<reqwest::Certificate>, ConnectorError> {
    let inline = given.contains("-----BEGIN");
    let (text, place) = if inline {
        (given.as_bytes().to_vec(), "ca_certificate".to_owned())
    } else {
        let read = std::fs::read(given);
        let place = format!("ca_certificate: the file {given}");
        (read.map_err(|error| ConnectorError::config(format!("{place} cannot be read: {error}")))?, place)
    };
    let certificates = reqwest::Certificate::from_pem_bundle(&text).map_err(|error| {
        ConnectorError::config(format!("{place} is not readable PEM: {}", with_causes(&error)))
    })?;
    if certificates.is_empty() {
        return Err(ConnectorError::config(format!(
            "{place} holds no certificate: give the authority's certificate as PEM, or the path of a file of it"
        )));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_that_cannot_be_read_are_told() {
        for (given, expected) in [
            ("/nowhere/ca.pem", "ca_certificate: the file /nowhere/ca.pem cannot be read"),
            ("Cargo.toml", "ca_certificate: the file Cargo.toml holds no certificate"),
            ("-----BEGIN NOTHING-----", "ca_certificate is not readable PEM"),
        ] {
            let error = authorities(given).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
