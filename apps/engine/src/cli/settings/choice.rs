//! Values of flags that are more than text.

use std::str::FromStr;
use std::time::Duration;

use protocol::{StreamSelection, Timestamp};

/// A stream, and the fields of it that are kept: `customer` or `customer:email+name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamChoice {
    name: String,
    fields: Vec<String>,
}

impl StreamChoice {
    pub(crate) fn selection(&self) -> StreamSelection {
        StreamSelection {
            name: self.name.clone(),
            fields: (!self.fields.is_empty()).then(|| self.fields.clone()),
            ..StreamSelection::default()
        }
    }
}

impl FromStr for StreamChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<StreamChoice, String> {
        let (name, fields) = match text.split_once(':') {
            Some((name, fields)) => (name, fields.split('+').map(|field| field.trim().to_owned()).collect()),
            None => (text, Vec::new()),
        };
        let name = name.trim().to_owned();
        if name.is_empty() {
            return Err("a stream needs a name".to_owned());
        }
        if fields.iter().any(String::is_empty) {
            return Err(format!("the fields of {name} are written like {name}:first+second"));
        }
        Ok(StreamChoice { name, fields })
    }
}

/// A duration such as `90`, `90s`, `10m`, `2h`; a number alone means seconds.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let refused = || "expected a time above zero such as 90s, 10m or 2h".to_owned();
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds: f64 = number.parse().map_err(|_| refused())?;
    let factor = match unit.trim() {
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(refused()),
    };
    seconds_limit(seconds * factor).ok_or_else(refused)
}

/// So many seconds as a limit; `None` where that is no time above zero.
pub(crate) fn seconds_limit(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().filter(|limit| !limit.is_zero())
}

/// A date or a date-time.
pub(crate) fn parse_moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_bound(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, seconds) in [("90", 90.0), ("1.5s", 1.5), ("10m", 600.0), ("2h", 7200.0)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "0", "-1", "10d", "m", "1e400", "soon"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn streams_may_name_fields() {
        let chosen: StreamChoice = "customer:email+name".parse().unwrap();
        assert_eq!(chosen.selection().fields.unwrap(), ["email", "name"]);
        assert_eq!(" charge ".parse::<StreamChoice>().unwrap().selection().name, "charge");
        for text in ["", ":email", "customer:", "customer:a++b"] {
            assert!(text.parse::<StreamChoice>().is_err(), "{text:?}");
        }
    }
}
