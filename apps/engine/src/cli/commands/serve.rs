//! `serve`.

use engine::api::{ApiOptions, router};
use engine::program::{bind, build, connect, port, resolve};
use secrecy::SecretString;

use crate::cli::args::ServeArgs;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::session::Session;

/// The port where neither flag nor environment names one.
const DEFAULT_PORT: u16 = 3000;

pub(super) async fn run(args: &ServeArgs, session: &Session) -> Result<(), Failure> {
    let environment = &session.environment;
    let port = port(args.port, environment, DEFAULT_PORT)?;
    let token = args.token.clone().or_else(|| environment.get("SYNC_ENGINE_TOKEN").map(SecretString::from));
    let address = resolve(&args.host, port).await?;
    if !address.ip().is_loopback() && token.is_none() {
        return Err(Failure::usage(format!(
            "{} can be reached from other machines, so clients have to know a token: set SYNC_ENGINE_TOKEN, or \
             --token; or serve this machine only, with --host 127.0.0.1",
            args.host
        )));
    }
    let listener = bind(address, "--port").await?;
    let bound = listener.local_addr().map_err(|error| Failure::failed(error.to_string()))?;
    let connected = connect(None, environment, session.search.clone(), None)?;
    let interrupt = Interrupt::listen(session.screen.clone())?;
    let options = ApiOptions {
        token,
        internal_query: args.enable_internal_query,
        build: build(|name| environment.get(name)),
        stop: interrupt.token(),
        ..ApiOptions::default()
    };
    session.screen.note(&format!("Listening on http://{bound}, documented at http://{bound}/docs"));
    let routes = router(connected.engine, options);
    http_api::serve(listener, routes, interrupt.token(), http_api::GRACE)
        .await
        .map_err(|error| Failure::failed(format!("the server failed: {error}")))
}
