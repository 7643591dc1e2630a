//! `api`: one operation of the HTTP API, by its name.

use std::io::{ErrorKind, Read, stdin, stdout};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use engine::EngineError;
use engine::api::{ApiOptions, router};
use futures::{StreamExt, TryStreamExt, stream};
use http::{HeaderValue, Request, Response, StatusCode, header};
use logger::redact_text;
use openapi_cli::{AnswerError, ByteStream, Failed, RequestBody, perform};
use tokio::sync::mpsc;
use tower::ServiceExt;

use super::connect;
use super::serve::build;
use crate::cli::elsewhere::STOPPING;
use crate::cli::failure::{DENIED, Failure};
use crate::cli::generated::ApiArgs;
use crate::cli::interrupt::Interrupt;
use crate::cli::session::{Mode, Session};

/// The operations that end well by themselves when they are told to stop.
const ENDING_WELL: [&str; 2] = ["pipeline-read", "pipeline-sync"];

/// How much of stdin is read at once, in bytes.
const PART: usize = 64 * 1024;

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
        build: build(&session.environment),
        stop: interrupt.token(),
        ..ApiOptions::default()
    };
    let routes = router(connect(None, &session.environment, None)?.engine, options);
    let done = perform(call, lines_of_stdin(), |request| answer(routes, request), &mut out);
    if args.operation().is_some_and(|name| ENDING_WELL.contains(&name)) {
        told(done.await, session)?;
    } else {
        told(interrupt.unless(async { Ok::<_, Failure>(done.await) }).await?, session)?;
    }
    if interrupt.happened() { Err(Failure::Interrupted) } else { Ok(()) }
}

/// What the routes answer, without a server.
async fn answer(routes: Router, request: Request<RequestBody>) -> Result<Response<ByteStream>, EngineError> {
    let mut request = request.map(|body| match body {
        RequestBody::Empty => Body::empty(),
        RequestBody::Bytes(bytes) => Body::from(bytes),
        RequestBody::Stream(bytes) => Body::from_stream(bytes),
    });
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost"));
    let Ok(response) = routes.oneshot(request).await;
    Ok(response.map(|body| body.into_data_stream().map_err(std::io::Error::other).boxed()))
}

/// A body for a client.
fn sent(body: RequestBody) -> reqwest::Body {
    match body {
        RequestBody::Empty => reqwest::Body::default(),
        RequestBody::Bytes(bytes) => bytes.into(),
        RequestBody::Stream(bytes) => reqwest::Body::wrap_stream(bytes),
    }
}

/// Stdin as it comes, read only once it is asked for. Its thread is not waited for: a read of a terminal may never end.
fn lines_of_stdin() -> ByteStream {
    let begin = || {
        let (sender, parts) = mpsc::channel(1);
        std::thread::spawn(move || {
            let mut stdin = stdin().lock();
            let mut part = vec![0; PART];
            loop {
                let read = match stdin.read(&mut part) {
                    Ok(0) => return,
                    Ok(length) => Ok(Bytes::copy_from_slice(&part[..length])),
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let ended = read.is_err();
                if sender.blocking_send(read).is_err() || ended {
                    return;
                }
            }
        });
        stream::unfold(parts, |mut parts| async move { Some((parts.recv().await?, parts)) })
    };
    stream::once(async move { begin() }).flatten().boxed()
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
