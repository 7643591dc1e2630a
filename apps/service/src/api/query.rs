//! Parameters of a query, read one by one so that each mistake is told with its place.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::Request;
use http_api::{ApiError, Issue, Issues, Step};

/// The parameters of a query, and what is wrong with them so far.
pub(crate) struct Query {
    given: BTreeMap<String, String>,
    issues: Issues,
}

impl Query {
    /// The parameters of the request. One that is given twice counts as it is given last.
    pub(crate) fn of(request: &Request) -> Query {
        let query = request.uri().query().unwrap_or_default();
        let given = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Query { given, issues: Issues::default() }
    }

    /// A text.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.given.remove(name).filter(|text| !text.is_empty())
    }

    /// `true` or `false`, or nothing, which is `false`; the name alone is `true`.
    pub(crate) fn switch(&mut self, name: &str) -> bool {
        match self.given.remove(name).as_deref() {
            None | Some("false" | "0") => false,
            Some("" | "true" | "1") => true,
            Some(_) => {
                let message = r#"Invalid option: expected one of "true"|"false""#.to_owned();
                self.note("invalid_value", name, message).unwrap_or(false)
            }
        }
    }

    /// A whole number from `least` to `most`.
    pub(crate) fn count(&mut self, name: &str, least: u64, most: u64) -> Option<u64> {
        let text = self.text(name)?;
        let digits = text.strip_prefix('-').unwrap_or(&text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let message = "Invalid input: expected int, received a text".to_owned();
            return self.note("invalid_type", name, message);
        }
        match text.parse::<u64>() {
            Ok(count) if (least..=most).contains(&count) => Some(count),
            Ok(count) if count < least => self.too_small(name, least),
            Err(_) if digits.len() < text.len() => self.too_small(name, least),
            // Too big, maybe even to be read.
            _ => {
                let message = format!("Too big: expected int to be <={most}");
                self.note("too_big", name, message)
            }
        }
    }

    fn too_small<T>(&mut self, name: &str, least: u64) -> Option<T> {
        self.note("too_small", name, format!("Too small: expected int to be >={least}"))
    }

    /// A number of seconds, above zero.
    pub(crate) fn seconds(&mut self, name: &str) -> Option<Duration> {
        let text = self.text(name)?;
        let Some(given) = text.parse::<f64>().ok().filter(|given| !given.is_nan()) else {
            let message = "Invalid input: expected a number of seconds, received a text".to_owned();
            return self.note("invalid_type", name, message);
        };
        match Duration::try_from_secs_f64(given) {
            Ok(seconds) if !seconds.is_zero() => Some(seconds),
            Err(_) if given > 0.0 => {
                let message = format!("Too big: expected number of seconds to be <={}", u64::MAX);
                self.note("too_big", name, message)
            }
            _ => self.note("too_small", name, "Too small: expected number of seconds to be >0".to_owned()),
        }
    }

    /// Notes that something is wrong.
    pub(crate) fn note<T>(&mut self, code: &'static str, name: &str, message: String) -> Option<T> {
        let path: Vec<Step> = vec![name.into()];
        self.issues.note(Issue { code, path, message })
    }

    /// Fails with everything that was found wrong.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        if self.issues.0.is_empty() { Ok(()) } else { Err(ApiError::Invalid(self.issues)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn query(text: &str) -> Query {
        Query::of(&Request::builder().uri(format!("/x?{text}")).body(Body::empty()).unwrap())
    }

    #[test]
    fn switches_are_parsed_and_not_taken_for_true() {
        for (text, expected) in
            [("a=true", true), ("a=1", true), ("a", true), ("a=false", false), ("a=0", false), ("", false)]
        {
            assert_eq!(query(text).switch("a"), expected, "{text}");
        }
        let mut wrong = query("a=yes");
        wrong.switch("a");
        assert!(wrong.finish().is_err());
    }

    #[test]
    fn numbers_have_bounds() {
        assert_eq!(query("a=3").count("a", 1, 10), Some(3));
        assert_eq!(query("a=007").count("a", 1, 10), Some(7));
        assert_eq!(query("a=0.5").seconds("a").map(|seconds| seconds.as_millis()), Some(500));
        let code_of = |wrong: Query| match wrong.finish() {
            Err(ApiError::Invalid(Issues(issues))) => issues[0].code,
            other => panic!("{other:?}"),
        };
        for (text, code) in [
            ("a=0", "too_small"),
            ("a=-1", "too_small"),
            ("a=-99999999999999999999", "too_small"),
            ("a=11", "too_big"),
            ("a=99999999999999999999", "too_big"),
            ("a=x", "invalid_type"),
            ("a=1.5", "invalid_type"),
            ("a=-", "invalid_type"),
        ] {
            let mut wrong = query(text);
            assert_eq!(wrong.count("a", 1, 10), None);
            assert_eq!(code_of(wrong), code, "{text}");
        }
        for (text, code) in [
            ("a=0", "too_small"),
            ("a=-1", "too_small"),
            ("a=1e300", "too_big"),
            ("a=inf", "too_big"),
            ("a=nan", "invalid_type"),
            ("a=x", "invalid_type"),
        ] {
            let mut wrong = query(text);
            assert_eq!(wrong.seconds("a"), None);
            assert_eq!(code_of(wrong), code, "{text}");
        }
    }
}
