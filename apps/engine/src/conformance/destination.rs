//! What a destination does: `write`.

use conformance::script::{catalog, errors, global_state, interleaved, payload, raw, state, stream, upsert};
use conformance::{Breach, comes_back_in_order};
use protocol::{ConfiguredCatalog, Message, Payload, SourceStateMessage, Stream};

use super::Conformance;
use super::basics::setup;
use super::ending;
use super::program::{Program, Said, Words};
use super::report::Report;
use super::rows;
use super::rules;

pub(super) async fn check(asked: &Conformance, program: &Program, report: &mut Report) {
    let writing = Writing::new(asked, program);
    let set_up = async {
        writing.place(&["customer"]).await?;
        // It is called before every sync.
        writing.place(&["customer", "charge"]).await.map(drop)
    };
    if !report.note(rules::SETUP, set_up.await) {
        report.leave_the_rest("`setup` fails");
        return;
    }
    report.note(rules::MALFORMED_CATALOG, malformed_catalog(asked, program).await);
    report.note(rules::EMPTY_INPUT, empty_input(&writing).await);
    report.note(rules::HANDED_BACK, handed_back(&writing).await);
    report.note(rules::FAILS_ALONE, fails_alone(&writing).await);
    report.note(rules::GARBAGE, garbage(&writing).await);
    rows::check(&writing, report).await;
    let customers = writing.streams(&["ending"]);
    let catalog = catalog(&customers);
    let words = || writing.words(&catalog);
    let input = lines(&interleaved(&customers));
    let prepared = setup(asked, program, Some(&catalog)).await;
    let ended = match &prepared {
        Ok(()) => ending::terminated(program, words, &input).await,
        Err(breach) => Err(breach.clone()),
    };
    report.note(rules::TERMINATED, ended);
    let ended = match prepared {
        Ok(()) => ending::closed_pipe(program, words, &input).await,
        Err(breach) => Err(breach),
    };
    report.note(rules::CLOSED_PIPE, ended);
}

/// Where is written to: streams of names that nobody else has.
pub(super) struct Writing<'a> {
    pub(super) asked: &'a Conformance,
    pub(super) program: &'a Program,
    prefix: String,
}

impl<'a> Writing<'a> {
    fn new(asked: &'a Conformance, program: &'a Program) -> Writing<'a> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        Writing { asked, program, prefix: format!("conformance_{}", &id[..8]) }
    }

    fn streams(&self, names: &[&str]) -> Vec<Stream> {
        names.iter().map(|name| stream(&format!("{}_{name}", self.prefix))).collect()
    }

    /// Sets streams up.
    pub(super) async fn place(&self, names: &[&str]) -> Result<Vec<Stream>, Breach> {
        let streams = self.streams(names);
        setup(self.asked, self.program, Some(&catalog(&streams))).await?;
        Ok(streams)
    }

    pub(super) fn words(&self, catalog: &ConfiguredCatalog) -> Result<Words, Breach> {
        Words::of(&["write"]).with("--config", &self.asked.config)?.with("--catalog", catalog)
    }

    async fn write_lines(&self, streams: &[Stream], input: &[u8]) -> Result<Said, Breach> {
        self.program.run(self.words(&catalog(streams))?, input).await
    }

    /// Writes messages; answers what comes back, but for log lines.
    pub(super) async fn write(&self, streams: &[Stream], sent: &[Message]) -> Result<Vec<Message>, Breach> {
        let said = self.write_lines(streams, &lines(sent)).await?;
        let back = without_log(said.messages()?);
        said.succeeded()?;
        Ok(back)
    }
}

/// The messages as lines of stdin.
pub(super) fn lines(messages: &[Message]) -> Vec<u8> {
    let mut lines = Vec::new();
    for message in messages {
        // The suite's own messages can be written.
        let _ = protocol::encode_line(message, &mut lines);
    }
    lines
}

/// A program's own log is among what comes back.
fn without_log(mut messages: Vec<Message>) -> Vec<Message> {
    messages.retain(|message| !matches!(message.payload, Payload::Log(_)));
    messages
}

async fn malformed_catalog(asked: &Conformance, program: &Program) -> Result<(), Breach> {
    let words = Words::of(&["write", "--catalog", "{\"streams\": "]).with("--config", &asked.config)?;
    program.run(words, b"").await?.refused().map(drop)
}

async fn empty_input(writing: &Writing<'_>) -> Result<(), Breach> {
    let streams = writing.place(&["empty"]).await?;
    for (input, told) in [(b"".as_slice(), "nothing"), (b"\n \n", "blank lines")] {
        let said = writing.write_lines(&streams, input).await?;
        let back = said.payloads()?;
        said.succeeded()?;
        Breach::unless(back.is_empty(), "nothing back where nothing was sent", || {
            format!("after {told}, `{}` comes", back[0].type_name())
        })?;
    }
    Ok(())
}

async fn handed_back(writing: &Writing<'_>) -> Result<(), Breach> {
    let streams = writing.place(&["customer", "charge", "invoice"]).await?;
    let sent = without_log(interleaved(&streams));
    let back = writing.write(&streams, &sent).await?;
    comes_back_in_order(&sent, &back)
}

fn states_of<'m>(messages: &'m [Message], name: &'m str) -> impl Iterator<Item = &'m Message> {
    messages.iter().filter(move |message| {
        matches!(message.payload, Payload::SourceState(_))
            && message.payload.stream().is_some_and(|stream| **stream == *name)
    })
}

async fn fails_alone(writing: &Writing<'_>) -> Result<(), Breach> {
    let streams = writing.place(&["keyless", "keyed"]).await?;
    let (bad, good) = (&streams[0], &streams[1]);
    let without_key = r#"{"note":"a","_account_id":"acct_1","_updated_at":1}"#;
    let sent = [
        upsert(bad, without_key),
        state(bad, "1"),
        upsert(good, &payload("a", 1, "a")),
        state(good, "1"),
        global_state(r#"{"at":1}"#),
    ];
    let back = writing.write(&streams, &sent).await?;
    let failed: Vec<&str> =
        errors(&back).filter(|(_, error)| !error.is_empty()).map(|(name, _)| name).collect();
    let expected =
        "`stream_status` `error`, with a text, of the stream whose record lacks its key, and of no other";
    Breach::unless(failed == [&*bad.name], expected, || format!("it comes of {failed:?}"))?;
    Breach::unless(states_of(&back, &bad.name).next().is_none(), "no state of a stream that failed", || {
        "it comes back".to_owned()
    })?;
    Breach::unless(states_of(&back, &good.name).count() == 1, "the state of the other stream", || {
        "it does not come back".to_owned()
    })?;
    let global = back
        .iter()
        .any(|message| matches!(message.payload, Payload::SourceState(SourceStateMessage::Global { .. })));
    Breach::unless(!global, "no global state once a record before it was not written", || {
        "it comes back".to_owned()
    })
}

async fn garbage(writing: &Writing<'_>) -> Result<(), Breach> {
    let streams = writing.place(&["garbage"]).await?;
    let one = &streams[0];
    let mut input = lines(&[upsert(one, &payload("a", 1, "a")), state(one, r#"{"at":1}"#)]);
    input.extend_from_slice(b"this is no message\n");
    let said = writing.write_lines(&streams, &input).await?;
    Breach::unless(said.succeeded().is_err(), "a failure after a line that is no message", || said.ending())?;
    Breach::unless(
        !said.stderr.trim().is_empty(),
        "words on stderr about a line that is no message",
        || "stderr is empty".to_owned(),
    )?;
    let back = said.messages()?;
    let expected = Payload::SourceState(SourceStateMessage::Stream {
        stream: one.name.clone(),
        data: raw(r#"{"at":1}"#),
    });
    let came = back.iter().any(|message| message.payload == expected);
    Breach::unless(came, "what came before such a line, written and handed back", || {
        "the state before it does not come back".to_owned()
    })
}
