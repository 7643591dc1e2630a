//! `serve`.

use std::io::ErrorKind;
use std::net::SocketAddr;

use engine::api::{ApiOptions, Build, router};
use secrecy::SecretString;
use tokio::net::{TcpListener, lookup_host};

use super::connect;
use crate::cli::args::ServeArgs;
use crate::cli::environment::Environment;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::session::Session;

/// The port where neither flag nor environment names one.
const DEFAULT_PORT: u16 = 3000;

pub(super) async fn run(args: &ServeArgs, session: &Session) -> Result<(), Failure> {
    let environment = &session.environment;
    let port = port(args.port, environment)?;
    let token = args.token.clone().or_else(|| environment.get("SYNC_ENGINE_TOKEN").map(SecretString::from));
    let address = resolve(&args.host, port).await?;
    if !address.ip().is_loopback() && token.is_none() {
        return Err(Failure::usage(format!(
            "{} can be reached from other machines, so clients have to know a token: set SYNC_ENGINE_TOKEN, or \
             --token; or serve this machine only, with --host 127.0.0.1",
            args.host
        )));
    }
    let listener = TcpListener::bind(address).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => Failure::failed(format!("{address} is in use; choose another with --port")),
        _ => Failure::failed(format!("cannot listen on {address}: {error}")),
    })?;
    let bound = listener.local_addr().map_err(|error| Failure::failed(error.to_string()))?;
    let connected = connect(None, environment, None)?;
    let interrupt = Interrupt::listen(session.screen.clone())?;
    let options = ApiOptions {
        token,
        internal_query: args.enable_internal_query,
        build: build(environment),
        stop: interrupt.token(),
        ..ApiOptions::default()
    };
    session.screen.note(&format!("Listening on http://{bound}, documented at http://{bound}/docs"));
    let routes = router(connected.engine, options);
    http_api::serve(listener, routes, interrupt.token(), http_api::GRACE)
        .await
        .map_err(|error| Failure::failed(format!("the server failed: {error}")))
}

fn port(flag: Option<u16>, environment: &Environment) -> Result<u16, Failure> {
    let Some(text) = environment.get("PORT").filter(|_| flag.is_none()) else {
        return Ok(flag.unwrap_or(DEFAULT_PORT));
    };
    text.parse().map_err(|_| Failure::usage(format!("PORT must be a port, 0 to 65535, not `{text}`")))
}

async fn resolve(host: &str, port: u16) -> Result<SocketAddr, Failure> {
    let found = lookup_host((host, port)).await.ok().and_then(|mut found| found.next());
    found.ok_or_else(|| Failure::usage(format!("--host: `{host}` is no address and no known name")))
}

pub(super) fn build(environment: &Environment) -> Build {
    let variable = |name| environment.get(name).map(str::to_owned);
    let named = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let hostname = named.map(|name| name.trim().to_owned()).or_else(|| variable("HOSTNAME"));
    Build {
        hostname: hostname.unwrap_or_default(),
        commit: variable("GIT_COMMIT"),
        commit_url: variable("COMMIT_URL"),
        build_date: variable("BUILD_DATE"),
    }
}
