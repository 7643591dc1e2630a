//! What a source does: `discover` and `read`.

use conformance::{
    Breach, catalog_is_sound, keys_of, only_of_the_streams, only_what_sources_say,
    records_have_their_version, statuses_come_in_order,
};
use protocol::{CatalogMessage, ConfiguredCatalog, ConfiguredStream, Payload, SourceState, StreamStatus};

use super::Conformance;
use super::ending;
use super::program::{Program, Words};
use super::report::{Outcome, Report};
use super::resuming;
use super::rules;

pub(super) async fn check(asked: &Conformance, program: &Program, report: &mut Report) {
    let discovered = report.note_found(rules::DISCOVER, discover(asked, program).await);
    let Some(discovered) = discovered else {
        report.leave_the_rest("`discover` fails");
        return;
    };
    report.note(rules::DISCOVER_AGAIN, discover_again(asked, program, &discovered).await);
    let reading = Reading { asked, program, catalog: catalog(asked, discovered) };
    report.note(rules::MALFORMED_CATALOG, malformed_catalog(asked, program).await);
    let read = async {
        let said = reading.read(None).await?;
        only_what_sources_say(&said)?;
        Ok(said)
    };
    let Some(said) = report.note_found(rules::READ, read.await) else {
        report.leave_the_rest("`read` fails");
        return;
    };
    let statuses = statuses_come_in_order(&reading.catalog, &said).and_then(|()| no_failures(&said));
    report.note(rules::STATUSES, statuses);
    report.note(rules::RECORDS, records(&reading.catalog, &said));
    report.note(rules::SELECTED, reading.one_stream(&said).await);
    resuming::check(&reading, &said, report).await;
    let words = || reading.words(None);
    report.note(rules::TERMINATED, ending::terminated(program, words, b"").await);
    report.note(rules::CLOSED_PIPE, ending::closed_pipe(program, words, b"").await);
}

async fn discover(asked: &Conformance, program: &Program) -> Result<CatalogMessage, Breach> {
    let said = program.run(Words::of(&["discover"]).with("--config", &asked.config)?, b"").await?;
    let catalog = said.one("catalog", |payload| match payload {
        Payload::Catalog(catalog) => Some(catalog),
        _ => None,
    })?;
    catalog_is_sound(&catalog)?;
    Ok(catalog)
}

async fn discover_again(
    asked: &Conformance,
    program: &Program,
    first: &CatalogMessage,
) -> Result<(), Breach> {
    let again = discover(asked, program).await?;
    Breach::unless(again == *first, "the same catalog twice", || "the second is another one".to_owned())
}

async fn malformed_catalog(asked: &Conformance, program: &Program) -> Result<(), Breach> {
    let words = Words::of(&["read", "--catalog", "{\"streams\": "]).with("--config", &asked.config)?;
    program.run(words, b"").await?.refused().map(drop)
}

/// The catalog that was given, else everything.
fn catalog(asked: &Conformance, discovered: CatalogMessage) -> ConfiguredCatalog {
    asked.catalog.clone().unwrap_or_else(|| ConfiguredCatalog {
        streams: discovered.streams.into_iter().map(ConfiguredStream::whole).collect(),
    })
}

fn no_failures(said: &[Payload]) -> Result<(), Breach> {
    for payload in said {
        if let Payload::StreamStatus(message) = payload
            && let StreamStatus::Error { error } = &message.status
        {
            let came = format!("`{}` fails: {error}", message.stream);
            return Err(Breach::new("streams that can be read with the given configuration", came));
        }
    }
    Ok(())
}

fn records(catalog: &ConfiguredCatalog, said: &[Payload]) -> Outcome {
    let checked = keys_of(catalog, said).and_then(|_| records_have_their_version(catalog, said));
    match checked {
        Ok(()) if !said.iter().any(|payload| matches!(payload, Payload::Record(_))) => {
            Outcome::Unchecked("there are none; give a configuration with some".to_owned())
        }
        checked => checked.into(),
    }
}

/// How the source is read.
pub(super) struct Reading<'a> {
    asked: &'a Conformance,
    program: &'a Program,
    pub(super) catalog: ConfiguredCatalog,
}

impl Reading<'_> {
    fn words(&self, catalog: Option<&ConfiguredCatalog>) -> Result<Words, Breach> {
        let words = Words::of(&["read"]).with("--config", &self.asked.config)?;
        words.with("--catalog", catalog.unwrap_or(&self.catalog))
    }

    /// Reads everything, from a state on.
    pub(super) async fn read(&self, state: Option<&SourceState>) -> Result<Vec<Payload>, Breach> {
        let words = self.words(None)?;
        let words = match state {
            Some(state) => words.with("--state", state)?,
            None => words,
        };
        self.said(words).await
    }

    /// The same with the part of a state that is about streams.
    pub(super) async fn read_streams(&self, state: &SourceState) -> Result<Vec<Payload>, Breach> {
        self.said(self.words(None)?.with("--state", &state.streams)?).await
    }

    async fn said(&self, words: Words) -> Result<Vec<Payload>, Breach> {
        let said = self.program.run(words, b"").await?;
        let payloads = said.payloads()?;
        said.succeeded()?;
        only_of_the_streams(&self.catalog, &payloads)?;
        Ok(payloads)
    }

    /// Reads one stream of several.
    async fn one_stream(&self, said: &[Payload]) -> Outcome {
        // One that has records tells more.
        let with_records = said.iter().find_map(|payload| match payload {
            Payload::Record(record) => self.catalog.stream(&record.stream),
            _ => None,
        });
        let Some(one) = with_records.or(self.catalog.streams.last()) else {
            return Outcome::Unchecked("there are no streams".to_owned());
        };
        if self.catalog.streams.len() < 2 {
            return Outcome::Unchecked("there is one stream only".to_owned());
        }
        let catalog = ConfiguredCatalog { streams: vec![one.clone()] };
        let read = async {
            let said = self.program.run(self.words(Some(&catalog))?, b"").await?;
            only_of_the_streams(&catalog, &said.payloads()?)?;
            said.succeeded()
        };
        read.await.into()
    }
}
