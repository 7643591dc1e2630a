//! Sources of Airbyte as sources of ours: `airbyte:<command>`. See `docs/airbyte.md`.
//!
//! * `wire` is what they write; `catalog`, `position` and `secrets` are what it means;
//! * `words` takes out what is for the log; `reading` and `asking` translate the rest, line by line.

mod asking;
mod catalog;
mod position;
mod reading;
mod secrets;
mod wire;
mod words;

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use protocol::{
    AnySource, ConfiguredCatalog, ConnectorError, ConnectorSpec, LookUpRequest, Message, MessageStream,
    ReadRequest, Timestamp,
};
use serde_json::{Map, Value};

use super::connector::said_of;
use super::files::Flags;
use super::run::Run;
use asking::{Checking, Discovering};
use reading::Reading;
pub(super) use secrets::Secrets;

/// A source of Airbyte.
#[derive(Debug, Clone)]
pub(super) struct Airbyte {
    name: String,
    command: Arc<[String]>,
    spec: Arc<ConnectorSpec>,
}

/// From the lines of a command to our messages.
trait Translation: Send {
    /// Takes a line; what it says goes to `out`.
    fn take(&mut self, line: &Bytes, out: &mut Vec<Message>);

    /// The command has ended; says what is left to say, and how it failed.
    fn end(
        &mut self,
        ended: Result<(), ConnectorError>,
        out: &mut Vec<Message>,
    ) -> Result<(), ConnectorError>;
}

impl Airbyte {
    /// Asks the program how it is configured.
    pub(super) fn open(name: &str, command: Vec<String>) -> Result<Airbyte, ConnectorError> {
        let spec = said_of(&format!("the source `{name}`"), &command, spec_of_line)?;
        Ok(Airbyte { name: name.to_owned(), command: command.into(), spec: Arc::new(spec) })
    }

    fn secrets(&self, config: &Map<String, Value>) -> Secrets {
        Secrets::of(&self.spec.config, config)
    }

    fn run(
        &self,
        operation: &'static str,
        flags: std::io::Result<Flags>,
        hidden: Secrets,
        mut translation: impl Translation + 'static,
    ) -> Result<MessageStream, ConnectorError> {
        let flags = flags.map_err(|error| {
            ConnectorError::internal("the arguments of a program cannot be put into a file").caused_by(error)
        })?;
        let run = Run { command: Arc::clone(&self.command), operation, flags, input: None, hidden };
        let mut lines = run.said::<Bytes>();
        Ok(Box::pin(async_stream::stream! {
            let mut out = Vec::new();
            let ended = loop {
                match lines.next().await {
                    Some(Ok(line)) => translation.take(&line, &mut out),
                    Some(Err(error)) => break Err(error),
                    None => break Ok(()),
                }
                for message in out.drain(..) {
                    yield Ok(message);
                }
            };
            let ended = translation.end(ended, &mut out);
            for message in out.drain(..) {
                yield Ok(message);
            }
            if let Err(error) = ended {
                yield Err(error);
            }
        }))
    }
}

/// The specification, if the line is one.
fn spec_of_line(line: &[u8]) -> Result<Option<ConnectorSpec>, String> {
    // Whatever else it says is for a log.
    let Ok(line) = serde_json::from_slice::<wire::Line<'_>>(line) else { return Ok(None) };
    if let Some(error) = line.trace.and_then(|trace| trace.error) {
        return Err(error.message);
    }
    let Some(spec) = line.spec else { return Ok(None) };
    let mut config = Value::Object(spec.connection_specification);
    secrets::mark(&mut config);
    let Value::Object(mut config) = config else { return Ok(None) };
    config.remove("$schema");
    config.entry("type").or_insert_with(|| "object".into());
    config.entry("properties").or_insert_with(|| Map::new().into());
    Ok(Some(ConnectorSpec {
        config,
        source_state_stream: None,
        source_input: None,
        soft_limit_fraction: None,
    }))
}

impl AnySource for Airbyte {
    fn name(&self) -> &str {
        &self.name
    }

    fn spec(&self) -> ConnectorSpec {
        ConnectorSpec::clone(&self.spec)
    }

    fn validate(&self, _: &Map<String, Value>) -> Result<(), ConnectorError> {
        // The program does, whatever it is asked.
        Ok(())
    }

    fn check(&self, config: &Map<String, Value>) -> Result<MessageStream, ConnectorError> {
        let secrets = self.secrets(config);
        let checking = Checking::new(secrets.clone());
        self.run("check", Flags::default().with("--config", config), secrets, checking)
    }

    fn discover(&self, config: &Map<String, Value>) -> Result<MessageStream, ConnectorError> {
        let secrets = self.secrets(config);
        let discovering = Discovering::new(secrets.clone());
        self.run("discover", Flags::default().with("--config", config), secrets, discovering)
    }

    fn read(
        &self,
        config: &Map<String, Value>,
        request: ReadRequest,
    ) -> Result<MessageStream, ConnectorError> {
        if request.input.is_some() {
            return Err(ConnectorError::config("a source of Airbyte takes no push input"));
        }
        let (selected, catalog) = catalog::configured(&request.catalog)?;
        let state =
            request.state.as_ref().map(|state| position::given(state, &selected)).transpose()?.flatten();
        let flags =
            Flags::default().with("--config", config).and_then(|flags| flags.with("--catalog", &catalog));
        let flags = match &state {
            Some(state) => flags.and_then(|flags| flags.with("--state", state)),
            None => flags,
        };
        let secrets = self.secrets(config);
        let reading = Reading::new(selected, secrets.clone(), Timestamp::now());
        self.run("read", flags, secrets, reading)
    }

    fn look_up(
        &self,
        _: &Map<String, Value>,
        _: LookUpRequest,
    ) -> Result<Option<MessageStream>, ConnectorError> {
        Ok(None)
    }

    fn preflight(
        &self,
        _: &Map<String, Value>,
        _: ConfiguredCatalog,
    ) -> Result<Option<MessageStream>, ConnectorError> {
        Ok(None)
    }

    fn setup(
        &self,
        _: &Map<String, Value>,
        _: ConfiguredCatalog,
    ) -> Result<Option<MessageStream>, ConnectorError> {
        Ok(None)
    }

    fn teardown(&self, _: &Map<String, Value>) -> Result<Option<MessageStream>, ConnectorError> {
        Ok(None)
    }
}
