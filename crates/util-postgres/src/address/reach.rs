//! How far away a host is, as far as its name tells.

use std::net::IpAddr;

use tokio_postgres::config::Host;

/// How far away a host is. The nearest comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// This machine: a socket or a loopback address. Nobody is in between.
    Machine,
    /// A private network, by an address or a name for which no public authority issues certificates.
    Network,
    /// Anywhere else.
    World,
}

/// Endings of names that only exist in private networks (RFC 6762, RFC 8375, ICANN's `.internal`, Kubernetes).
const PRIVATE_ENDINGS: &[&str] = &[".local", ".internal", ".home.arpa", ".svc"];

impl Reach {
    /// Of the host of a connection string.
    pub(super) fn of(host: &Host) -> Reach {
        match host {
            Host::Tcp(name) => Reach::of_name(name),
            #[cfg(unix)]
            Host::Unix(_) => Reach::Machine,
        }
    }

    /// Of an address.
    pub(super) fn of_address(address: IpAddr) -> Reach {
        let address = address.to_canonical();
        let private = match address {
            IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
        };
        match (address.is_loopback(), private) {
            (true, _) => Reach::Machine,
            (false, true) => Reach::Network,
            (false, false) => Reach::World,
        }
    }

    fn of_name(name: &str) -> Reach {
        if let Ok(address) = name.parse() {
            return Reach::of_address(address);
        }
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if name == "localhost" || name.ends_with(".localhost") {
            return Reach::Machine;
        }
        // A name without a dot is one of Docker, Kubernetes or /etc/hosts.
        let private = !name.contains('.') || PRIVATE_ENDINGS.iter().any(|ending| name.ends_with(ending));
        if private { Reach::Network } else { Reach::World }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_tell() {
        for (name, expected) in [
            ("localhost", Reach::Machine),
            ("LOCALHOST.", Reach::Machine),
            ("db.localhost", Reach::Machine),
            ("127.8.0.1", Reach::Machine),
            ("::1", Reach::Machine),
            ("::ffff:127.0.0.1", Reach::Machine),
            ("postgres", Reach::Network),
            ("db.prod.svc", Reach::Network),
            ("db.prod.svc.cluster.local", Reach::Network),
            ("vm.c.project.internal", Reach::Network),
            ("10.0.0.5", Reach::Network),
            ("172.31.0.1", Reach::Network),
            ("fd00::1", Reach::Network),
            ("169.254.1.1", Reach::Network),
            ("172.32.0.1", Reach::World),
            ("8.8.8.8", Reach::World),
            ("db.example.com", Reach::World),
            ("internal.example.com", Reach::World),
            ("mylocal.de", Reach::World),
        ] {
            assert_eq!(Reach::of(&Host::Tcp(name.to_owned())), expected, "{name}");
        }
    }
}
