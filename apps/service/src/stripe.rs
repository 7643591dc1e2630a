//! The one connector that the service knows: the source whose webhooks it takes, and whose events it reads.

use protocol::ConnectorConfig;
use serde_json::{Map, Value};
use url::Url;

/// Its type, as pipelines name it.
pub(crate) const STRIPE: &str = "stripe";

/// Whether the source is Stripe.
pub(crate) fn is_stripe(source: &ConnectorConfig) -> bool {
    source.connector == STRIPE
}

/// What set-up finds out of an account. It goes together: the one says nothing of another account than the other.
const ACCOUNT: [&str; 2] = ["account_id", "account_created"];

/// Whether both read of the same place: by keys of the same mode, as an account has other objects in each, at the same address.
pub(crate) fn is_same_world(one: &ConnectorConfig, other: &ConnectorConfig) -> bool {
    mode(&one.config) == mode(&other.config) && is_same_address(&one.config, &other.config)
}

/// Whether the key is one that reads what is real, if there is a key.
fn mode(config: &Map<String, Value>) -> Option<bool> {
    config.get("api_key").and_then(Value::as_str).map(source_stripe::is_live)
}

/// Whether both name the same address, however it is written.
pub(crate) fn is_same_address(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let address = |config: &Map<String, Value>| {
        let text = config.get("base_url").and_then(Value::as_str)?;
        Some(Url::parse(text).map_or_else(|_| text.to_owned(), Url::into))
    };
    address(one) == address(other)
}

/// Fills in what a user who replaces a configuration left out since it was found for the one of before, and not given: by
/// creation the version of the API, by set-up the account and the secret of the endpoint, which Stripe does not tell again. That
/// a new key is of the same account is for set-up to see to. What is `null` was not left out.
pub(crate) fn keep_found(config: &mut Map<String, Value>, before: &Map<String, Value>) {
    keep(config, before, &["api_version"]);
    if !is_same_address(config, before) {
        return;
    }
    if !ACCOUNT.iter().any(|name| config.contains_key(*name)) {
        keep(config, before, &ACCOUNT);
    }
    let endpoint = before.get("webhook_url").filter(|url| !url.is_null());
    if endpoint.is_some() && config.get("webhook_url") == endpoint {
        keep(config, before, &["webhook_secret"]);
    }
}

fn keep(config: &mut Map<String, Value>, before: &Map<String, Value>, names: &[&str]) {
    for name in names {
        if let Some(known) = before.get(*name) {
            config.entry(*name).or_insert_with(|| known.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    fn kept(given: Value) -> Value {
        let before = json!({
            "api_key": "sk_test_1", "api_version": "2020-08-27", "account_id": "acct_1", "account_created": 5, "rate_limit": 3,
            "webhook_url": "https://a.example/", "webhook_secret": "whsec_1", "base_url": "http://stripe.example/",
        });
        let mut given = config(given);
        keep_found(&mut given, &config(before));
        given.into()
    }

    #[test]
    fn what_was_found_is_kept_where_it_is_left_out() {
        let given = json!({"api_key": "sk_test_2", "base_url": "http://stripe.example"});
        let found = json!({"api_version": "2020-08-27", "account_id": "acct_1", "account_created": 5});
        let mut all = config(given.clone());
        all.extend(config(found));
        assert_eq!(kept(given.clone()), Value::from(all), "an endpoint that is given up needs no secret");
        let mut hooked = given.clone();
        hooked["webhook_url"] = json!("https://a.example/");
        assert_eq!(kept(hooked)["webhook_secret"], "whsec_1");
    }

    #[test]
    fn what_is_given_counts() {
        let base = json!("http://stripe.example/");
        let other = kept(json!({"account_id": "acct_2", "base_url": base}));
        assert_eq!((&other["account_id"], other.get("account_created")), (&json!("acct_2"), None));
        let none = kept(json!({"account_id": null, "base_url": base}));
        assert_eq!((&none["account_id"], none.get("account_created")), (&Value::Null, None));
        let elsewhere = kept(json!({"api_key": "sk_test_1"}));
        assert_eq!(elsewhere, json!({"api_key": "sk_test_1", "api_version": "2020-08-27"}));
    }

    #[test]
    fn test_and_live_are_two_worlds() {
        let source = |value| ConnectorConfig::new(STRIPE, config(value));
        let test = source(json!({"api_key": "sk_test_1", "base_url": "http://stripe.example/"}));
        let same = source(json!({"api_key": "rk_test_2", "base_url": "http://stripe.example"}));
        assert!(is_same_world(&test, &same));
        let live = source(json!({"api_key": "sk_live_1", "base_url": "http://stripe.example/"}));
        assert!(!is_same_world(&test, &live));
        assert!(!is_same_world(&test, &source(json!({"api_key": "sk_test_1"}))));
    }
}
