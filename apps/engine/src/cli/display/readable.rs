//! Which streams can be read. Pure.

use std::fmt;

use protocol::{StreamStatus, StreamStatusMessage};
use stripe_openapi::knowledge::refusals;

/// What is known of each stream before it is read.
#[derive(Debug, Default)]
pub(crate) struct Readable {
    streams: Vec<(String, Access)>,
    notes: Vec<String>,
}

/// Whether a stream can be read.
#[derive(Debug, PartialEq, Eq)]
enum Access {
    Ok,
    Lacks(String),
    Off(String),
    Fails(String),
}

impl Readable {
    /// Takes in the status of a stream.
    pub(crate) fn add(&mut self, status: StreamStatusMessage) {
        let access = match status.status {
            StreamStatus::Skip { reason } => match refusals::missing_permission(&reason) {
                Some(permission) => Access::Lacks(permission.to_owned()),
                // What Stripe said comes behind our own words.
                None => Access::Off(reason.split(". Stripe says:").next().unwrap_or_default().to_owned()),
            },
            StreamStatus::Error { error } => Access::Fails(error),
            _ => Access::Ok,
        };
        self.streams.push((status.stream.to_string(), access));
    }

    /// Takes in what is missing besides.
    pub(crate) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Whether any stream can be read.
    pub(crate) fn any(&self) -> bool {
        self.count(|access| *access == Access::Ok) > 0
    }

    fn count(&self, is: impl Fn(&Access) -> bool) -> usize {
        self.streams.iter().filter(|(_, access)| is(access)).count()
    }
}

impl fmt::Display for Readable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.streams.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        writeln!(formatter)?;
        for (name, access) in &self.streams {
            let told = match access {
                Access::Ok => "ok".to_owned(),
                Access::Lacks(permission) => format!("lacks permission {permission}"),
                Access::Off(reason) => format!("off: {reason}"),
                Access::Fails(error) => format!("error: {error}"),
            };
            writeln!(formatter, "{name:<width$}  {told}")?;
        }
        for note in &self.notes {
            writeln!(formatter, "note: {note}")?;
        }
        let all = self.streams.len();
        let noun = if all == 1 { "stream" } else { "streams" };
        let ok = self.count(|access| *access == Access::Ok);
        write!(formatter, "\n{ok} of {all} {noun} can be synced")?;
        let rest = [
            (self.count(|access| matches!(access, Access::Lacks(_))), "for want of a permission"),
            (self.count(|access| matches!(access, Access::Off(_))), "because a feature is off"),
            (self.count(|access| matches!(access, Access::Fails(_))), "because of an error"),
        ];
        for (count, why) in rest.iter().filter(|(count, _)| *count > 0) {
            write!(formatter, "; {count} not {why}")?;
        }
        write!(formatter, ".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stream_is_told_with_what_it_lacks() {
        let mut streams = Readable::default();
        let mut add = |name: &str, status| {
            streams.add(StreamStatusMessage { stream: name.into(), status });
        };
        add("charge", StreamStatus::Start { time_range: None, reason: None });
        let reason = "the API key lacks the permission rak_dispute_read: grant it".to_owned();
        add("dispute", StreamStatus::Skip { reason });
        let reason = "Issuing is not enabled for this account. Stripe says: no".to_owned();
        add("issuing_card", StreamStatus::Skip { reason });
        add("payout", StreamStatus::Error { error: "cannot reach it".to_owned() });
        streams.note("changes cannot be told by events".to_owned());
        assert!(streams.any());
        assert_eq!(
            streams.to_string(),
            "\ncharge        ok\n\
             dispute       lacks permission rak_dispute_read\n\
             issuing_card  off: Issuing is not enabled for this account\n\
             payout        error: cannot reach it\n\
             note: changes cannot be told by events\n\n\
             1 of 4 streams can be synced; 1 not for want of a permission; 1 not because a feature is off; \
             1 not because of an error."
        );
    }
}
