//! `api`: one operation of the HTTP API, by its name.

use std::io::stdout;

use engine::api::{ApiOptions, router};
use engine::program::{DENIED, STOPPING, answer, build, call, called, connect, lines_of_stdin, sent};
use http::Request;
use openapi_cli::{RequestBody, perform};

use crate::cli::failure::Failure;
use crate::cli::generated::ApiArgs;
use crate::cli::interrupt::Interrupt;
use crate::cli::session::{Mode, Session};

/// The operations that end well by themselves when they are told to stop.
const ENDING_WELL: [&str; 2] = ["pipeline-read", "pipeline-sync"];

pub(super) async fn run(args: &ApiArgs, session: &Session) -> Result<(), Failure> {
    if session.mode == Mode::Json {
        return Err(Failure::usage("the answers of the API are JSON already; leave --json out"));
    }
    let call = call(&args.words)?;
    let told = |done| called(done, &session.screen, Some(DENIED));
    let mut out = stdout();
    if let Some(elsewhere) = args.engine.resolve(&session.environment)? {
        let interrupt = Interrupt::listen_saying(session.screen.clone(), STOPPING)?;
        let ask = |request: Request<RequestBody>| async { elsewhere.engine.call(request.map(sent)).await };
        let done = perform(call, lines_of_stdin(), ask, &mut out);
        let done = interrupt.unless(async { Ok::<_, Failure>(done.await) }).await?;
        return told(done);
    }
    let interrupt = Interrupt::listen(session.screen.clone())?;
    let options = ApiOptions {
        // Who can run this can run any SQL anyway.
        internal_query: true,
        build: build(|name| session.environment.get(name)),
        stop: interrupt.token(),
        ..ApiOptions::default()
    };
    let routes = router(connect(None, &session.environment, session.search.clone(), None)?.engine, options);
    let done =
        perform(call, lines_of_stdin(), |request| async { Ok(answer(routes, request).await) }, &mut out);
    if args.words.operation().is_some_and(|(_, name)| ENDING_WELL.contains(&name)) {
        told(done.await)?;
    } else {
        told(interrupt.unless(async { Ok::<_, Failure>(done.await) }).await?)?;
    }
    if interrupt.happened() { Err(Failure::Interrupted) } else { Ok(()) }
}
