//! Which source, with which configuration.

use engine::Role;
use protocol::ConnectorConfig;
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use super::connector::{Alias, Layers};
use super::{ConfigFlag, Given};
use crate::cli::args::{ChangesArgs, SourceArgs};
use crate::cli::environment::Place;
use crate::cli::failure::Failure;

/// The type of the source unless another is named.
const DEFAULT: &str = "stripe";

const ALIASES: &[Alias] = &[
    Alias { field: "api_key", flag: Some("--stripe-api-key"), variable: None },
    Alias { field: "api_version", flag: Some("--api-version"), variable: None },
    Alias { field: "base_url", flag: Some("--stripe-base-url"), variable: None },
];

/// A source that can be asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SourceSettings {
    pub(crate) connector: ConnectorConfig,
    /// As it follows "from": `Stripe (API version 2026-10-28.endive)`.
    pub(crate) name: String,
}

impl SourceSettings {
    /// Says in the configuration how changes are followed; answers whether that has no end.
    pub(crate) fn follow(&mut self, args: &ChangesArgs) -> Result<bool, Failure> {
        let config = &mut self.connector.config;
        let stays = args.live || args.websocket || args.webhook_port.is_some();
        if self.connector.connector != DEFAULT {
            let asked = stays || args.no_events;
            return match asked {
                true => Err(Failure::usage(format!(
                    "--live, --websocket, --webhook-port and --no-events are for the source `{DEFAULT}`, but the source \
                     is `{}`",
                    self.connector.connector
                ))),
                false => Ok(false),
            };
        }
        if args.no_events {
            for field in FOLLOWING {
                config.remove(field);
            }
            return Ok(false);
        }
        config.entry("poll_events").or_insert(true.into());
        if stays {
            config.insert("live".to_owned(), true.into());
        }
        if args.websocket {
            config.insert("websocket".to_owned(), true.into());
        }
        if let Some(port) = args.webhook_port {
            config.insert("webhook_port".to_owned(), port.into());
        }
        let is_on = |field: &str| {
            config.get(field).is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false)))
        };
        Ok(FOLLOWING[1..].iter().any(|field| is_on(field)))
    }
}

/// The fields by which the source follows changes; all but the first without end.
const FOLLOWING: [&str; 4] = ["poll_events", "live", "websocket", "webhook_port"];

/// All accounts, or a list of ids.
fn accounts(words: &str) -> Value {
    match words {
        "all" => words.into(),
        ids => ids.split(',').map(str::trim).collect(),
    }
}

/// Decides the source. `newest` is the API version where none is given.
pub(crate) fn resolve_source(
    args: &SourceArgs,
    backfill_limit: Option<u64>,
    config_flag: ConfigFlag<'_>,
    given: &Given<'_>,
    newest: &str,
) -> Result<SourceSettings, Failure> {
    let by_environment =
        || Place::ALL.into_iter().find_map(|place| given.environment.at(place, "SOURCE").map(str::to_owned));
    let by_document =
        || given.document.and_then(|document| Some(document.source.as_ref()?.connector.clone()));
    let connector = args
        .source
        .clone()
        .or_else(by_environment)
        .or_else(by_document)
        .unwrap_or_else(|| DEFAULT.to_owned());

    let mut flags: Map<String, Value> = Map::new();
    let mut stripe_flags = Vec::new();
    let mut set = |field: &str, flag: &'static str, value: Option<Value>| {
        if let Some(value) = value {
            flags.insert(field.to_owned(), value);
            stripe_flags.push(flag);
        }
    };
    let key = args.stripe_api_key.as_ref().map(|key| key.expose_secret().into());
    set("api_key", "--stripe-api-key", key);
    set("accounts", "--accounts", args.accounts.as_deref().map(accounts));
    set("base_url", "--stripe-base-url", args.stripe_base_url.clone().map(Value::from));
    set("rate_limit", "--stripe-rate-limit", args.stripe_rate_limit.map(Value::from));
    set("api_version", "--api-version", args.api_version.clone().map(Value::from));
    if let (Some(flag), true) = (stripe_flags.first(), connector != DEFAULT) {
        return Err(Failure::usage(format!(
            "{flag} is for the source `stripe`, but the source is `{connector}`"
        )));
    }
    if let Some(limit) = backfill_limit {
        flags.insert("backfill_limit".to_owned(), limit.into());
    }
    let mut layers = Layers::gather(Role::Source, &connector, flags, config_flag, ALIASES, given);
    if connector == DEFAULT {
        layers.default("api_version", newest);
    }
    let config = layers.finish(ALIASES, &[])?;
    let name = match config.get("api_version").and_then(Value::as_str) {
        Some(version) if connector == DEFAULT => format!("Stripe (API version {version})"),
        _ => format!("source {connector}"),
    };
    Ok(SourceSettings { connector: ConnectorConfig::new(connector, config), name })
}
