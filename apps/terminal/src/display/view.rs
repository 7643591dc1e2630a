//! The live display as text. Pure: what to show is passed in, lines come out.

use console::{measure_text_width, truncate_str};
use protocol::{ProgressPayload, Range, StreamProgress, StreamRunStatus, counted};

use super::Requests;
use super::figures::{count, duration, rate};
use super::gauge::Gauges;

/// What a frame shows.
pub(crate) struct Frame<'a> {
    pub(crate) progress: &'a ProgressPayload,
    pub(crate) gauges: &'a Gauges,
    pub(crate) requests: Option<Requests>,
    /// Since the command began.
    pub(crate) elapsed_ms: u64,
    /// Whether it was asked to stop.
    pub(crate) stopping: bool,
    /// Whether changes are followed once everything is read.
    pub(crate) follows: bool,
    pub(crate) colour: bool,
}

/// Widest a time-range bar gets.
const WIDEST_BAR: usize = 40;
const NARROWEST_BAR: usize = 6;
const ROWS_WIDTH: usize = 11;
const RATE_WIDTH: usize = 9;

impl Frame<'_> {
    /// At most `height` lines of at most `width` columns.
    pub(crate) fn lines(&self, width: usize, height: usize) -> Vec<String> {
        let mut lines = vec![self.headline()];
        let errored = self.named(StreamRunStatus::Errored);
        let started = self.named(StreamRunStatus::Started);
        // Head, totals, requests and a line for what does not fit.
        let room = height.saturating_sub(4).max(1);
        let shown_errors = errored.len().min((room / 2).max(1));
        let shown_active = started.len().min(room - shown_errors.min(room));
        for (name, stream) in &errored[..shown_errors] {
            lines.push(self.stream(name, stream, width));
        }
        for (name, stream) in &started[..shown_active] {
            lines.push(self.stream(name, stream, width));
        }
        let mut hidden = Vec::new();
        for (more, word) in
            [(errored.len() - shown_errors, "failed"), (started.len() - shown_active, "being read")]
        {
            if more > 0 {
                hidden.push(format!("{more} more {word}"));
            }
        }
        if !hidden.is_empty() {
            lines.push(self.dim(&format!("  … {}", hidden.join(", "))));
        }
        lines.push(self.totals());
        lines.extend(self.request_line());
        lines.truncate(height.max(1));
        lines.into_iter().map(|line| truncate_str(&line, width, "…").into_owned()).collect()
    }

    fn headline(&self) -> String {
        let streams = self.progress.streams.values();
        let all_read = streams.clone().all(|stream| stream.status.is_terminal());
        let verb = match (self.stopping, self.follows && all_read) {
            (true, _) => "Stopping",
            (false, true) => "Following",
            (false, false) => "Syncing",
        };
        let total = self.progress.streams.len();
        let named = counted(total, "stream");
        let tallies: Vec<String> = [
            (StreamRunStatus::Completed, "completed", "32"),
            (StreamRunStatus::Started, "started", "33"),
            (StreamRunStatus::Errored, "errored", "31"),
            (StreamRunStatus::Skipped, "skipped", "2"),
            (StreamRunStatus::NotStarted, "waiting", "2"),
        ]
        .into_iter()
        .map(|(status, word, code)| {
            (streams.clone().filter(|stream| stream.status == status).count(), word, code)
        })
        .filter(|(number, _, _)| *number > 0)
        .map(|(number, word, code)| self.paint(&format!("{number} {word}"), code))
        .collect();
        let verb = self.paint(verb, "1");
        format!("{verb} {named} — {} — {}", duration(self.elapsed_ms), tallies.join(", "))
    }

    fn totals(&self) -> String {
        let derived = &self.progress.derived;
        let rows = count(derived.total_record_count);
        format!("  {}, {} rows/s now", counted(rows, "row"), rate(self.gauges.records.rate()))
    }

    fn request_line(&self) -> Option<String> {
        let requests = self.requests?;
        let achieved = self.gauges.requests.rate();
        let mut line = format!("  {}, {}/s", counted(count(requests.sent), "request"), rate(achieved));
        if requests.allowed_rate > 0.0 {
            // A share of a limit is a small number.
            let share = (achieved / requests.allowed_rate * 100.0).round().min(999.0) as u64;
            line += &format!(" of {} allowed ({share}%)", rate(requests.allowed_rate));
        }
        if requests.refused > 0 {
            line += &format!(", {} refused (429)", count(requests.refused));
        }
        if requests.expected > 0 && achieved > 0.5 {
            let left = (requests.expected as f64 / achieved * 1000.0) as u64;
            line += &format!(", about {} left", duration(left.max(1000)));
        }
        Some(self.dim(&line))
    }

    /// Streams of one status; of the active ones those with the most rows first.
    fn named(&self, status: StreamRunStatus) -> Vec<(&str, &StreamProgress)> {
        let mut streams: Vec<(&str, &StreamProgress)> = self
            .progress
            .streams
            .iter()
            .filter(|(_, stream)| stream.status == status)
            .map(|(name, stream)| (name.as_str(), stream))
            .collect();
        // A stable order, so that lines do not jump: sizes change all the time, names do not.
        streams.sort_by_key(|(name, stream)| (stream.record_count == 0, *name));
        streams
    }

    fn stream(&self, name: &str, stream: &StreamProgress, width: usize) -> String {
        let fixed = 2 + 1 + ROWS_WIDTH + 1 + RATE_WIDTH + 1;
        let name_width = width.saturating_sub(fixed + 2 * 5 + 2 + NARROWEST_BAR + 2).clamp(10, 34);
        let name = padded(name, name_width);
        if stream.status == StreamRunStatus::Errored {
            let message =
                stream.message.as_deref().unwrap_or("failed").replace(|c: char| c.is_control(), " ");
            return format!("{} {name} {}", self.paint("●", "31"), logger::redact_text(&message));
        }
        let rows = format!("{:>ROWS_WIDTH$}", count(stream.record_count));
        let speed =
            format!("{:>RATE_WIDTH$}", format!("{}/s", rate(self.gauges.stream_rate(name.trim_end()))));
        let bar = stream.total_range.map(|total| {
            let left = width.saturating_sub(fixed + name_width);
            range_bar(total, stream.completed_ranges.as_deref().unwrap_or_default(), left)
        });
        let line = format!(
            "{} {name} {rows} {} {}",
            self.paint("●", "33"),
            self.dim(&speed),
            bar.unwrap_or_default()
        );
        line.trim_end().to_owned()
    }

    fn paint(&self, text: &str, code: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn dim(&self, text: &str) -> String {
        self.paint(text, "2")
    }
}

/// `[Jan 2020 ███░░░ Jan 2025]`, within `room` columns; empty where there is none. A column is full
/// only if all of its time is covered.
pub(crate) fn range_bar(total: Range, completed: &[Range], room: usize) -> String {
    let (from, to) = (total.gte.unix_seconds(), total.lt.unix_seconds_up());
    let labels = |long: bool| (month(from, long), month(to, long));
    let (mut start, mut end) = labels(true);
    // Brackets and two blanks.
    let mut bar = room.saturating_sub(measure_text_width(&start) + measure_text_width(&end) + 4);
    if bar < NARROWEST_BAR {
        (start, end) = labels(false);
        bar = room.saturating_sub(start.len() + end.len() + 4);
    }
    if bar < NARROWEST_BAR || to <= from {
        return String::new();
    }
    let columns = bar.min(WIDEST_BAR) as i64;
    let edge = |column: i64| {
        from + i64::try_from(i128::from(to - from) * i128::from(column) / i128::from(columns)).unwrap_or(0)
    };
    let covered = |start: i64, end: i64| {
        completed.iter().any(|range| range.gte.unix_seconds() <= start && end <= range.lt.unix_seconds_up())
    };
    let drawn: String =
        (0..columns).map(|column| if covered(edge(column), edge(column + 1)) { '█' } else { '░' }).collect();
    format!("[{start} {drawn} {end}]")
}

/// `Jan 2020`, or `2020` in short.
fn month(seconds: i64, long: bool) -> String {
    let shown = protocol::Timestamp::from_unix_seconds(seconds).to_string();
    let year = shown.get(..4).unwrap_or("?");
    if !long {
        return year.to_owned();
    }
    let names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let number: usize = shown.get(5..7).and_then(|text| text.parse().ok()).unwrap_or(0);
    match names.get(number.wrapping_sub(1)) {
        Some(name) => format!("{name} {year}"),
        None => year.to_owned(),
    }
}

fn padded(name: &str, width: usize) -> String {
    let shown = truncate_str(name, width, "…");
    let missing = width.saturating_sub(measure_text_width(&shown));
    format!("{shown}{}", " ".repeat(missing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use protocol::Timestamp;

    const NAMES: [&str; 6] = [
        "customer",
        "financial_connections_account",
        "issuing_personalization_design",
        "charge",
        "plan",
        "billing_credit_balance_transaction",
    ];

    fn range(gte: i64, lt: i64) -> Range {
        Range { gte: Timestamp::from_unix_seconds(gte), lt: Timestamp::from_unix_seconds(lt) }
    }

    fn progress(statuses: impl IntoIterator<Item = (String, StreamRunStatus)>) -> ProgressPayload {
        let mut progress = ProgressPayload::fresh(Timestamp::UNIX_EPOCH, std::iter::empty());
        for (at, (name, status)) in statuses.into_iter().enumerate() {
            let stream = StreamProgress {
                status,
                record_count: at as u64 * 12_345,
                message: (status == StreamRunStatus::Errored)
                    .then(|| "disk\nfull with sk_live_123".to_owned()),
                total_range: (at % 2 == 0).then(|| range(1_577_836_800, 1_767_225_600)),
                completed_ranges: Some(vec![range(1_600_000_000, 1_700_000_000)]),
                ..StreamProgress::default()
            };
            progress.derived.total_record_count += stream.record_count;
            progress.streams.insert(name, stream);
        }
        progress
    }

    fn few() -> ProgressPayload {
        use StreamRunStatus::{Completed, Errored, NotStarted, Skipped, Started};
        let statuses = [Started, Started, Errored, Started, Completed, Skipped, NotStarted];
        let names = NAMES.iter().copied().chain(["waiting_one"]);
        progress(names.map(str::to_owned).zip(statuses))
    }

    fn frame<'a>(progress: &'a ProgressPayload, gauges: &'a Gauges) -> Frame<'a> {
        let requests = Requests { sent: 1234, refused: 2, allowed_rate: 80.0, expected: 4000 };
        Frame {
            progress,
            gauges,
            requests: Some(requests),
            elapsed_ms: 83_000,
            stopping: false,
            follows: false,
            colour: false,
        }
    }

    fn gauges() -> Gauges {
        let mut gauges = Gauges::default();
        for (at, count) in [(0, 0), (2000, 152)] {
            gauges.requests.observe(at, count);
            gauges.records.observe(at, count * 100);
            gauges.streams.entry("charge".to_owned()).or_default().observe(at, count * 50);
        }
        gauges
    }

    #[test]
    fn looks_right_at_eighty_columns_and_wider() {
        let (progress, gauges) = (few(), gauges());
        let shown = |width| frame(&progress, &gauges).lines(width, 24).join("\n");
        insta::assert_snapshot!(format!("{}\n\n{}", shown(79), shown(119)));
    }

    #[test]
    fn many_streams_stay_within_the_terminal() {
        let statuses = (0..74).map(|at| {
            let status = if at % 10 == 0 { StreamRunStatus::Errored } else { StreamRunStatus::Started };
            (format!("stream_{at:02}"), status)
        });
        let (progress, gauges) = (progress(statuses), gauges());
        insta::assert_snapshot!(frame(&progress, &gauges).lines(79, 12).join("\n"));
    }

    #[test]
    fn a_column_is_full_only_if_all_of_it_is_covered() {
        let total = range(0, 4_000_000);
        let bar = |completed: &[Range]| -> String {
            let bar = range_bar(total, completed, 4 + 8 + 8 + 10);
            bar.chars().filter(|c| "█░".contains(*c)).collect()
        };
        assert_eq!(bar(&[]), "░░░░░░░░░░");
        assert_eq!(bar(&[range(0, 4_000_000)]), "██████████");
        assert_eq!(bar(&[range(0, 3_999_999)]), "█████████░");
        assert_eq!(bar(&[range(1, 800_000), range(2_000_000, 2_400_000)]), "░█░░░█░░░░");
        assert_eq!(range_bar(range(5, 5), &[], 60), "", "no range, no bar");
        assert_eq!(range_bar(total, &[], 5), "", "no room, no bar");
    }

    proptest! {
        #[test]
        fn never_wider_or_higher_than_asked(
            width in 20_usize..200,
            height in 1_usize..40,
            statuses in prop::collection::vec(0_u8..5, 0..80),
            stopping: bool,
        ) {
            use StreamRunStatus::{Completed, Errored, NotStarted, Skipped, Started};
            let all = [Started, Errored, Completed, Skipped, NotStarted];
            let named = statuses.iter().enumerate().map(|(at, status)| {
                (format!("{}_{at}", NAMES[at % NAMES.len()]), all[usize::from(*status)])
            });
            let (progress, gauges) = (progress(named), gauges());
            let lines = Frame { stopping, colour: true, ..frame(&progress, &gauges) }.lines(width, height);
            prop_assert!(lines.len() <= height);
            for line in &lines {
                prop_assert!(measure_text_width(line) <= width, "{line:?}");
                prop_assert!(!line.contains('\n') && !line.contains("sk_live_123"));
            }
        }
    }
}
