//! Which hosts are asked by way of a proxy. Pure: the variables are passed in.

use std::fmt;
use std::net::IpAddr;

use protocol::ConnectorError;
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

/// Where the proxy's address is looked for; the first that is not empty counts, for all hosts.
const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/// Where the hosts are named that need none.
const EXCEPTION_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// A proxy, and the hosts that are asked directly. Without a proxy that is all hosts, and this host always.
#[derive(Debug, Clone, Default)]
pub struct ProxyRules {
    proxy: Option<Proxy>,
    exceptions: Vec<Exception>,
}

/// An HTTP proxy. Its address may hold a password.
#[derive(Clone)]
pub(crate) struct Proxy {
    address: SecretString,
    /// Without user and password.
    name: String,
}

/// Hosts that are asked directly.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exception {
    All,
    /// The domain and what is below it; with a port, only there.
    Domain(String, Option<u16>),
    /// Addresses that agree with this one in so many of their first bits.
    Network(IpAddr, u8),
}

impl ProxyRules {
    /// The rules that the variables `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say, in capitals or not. An
    /// address of a proxy that cannot be understood is an error: to go past a proxy is no way out.
    pub fn from_variables<'v>(
        variable: impl Fn(&str) -> Option<&'v str>,
    ) -> Result<ProxyRules, ConnectorError> {
        let filled = |name: &&str| variable(name).map(str::trim).filter(|value| !value.is_empty());
        let named = PROXY_VARIABLES.iter().find_map(|name| Some((*name, filled(name)?)));
        let proxy = named.map(|(name, address)| Proxy::read(name, address)).transpose()?;
        let exceptions = EXCEPTION_VARIABLES.iter().find_map(filled).unwrap_or_default();
        Ok(ProxyRules { proxy, exceptions: exceptions.split(',').filter_map(Exception::read).collect() })
    }

    /// The proxy by which `url` is asked; none if it is asked directly.
    pub(crate) fn proxy_for(&self, url: &Url) -> Option<&Proxy> {
        let proxy = self.proxy.as_ref()?;
        let port = url.port_or_known_default();
        let host = match url.host()? {
            Host::Domain(name) => Err(name.trim_end_matches('.').to_ascii_lowercase()),
            Host::Ipv4(address) => Ok(IpAddr::V4(address)),
            Host::Ipv6(address) => Ok(IpAddr::V6(address)),
        };
        let direct = match &host {
            Ok(address) => address.is_loopback(),
            Err(name) => name == "localhost" || name.ends_with(".localhost"),
        };
        let excepted = || self.exceptions.iter().any(|exception| exception.covers(&host, port));
        (!direct && !excepted()).then_some(proxy)
    }
}

impl Proxy {
    fn read(variable: &str, text: &str) -> Result<Proxy, ConnectorError> {
        // The value may hold a password, so it is not repeated.
        let wrong = |what: &str| {
            ConnectorError::config(format!("{variable} {what}: give it like http://proxy.example:3128"))
        };
        let address = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = Url::parse(&address)
            .map_err(|error| wrong(&format!("is not the address of a proxy ({error})")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong(&format!("names a {} proxy, and only HTTP proxies can be used", url.scheme())));
        }
        let host = url.host_str().ok_or_else(|| wrong("names no host"))?;
        let name = match url.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Ok(Proxy { name, address: SecretString::from(address) })
    }

    /// Host and port.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The address, with user and password if it has them.
    pub(crate) fn address(&self) -> &str {
        self.address.expose_secret()
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)
    }
}

impl Exception {
    fn read(text: &str) -> Option<Exception> {
        let text = text.trim().to_ascii_lowercase();
        if text == "*" {
            return Some(Exception::All);
        }
        if let Some((address, bits)) = text.split_once('/') {
            let address: IpAddr = address.parse().ok()?;
            return Some(Exception::Network(
                address,
                bits.parse().ok().filter(|bits| *bits <= width(address))?,
            ));
        }
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Some(Exception::Network(address, width(address)));
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name.to_owned(), Some(port.parse().ok()?)),
            None => (text, None),
        };
        let domain = name.trim_start_matches('*').trim_start_matches('.').trim_end_matches('.');
        (!domain.is_empty()).then(|| Exception::Domain(domain.to_owned(), port))
    }

    fn covers(&self, host: &Result<IpAddr, String>, port: Option<u16>) -> bool {
        match (self, host) {
            (Exception::All, _) => true,
            (Exception::Domain(domain, at), Err(name)) => {
                let below = name.strip_suffix(domain.as_str());
                let is_it = below.is_some_and(|below| below.is_empty() || below.ends_with('.'));
                is_it && at.is_none_or(|at| Some(at) == port)
            }
            // With a port, an address is read as if it were a name.
            (Exception::Domain(domain, at), Ok(address)) => {
                domain.trim_matches(['[', ']']) == address.to_string() && *at == port
            }
            (Exception::Network(IpAddr::V4(network), bits), Ok(IpAddr::V4(address))) => {
                let differ = u32::from(*network) ^ u32::from(*address);
                differ.leading_zeros() >= u32::from(*bits)
            }
            (Exception::Network(IpAddr::V6(network), bits), Ok(IpAddr::V6(address))) => {
                let differ = u128::from(*network) ^ u128::from(*address);
                differ.leading_zeros() >= u32::from(*bits)
            }
            _ => false,
        }
    }
}

/// How many bits an address has.
fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(variables: &[(&str, &'static str)]) -> Result<ProxyRules, ConnectorError> {
        ProxyRules::from_variables(|wanted| {
            variables.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value)
        })
    }

    fn proxy_of(variables: &[(&str, &'static str)], url: &str) -> Option<String> {
        let rules = rules(variables).unwrap();
        rules.proxy_for(&url.parse().unwrap()).map(|proxy| proxy.name().to_owned())
    }

    #[test]
    fn the_first_variable_that_is_not_empty_counts() {
        let stripe = "https://api.stripe.com";
        let four = [
            ("HTTPS_PROXY", "http://a:1"),
            ("https_proxy", "b:2"),
            ("HTTP_PROXY", "c:3"),
            ("http_proxy", "d"),
        ];
        for (skip, expected) in ["a:1", "b:2", "c:3", "d:80"].iter().enumerate() {
            assert_eq!(proxy_of(&four[skip..], stripe).as_deref(), Some(*expected));
        }
        assert_eq!(proxy_of(&[("HTTPS_PROXY", " "), ("HTTP_PROXY", "c:3")], stripe).as_deref(), Some("c:3"));
        assert_eq!(proxy_of(&[], stripe), None);
    }

    #[test]
    fn this_host_is_always_asked_directly() {
        for url in [
            "http://127.0.0.1:5555",
            "http://127.8.9.1",
            "http://localhost",
            "http://x.localhost",
            "http://[::1]:80",
        ] {
            assert_eq!(proxy_of(&[("HTTPS_PROXY", "http://a:1")], url), None, "{url}");
        }
    }

    #[test]
    fn exceptions_have_many_forms() {
        let cases = [
            ("*", "https://api.stripe.com", true),
            ("api.stripe.com", "https://api.stripe.com", true),
            ("API.Stripe.com", "https://api.stripe.com", true),
            ("stripe.com", "https://api.stripe.com", true),
            (".stripe.com", "https://api.stripe.com", true),
            ("*.stripe.com", "https://api.stripe.com", true),
            ("other.com, *.stripe.com", "https://api.stripe.com", true),
            ("api.stripe.com:443", "https://api.stripe.com", true),
            ("api.stripe.com:8443", "https://api.stripe.com", false),
            ("tripe.com", "https://api.stripe.com", false),
            ("stripe.com.evil", "https://api.stripe.com", false),
            ("10.0.0.0/8", "http://10.2.3.4:80", true),
            ("10.0.0.0/8", "http://11.2.3.4:80", false),
            ("0.0.0.0/0", "http://11.2.3.4:80", true),
            ("192.168.7.9", "http://192.168.7.9", true),
            ("192.168.7.9:80", "http://192.168.7.9", true),
            ("192.168.7.9", "http://192.168.7.8", false),
            ("fd00::/8", "http://[fd12::1]/", true),
            ("[fd12::1]", "http://[fd12::1]/", true),
            ("fd00::/8", "http://[fe80::1]/", false),
            ("10.0.0.0/99, ,", "http://10.2.3.4", false),
            ("10.0.0.0/8", "https://api.stripe.com", false),
        ];
        for (exceptions, url, direct) in cases {
            let way = proxy_of(&[("HTTPS_PROXY", "http://a:1"), ("no_proxy", exceptions)], url);
            assert_eq!(way.is_none(), direct, "{exceptions}: {url}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_told_without_its_password() {
        for address in ["socks5://user:hush@a:1", "http://user:hush@:1", "http://user:hush@a:port"] {
            let error = rules(&[("https_proxy", address)]).unwrap_err().to_string();
            assert!(error.starts_with("https_proxy ") && !error.contains("hush"), "{error}");
        }
        let rules = rules(&[("HTTPS_PROXY", "http://user:hush@a:1")]).unwrap();
        assert!(!format!("{rules:?}").contains("hush"));
    }
}
