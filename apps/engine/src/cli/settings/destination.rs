//! Which destination, with which configuration, and how to name it to people.

use engine::Role;
use protocol::ConnectorConfig;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use super::connector::{Alias, Layers};
use super::{ConfigFlag, Given};
use crate::cli::args::DestinationArgs;
use crate::cli::environment::{Environment, Place};
use crate::cli::failure::Failure;

const SQLITE: &str = "sqlite";
const POSTGRES: &str = "postgres";
const SHEETS: &str = "google_sheets";
/// Other spellings of it.
const SHEETS_NAMES: [&str; 3] = ["google-sheets", "sheets", "googlesheets"];
const DEFAULT_FILE: &str = "./stripe.db";
const DEFAULT_SCHEMA: &str = "stripe";

const SQLITE_ALIASES: &[Alias] = &[Alias { field: "path", flag: Some("--sqlite"), variable: None }];
const POSTGRES_ALIASES: &[Alias] = &[
    Alias { field: "url", flag: Some("--postgres-url"), variable: Some("DATABASE_URL") },
    Alias { field: "schema", flag: Some("--schema"), variable: None },
    Alias { field: "connect_timeout_ms", flag: None, variable: Some("PG_CONNECT_TIMEOUT_MS") },
];
const SHEETS_ALIASES: &[Alias] = &[
    Alias { field: "spreadsheet_id", flag: Some("--spreadsheet"), variable: Some("GOOGLE_SPREADSHEET_ID") },
    Alias { field: "client_id", flag: None, variable: Some("GOOGLE_CLIENT_ID") },
    Alias { field: "client_secret", flag: None, variable: Some("GOOGLE_CLIENT_SECRET") },
    Alias { field: "refresh_token", flag: None, variable: Some("GOOGLE_REFRESH_TOKEN") },
];

/// A destination that can be asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DestinationSettings {
    pub(crate) connector: ConnectorConfig,
    /// Why it is this one, where the user did not say so by a flag; a sentence.
    pub(crate) because: Option<String>,
    /// Whether it is a file that nothing names.
    pub(crate) unnamed_file: bool,
}

/// Why a type was chosen.
struct Choice {
    connector: String,
    because: Option<String>,
    /// What the variable that made the choice says, where it is not a field of the connector.
    found: Option<(&'static str, String)>,
}

/// Decides the destination: by a flag, the environment, `.env`, the document; else a SQLite file.
pub(crate) fn resolve_destination(
    args: &DestinationArgs,
    config_flag: ConfigFlag<'_>,
    given: &Given<'_>,
) -> Result<DestinationSettings, Failure> {
    let choice = choose(args, given)?;
    let (connector, mut flags) = (choice.connector, Map::new());
    let mut set = |kind: &str, flag: &str, field: &str, value: Option<String>| {
        let Some(value) = value else { return Ok(()) };
        if kind != connector {
            let text =
                format!("{flag} is for the destination `{kind}`, but the destination is `{connector}`");
            return Err(Failure::Usage(text));
        }
        flags.insert(field.to_owned(), Value::String(value));
        Ok(())
    };
    set(SQLITE, "--sqlite", "path", args.sqlite.clone())?;
    let url = args.postgres_url.as_ref().map(|url| url.expose_secret().to_owned());
    set(POSTGRES, "--postgres-url", "url", url)?;
    set(POSTGRES, "--schema", "schema", args.schema.clone())?;
    set(SHEETS, "--spreadsheet", "spreadsheet_id", args.spreadsheet.clone())?;

    let aliases = match connector.as_str() {
        SQLITE => SQLITE_ALIASES,
        POSTGRES => POSTGRES_ALIASES,
        SHEETS => SHEETS_ALIASES,
        _ => &[],
    };
    let mut layers = Layers::gather(Role::Destination, &connector, flags, config_flag, aliases, given);
    if let Some((field, value)) = choice.found {
        layers.default(field, value);
    }
    let mut because = choice.because;
    let mut unnamed_file = false;
    let mut required: &[&str] = &[];
    match connector.as_str() {
        SQLITE => {
            if !layers.has("path") {
                unnamed_file = true;
                because =
                    Some(format!("No destination was given; writing to the SQLite file {DEFAULT_FILE}."));
            }
            layers.default("path", DEFAULT_FILE);
        }
        POSTGRES => {
            layers.default("schema", DEFAULT_SCHEMA);
            if let Some(proxy) = proxy(given.environment)? {
                layers.default("proxy", proxy);
            }
            // Either names the database; the schema cannot say "one of these".
            required = if layers.has("connection_string") || layers.has("aws") { &[] } else { &["url"] };
        }
        _ => {}
    }
    let config = layers.finish(aliases, required)?;
    Ok(DestinationSettings { connector: ConnectorConfig::new(connector, config), because, unnamed_file })
}

/// The proxy that `PG_PROXY_HOST`, `PG_PROXY_PORT` and `PG_NO_PROXY` name.
fn proxy(environment: &Environment) -> Result<Option<Value>, Failure> {
    let Some(host) = environment.get("PG_PROXY_HOST") else { return Ok(None) };
    let except = environment.get("PG_NO_PROXY").unwrap_or_default().split(',').map(str::trim);
    let except: Vec<&str> = except.filter(|host| !host.is_empty()).collect();
    let mut proxy = json!({"host": host, "no_proxy": except});
    if let Some(port) = environment.get("PG_PROXY_PORT") {
        let port: u16 =
            port.parse().map_err(|_| Failure::usage(format!("PG_PROXY_PORT is not a port: {port}")))?;
        proxy["port"] = port.into();
    }
    Ok(Some(proxy))
}

fn choose(args: &DestinationArgs, given: &Given<'_>) -> Result<Choice, Failure> {
    let plain = |connector: &str| Choice { connector: connector.to_owned(), because: None, found: None };
    if let Some(connector) = &args.destination {
        return Ok(plain(spelled(connector)));
    }
    if args.spreadsheet.is_some() {
        return Ok(plain(SHEETS));
    }
    if args.postgres_url.is_some() || args.schema.is_some() {
        return Ok(plain(POSTGRES));
    }
    if args.sqlite.is_some() {
        return Ok(plain(SQLITE));
    }
    for place in Place::ALL {
        let because =
            |variable: &str| Some(format!("The destination is set by {variable} {}.", place.phrase()));
        let at = |variable: &str| given.environment.at(place, variable);
        if let Some(connector) = at("DESTINATION") {
            return Ok(Choice { because: because("DESTINATION"), ..plain(spelled(connector)) });
        }
        if at("POSTGRES_URL").is_some() {
            return Ok(Choice { because: because("POSTGRES_URL"), ..plain(POSTGRES) });
        }
        if let Some(url) = at("DATABASE_URL") {
            let choice = database_url(url).ok_or_else(|| {
                let scheme = url.split(':').next().unwrap_or_default();
                Failure::usage(format!(
                    "DATABASE_URL {} is for `{scheme}`, which is no destination; set it to postgres://…, \
                     or name the destination by --sqlite PATH or --postgres-url URL",
                    place.phrase()
                ))
            })?;
            return Ok(Choice { because: because("DATABASE_URL"), ..choice });
        }
        if at("GOOGLE_SPREADSHEET_ID").is_some() {
            return Ok(Choice { because: because("GOOGLE_SPREADSHEET_ID"), ..plain(SHEETS) });
        }
        if at("SQLITE_PATH").is_some() {
            return Ok(Choice { because: because("SQLITE_PATH"), ..plain(SQLITE) });
        }
    }
    match given.document.and_then(|document| document.destination.as_ref()) {
        Some(configured) => Ok(plain(&configured.connector)),
        None => Ok(plain(SQLITE)),
    }
}

/// The type that is meant.
fn spelled(connector: &str) -> &str {
    if SHEETS_NAMES.contains(&connector) { SHEETS } else { connector }
}

fn database_url(url: &str) -> Option<Choice> {
    if ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Some(Choice { connector: POSTGRES.to_owned(), because: None, found: None });
    }
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"))?;
    let found = Some(("path", path.to_owned()));
    Some(Choice { connector: SQLITE.to_owned(), because: None, found })
}

impl DestinationSettings {
    /// As it follows "into": `the SQLite file ./stripe.db`. Without user name and password.
    pub(crate) fn place(&self) -> String {
        let text = |field: &str| self.connector.config.get(field).and_then(Value::as_str);
        match self.connector.connector.as_str() {
            SQLITE => format!("the SQLite file {}", text("path").unwrap_or_default()),
            POSTGRES => {
                let schema = text("schema").unwrap_or("public");
                let url = text("url")
                    .or_else(|| text("connection_string"))
                    .and_then(|url| url::Url::parse(url).ok());
                let Some(url) = url else { return format!("PostgreSQL, schema {schema}") };
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                let host = url.host_str().unwrap_or("localhost");
                let database = url.path().trim_start_matches('/');
                let database = if database.is_empty() { String::new() } else { format!(" {database}") };
                format!("the PostgreSQL database{database} on {host}{port}, schema {schema}")
            }
            SHEETS => match text("spreadsheet_id").filter(|id| !id.is_empty()) {
                Some(id) => format!("the Google spreadsheet {id}"),
                None => "a new Google spreadsheet".to_owned(),
            },
            other => format!("the destination {other}"),
        }
    }

    /// How a sentence begins that says how to go on; `made`: this run made it, so that it has to be named from now on.
    pub(crate) fn again(&self, made: bool) -> String {
        let named = |field: &str| self.connector.config.get(field).and_then(Value::as_str);
        match named("spreadsheet_id").filter(|_| made && self.connector.connector == SHEETS) {
            Some(id) => format!("Run the same command with --spreadsheet {}", shell_quoted(id)),
            None => "Run the same command again".to_owned(),
        }
    }

    /// A command that shows how many rows a stream has.
    pub(crate) fn query_hint(&self, stream: &str) -> Option<String> {
        let text = |field: &str| self.connector.config.get(field).and_then(Value::as_str);
        match self.connector.connector.as_str() {
            SQLITE => {
                let path = shell_quoted(text("path")?);
                Some(format!("sqlite3 {path} 'select count(*) from \"{stream}\"'"))
            }
            POSTGRES => {
                let schema = text("schema").unwrap_or("public");
                let by_variable =
                    self.because.as_ref().is_some_and(|because| because.contains("DATABASE_URL"));
                let database = if by_variable {
                    "\"$DATABASE_URL\"".to_owned()
                } else {
                    shell_quoted(&without_password(text("url").or_else(|| text("connection_string"))?))
                };
                Some(format!("psql {database} -c 'select count(*) from \"{schema}\".\"{stream}\"'"))
            }
            _ => None,
        }
    }
}

fn without_password(url: &str) -> String {
    let Ok(mut url) = url::Url::parse(url) else { return "postgres://…".to_owned() };
    // A URL with a host can hold no password; one without has none.
    let _ = url.set_password(None);
    url.set_query(None);
    url.to_string()
}

fn shell_quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@".contains(c);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}
