//! `doctor`: what keeps a sync from working, and what to do about it.

use std::time::Duration;

use engine::{EngineError, EngineStream, Role, Side};
use futures::StreamExt;
use protocol::{CatalogMessage, ConnectionState, LogLevel, Payload, PipelineConfig, counted};
use serde_json::json;
use tokio::net::TcpStream;
use url::Url;

use super::Opened;
use crate::cli::args::CheckArgs;
use crate::cli::display::{Finding, Grade, findings_of_streams};
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::session::{Mode, Session};
use crate::cli::settings::{Position, resolve_selection};

/// Where Stripe is unless the configuration says otherwise.
const STRIPE: &str = "https://api.stripe.com";

/// How long the network may take to connect.
const PATIENCE: Duration = Duration::from_secs(10);

/// The variables that name a proxy, the strongest first.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

pub(super) async fn run(args: &CheckArgs, session: &Session) -> Result<(), Failure> {
    let opened = Opened::open(session, &args.pipeline.source, args.pipeline.config.as_deref())?;
    let source = opened.source(session, &args.pipeline.source, None)?;
    let destination = opened.destination(session, &args.pipeline)?;
    let opened = opened.sharing(session, &args.pipeline, &destination)?;
    let interrupt = Interrupt::listen(session.screen.clone())?;
    let place = destination.place();
    let streams = resolve_selection(&args.selection, None, opened.document.as_ref());
    let pipeline = PipelineConfig {
        source: source.connector,
        destination: destination.connector,
        streams: Some(streams),
        transforms: opened.transforms(session),
    };
    let mut doctor = Doctor { session, opened: &opened, pipeline, failed: false };
    doctor.tell(&version());
    let looked = async {
        if doctor.pipeline.source.connector == "stripe" {
            doctor.network().await;
        }
        let mut account = None;
        if doctor.connection(Role::Source, &source.name).await {
            account = doctor.streams().await;
        }
        if doctor.connection(Role::Destination, &place).await
            && let Some(account) = account
        {
            let mut source = doctor.pipeline.source.config.clone();
            source.insert("account_id".to_owned(), account.into());
            if let Some(sync_id) = Position::OfAccount.sync_id(&source) {
                doctor.position(&sync_id).await;
            }
        }
        Ok::<_, Failure>(())
    };
    interrupt.unless(looked).await?;
    if doctor.failed { Err(Failure::Told) } else { Ok(()) }
}

fn version() -> Finding {
    let newest = stripe_openapi::embedded::newest_version();
    let number = stripe_openapi::embedded::versions().len();
    let detail =
        format!("sync-engine {}, {number} versions of Stripe's API to {newest}", env!("CARGO_PKG_VERSION"));
    Finding::new("version", Grade::Ok, detail)
}

struct Doctor<'a> {
    session: &'a Session,
    opened: &'a Opened,
    pipeline: PipelineConfig,
    failed: bool,
}

impl Doctor<'_> {
    fn tell(&mut self, finding: &Finding) {
        self.failed |= finding.grade == Grade::Failure;
        match self.session.mode {
            Mode::Json => self.session.output.line(&logger::redact_text(&json!(finding).to_string())),
            Mode::Quiet if finding.grade == Grade::Failure => self.session.screen.error(&finding.to_string()),
            _ => self.session.say(&finding.to_string()),
        }
    }

    /// Whether Stripe, or the proxy on the way there, can be reached at all.
    async fn network(&mut self) {
        let given = self.pipeline.source.config.get("base_url").and_then(serde_json::Value::as_str);
        let url = given.unwrap_or(STRIPE);
        let environment = &self.session.environment;
        let proxy = PROXIES
            .iter()
            .find_map(|name| Some((*name, environment.get(name).filter(|url| !url.is_empty())?)));
        let is_local =
            Url::parse(url).is_ok_and(|url| matches!(url.host_str(), Some("localhost" | "127.0.0.1")));
        let (target, through) = match proxy.filter(|_| !is_local) {
            Some((name, proxy)) => (proxy, format!(" (the proxy of {name})")),
            None => (url, String::new()),
        };
        let finding = match reach(target).await {
            Ok(place) => Finding::new("network", Grade::Ok, format!("{place}{through} can be reached")),
            Err(why) => Finding::new("network", Grade::Failure, format!("{why}{through}")).with_fix(
                "let this machine connect there (firewall, DNS), or name a proxy by HTTPS_PROXY and what needs none by NO_PROXY",
            ),
        };
        self.tell(&finding);
    }

    /// Whether one side accepts its configuration.
    async fn connection(&mut self, role: Role, name: &str) -> bool {
        let what = role.to_string();
        let checked = self.opened.engine.pipeline_check(self.pipeline.clone(), Side::Only(role));
        let mut messages = match checked {
            Ok(messages) => messages,
            Err(error) => {
                self.tell(&Finding::new(&what, Grade::Failure, error.to_string()));
                return false;
            }
        };
        let mut answered = false;
        while let Some(message) = messages.next().await {
            let finding = match message.map(|message| message.payload) {
                Ok(Payload::ConnectionStatus(status)) if status.status == ConnectionState::Succeeded => {
                    answered = true;
                    Finding::new(&what, Grade::Ok, name)
                }
                Ok(Payload::ConnectionStatus(status)) => {
                    let why = status.message.unwrap_or_else(|| "it does not say why".to_owned());
                    Finding::new(&what, Grade::Failure, format!("{name}: {why}"))
                }
                Ok(Payload::Log(log)) if matches!(log.level, LogLevel::Warn | LogLevel::Error) => {
                    Finding::new(&what, Grade::Warning, log.message)
                }
                Ok(_) => continue,
                Err(error) => Finding::new(&what, Grade::Failure, format!("{name}: {error}")),
            };
            self.tell(&finding);
        }
        answered
    }

    /// What of the source can be read; answers whose it is.
    async fn streams(&mut self) -> Option<String> {
        let engine = &self.opened.engine;
        let asked = async {
            let discovered = engine.discover(&self.pipeline.source).await?;
            let messages = engine.pipeline_preflight(self.pipeline.clone(), Some(&discovered)).await?;
            Ok::<_, EngineError>((account_of(&discovered), messages))
        };
        match asked.await {
            Ok((account, messages)) => {
                if let Some(messages) = messages {
                    self.permissions(messages).await;
                }
                account
            }
            Err(error) => {
                self.tell(&Finding::new("streams", Grade::Failure, error.to_string()));
                None
            }
        }
    }

    async fn permissions(&mut self, mut messages: EngineStream) {
        let mut statuses = Vec::new();
        while let Some(message) = messages.next().await {
            match message.map(|message| message.payload) {
                Ok(Payload::StreamStatus(status)) => statuses.push(status),
                Ok(Payload::Log(log)) if log.level == LogLevel::Warn => {
                    self.tell(&Finding::new("source", Grade::Warning, log.message));
                }
                Ok(Payload::ConnectionStatus(status)) if status.status == ConnectionState::Failed => {
                    let why = status.message.unwrap_or_default();
                    return self.tell(&Finding::new("streams", Grade::Failure, why));
                }
                Ok(_) => {}
                Err(error) => return self.tell(&Finding::new("streams", Grade::Failure, error.to_string())),
            }
        }
        findings_of_streams(&statuses).into_iter().for_each(|finding| self.tell(&finding));
    }

    /// Whether there is a position to go on from.
    async fn position(&mut self, sync_id: &str) {
        let engine = &self.opened.engine;
        let loaded = async {
            let store = engine.state_store(&self.pipeline.destination, sync_id).await;
            let Some(store) = store.map_err(|error| error.to_string())? else { return Ok(None) };
            store.load().await.map_err(|error| error.to_string())
        };
        let finding = match loaded.await {
            Ok(Some(state)) => {
                let detail = format!("the next sync goes on in {}", counted(state.streams.len(), "stream"));
                Finding::new("position", Grade::Ok, detail)
            }
            Ok(None) => {
                Finding::new("position", Grade::Ok, "none is stored yet: the next sync reads everything")
            }
            Err(error) => Finding::new("position", Grade::Failure, format!("it cannot be read: {error}")),
        };
        self.tell(&finding);
    }
}

/// The account whose objects a source offers; the first of several.
fn account_of(catalog: &CatalogMessage) -> Option<String> {
    let schema = catalog.streams.first()?.json_schema.as_ref()?;
    let account = schema.get("properties")?.get("_account_id")?.get("enum")?.get(0)?;
    account.as_str().map(str::to_owned)
}

/// Connects to the host of an address; answers the host, or why not.
async fn reach(address: &str) -> Result<String, String> {
    let url = Url::parse(address).map_err(|error| format!("{address} is not an address: {error}"))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let connected = tokio::time::timeout(PATIENCE, TcpStream::connect((host.as_str(), port))).await;
    match connected {
        Ok(Ok(_)) => Ok(format!("{host}:{port}")),
        Ok(Err(error)) => Err(format!("{host}:{port} cannot be reached: {error}")),
        Err(_) => Err(format!("{host}:{port} does not answer within {} s", PATIENCE.as_secs())),
    }
}
