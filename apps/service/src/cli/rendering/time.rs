//! Times as people say them.

use protocol::Timestamp;

/// `just now`, `12 s ago`, `3 min ago`, `5 h ago`, `4 days ago`.
pub(super) fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.millis_since(then) / 1000;
    if seconds < 2 { "just now".to_owned() } else { format!("{} ago", span(seconds)) }
}

/// `12 s`, `3 min`, `5 h`, `4 days`: the largest unit that fits twice, so that it is never far off.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// `2026-11-29 08:15:30`, in UTC.
pub(super) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..19).unwrap_or(&text).replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        let now = Timestamp::from_unix_seconds(1_000_000);
        let told = [0, 1, 2, 119, 120, 7_199, 7_200, 172_799, 172_800]
            .map(|seconds| ago(Timestamp::from_unix_seconds(1_000_000 - seconds), now));
        assert_eq!(
            told,
            [
                "just now",
                "just now",
                "2 s ago",
                "119 s ago",
                "2 min ago",
                "119 min ago",
                "2 h ago",
                "47 h ago",
                "2 days ago"
            ]
        );
        assert_eq!(ago(Timestamp::from_unix_seconds(1_000_009), now), "just now", "clocks differ");
        assert_eq!(moment(Timestamp::from_unix_seconds(0)), "1970-01-01 00:00:00");
    }
}
