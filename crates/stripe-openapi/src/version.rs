//! Names of API versions.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// A version of Stripe's API: `YYYY-MM-DD`, since 2024-09-30 with a release name: `YYYY-MM-DD.name`.
///
/// Ordered by date, then by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiVersion(String);

impl ApiVersion {
    /// The version as Stripe writes it, e.g. `2026-03-25.dahlia`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The date part, e.g. `2026-03-25`.
    pub fn date(&self) -> &str {
        &self.0[..10]
    }

    /// The release name, e.g. `dahlia`; none before 2024-09-30.
    pub fn release(&self) -> Option<&str> {
        self.0.get(11..)
    }
}

impl FromStr for ApiVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (date, release) = match text.split_once('.') {
            Some((date, release)) => (date, Some(release)),
            None => (text, None),
        };
        let release_ok = release.is_none_or(|name| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        });
        if is_date(date) && release_ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::MalformedVersion { text: text.to_owned() })
        }
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether `text` is a day of the calendar written as `YYYY-MM-DD`.
fn is_date(text: &str) -> bool {
    let number = |range: std::ops::Range<usize>| {
        let digits = text.get(range)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u32>().ok())?
    };
    let separators = text.len() == 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
    let (true, Some(year), Some(month), Some(day)) = (separators, number(0..4), number(5..7), number(8..10))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// The known versions just before and just after `wanted`, the same date first: what somebody who
/// mistyped a version may have meant.
pub(crate) fn nearest<'a>(wanted: &str, known: &[&'a str]) -> Vec<&'a str> {
    let date = wanted.get(..10).unwrap_or(wanted);
    let same_date: Vec<&str> = known.iter().copied().filter(|version| version.starts_with(date)).collect();
    if !same_date.is_empty() {
        return same_date;
    }
    let before = known.iter().copied().filter(|version| *version < wanted).max();
    let after = known.iter().copied().filter(|version| *version > wanted).min();
    before.into_iter().chain(after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_with_and_without_a_release_name_are_versions() {
        let plain: ApiVersion = "2020-08-27".parse().unwrap();
        assert_eq!((plain.date(), plain.release()), ("2020-08-27", None));
        let named: ApiVersion = "2026-03-25.dahlia".parse().unwrap();
        assert_eq!((named.date(), named.release()), ("2026-03-25", Some("dahlia")));
        assert!(plain < named);
        assert_eq!(named.to_string(), "2026-03-25.dahlia");
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "2020",
            "2020-8-27",
            "2020-13-01",
            "2023-02-29",
            "2020-08-27.",
            "2020-08-27 ",
            "latest",
            "2020-08-27.Basil",
            "2020-08-27/../..",
            "2020/08/27",
            "2020-08-2é",
        ] {
            assert!(text.parse::<ApiVersion>().is_err(), "{text:?} was taken for a version");
        }
        assert!("2024-02-29".parse::<ApiVersion>().is_ok());
    }

    #[test]
    fn the_nearest_versions_are_the_neighbours_or_those_of_the_same_date() {
        let known = ["2026-03-25.dahlia", "2025-03-31.basil", "2020-08-27"];
        assert_eq!(nearest("2026-03-25", &known), ["2026-03-25.dahlia"]);
        assert_eq!(nearest("2022-01-01", &known), ["2020-08-27", "2025-03-31.basil"]);
        assert_eq!(nearest("2030-01-01", &known), ["2026-03-25.dahlia"]);
        assert_eq!(nearest("2010-01-01", &known), ["2020-08-27"]);
    }
}
