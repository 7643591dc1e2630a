//! Points in time as the protocol writes them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::Unit;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instant, written as ISO 8601 in UTC with at least milliseconds: `2026-01-02T03:04:05.678Z`.
///
/// Reading takes any ISO 8601 date-time that ends in `Z`, with or without seconds and fraction.
/// An offset such as `+01:00` is refused, except where [`Timestamp::parse_bound`] is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

/// Why a text is not a [`Timestamp`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an ISO 8601 time{expected}")]
pub struct TimestampError {
    text: String,
    expected: &'static str,
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Timestamp = Timestamp(jiff::Timestamp::UNIX_EPOCH);

    /// The system clock, cut to milliseconds.
    pub fn now() -> Timestamp {
        let now = jiff::Timestamp::now();
        Timestamp(now.round(Unit::Millisecond).unwrap_or(now))
    }

    /// The instant `seconds` after the Unix epoch; clamped to the years that can be written.
    pub fn from_unix_seconds(seconds: i64) -> Timestamp {
        let clamped =
            seconds.clamp(jiff::Timestamp::MIN.as_second() + 1, jiff::Timestamp::MAX.as_second() - 1);
        Timestamp(jiff::Timestamp::from_second(clamped).unwrap_or(jiff::Timestamp::UNIX_EPOCH))
    }

    /// So many milliseconds after 1970; what is too far away becomes the nearest instant that can be written.
    pub fn from_unix_millis(millis: i64) -> Timestamp {
        match jiff::Timestamp::from_millisecond(millis) {
            Ok(instant) => Timestamp(instant),
            Err(_) => Timestamp::from_unix_seconds(millis.div_euclid(1000)),
        }
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub fn unix_seconds(self) -> i64 {
        self.unix_millis().div_euclid(1000)
    }

    /// Whole seconds since the Unix epoch, rounded up: the first second not before this instant.
    pub fn unix_seconds_up(self) -> i64 {
        let nanos = self.0.as_nanosecond();
        i64::try_from(nanos.div_euclid(1_000_000_000) + i128::from(nanos.rem_euclid(1_000_000_000) != 0))
            .unwrap_or(i64::MAX)
    }

    /// Whole milliseconds since the Unix epoch, rounded down.
    pub fn unix_millis(self) -> i64 {
        i64::try_from(self.0.as_nanosecond().div_euclid(1_000_000)).unwrap_or(i64::MAX)
    }

    /// Milliseconds from `earlier` to this instant; 0 when `earlier` is later.
    pub fn millis_since(self, earlier: Timestamp) -> u64 {
        u64::try_from(self.unix_millis().saturating_sub(earlier.unix_millis())).unwrap_or(0)
    }

    /// Reads a time bound. Beyond the protocol's own form, a date alone (midnight UTC) and any
    /// offset are taken, because bounds are written by people.
    pub fn parse_bound(text: &str) -> Result<Timestamp, TimestampError> {
        let refused = || TimestampError {
            text: text.to_owned(),
            expected: "; expected a date or a date-time such as 2026-01-02T03:04:05Z",
        };
        if let Ok(parsed) = text.parse::<Timestamp>() {
            return Ok(parsed);
        }
        if let Ok(parsed) = text.parse::<jiff::Timestamp>() {
            return Ok(Timestamp(parsed));
        }
        let date: jiff::civil::Date = text.parse().map_err(|_| refused())?;
        let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| refused())?;
        Ok(Timestamp(midnight.timestamp()))
    }

    pub(crate) fn deserialize_bound<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Timestamp::parse_bound(&text).map_err(serde::de::Error::custom)
    }

    pub(crate) fn deserialize_optional_bound<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| Timestamp::parse_bound(&text).map_err(serde::de::Error::custom)).transpose()
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Timestamp, TimestampError> {
        if !text.ends_with('Z') {
            return Err(TimestampError { text: text.to_owned(), expected: " that ends in Z" });
        }
        text.parse().map(Timestamp).map_err(|_| TimestampError {
            text: text.to_owned(),
            expected: " such as 2026-01-02T03:04:05.678Z",
        })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Milliseconds always, more digits only where the instant has them.
        let nanos = self.0.as_nanosecond().rem_euclid(1_000_000);
        let digits = if nanos == 0 { 3 } else { 9 };
        write!(formatter, "{:.digits$}", self.0)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_milliseconds_and_keeps_finer_digits() {
        for (read, written) in [
            ("2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678Z"),
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"),
            ("2026-01-02T03:04Z", "2026-01-02T03:04:00.000Z"),
            ("2026-01-02T03:04:05.678901Z", "2026-01-02T03:04:05.678901000Z"),
            ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(read.parse::<Timestamp>().unwrap().to_string(), written);
        }
    }

    #[test]
    fn refuses_offsets_except_in_bounds() {
        assert!("2026-01-02T03:04:05+01:00".parse::<Timestamp>().is_err());
        assert!("2026-01-02".parse::<Timestamp>().is_err());
        let bound = Timestamp::parse_bound("2026-01-02T03:04:05+01:00").unwrap();
        assert_eq!(bound.to_string(), "2026-01-02T02:04:05.000Z");
        assert_eq!(Timestamp::parse_bound("2026-01-02").unwrap().to_string(), "2026-01-02T00:00:00.000Z");
        assert!(Timestamp::parse_bound("yesterday").unwrap_err().to_string().contains("yesterday"));
    }

    #[test]
    fn rounds_seconds_down_and_up() {
        let half: Timestamp = "1970-01-01T00:00:01.500Z".parse().unwrap();
        assert_eq!((half.unix_seconds(), half.unix_seconds_up()), (1, 2));
        let whole = Timestamp::from_unix_seconds(7);
        assert_eq!((whole.unix_seconds(), whole.unix_seconds_up()), (7, 7));
        let before = "1969-12-31T23:59:58.500Z".parse::<Timestamp>().unwrap();
        assert_eq!((before.unix_seconds(), before.unix_seconds_up()), (-2, -1));
    }
}
