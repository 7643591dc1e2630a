//! `api`: one operation of the HTTP API, by its name.

use std::io::{ErrorKind, stdout};

use engine::EngineError;
use engine::api::{ApiOptions, router};
use engine::program::{DENIED, STOPPING, answer, build, connect, lines_of_stdin, sent};
use http::{Request, StatusCode};
use logger::redact_text;
use openapi_cli::{AnswerError, Failed, RequestBody, perform};

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
    let call = args.call()?;
    let mut out = stdout();
    if let Some(elsewhere) = args.engine.resolve(&session.environment)? {
        let interrupt = Interrupt::listen_saying(session.screen.clone(), STOPPING)?;
        let ask = |request: Request<RequestBody>| async { elsewhere.engine.call(request.map(sent)).await };
        let done = perform(call, lines_of_stdin(), ask, &mut out);
        let done = interrupt.unless(async { Ok::<_, Failure>(done.await) }).await?;
        return told(done, session);
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
    if args.operation().is_some_and(|name| ENDING_WELL.contains(&name)) {
        told(done.await, session)?;
    } else {
        told(interrupt.unless(async { Ok::<_, Failure>(done.await) }).await?, session)?;
    }
    if interrupt.happened() { Err(Failure::Interrupted) } else { Ok(()) }
}

/// Says what went wrong, as the API says it.
fn told(done: Result<(), Failed<EngineError>>, session: &Session) -> Result<(), Failure> {
    match done {
        Ok(()) => Ok(()),
        Err(Failed::Transport(error)) => Err(error.into()),
        Err(Failed::Answer(error)) => match &error {
            AnswerError::Status { status, .. } => {
                session.screen.line(&redact_text(&error.to_string()));
                if *status == StatusCode::UNAUTHORIZED {
                    session.screen.line(DENIED);
                }
                Err(Failure::Told)
            }
            // Whoever read along has enough.
            AnswerError::Output(cause) if cause.kind() == ErrorKind::BrokenPipe => Ok(()),
            _ => Err(Failure::failed(error.to_string())),
        },
    }
}
