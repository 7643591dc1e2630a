//! Which addresses, and which files, a pipeline may name.
//!
//! Whoever may create pipelines makes this machine connect to what they name. So what is private to it (its own services, its
//! network, the metadata of its cloud) is refused unless the operator allows it. Names are resolved when a pipeline is created or
//! changed and again before each step; a connector resolves once more by itself, which this cannot hold on to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Component, Path, PathBuf};

use http_api::Step;
use ipnet::IpNet;
use protocol::ConnectorConfig;
use serde_json::Value;
use tokio::net::lookup_host;
use url::Url;
use util_postgres::Address;

/// What pipelines may name.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// Whether any address is allowed.
    pub any_address: bool,
    /// Networks that are allowed although they are private.
    pub allowed: Vec<IpNet>,
    /// Where files of databases may lie; anywhere if absent.
    pub folder: Option<PathBuf>,
}

/// Something that a pipeline may not name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Where in the configuration.
    pub path: Vec<Step>,
    /// Why, and what to do.
    pub message: String,
}

/// What a text of a configuration names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Named {
    Host(String, u16),
    File(PathBuf),
}

impl Guard {
    /// Refuses a configuration that names what it may not, at any depth.
    pub async fn check(&self, connector: &ConnectorConfig) -> Result<(), Refused> {
        let mut found = Vec::new();
        for (name, value) in &connector.config {
            search(name, value, &mut vec![Step::from(name.as_str())], &mut found);
        }
        for (path, named) in found {
            let allowed = match named {
                Named::File(file) => self.check_file(&file),
                Named::Host(..) if self.any_address => Ok(()),
                Named::Host(host, port) => self.check_host(&host, port).await,
            };
            allowed.map_err(|message| Refused { path, message })?;
        }
        Ok(())
    }

    async fn check_host(&self, host: &str, port: u16) -> Result<(), String> {
        if host.starts_with('/') {
            return Err(format!("{host} is a socket of this machine: {ADVICE}"));
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let found: Vec<IpAddr> = match bare.parse() {
            Ok(address) => vec![address],
            // What has no address cannot be connected to; the connector says so.
            Err(_) => lookup_host((bare, port)).await.into_iter().flatten().map(|found| found.ip()).collect(),
        };
        match found.into_iter().find(|address| is_private(*address) && !self.allows(*address)) {
            Some(address) if bare.parse::<IpAddr>().is_ok() => {
                Err(format!("{address} is a private address: {ADVICE}"))
            }
            Some(_) => Err(format!("{host} has a private address: {ADVICE}")),
            None => Ok(()),
        }
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|network| network.contains(&address.to_canonical()))
    }

    fn check_file(&self, path: &Path) -> Result<(), String> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let climbs = path.components().any(|part| matches!(part, Component::ParentDir));
        if !climbs && path.starts_with(folder) {
            return Ok(());
        }
        Err(format!(
            "files that pipelines name lie in {}: name one there, or start the service with --allow-any-path",
            folder.display()
        ))
    }
}

const ADVICE: &str =
    "if it is meant, start the service with --allow-network NETWORK or --allow-private-addresses";

/// Collects what a value names, and where.
fn search(name: &str, value: &Value, path: &mut Vec<Step>, found: &mut Vec<(Vec<Step>, Named)>) {
    match value {
        Value::String(text) => found.extend(named(name, text).into_iter().map(|named| (path.clone(), named))),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(index.into());
                search(name, item, path, found);
                path.pop();
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                path.push(name.as_str().into());
                search(name, member, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

/// What a text names: by the name of its field, as an address of any scheme, or as a connection string of PostgreSQL.
fn named(name: &str, text: &str) -> Vec<Named> {
    if name == "path" || name == "ca_certificate" || name.ends_with("_file") || name.ends_with("_path") {
        // Certificates may be given as they are.
        let is_file = !text.contains("-----BEGIN");
        return if is_file { vec![Named::File(text.into())] } else { Vec::new() };
    }
    if name == "host" || name == "hostname" || name.ends_with("_host") {
        return text.split(',').map(|host| Named::Host(host.trim().to_owned(), 0)).collect();
    }
    // As the driver understands it: several hosts, percent signs, sockets.
    if let Ok(address) = Address::parse(text) {
        let hosts = address.hosts().into_iter().map(|host| Named::Host(host, 0));
        return hosts.chain(address.files().into_iter().map(Named::File)).collect();
    }
    let Some(url) = Url::parse(text).ok().filter(|_| text.contains("://")) else { return Vec::new() };
    let port = url.port_or_known_default().unwrap_or(0);
    url.host_str().map(|host| Named::Host(host.to_owned(), port)).into_iter().collect()
}

/// Whether an address is not one of the public internet.
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || first == 0
        || first >= 240
        // Protocol assignments (RFC 6890).
        || address.octets()[..3] == [192, 0, 0]
        // Carrier-grade NAT (RFC 6598), and benchmarks (RFC 2544).
        || (first == 100 && (64..128).contains(&second))
        || (first == 198 && (18..20).contains(&second))
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let embedded = match address.segments() {
        // Addresses of version 4 inside of NAT64 (RFC 6052) and 6to4 (RFC 3056).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some((high, low)),
        // Compatible addresses, which nobody uses any more (RFC 4291).
        [0, 0, 0, 0, 0, 0, high, low] => Some((high, low)),
        [0x2002, high, low, ..] => Some((high, low)),
        _ => None,
    };
    let inside = embedded.map(|(high, low)| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || (first == 0x2001 && second == 0xdb8)
        // Teredo (RFC 4380), local NAT64 (RFC 8215), and site-local addresses (RFC 3879).
        || (first == 0x2001 && second == 0)
        || address.segments()[..3] == [0x64, 0xff9b, 1]
        || first & 0xffc0 == 0xfec0
        || inside.is_some_and(is_private_v4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    async fn check(guard: &Guard, config: Value) -> Result<(), Refused> {
        let Value::Object(config) = config else { panic!("{config}") };
        guard.check(&ConnectorConfig::new("x", config)).await
    }

    #[test]
    fn private_addresses_are_known() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::a00:1",
            "192.0.0.1",
            "fec0::1",
            "2001::1",
            "64:ff9b:1::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
        ] {
            assert!(is_private(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101"] {
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
    }

    #[tokio::test]
    async fn private_addresses_are_refused_wherever_they_stand() {
        let guard = Guard::default();
        for (name, text) in [
            ("base_url", "http://127.0.0.1:8080"),
            ("base_url", "http://[::1]/"),
            ("base_url", "http://localhost/"),
            ("url", "postgres://u:p@10.0.0.5/db"),
            ("url", "postgres://1.1.1.1/db?host=192.168.0.1"),
            ("connection_string", "user=a host=169.254.169.254"),
            ("host", "127.0.0.1"),
            ("host", "/var/run/postgresql"),
            ("url", "postgres://a.example:5432,10.0.0.1:5432/db"),
            ("url", "postgres://10.0.0.1,1.1.1.1/db"),
            ("url", "postgres://%2Fvar%2Frun/db"),
            ("url", "host = 10.0.0.1 user = a"),
        ] {
            let refused = check(&guard, json!({name: text})).await.unwrap_err();
            assert!(
                refused.path == [Step::from(name)] && refused.message.contains("--allow-network"),
                "{refused:?}"
            );
        }
        let deep = check(&guard, json!({"aws": {"host": "169.254.169.254"}})).await.unwrap_err();
        assert_eq!(deep.path, [Step::from("aws"), Step::from("host")]);
        check(&guard, json!({"url": "postgres://1.1.1.1/db", "api_key": "sk_test_1"})).await.unwrap();
        let allowing = Guard { allowed: vec!["10.0.0.0/8".parse().unwrap()], ..Guard::default() };
        check(&allowing, json!({"url": "postgres://10.0.0.5/db"})).await.unwrap();
        assert!(check(&allowing, json!({"url": "postgres://127.0.0.1/db"})).await.is_err());
        check(&Guard { any_address: true, ..Guard::default() }, json!({"host": "127.0.0.1"})).await.unwrap();
    }

    #[tokio::test]
    async fn files_lie_in_one_folder() {
        let guard = Guard { folder: Some("/data/databases".into()), ..Guard::default() };
        check(&guard, json!({"path": "/data/databases/a.db"})).await.unwrap();
        for path in ["/etc/passwd", "a.db", "/data/databases/../store.db", "/data/databases2/a.db"] {
            assert!(check(&guard, json!({"path": path})).await.is_err(), "{path}");
        }
        assert!(check(&guard, json!({"password_file": "/etc/shadow"})).await.is_err());
        let key = "postgres://1.1.1.1/db?sslcert=/etc/a&sslkey=/etc/b";
        assert!(check(&guard, json!({"url": key})).await.is_err());
    }
}
