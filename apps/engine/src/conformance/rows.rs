//! What a destination has stored, as a command of the user's prints it.

use std::collections::BTreeMap;
use std::process::Stdio;

use conformance::Breach;
use conformance::script::{catalog, delete, payload, state, upsert};
use protocol::{Message, NdjsonReader, Payload, SourceStateMessage, Stream};
use rustix::process::Signal;
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use super::destination::{Writing, lines};
use super::program::{Program, Words};
use super::report::{Outcome, Report};
use super::rules;

/// Records between two states where durability is looked at.
const BETWEEN: usize = 100;

/// States that are sent there.
const STATES: usize = 100;

pub(super) async fn check(writing: &Writing<'_>, report: &mut Report) {
    let Some(words) = &writing.asked.rows else {
        for rule in [rules::ROWS, rules::VERSIONS, rules::DELETES, rules::DURABLE] {
            let why = "no command was given that prints the rows of a stream (--rows)".to_owned();
            report.note(rule, Outcome::Unchecked(why));
        }
        return;
    };
    let table = Table { writing, printer: Program::new(words.clone()) };
    report.note(rules::ROWS, table.rows_arrive().await);
    report.note(rules::VERSIONS, table.older_rows_change_nothing().await);
    report.note(rules::DELETES, table.deletes().await);
    report.note(rules::DURABLE, table.states_come_after_durable_rows().await);
}

/// Notes by id.
type Notes = BTreeMap<String, String>;

struct Table<'a> {
    writing: &'a Writing<'a>,
    printer: Program,
}

impl Table<'_> {
    async fn notes(&self, stream: &Stream) -> Result<Notes, Breach> {
        let said = self.printer.run(Words::of(&[&stream.name]), b"").await?;
        let printed = said.succeeded().map_err(|breach| Breach {
            expected: format!("rows from the command of --rows, and {}", breach.expected),
            ..breach
        });
        printed?;
        let mut notes = Notes::new();
        for line in said.stdout.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            let row: Option<Value> = serde_json::from_slice(line).ok();
            let text = |name: &str| row.as_ref()?.get(name)?.as_str().map(str::to_owned);
            let (Some(id), Some(note)) = (text("id"), text("note")) else {
                let line = String::from_utf8_lossy(line);
                let expected = "JSON objects with `id` and `note` from the command of --rows, one per line";
                return Err(Breach::new(expected, format!("it prints {line:.200}")));
            };
            notes.insert(id, note);
        }
        Ok(notes)
    }

    async fn expect(&self, stream: &Stream, expected: &[(&str, &str)], after: &str) -> Result<(), Breach> {
        let found = self.notes(stream).await?;
        let expected: Notes =
            expected.iter().map(|(id, note)| ((*id).to_owned(), (*note).to_owned())).collect();
        if found == expected {
            return Ok(());
        }
        Err(Breach::new(format!("the rows {expected:?} after {after}"), format!("there are {found:?}")))
    }

    async fn rows_arrive(&self) -> Result<(), Breach> {
        let streams = self.writing.place(&["rows", "others"]).await?;
        let sent: Vec<Message> = ["a", "b", "c"]
            .iter()
            .flat_map(|id| streams.iter().map(|stream| upsert(stream, &payload(id, 1, "it's \u{fc}ber"))))
            .collect();
        self.writing.write(&streams, &sent).await?;
        let note = "it's \u{fc}ber";
        self.expect(&streams[0], &[("a", note), ("b", note), ("c", note)], "three inserts").await
    }

    async fn older_rows_change_nothing(&self) -> Result<(), Breach> {
        let streams = self.writing.place(&["versions"]).await?;
        let one = &streams[0];
        let put = |id: &str, version: i64, note: &str| upsert(one, &payload(id, version, note));
        // As 64-bit floats these two versions are equal.
        let (newer, older) = (9_007_199_254_740_993, 9_007_199_254_740_992);
        let together = [
            put("b", 1, "old"),
            put("b", 2, "new"),
            put("b", 2, "tie"),
            put("b", 1, "old"),
            put("c", newer, "new"),
        ];
        self.writing.write(&streams, &together).await?;
        self.expect(one, &[("b", "tie"), ("c", "new")], "versions 1, 2, 2, 1 of one row in one write")
            .await?;
        for (message, note, after) in [
            (put("a", 10, "first"), "first", "version 10"),
            (put("a", 11, "newer"), "newer", "version 11 after 10"),
            (put("a", 10, "older"), "newer", "version 10 after 11"),
            (put("a", 11, "equal"), "equal", "version 11 after 11"),
            (put("c", older, "old"), "equal", "a version that is older by one, above 2^53"),
        ] {
            self.writing.write(&streams, &[message]).await?;
            self.expect(one, &[("a", note), ("b", "tie"), ("c", "new")], after).await?;
        }
        Ok(())
    }

    async fn deletes(&self) -> Result<(), Breach> {
        let streams = self.writing.place(&["deletes"]).await?;
        let one = &streams[0];
        let put = |id: &str, version: i64| upsert(one, &payload(id, version, "row"));
        let gone = |version: i64| delete(one, &payload("a", version, "gone"));
        let there: &[(&str, &str)] = &[("a", "row"), ("b", "row")];
        let away: &[(&str, &str)] = &[("b", "row")];
        for (sent, expected, after) in [
            (vec![put("a", 5), put("b", 1)], there, "two inserts"),
            (vec![gone(4)], there, "a deletion that is older than the row"),
            (vec![gone(6)], away, "a deletion that is newer"),
            (vec![put("a", 5)], away, "a row that is older than its deletion"),
            (vec![put("a", 7)], there, "a row that is newer than its deletion"),
            (vec![put("a", 8), gone(9), put("a", 8)], away, "a row, its deletion, and the row in one write"),
        ] {
            self.writing.write(&streams, &sent).await?;
            self.expect(one, expected, after).await?;
        }
        Ok(())
    }

    /// Kills the program when the first state comes back, and looks for the rows before it.
    async fn states_come_after_durable_rows(&self) -> Result<(), Breach> {
        let streams = self.writing.place(&["durable"]).await?;
        let one = &streams[0];
        let mut sent = Vec::new();
        for at in 1..=STATES {
            let ids = (at - 1) * BETWEEN..at * BETWEEN;
            sent.extend(ids.map(|id| upsert(one, &payload(&format!("row_{id}"), 1, "a"))));
            sent.push(state(one, &(at * BETWEEN).to_string()));
        }
        let words = self.writing.words(&catalog(&streams))?;
        let mut running = self.writing.program.start(&words, Stdio::piped())?;
        let (stdin, stdout) = (running.child.stdin.take(), running.child.stdout.take());
        let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else {
            return Err(Breach::new("a process with pipes", "it has none"));
        };
        let input = lines(&sent);
        // Ends with the process, or with the input.
        let fed = tokio::spawn(async move { stdin.write_all(&input).await });
        let mut messages = NdjsonReader::new(stdout);
        let covered = loop {
            match messages.next_message().await {
                Ok(Some(Message {
                    payload: Payload::SourceState(SourceStateMessage::Stream { data, .. }),
                    ..
                })) => break data.as_str().parse().unwrap_or(0),
                Ok(Some(_)) => {}
                Ok(None) => return Err(Breach::new("states handed back", "none comes before the end")),
                Err(error) => return Err(Breach::new("messages alone on stdout", error.to_string())),
            }
        };
        running.signal(Signal::KILL);
        // Its end is what counts, not how.
        let _ = running.child.wait().await;
        fed.abort();
        let stored = self.notes(one).await?;
        let missing: Vec<String> =
            (0..covered).map(|id| format!("row_{id}")).filter(|id| !stored.contains_key(id)).collect();
        Breach::unless(missing.is_empty(), "all rows before a state that came back, after a kill", || {
            format!("{} of {covered} are missing, such as {}", missing.len(), missing[0])
        })
    }
}
