//! What servers need from flags and the environment.

use std::io::ErrorKind;
use std::net::SocketAddr;

use terminal::environment::Environment;
use terminal::failure::Failure;
use tokio::net::{TcpListener, lookup_host};

use crate::api::Build;

/// Listens on an address, which `flag` chooses.
pub async fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => Failure::failed(format!("{address} is in use; choose another with {flag}")),
        _ => Failure::failed(format!("cannot listen on {address}: {error}")),
    })
}

/// The port that a flag, or `PORT` in the environment, names.
pub fn port(flag: Option<u16>, environment: &Environment, default: u16) -> Result<u16, Failure> {
    let Some(text) = environment.get("PORT").filter(|_| flag.is_none()) else {
        return Ok(flag.unwrap_or(default));
    };
    text.parse().map_err(|_| Failure::usage(format!("PORT must be a port, 0 to 65535, not `{text}`")))
}

/// The address of a host.
pub async fn resolve(host: &str, port: u16) -> Result<SocketAddr, Failure> {
    let found = lookup_host((host, port)).await.ok().and_then(|mut found| found.next());
    found.ok_or_else(|| Failure::usage(format!("--host: `{host}` is no address and no known name")))
}

/// The address of a host and a port that `flag` names together.
pub async fn resolve_pair(pair: &str, flag: &str) -> Result<SocketAddr, Failure> {
    let wrong = |why: &str| Failure::usage(format!("{flag}: `{pair}` is not HOST:PORT{why}"));
    let (_, port) = pair.rsplit_once(':').ok_or_else(|| wrong(", such as localhost:4030"))?;
    port.parse::<u16>().map_err(|_| wrong(": a port is a number from 0 to 65535"))?;
    let found = lookup_host(pair).await.ok().and_then(|mut found| found.next());
    found.ok_or_else(|| wrong(" of an address or a known name"))
}

/// What is known of the build, and of this machine, where `variable` reads the environment.
pub fn build<'v>(variable: impl Fn(&str) -> Option<&'v str>) -> Build {
    let variable = |name| variable(name).map(str::to_owned);
    let named = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let hostname = named.map(|name| name.trim().to_owned()).or_else(|| variable("HOSTNAME"));
    Build {
        hostname: hostname.unwrap_or_default(),
        commit: variable("GIT_COMMIT"),
        commit_url: variable("COMMIT_URL"),
        build_date: variable("BUILD_DATE"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pair_may_name_its_host() {
        let address = resolve_pair("localhost:4030", "--flag").await.unwrap();
        assert!(address.ip().is_loopback() && address.port() == 4030, "{address}");
        for pair in ["127.0.0.1:0", "[::1]:80"] {
            assert_eq!(resolve_pair(pair, "--flag").await.unwrap().to_string(), pair);
        }
        for (pair, why) in [("localhost", "such as"), ("localhost:http", "a number"), (":80", "known name")] {
            let failure = resolve_pair(pair, "--flag").await.unwrap_err();
            assert!(matches!(&failure, Failure::Usage(text) if text.contains(why)), "{failure:?}");
        }
    }
}
