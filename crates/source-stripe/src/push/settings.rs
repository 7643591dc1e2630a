//! Which settings go together.

use protocol::ConnectorError;
use secrecy::{ExposeSecret, SecretString};

use crate::config::StripeConfig;

/// What to do without a secret: the end of several sentences.
pub(crate) const NO_SECRET: &str = "set webhook_secret to the signing secret of the endpoint (whsec_…, shown in the Stripe \
     dashboard under Developers, Webhooks), or set webhook_url and run setup, which registers an endpoint and \
     gives its secret back";

/// Checks the settings by which events are pushed.
pub(crate) fn check(config: &StripeConfig) -> Result<(), ConnectorError> {
    if let Some(url) = &config.webhook_url
        && (!matches!(url.scheme(), "http" | "https") || url.host().is_none())
    {
        return Err(ConnectorError::config(format!(
            "webhook_url {url} is not an address that Stripe can post to, such as https://example.com/webhooks"
        )));
    }
    if let Some(secret) = &config.webhook_secret {
        let secret = secret.expose_secret();
        if secret.is_empty() || secret.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(ConnectorError::config(
                "webhook_secret is empty or holds white space: copy the signing secret (whsec_…) alone, without what \
                 surrounds it",
            ));
        }
    }
    if config.webhook_port.is_some() && config.webhook_secret.is_none() && config.webhook_url.is_none() {
        return Err(ConnectorError::config(format!(
            "webhook_port is set, but not webhook_secret, without which nobody can tell Stripe's webhooks from \
             forgeries: {NO_SECRET}"
        )));
    }
    Ok(())
}

/// The secret, for whom it cannot do without.
pub(crate) fn secret(config: &StripeConfig) -> Result<&SecretString, ConnectorError> {
    config.webhook_secret.as_ref().ok_or_else(|| {
        ConnectorError::config(format!(
            "webhook_port is set, but the webhook_secret is not known: {NO_SECRET}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn config(changes: &Value) -> StripeConfig {
        let mut config = json!({"api_key": "sk_test_1", "api_version": "2020-08-27"});
        for (name, value) in changes.as_object().unwrap() {
            config[name] = value.clone();
        }
        serde_json::from_value(config).unwrap()
    }

    #[test]
    fn what_goes_together_is_taken() {
        for changes in [
            json!({"webhook_url": "https://example.com/hook"}),
            json!({"webhook_url": "http://127.0.0.1:4000", "webhook_port": 4000}),
            json!({"webhook_secret": "whsec_1", "webhook_port": 4000}),
            json!({"websocket": true, "poll_events": true, "revalidate_objects": ["subscription"]}),
        ] {
            check(&config(&changes)).unwrap();
        }
    }

    #[test]
    fn what_does_not_is_refused_with_advice() {
        let refused = |changes: Value| check(&config(&changes)).unwrap_err().to_string();
        let alone = refused(json!({"webhook_port": 4000}));
        assert!(alone.contains("set webhook_secret") && alone.contains("run setup"), "{alone}");
        assert!(refused(json!({"webhook_url": "ftp://example.com"})).contains("https://example.com"));
        assert!(refused(json!({"webhook_secret": "whsec_1\n"})).contains("white space"));
        assert!(refused(json!({"webhook_secret": ""})).contains("empty"));
        let late = secret(&config(&json!({"webhook_port": 1, "webhook_url": "https://a.b"}))).unwrap_err();
        assert!(late.to_string().contains("run setup"), "{late}");
    }

    #[test]
    fn secrets_are_hidden_and_kept() {
        let config = config(&json!({"webhook_secret": "whsec_1"}));
        assert!(!format!("{config:?}").contains("whsec_1"));
        assert_eq!(config.to_map().unwrap()["webhook_secret"], "whsec_1");
        assert!(!config.to_map().unwrap().contains_key("websocket"));
    }
}
