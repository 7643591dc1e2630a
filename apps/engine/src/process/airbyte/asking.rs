//! What `check` and `discover` of an Airbyte source say.

use bytes::Bytes;
use protocol::{CatalogMessage, ConnectionStatus, ConnectorError, ErrorKind, Message, Payload, Stream};

use super::Translation;
use super::secrets::Secrets;
use super::words::{Heard, Words};
use super::{catalog, wire};

/// A `check` under way.
pub(super) struct Checking {
    words: Words,
    answered: bool,
}

impl Checking {
    pub(super) fn new(secrets: Secrets) -> Checking {
        Checking { words: Words::new(secrets), answered: false }
    }

    fn answer(&mut self, status: &wire::Status) -> Message {
        self.answered = true;
        let text = status.message.as_deref().map(|text| self.words.secrets.hide(text));
        Message::connection_status(match status.status.as_str() {
            "SUCCEEDED" => ConnectionStatus { message: text, ..ConnectionStatus::succeeded() },
            _ => ConnectionStatus::failed(text.unwrap_or_else(|| "the source does not say why".to_owned())),
        })
    }
}

impl Translation for Checking {
    fn take(&mut self, line: &Bytes, out: &mut Vec<Message>) {
        if let Heard::Said(line) = self.words.hear(line, out)
            && let Some(status) = &line.connection_status
        {
            out.push(self.answer(status));
        }
    }

    fn end(
        &mut self,
        ended: Result<(), ConnectorError>,
        out: &mut Vec<Message>,
    ) -> Result<(), ConnectorError> {
        match self.words.failure(ended) {
            // It has said all there is to say.
            _ if self.answered => Ok(()),
            Some(failure) if failure.kind() == ErrorKind::Config => {
                out.push(Message::connection_status(ConnectionStatus::failed(failure.to_string())));
                Ok(())
            }
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }
}

/// A `discover` under way.
pub(super) struct Discovering {
    words: Words,
}

impl Discovering {
    pub(super) fn new(secrets: Secrets) -> Discovering {
        Discovering { words: Words::new(secrets) }
    }
}

impl Translation for Discovering {
    fn take(&mut self, line: &Bytes, out: &mut Vec<Message>) {
        if let Heard::Said(line) = self.words.hear(line, out)
            && let Some(found) = line.catalog
        {
            // One that cannot be named cannot be asked for.
            let streams: Vec<Stream> =
                found.streams.into_iter().filter_map(|one| catalog::stream(one).ok()).collect();
            out.push(Payload::Catalog(CatalogMessage { streams }).into());
        }
    }

    fn end(&mut self, ended: Result<(), ConnectorError>, _: &mut Vec<Message>) -> Result<(), ConnectorError> {
        self.words.failure(ended).map_or(Ok(()), Err)
    }
}
