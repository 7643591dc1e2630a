//! Requests to Google: tokens, pacing, repetition, and what refusals mean.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::{LogLevel, Message, with_causes};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use crate::config::SheetsConfig;
use crate::credentials::Credentials;
use crate::error::SheetsError;
use crate::options::SheetsOptions;
use crate::pacing::{Pacer, back_off};
use crate::tokens::Tokens;

/// How often a request is sent that Google's quota or servers refuse: with the pauses between, about ten minutes.
const ATTEMPTS: u32 = 15;
/// How often one is sent that gets no answer.
const LOST_ATTEMPTS: u32 = 6;
/// Google gives up on a request after three minutes.
const TIMEOUT: Duration = Duration::from_secs(200);
/// A pause shorter than this share of a minute is not worth a word.
const WORTH_A_WORD: u32 = 30;

/// The two quotas of this process's requests, whichever sync makes them.
pub(crate) struct Quotas {
    reads: Mutex<Pacer>,
    writes: Mutex<Pacer>,
}

impl Quotas {
    /// `most` requests of each kind in a minute.
    pub(crate) fn new(most: usize, minute: Duration) -> Quotas {
        Quotas { reads: Mutex::new(Pacer::new(most, minute)), writes: Mutex::new(Pacer::new(most, minute)) }
    }

    fn of(&self, method: &Method) -> &Mutex<Pacer> {
        if *method == Method::GET { &self.reads } else { &self.writes }
    }
}

/// Whether a request may be sent again when nobody knows what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// It has the same effect twice as once.
    Yes,
    /// The caller has to look first.
    No,
}

/// What became of a request that was not repeated.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was not carried out.
    Refused(SheetsError),
    /// Nobody knows.
    Lost(SheetsError),
}

impl From<Failure> for SheetsError {
    fn from(failure: Failure) -> SheetsError {
        match failure {
            Failure::Refused(error) | Failure::Lost(error) => error,
        }
    }
}

/// One caller's way to Google.
pub(crate) struct Client {
    http: reqwest::Client,
    tokens: Tokens,
    quotas: Arc<Quotas>,
    minute: Duration,
    most: u32,
    /// Words for people.
    logs: UnboundedSender<Message>,
    pub(crate) base_url: String,
    pub(crate) drive_url: String,
}

impl Client {
    pub(crate) fn new(
        config: &SheetsConfig,
        options: &SheetsOptions,
        quotas: Arc<Quotas>,
        logs: UnboundedSender<Message>,
    ) -> Result<Client, SheetsError> {
        // Fails when another part of the process was first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(20))
            .timeout(TIMEOUT)
            .gzip(true)
            .build()
            .map_err(|error| SheetsError::Internal(format!("the HTTP client cannot be made: {error}")))?;
        let tokens = Tokens::new(Credentials::find(config, options)?, options.minute / 60);
        let trimmed = |url: &str| url.trim_end_matches('/').to_owned();
        Ok(Client {
            http,
            tokens,
            quotas,
            minute: options.minute,
            most: config.requests_per_minute.get(),
            logs,
            base_url: trimmed(&config.base_url),
            drive_url: trimmed(&config.drive_url),
        })
    }

    /// Who asks, as it stands in a sentence.
    pub(crate) fn who(&self) -> String {
        self.tokens.who()
    }

    /// Says something to people.
    pub(crate) fn say(&self, level: LogLevel, text: String) {
        // Nobody listens any more when this fails.
        let _ = self.logs.send(Message::log(level, text));
    }

    /// Asks for a token only.
    pub(crate) async fn sign_in(&self) -> Result<(), SheetsError> {
        self.tokens.get(&self.http, None).await.map(drop)
    }

    /// Sends a request until it is answered. `what` is what it does, as in "Google refused …"; `id` the spreadsheet.
    pub(crate) async fn call(
        &self,
        method: Method,
        url: &str,
        body: Option<Bytes>,
        again: Again,
        (what, id): (&str, &str),
    ) -> Result<Value, Failure> {
        let (mut attempt, mut lost) = (0, 0);
        let (mut stale, began): (Option<String>, _) = (None, Instant::now());
        loop {
            let token = self.tokens.get(&self.http, stale.as_deref()).await.map_err(Failure::Refused)?;
            self.wait_for_turn(&method).await;
            let mut request = self.http.request(method.clone(), url).bearer_auth(token.expose_secret());
            if let Some(body) = &body {
                request = request.header("content-type", "application/json").body(body.clone());
            }
            let problem = match answer(request).await {
                // Drive answers a deletion by nothing.
                Ok((status, _, body)) if status.is_success() && body.is_empty() => return Ok(Value::Null),
                Ok((status, _, body)) if status.is_success() => {
                    return serde_json::from_slice(&body).map_err(|error| {
                        let said = format!("its answer is not JSON ({error})");
                        Failure::Lost(SheetsError::Unreachable { what: what.to_owned(), cause: said })
                    });
                }
                Ok((StatusCode::UNAUTHORIZED, _, _)) if stale.is_none() => {
                    stale = Some(token.expose_secret().to_owned());
                    continue;
                }
                Ok((status, asked, body)) => {
                    let said = said(&body);
                    if status == StatusCode::TOO_MANY_REQUESTS || said.is_quota {
                        lock(self.quotas.of(&method)).refused(Instant::now());
                        attempt += 1;
                        if attempt == ATTEMPTS {
                            let seconds = began.elapsed().as_secs();
                            return Err(Failure::Refused(SheetsError::Quota {
                                what: what.to_owned(),
                                seconds,
                            }));
                        }
                        let pause = back_off(attempt - 1, self.minute, rand::random(), asked);
                        self.say_wait(&method, pause);
                        tokio::time::sleep(pause).await;
                        continue;
                    }
                    if !status.is_server_error() {
                        return Err(Failure::Refused(self.refused(status, said.text, what, id)));
                    }
                    format!("{} (status {})", said.text, status.as_u16())
                }
                Err(error) => with_causes(&error.without_url()),
            };
            lost += 1;
            if again == Again::No || lost == LOST_ATTEMPTS {
                return Err(Failure::Lost(SheetsError::Unreachable {
                    what: what.to_owned(),
                    cause: problem,
                }));
            }
            tracing::info!(what, problem, "Google did not answer; the request is sent again");
            tokio::time::sleep(back_off(lost - 1, self.minute, rand::random(), None)).await;
        }
    }

    async fn wait_for_turn(&self, method: &Method) {
        loop {
            let turn = lock(self.quotas.of(method)).take(Instant::now());
            let Err(pause) = turn else { return };
            self.say_wait(method, pause);
            tokio::time::sleep(pause).await;
        }
    }

    fn say_wait(&self, method: &Method, pause: Duration) {
        if pause < self.minute / WORTH_A_WORD {
            return;
        }
        let kind = if *method == Method::GET { "reads" } else { "writes" };
        let text = format!(
            "waiting for Google's quota: {:.0} seconds (at most {} {kind} a minute)",
            pause.as_secs_f64().ceil(),
            self.most
        );
        self.say(LogLevel::Info, text);
    }

    fn refused(&self, status: StatusCode, said: String, what: &str, id: &str) -> SheetsError {
        match status {
            StatusCode::NOT_FOUND if !id.is_empty() => {
                SheetsError::NotFound { id: id.to_owned(), who: self.who() }
            }
            StatusCode::FORBIDDEN => SheetsError::Forbidden { who: self.who(), said },
            StatusCode::UNAUTHORIZED => SheetsError::Auth(format!(
                "Google does not accept the access token of {} ({said}). Sign in again",
                self.who()
            )),
            _ => SheetsError::Refused { what: what.to_owned(), status: status.as_u16(), said },
        }
    }
}

type Answer = (StatusCode, Option<Duration>, Bytes);

/// Status, the pause that was asked for, and the body.
async fn answer(request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
    let response = request.send().await?;
    let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let asked = header.and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let status = response.status();
    Ok((status, asked, response.bytes().await?))
}

struct Said {
    text: String,
    is_quota: bool,
}

/// What a refusal says.
fn said(body: &[u8]) -> Said {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &value["error"];
    let reasons =
        error["details"].as_array().into_iter().flatten().filter_map(|detail| detail["reason"].as_str());
    let is_quota = error["status"] == "RESOURCE_EXHAUSTED"
        || reasons.into_iter().any(|reason| reason == "RATE_LIMIT_EXCEEDED");
    let text = error["message"].as_str().map(str::to_owned);
    Said { text: text.unwrap_or_else(|| String::from_utf8_lossy(body).chars().take(300).collect()), is_quota }
}

fn lock(pacer: &Mutex<Pacer>) -> std::sync::MutexGuard<'_, Pacer> {
    pacer.lock().unwrap_or_else(PoisonError::into_inner)
}
