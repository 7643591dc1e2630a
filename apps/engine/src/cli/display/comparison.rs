//! What is said of a comparison. Pure.

use std::fmt::Write as _;

use engine::{Differences, Outcome, ReconcileReport, StreamReport};
use logger::redact_text;
use protocol::counted;

use super::figures::count;

/// What the end of a comparison is told by.
pub(crate) struct Comparison<'a> {
    pub(crate) report: &'a ReconcileReport,
    /// As it follows "in": `the SQLite file ./stripe.db`.
    pub(crate) place: &'a str,
    pub(crate) repair: bool,
    /// Whether the user ended it.
    pub(crate) interrupted: bool,
}

/// A line about a stream that is done, for whoever waits; nothing where there is nothing to tell.
pub(crate) fn told(stream: &StreamReport) -> Option<String> {
    let name = &stream.stream;
    match &stream.outcome {
        Outcome::Compared if stream.read == 0 && stream.stored == 0 => None,
        Outcome::Compared if stream.is_equal() => {
            Some(format!("{name}: {}, equal", counted(count(stream.read), "object")))
        }
        Outcome::Compared => {
            let differ: u64 = stream.differences().iter().map(|(_, differences)| differences.open()).sum();
            let differing =
                if differ == 1 { "1 differs".to_owned() } else { format!("{} differ", count(differ)) };
            Some(format!("{name}: {}, {differing}", counted(count(stream.read), "object")))
        }
        Outcome::Failed { reason } => Some(format!("{name}: failed: {reason}")),
        Outcome::Skipped { .. } | Outcome::Unfinished { .. } => None,
    }
}

/// The summary as lines, the last one without a line feed.
pub(crate) fn compared(comparison: &Comparison<'_>) -> String {
    let report = comparison.report;
    let verdict = match (report.equal, report.finished) {
        (true, _) => "Equal",
        (false, true) => "Not equal",
        (false, false) if comparison.interrupted => "Interrupted",
        (false, false) => "Stopped",
    };
    let read: u64 = report.streams.iter().map(|stream| stream.read).sum();
    let objects = counted(count(read), "object");
    let mut text =
        format!("{verdict}: {objects} compared, {}.\n", counted(count(report.requests), "request"));
    table(&mut text, &report.streams);
    ids(&mut text, &report.streams);
    reasons(&mut text, &report.streams);
    let _ = write!(text, "\n{}", what_next(comparison));
    text
}

fn table(text: &mut String, streams: &[StreamReport]) {
    let has_rows = |stream: &&StreamReport| {
        let differ = stream.differences().iter().any(|(_, differences)| differences.count > 0);
        stream.read > 0 || stream.stored > 0 || differ
    };
    let filled: Vec<&StreamReport> = streams.iter().filter(has_rows).collect();
    if filled.is_empty() {
        return;
    }
    let width = filled.iter().map(|stream| stream.stream.len()).max().unwrap_or(0).max(6);
    let _ = write!(
        text,
        "\n  {:<width$}  {:>11}  {:>11}  {:>9}  {:>9}  {:>9}  {:>10}",
        "STREAM", "LISTED", "STORED", "MISSING", "EXTRA", "DIFFERENT", "NOT LISTED"
    );
    for stream in &filled {
        let [missing, extra, different, not_listed] =
            stream.differences().map(|(_, differences)| count(differences.count));
        let partly = if matches!(stream.outcome, Outcome::Compared) { "" } else { "  (not finished)" };
        let _ = write!(
            text,
            "\n  {:<width$}  {:>11}  {:>11}  {missing:>9}  {extra:>9}  {different:>9}  {not_listed:>10}{partly}",
            stream.stream,
            count(stream.read),
            count(stream.stored),
        );
    }
    let compared = streams.iter().filter(|stream| stream.outcome == Outcome::Compared);
    let empty = compared.filter(|stream| !has_rows(stream)).count();
    if empty > 0 {
        let _ = write!(text, "\n  {empty} more have nothing on either side.");
    }
    text.push('\n');
}

fn ids(text: &mut String, streams: &[StreamReport]) {
    for stream in streams {
        for (kind, differences) in stream.differences() {
            if differences.count > 0 {
                let _ = write!(text, "\n  {} {kind}: {}", stream.stream, named(differences));
            }
        }
    }
    if !text.ends_with("\n") {
        text.push('\n');
    }
}

fn named(differences: &Differences) -> String {
    let mut named = differences.ids.join(", ");
    let unnamed = differences.count - differences.ids.len() as u64;
    if unnamed > 0 {
        let _ = write!(named, " and {} more", count(unnamed));
    }
    match differences.repaired {
        0 => {}
        repaired if repaired == differences.count => named.push_str(" (repaired)"),
        repaired => {
            let _ = write!(named, " ({} repaired)", count(repaired));
        }
    }
    named
}

fn reasons(text: &mut String, streams: &[StreamReport]) {
    let mut begun = false;
    for stream in streams {
        let (word, reason) = match &stream.outcome {
            Outcome::Compared => continue,
            Outcome::Unfinished { reason } => ("not finished", reason),
            Outcome::Skipped { reason } => ("skipped", reason),
            Outcome::Failed { reason } => ("failed", reason),
        };
        if !begun {
            text.push_str("\nNot compared:\n");
            begun = true;
        }
        let _ = writeln!(text, "  {} ({word}): {}", stream.stream, redact_text(reason));
    }
}

fn what_next(comparison: &Comparison<'_>) -> String {
    let report = comparison.report;
    let open =
        |kind: fn(&StreamReport) -> &Differences| report.streams.iter().any(|stream| kind(stream).open() > 0);
    let healable =
        open(|stream| &stream.missing) || open(|stream| &stream.different) || open(|stream| &stream.extra);
    let place = comparison.place;
    if !report.finished {
        "The position is kept. Run the same command again to go on.".to_owned()
    } else if report.equal {
        format!("What was compared is the same in {place}.")
    } else if healable && !comparison.repair {
        "Run the same command with --repair to write what is missing or different and to delete what is extra."
            .to_owned()
    } else if open(|stream| &stream.not_listed) {
        "Rows that are not listed may still exist: some lists hide objects. They were left as they are."
            .to_owned()
    } else {
        "Run the same command again once the reasons above are out of the way.".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stream(value: &serde_json::Value) -> StreamReport {
        let mut whole = json!({"status": "compared", "read": 350, "stored": 350});
        for kind in ["missing", "different", "extra", "not_listed"] {
            whole[kind] = json!({"count": 0, "repaired": 0, "ids": []});
        }
        for (name, value) in value.as_object().cloned().unwrap_or_default() {
            whole[name] = value;
        }
        serde_json::from_value(whole).unwrap()
    }

    fn said(streams: Vec<StreamReport>, repair: bool) -> String {
        let equal = streams.iter().all(StreamReport::is_equal);
        let finished = !streams.iter().any(|stream| matches!(stream.outcome, Outcome::Unfinished { .. }));
        let report = ReconcileReport { equal, finished, requests: 1234, streams };
        compared(&Comparison { report: &report, place: "the SQLite file a.db", repair, interrupted: false })
    }

    #[test]
    fn says_what_differs_what_was_not_compared_and_what_to_do() {
        let ids = ["cus_1", "cus_2", "cus_3", "cus_4", "cus_5"];
        let differing = stream(&json!({
            "stream": "customer", "stored": 349,
            "missing": {"count": 7, "repaired": 0, "ids": ids},
            "not_listed": {"count": 1, "repaired": 0, "ids": ["cus_9"]},
        }));
        let equal = stream(&json!({"stream": "balance_transaction", "read": 12345}));
        let empty = stream(&json!({"stream": "plan", "read": 0, "stored": 0}));
        let skipped = stream(
            &json!({"stream": "issuing_card", "status": "skipped", "reason": "no Issuing", "read": 0, "stored": 0}),
        );
        let budget = json!({"stream": "charge", "status": "unfinished", "reason": "the budget is used up"});
        let healed = json!({"stream": "price", "different": {"count": 2, "repaired": 2, "ids": ["price_1", "price_2"]}});
        let mut all = said(vec![differing.clone(), equal.clone(), empty, skipped.clone()], false);
        all += "\n---\n";
        all += &said(vec![equal.clone(), stream(&budget)], false);
        all += "\n---\n";
        all += &said(vec![equal, stream(&healed), skipped], true);
        insta::assert_snapshot!(all);
        assert_eq!(told(&differing).unwrap(), "customer: 350 objects, 8 differ");
    }
}
