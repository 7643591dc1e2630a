//! A source or destination that is a program.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use protocol::{
    AnyDestination, AnySource, ConfiguredCatalog, ConnectorError, ConnectorSpec, ErrorKind, InspectRequest,
    LookUpRequest, Message, MessageStream, Payload, ReadRequest, RowStream, StateStore, WriteRequest,
};
use serde_json::{Map, Value};

use super::airbyte::Secrets;
use super::files::Flags;
use super::run::{Lines, Run};
use crate::Role;

/// How long a program may take to say how it is configured.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that is a connector.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    name: String,
    command: Arc<[String]>,
    spec: Arc<ConnectorSpec>,
}

impl Connector {
    /// Asks the program how it is configured.
    pub(super) fn open(role: Role, name: &str, command: Vec<String>) -> Result<Connector, ConnectorError> {
        let spec = said_of(&format!("the {role} `{name}`"), &command, spec_of_line)?;
        Ok(Connector { name: name.to_owned(), command: command.into(), spec: Arc::new(spec) })
    }

    fn run(
        &self,
        operation: &'static str,
        flags: std::io::Result<Flags>,
        input: Option<Lines>,
    ) -> Result<MessageStream, ConnectorError> {
        let flags = flags.map_err(|error| {
            ConnectorError::internal("the arguments of a program cannot be put into a file").caused_by(error)
        })?;
        let run =
            Run { command: Arc::clone(&self.command), operation, flags, input, hidden: Secrets::default() };
        Ok(run.messages())
    }

    fn configured(config: &Map<String, Value>) -> std::io::Result<Flags> {
        Flags::default().with("--config", config)
    }

    fn simple(
        &self,
        operation: &'static str,
        config: &Map<String, Value>,
    ) -> Result<MessageStream, ConnectorError> {
        self.run(operation, Connector::configured(config), None)
    }

    fn of_streams(
        &self,
        operation: &'static str,
        config: &Map<String, Value>,
        catalog: &ConfiguredCatalog,
        input: Option<Lines>,
    ) -> Result<MessageStream, ConnectorError> {
        let flags = Connector::configured(config).and_then(|flags| flags.with("--catalog", catalog));
        self.run(operation, flags, input)
    }
}

/// What a line says of how a program is configured, if it says that.
type SpecOfLine = fn(&[u8]) -> Result<Option<ConnectorSpec>, String>;

/// Asks the program of a connector how it is configured. A program that does not answer does not keep us.
pub(super) fn said_of(
    connector: &str,
    command: &[String],
    read: SpecOfLine,
) -> Result<ConnectorSpec, ConnectorError> {
    let program = command.first().cloned().unwrap_or_default();
    let asked = command.to_vec();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        // Whoever asked may have gone.
        let _ = sender.send(spec_of(&asked, read));
    });
    let answer = receiver.recv_timeout(PATIENCE).map_err(|error| match error {
        RecvTimeoutError::Timeout => format!("it did not answer within {} s", PATIENCE.as_secs()),
        RecvTimeoutError::Disconnected => "it could not be asked".to_owned(),
    });
    answer.and_then(|answer| answer).map_err(|problem| {
        let text = format!("{connector}, {program}, does not say how it is configured: {problem}");
        ConnectorError::new(ErrorKind::Config, text)
    })
}

/// Runs `spec`.
fn spec_of(command: &[String], read: SpecOfLine) -> Result<ConnectorSpec, String> {
    let (program, words) = command.split_first().ok_or("the command is empty")?;
    let output = Command::new(program).args(words).arg("spec").stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("it cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim_end()));
    }
    let lines = output.stdout.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    for line in lines.filter(|line| !line.is_empty()) {
        if let Some(spec) = read(line)? {
            return Ok(spec);
        }
    }
    Err("it said no `spec`".to_owned())
}

fn spec_of_line(line: &[u8]) -> Result<Option<ConnectorSpec>, String> {
    let message: Message = serde_json::from_slice(line).map_err(|error| {
        format!("its stdout is not understood: {error}: {:.200}", String::from_utf8_lossy(line))
    })?;
    Ok(match message.payload {
        Payload::Spec(spec) => Some(*spec),
        _ => None,
    })
}

/// A line of what is pushed into a source, or of messages.
fn line(
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), serde_json::Error>,
) -> Result<Vec<u8>, ConnectorError> {
    let mut line = Vec::new();
    let written = write(&mut line);
    written.map_err(|error| ConnectorError::internal("a message cannot be written").caused_by(error))?;
    Ok(line)
}

impl AnySource for Connector {
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
        self.simple("check", config)
    }

    fn discover(&self, config: &Map<String, Value>) -> Result<MessageStream, ConnectorError> {
        self.simple("discover", config)
    }

    fn read(
        &self,
        config: &Map<String, Value>,
        request: ReadRequest,
    ) -> Result<MessageStream, ConnectorError> {
        let flags = Connector::configured(config).and_then(|flags| flags.with("--catalog", &request.catalog));
        let flags = match &request.state {
            Some(state) => flags.and_then(|flags| flags.with("--state", state)),
            None => flags,
        };
        let pushed = request.input.map(|input| {
            let lines = input.map(|input| {
                let input = input?;
                line(|text| {
                    input.write_on_one_line(text);
                    text.push(b'\n');
                    Ok(())
                })
            });
            lines.boxed()
        });
        self.run("read", flags, pushed)
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
        config: &Map<String, Value>,
        catalog: ConfiguredCatalog,
    ) -> Result<Option<MessageStream>, ConnectorError> {
        self.of_streams("setup", config, &catalog, None).map(Some)
    }

    fn teardown(&self, config: &Map<String, Value>) -> Result<Option<MessageStream>, ConnectorError> {
        self.simple("teardown", config).map(Some)
    }
}

impl AnyDestination for Connector {
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
        self.simple("check", config)
    }

    fn write(
        &self,
        config: &Map<String, Value>,
        request: WriteRequest,
    ) -> Result<MessageStream, ConnectorError> {
        let lines = request.input.map(|message| {
            let message = message?;
            line(|text| protocol::encode_line(&message, text))
        });
        self.of_streams("write", config, &request.catalog, Some(lines.boxed()))
    }

    fn setup(
        &self,
        config: &Map<String, Value>,
        catalog: ConfiguredCatalog,
    ) -> Result<Option<MessageStream>, ConnectorError> {
        self.of_streams("setup", config, &catalog, None).map(Some)
    }

    fn teardown(&self, config: &Map<String, Value>) -> Result<Option<MessageStream>, ConnectorError> {
        self.simple("teardown", config).map(Some)
    }

    fn inspect(
        &self,
        _: &Map<String, Value>,
        _: InspectRequest,
    ) -> Result<Option<RowStream>, ConnectorError> {
        Ok(None)
    }

    fn state_store(
        &self,
        _: &Map<String, Value>,
        _: &str,
    ) -> Result<Option<BoxFuture<'static, Result<Box<dyn StateStore>, ConnectorError>>>, ConnectorError> {
        Ok(None)
    }
}
