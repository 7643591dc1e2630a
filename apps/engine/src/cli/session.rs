//! What all commands share: how to talk, and the environment.

use std::sync::Arc;

use engine::process::Search;
use logger::{Format, Logging};

use super::args::{Command, Voice};
use super::environment::Environment;
use super::failure::Failure;
use super::output::{Output, Screen, stderr_is_terminal};

/// How a command tells of its progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Live,
    Plain,
    Json,
    Quiet,
}

/// One invocation of the program.
pub(crate) struct Session {
    pub(crate) output: Output,
    pub(crate) screen: Screen,
    pub(crate) mode: Mode,
    pub(crate) environment: Environment,
    /// Where connectors that are programs are looked for.
    pub(crate) search: Search,
    /// Sends what it has when the session ends.
    #[cfg(feature = "otel")]
    exporting: Option<logger::Exporting>,
}

/// Where traces go, as everything that speaks OTLP names it.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

impl Session {
    /// Reads the environment and sets up logging, as the `command` usually does unless something says otherwise.
    pub(crate) fn open(voice: &Voice, command: &Command) -> Result<Session, Failure> {
        let terminal = stderr_is_terminal();
        let mode = match voice {
            Voice { json: true, .. } => Mode::Json,
            Voice { quiet: true, .. } => Mode::Quiet,
            Voice { plain: true, .. } => Mode::Plain,
            _ if terminal => Mode::Live,
            _ => Mode::Plain,
        };
        let environment = Environment::read()?;
        let colour = terminal && environment.get("NO_COLOR").is_none();
        #[cfg_attr(not(feature = "otel"), expect(unused_mut, reason = "with traces there is more to keep"))]
        let mut session = Session {
            output: Output::default(),
            screen: Screen::new(mode == Mode::Quiet, colour),
            mode,
            environment,
            search: Search::default(),
            #[cfg(feature = "otel")]
            exporting: None,
        };
        let logging = session.logging(voice, terminal, command);
        let refused = |error: logger::LoggingError| Failure::Usage(error.to_string());
        let endpoint = session.environment.get(ENDPOINT).filter(|endpoint| !endpoint.is_empty());
        #[cfg(feature = "otel")]
        if let Some(endpoint) = endpoint {
            let service = session.environment.get("OTEL_SERVICE_NAME").unwrap_or("sync-engine").to_owned();
            let traces = logger::Traces { endpoint: endpoint.to_owned(), service };
            session.exporting = Some(logger::install_with_traces(logging, &traces).map_err(refused)?);
            return Ok(session);
        }
        logger::install(logging).map_err(refused)?;
        if endpoint.is_some() {
            tracing::info!(
                "{ENDPOINT} is set, but this program was built without the feature `otel`: no traces are sent"
            );
        }
        Ok(session)
    }

    /// Writes a line for people to stdout, unless only data or nothing belongs there.
    pub(crate) fn say(&self, text: &str) {
        if matches!(self.mode, Mode::Live | Mode::Plain) {
            self.output.line(&logger::redact_text(text));
        }
    }

    fn logging(&self, voice: &Voice, terminal: bool, command: &Command) -> Logging {
        let by_verbosity = match voice.verbose {
            0 => None,
            1 => Some("info"),
            2 => Some("debug"),
            _ => Some("trace"),
        };
        let default = match self.mode {
            Mode::Quiet => "error",
            Mode::Json => "info",
            Mode::Live | Mode::Plain => command.usual_level(),
        };
        let level = voice.log_level.as_deref().or(by_verbosity);
        let level = level.or_else(|| self.environment.get("LOG_LEVEL")).unwrap_or(default).to_owned();
        let (output, screen) = (self.output.clone(), self.screen.clone());
        let (format, sink): (Format, Arc<dyn logger::LineSink>) = match self.mode {
            Mode::Json => (Format::Protocol, Arc::new(move |line: &str| output.line(line))),
            // What a server says goes to where logs are gathered, unless somebody looks on.
            _ if command.is_server() && !terminal && !voice.plain => {
                (Format::Json, Arc::new(move |line: &str| screen.line(line)))
            }
            _ => {
                (Format::Pretty { colour: self.screen.colour }, Arc::new(move |line: &str| screen.line(line)))
            }
        };
        Logging { level, format, sink }
    }
}
