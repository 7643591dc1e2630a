//! Errors in Stripe's words.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// An answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: Option<Box<str>>,
    pub(crate) message: Box<str>,
    pub(crate) param: Option<Box<str>>,
    /// `Stripe-Rate-Limited-Reason`.
    pub(crate) limited: Option<&'static str>,
    /// `Retry-After`, in seconds.
    pub(crate) retry_after: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(status: u16, message: impl Into<Box<str>>) -> Self {
        Self { status, code: None, message: message.into(), param: None, limited: None, retry_after: None }
    }

    pub(crate) fn code(mut self, code: &str) -> Self {
        self.code = Some(code.into());
        self
    }

    pub(crate) fn param(mut self, param: &str) -> Self {
        self.param = Some(param.into());
        self
    }

    /// The body; v2 APIs leave out what belongs to v1.
    pub(crate) fn body(&self, v2: bool) -> String {
        let mut error = serde_json::Map::new();
        if let Some(code) = &self.code {
            error.insert("code".into(), json!(code));
            if !v2 {
                let page = code.replace('_', "-");
                error.insert("doc_url".into(), json!(format!("https://stripe.com/docs/error-codes/{page}")));
            }
        }
        error.insert("message".into(), json!(self.message));
        if !v2 {
            if let Some(param) = &self.param {
                error.insert("param".into(), json!(param));
            }
            let kind = if self.status >= 500 { "api_error" } else { "invalid_request_error" };
            error.insert("type".into(), json!(kind));
        }
        json!({ "error": Value::Object(error) }).to_string()
    }

    pub(crate) fn no_key() -> Self {
        Self::new(
            401,
            "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, or we can help at https://support.stripe.com/.",
        )
    }

    pub(crate) fn wrong_key(key: &str) -> Self {
        Self::new(401, format!("Invalid API Key provided: {}", masked(key)))
    }

    pub(crate) fn wrong_version(asked: &str, served: &str) -> Self {
        Self::new(
            400,
            format!("Invalid Stripe API version: {asked}. This simulated account serves version {served}."),
        )
    }

    pub(crate) fn unknown_url(method: &str, path: &str) -> Self {
        Self::new(
            404,
            format!(
                "Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at https://support.stripe.com/."
            ),
        )
    }

    pub(crate) fn unknown_parameter(name: &str) -> Self {
        Self::new(400, format!("Received unknown parameter: {name}")).code("parameter_unknown").param(name)
    }

    pub(crate) fn missing_parameter(name: &str) -> Self {
        Self::new(400, format!("Missing required param: {name}.")).code("parameter_missing").param(name)
    }

    pub(crate) fn no_integer(name: &str, value: &str) -> Self {
        Self::new(400, format!("Invalid integer: {value}")).code("parameter_invalid_integer").param(name)
    }

    pub(crate) fn no_such(object: &str, id: &str, param: &str, status: u16) -> Self {
        let words = object.replace(['.', '_'], " ");
        Self::new(status, format!("No such {words}: '{id}'")).code("resource_missing").param(param)
    }

    pub(crate) fn both_cursors() -> Self {
        Self::new(400, "Received both starting_after and ending_before parameters. Please pass in only one.")
    }

    pub(crate) fn not_one_of(name: &str, values: &[String]) -> Self {
        let mut list = String::new();
        for (index, value) in values.iter().enumerate() {
            let glue = match index {
                0 => "",
                _ if index + 1 == values.len() => ", or ",
                _ => ", ",
            };
            let _ = write!(list, "{glue}{value}");
        }
        Self::new(400, format!("Invalid {name}: must be one of {list}")).param(name)
    }

    pub(crate) fn not_simulated(name: &str) -> Self {
        Self::new(400, format!("The simulated API cannot filter this list by {name}.")).param(name)
    }

    pub(crate) fn cannot_expand(property: &str) -> Self {
        Self::new(400, format!("This property cannot be expanded ({property})."))
    }

    /// The same of a list, whose objects' properties begin with `data.`.
    pub(crate) fn cannot_expand_in_list(property: &str) -> Self {
        Self::new(
            400,
            format!(
                "This property cannot be expanded ({property}). You may want to try expanding 'data.{property}' instead."
            ),
        )
    }

    pub(crate) fn forbidden(key: &str, account: &str, permission: &str) -> Self {
        Self::new(
            403,
            format!(
                "The provided key '{}' does not have the required permissions for this endpoint on account '{account}'. Having the '{permission}' permission would allow this request to continue.",
                masked(key)
            ),
        )
    }

    /// The account is none to which the key has access; Stripe does not say more.
    pub(crate) fn no_account(key: &str, account: &str) -> Self {
        Self::new(
            403,
            format!(
                "The provided key '{}' does not have access to account '{account}' (or that account does not exist). Application access may have been revoked.",
                masked(key)
            ),
        )
        .code("account_invalid")
    }

    pub(crate) fn no_context() -> Self {
        Self::new(
            400,
            "Please include the Stripe-Context header with your target account when using an Organization API key.",
        )
    }

    pub(crate) fn no_version() -> Self {
        Self::new(400, "Please include the Stripe-Version header when using an Organization API key.")
    }

    pub(crate) fn limited(reason: &'static str, retry_after: Option<u64>) -> Self {
        let what = if reason.ends_with("concurrency") { "concurrency" } else { "rate" };
        Self {
            limited: Some(reason),
            retry_after,
            ..Self::new(
                429,
                format!(
                    "Request {what} limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."
                ),
            )
            .code("rate_limit")
        }
    }

    pub(crate) fn broken(status: u16) -> Self {
        Self::new(
            status,
            "An unknown error occurred. If you have any questions, we can help at https://support.stripe.com/.",
        )
    }

    /// `Stripe-Should-Retry`, where Stripe says it.
    pub(crate) fn should_retry(&self) -> Option<bool> {
        (self.status == 429 || self.status >= 500).then_some(true)
    }
}

/// A key as Stripe quotes it: all but its kind and last four letters are hidden.
fn masked(key: &str) -> String {
    let letters: Vec<char> = key.chars().collect();
    let kept = match key.match_indices('_').nth(1) {
        Some((at, _)) => key[..=at].chars().count(),
        None => 0,
    };
    let tail = letters.len().saturating_sub(4).max(kept);
    let mut out: String = letters[..kept].iter().collect();
    out.extend(std::iter::repeat_n('*', tail - kept));
    out.extend(&letters[tail..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_stripes() {
        assert_eq!(
            Refusal::no_such("charge", "ch_x", "starting_after", 400).body(false),
            r#"{"error":{"code":"resource_missing","doc_url":"https://stripe.com/docs/error-codes/resource-missing","message":"No such charge: 'ch_x'","param":"starting_after","type":"invalid_request_error"}}"#
        );
        assert_eq!(
            Refusal::wrong_key("sk_test_abcdefgh1234").body(false),
            r#"{"error":{"message":"Invalid API Key provided: sk_test_********1234","type":"invalid_request_error"}}"#
        );
        assert_eq!(
            Refusal::unknown_parameter("foo").body(true),
            r#"{"error":{"code":"parameter_unknown","message":"Received unknown parameter: foo"}}"#
        );
        assert_eq!(
            Refusal::broken(500).body(false),
            r#"{"error":{"message":"An unknown error occurred. If you have any questions, we can help at https://support.stripe.com/.","type":"api_error"}}"#
        );
    }

    #[test]
    fn keys_are_masked() {
        assert_eq!(masked("rk_test_1234567890abcd"), "rk_test_**********abcd");
        assert_eq!(masked("short"), "*hort");
        assert_eq!(masked("sk_test_1"), "sk_test_1");
        assert_eq!(masked(""), "");
    }
}
