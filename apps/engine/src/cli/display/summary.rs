//! What is said at the end of a sync. Pure.

use std::fmt::Write as _;

use logger::redact_text;
use protocol::{EofPayload, StreamProgress, StreamRunStatus, counted};

use super::figures::{count, duration, rate};

/// So many streams get a line of their own; the rest share lines.
const LISTED: usize = 16;

const WIDTH: usize = 80;

/// From a stream to a command that looks at it.
pub(crate) type Query<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What the end of a sync is told by.
pub(crate) struct Summary<'a> {
    pub(crate) eof: &'a EofPayload,
    pub(crate) elapsed_ms: u64,
    pub(crate) requests: Option<u64>,
    /// As it follows "in": `the SQLite file ./stripe.db`.
    pub(crate) place: &'a str,
    /// As a sentence begins that says how to go on: `Run the same command again`.
    pub(crate) again: &'a str,
    /// A command that looks at a stream.
    pub(crate) query: &'a Query<'a>,
    /// Whether the position was kept.
    pub(crate) keeps_state: bool,
    /// Whether the user ended it.
    pub(crate) interrupted: bool,
    /// Whether changes were followed until somebody stopped it.
    pub(crate) followed: bool,
}

/// The summary as lines, the last one without a line feed.
pub(crate) fn summarise(summary: &Summary<'_>) -> String {
    let progress = &summary.eof.request_progress;
    let streams = || progress.streams.iter();
    let with = |status: StreamRunStatus| streams().filter(move |(_, stream)| stream.status == status);
    let rows: u64 = streams().map(|(_, stream)| stream.record_count).sum();

    let mut text = String::new();
    let failed = with(StreamRunStatus::Errored).count();
    let verdict = if summary.interrupted {
        "Interrupted"
    } else if summary.followed {
        "Stopped"
    } else if summary.eof.has_more {
        "Stopped at the time limit"
    } else if failed > 0 {
        "Finished with errors"
    } else {
        "Done"
    };
    let speed = rate(rows as f64 * 1000.0 / summary.elapsed_ms.max(1) as f64);
    let requests = summary.requests.map(|sent| format!(", {}", counted(count(sent), "request")));
    let requests = requests.unwrap_or_default();
    let time = duration(summary.elapsed_ms);
    let _ = write!(text, "{verdict}: {} in {time} ({speed} rows/s{requests}).", counted(count(rows), "row"));

    let mut filled: Vec<(&String, &StreamProgress)> =
        streams().filter(|(_, stream)| stream.record_count > 0).collect();
    filled.sort_by_key(|(name, stream)| (std::cmp::Reverse(stream.record_count), *name));
    let (large, small) = filled.split_at(if filled.len() > LISTED + 3 { LISTED } else { filled.len() });
    let width = large.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    if !filled.is_empty() {
        text.push('\n');
    }
    for (name, stream) in large {
        let unfinished = if is_unfinished(stream) { "  (not finished)" } else { "" };
        let _ = write!(text, "\n  {name:<width$}  {:>11}{unfinished}", count(stream.record_count));
    }
    let small: Vec<String> = small
        .iter()
        .map(|(name, stream)| {
            let unfinished = if is_unfinished(stream) { " (not finished)" } else { "" };
            format!("{name} {}{unfinished}", count(stream.record_count))
        })
        .collect();
    wrapped(&mut text, &small);
    let idle = with(StreamRunStatus::Completed).filter(|(_, stream)| stream.record_count == 0).count();
    if idle > 0 {
        let new = if filled.is_empty() { "nothing new" } else { "nothing new or nothing at all" };
        let _ = write!(text, "\n  {} had {new}.", counted(idle, "stream"));
    }
    reasons(&mut text, "Skipped", with(StreamRunStatus::Skipped));
    reasons(&mut text, "Failed", with(StreamRunStatus::Errored));

    let _ = write!(text, "\n\nThe data is in {}.", summary.place);
    let biggest = filled.iter().max_by_key(|(_, stream)| stream.record_count).map(|(name, _)| name.as_str());
    if let Some(command) = (summary.query)(biggest.unwrap_or("customer")) {
        let _ = write!(text, " Look at it, for example, by\n  {command}");
    }
    let again = summary.again;
    let next = if !summary.keeps_state {
        "No position was kept (--no-state): the next run with --no-state reads everything again.".to_owned()
    } else if summary.followed && !summary.interrupted {
        format!("What was followed is stored. {again} to go on from here.")
    } else if summary.interrupted || summary.eof.has_more {
        format!("What was read is saved. {again} to continue.")
    } else if failed > 0 {
        format!("{again} to try the failed streams once more; the others only read what is new.")
    } else {
        format!("{again} to read only what is new.")
    };
    let _ = write!(text, "\n{next}");
    text
}

fn is_unfinished(stream: &StreamProgress) -> bool {
    !stream.status.is_terminal()
}

/// The items on indented lines, separated by commas.
fn wrapped(text: &mut String, items: &[String]) {
    let mut column = WIDTH;
    for (at, item) in items.iter().enumerate() {
        let comma = usize::from(at + 1 < items.len());
        if column + 1 + item.len() + comma > WIDTH {
            text.push_str("\n ");
            column = 1;
        }
        text.push(' ');
        text.push_str(item);
        text.push_str(if comma == 1 { "," } else { "" });
        column += 1 + item.len() + comma;
    }
}

/// A reason with the streams it is for; many streams share one.
fn reasons<'a>(
    text: &mut String,
    title: &str,
    streams: impl Iterator<Item = (&'a String, &'a StreamProgress)>,
) {
    let mut grouped: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, stream) in streams {
        let reason = stream.message.as_deref().unwrap_or("no reason given");
        match grouped.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) => names.push(name),
            None => grouped.push((reason, vec![name])),
        }
    }
    if !grouped.is_empty() {
        let _ = write!(text, "\n\n{title}:");
    }
    for (reason, names) in grouped {
        let shown = names.iter().take(6).copied().collect::<Vec<_>>().join(", ");
        let more = names.len().saturating_sub(6);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = write!(text, "\n  {shown}{more}\n    {}", redact_text(reason));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{ProgressPayload, RunStatus, Timestamp};

    fn eof(streams: &[(&str, StreamRunStatus, u64, &str)], has_more: bool) -> EofPayload {
        let mut progress = ProgressPayload::fresh(Timestamp::UNIX_EPOCH, std::iter::empty());
        for (name, status, rows, message) in streams {
            let stream = StreamProgress {
                status: *status,
                record_count: *rows,
                message: (!message.is_empty()).then(|| (*message).to_owned()),
                ..StreamProgress::default()
            };
            progress.streams.insert((*name).to_owned(), stream);
        }
        EofPayload {
            status: RunStatus::Succeeded,
            has_more,
            ending_state: None,
            run_progress: progress.clone(),
            request_progress: progress,
        }
    }

    fn shown(eof: &EofPayload, keeps_state: bool, interrupted: bool) -> String {
        let query = |stream: &str| Some(format!("sqlite3 ./stripe.db 'select count(*) from \"{stream}\"'"));
        summarise(&Summary {
            eof,
            elapsed_ms: 83_000,
            requests: Some(1234),
            place: "the SQLite file ./stripe.db",
            again: "Run the same command again",
            query: &query,
            keeps_state,
            interrupted,
            followed: false,
        })
    }

    #[test]
    fn says_what_was_done_what_was_not_and_what_to_do() {
        use StreamRunStatus::{Completed, Errored, Skipped, Started};
        let full = "the disk is full: /data; free some space and run the same command again";
        let errors = eof(
            &[
                ("charge", Completed, 123_456, ""),
                ("customer", Completed, 7, ""),
                ("tax_rate", Completed, 0, ""),
                ("issuing_card", Skipped, 0, "Your account is not set up to use Issuing."),
                ("issuing_dispute", Skipped, 0, "Your account is not set up to use Issuing."),
                ("invoice", Errored, 500, full),
            ],
            false,
        );
        let nothing = eof(&[("charge", Completed, 0, ""), ("customer", Completed, 0, "")], false);
        let cut = eof(&[("charge", Started, 800, ""), ("customer", Completed, 7, "")], true);
        let many = (0..40).map(|at| (format!("stream_number_{at}"), at * 1000)).collect::<Vec<_>>();
        let many: Vec<_> = many.iter().map(|(name, rows)| (name.as_str(), Completed, *rows, "")).collect();
        let many = eof(&many, false);
        let texts = [
            shown(&many, true, false),
            shown(&errors, true, false),
            shown(&nothing, true, false),
            shown(&cut, true, true),
            shown(&cut, true, false),
            shown(&cut, false, true),
        ];
        insta::assert_snapshot!(texts.join("\n\n----\n\n"));
    }
}
