//! What the source is told.

use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};

use protocol::ConnectorError;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use stripe_openapi::{ApiVersion, embedded};
use url::Url;

use crate::accounts::{self, Accounts};
use crate::client::Behalf;
use crate::limit::Limits;
use crate::push;

const STRIPE: &str = "https://api.stripe.com";

/// Share of Stripe's limits that is used unless told otherwise: the rest is for the account's own traffic.
const SHARE: f64 = 0.8;

/// Requests per second that Stripe allows an account in live mode, in a sandbox, and to one endpoint.
const LIVE_RATE: f64 = 100.0;
const SANDBOX_RATE: f64 = 25.0;
const ENDPOINT_RATE: f64 = 25.0;

/// Requests at a time. Stripe names no figure; it is lowered where Stripe says it is too much.
const AT_ONCE: usize = 64;

/// Configuration of the Stripe source.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StripeConfig {
    /// Secret key (`sk_…`) or restricted key (`rk_…`) of the account.
    #[serde(serialize_with = "exposed")]
    #[schemars(with = "String")]
    pub api_key: SecretString,
    /// The version of Stripe's API to read, which decides the shape of all objects.
    // The newest if absent. Clients of the reference know a member with a default as one that is required.
    #[serde(default = "newest")]
    #[schemars(!default, extend("enum" = embedded::versions()))]
    pub api_version: String,
    /// The account's id (`acct_…`). Looked up if absent, which a restricted key may not be allowed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// When the account was created, in unix seconds: no object is older. Looked up if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_created: Option<u32>,
    /// Which accounts to read with the key of a platform or an organisation: `"all"` for its own account and all that are
    /// connected to it, or the ids (`acct_…`) of those to read. Their rows are told apart by `_account_id`; each
    /// account has limits of its own, and `backfill_limit` counts in each. Absent: the account of the key alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<Accounts>,
    /// Whether the key is for live mode, where its prefix does not tell: decides the default rate and
    /// whether test clocks are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub livemode: Option<bool>,
    /// Where the API is; `https://api.stripe.com` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "uri"))]
    pub base_url: Option<Url>,
    /// Most objects to read of each stream in one read, newest first. What is left is remembered, and is
    /// read once the limit is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill_limit: Option<NonZeroU64>,
    /// Requests per second over all endpoints; if absent, 80% of what Stripe allows the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<NonZeroU32>,
    /// Requests per second to each endpoint; if absent, 80% of Stripe's 25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_rate_limit: Option<NonZeroU32>,
    /// Where Stripe is to post events, if setup shall register a webhook endpoint there: an address that
    /// reaches `webhook_port`, or whatever else pushes what it gets into the source. While an endpoint does not
    /// answer, Stripe holds back the finalization of invoices, for up to three days: tear down what is not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "uri"))]
    pub webhook_url: Option<Url>,
    /// The secret (`whsec_…`) by which webhooks are told from forgeries. Setup gives it back for an endpoint that
    /// it registers at `webhook_url`.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "exposed_if_any")]
    #[schemars(with = "Option<String>")]
    pub webhook_secret: Option<SecretString>,
    /// The port on which to listen for webhooks, on all addresses of this machine and at any path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_port: Option<NonZeroU16>,
    /// Whether to get events from Stripe as they happen, over the WebSocket that the Stripe CLI uses: needs no
    /// address that Stripe can reach.
    #[serde(default, skip_serializing_if = "is_off")]
    pub websocket: bool,
    /// Whether to read Stripe's list of events after the backfill.
    #[serde(default, skip_serializing_if = "is_off")]
    pub poll_events: bool,
    /// Types of objects (e.g. `subscription`) that are read from Stripe again on each event, in place of what the
    /// event says: one request for each event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revalidate_objects: Vec<String>,
    /// Fields that Stripe answers only if it is asked, as `STREAM.FIELD`, e.g. `charge.balance_transaction`: the object
    /// then stands in the row in place of its id. Lists cost no more requests by it; each event about such an object
    /// costs one, as events do not hold them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hydrate: Vec<String>,
    /// Whether rows say in `_source` what wrote them: the page of a list, the reading of one object, each with Stripe's id
    /// of the request, or the event. E.g. `page /v1/customers req_…`, `read /v1/customers/{customer} req_…`, `event evt_…`.
    #[serde(default, skip_serializing_if = "is_off")]
    pub provenance: bool,
    /// Whether to stay after the backfill and follow what changes, without end. A `websocket` or a `webhook_port`
    /// implies it.
    #[serde(default, skip_serializing_if = "is_off")]
    pub live: bool,
    /// Seconds between two looks at Stripe's list of events while staying; 60 if absent. Each costs a request, and one
    /// more where streams of the v2 API are synced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll_interval: Option<NonZeroU32>,
    /// Seconds that an event is given to turn up in Stripe's list before the list is believed; 60 if absent. Changes are
    /// at least so old when they are seen by polling. Events that turn up later are found for five times as long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_lag: Option<u32>,
    /// Seconds after which lists are read again whose changes no event tells; 3600 if absent. Long ones that are sorted
    /// by `created` are read from their newest objects each time, and as a whole every 24th time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reread_interval: Option<NonZeroU32>,
    /// Certificates of authorities to trust beside the system's, such as that of a proxy that looks into
    /// connections: PEM, or the path of a PEM file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificate: Option<String>,
}

fn newest() -> String {
    embedded::newest_version().to_owned()
}

fn exposed<S: Serializer>(key: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(key.expose_secret())
}

fn exposed_if_any<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => exposed(secret, serializer),
        None => serializer.serialize_none(),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde wants it")]
fn is_off(switch: &bool) -> bool {
    !switch
}

/// What is needed to ask Stripe, checked.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub(crate) api_key: SecretString,
    pub(crate) api_version: ApiVersion,
    pub(crate) base_url: Url,
    pub(crate) live: bool,
    pub(crate) limits: Limits,
    pub(crate) ca_certificate: Option<String>,
    /// The account that the key stands for, where it has to be named.
    pub(crate) context: Option<Behalf>,
    pub(crate) provenance: bool,
}

impl StripeConfig {
    /// Whether the read has no end.
    pub(crate) fn stays(&self) -> bool {
        self.live || self.websocket || self.webhook_port.is_some()
    }

    /// Whether events are followed.
    pub(crate) fn follows_events(&self) -> bool {
        self.poll_events || self.stays()
    }

    /// Checks what a schema cannot.
    pub(crate) fn access(&self) -> Result<Access, ConnectorError> {
        let key = self.api_key.expose_secret();
        if key.is_empty() {
            return Err(ConnectorError::config(
                "api_key is empty: give a secret or restricted key of the account",
            ));
        }
        if key.chars().any(|character| character.is_whitespace() || character.is_control()) {
            return Err(ConnectorError::config(
                "api_key holds white space or a line break: copy the key alone, without what surrounds it",
            ));
        }
        if key.starts_with("pk_") {
            return Err(ConnectorError::config(
                "api_key is a publishable key (pk_…), which cannot read: give a secret (sk_…) or restricted (rk_…) key",
            ));
        }
        let api_version: ApiVersion = self.api_version.parse().map_err(|error: stripe_openapi::Error| {
            ConnectorError::config(format!("api_version: {error}"))
        })?;
        let base_url = match &self.base_url {
            Some(url) => url.clone(),
            None => Url::parse(STRIPE).map_err(|error| ConnectorError::internal(error.to_string()))?,
        };
        if !matches!(base_url.scheme(), "http" | "https") || base_url.host().is_none() {
            return Err(ConnectorError::config(format!(
                "base_url {base_url} is not an address such as {STRIPE}"
            )));
        }
        push::settings::check(self)?;
        let live = self.livemode.unwrap_or_else(|| is_live(key));
        let per_second = |limit: Option<NonZeroU32>, stripe: f64| {
            limit.map_or(stripe * SHARE, |limit| f64::from(limit.get()))
        };
        let account_rate = per_second(self.rate_limit, if live { LIVE_RATE } else { SANDBOX_RATE });
        let limits = Limits {
            account_rate,
            endpoint_rate: per_second(self.endpoint_rate_limit, ENDPOINT_RATE),
            in_flight: AT_ONCE,
        };
        let ca_certificate = self.ca_certificate.clone();
        let context = accounts::context(key, self.account_id.as_deref(), self.accounts.as_ref())?;
        Ok(Access {
            api_key: self.api_key.clone(),
            api_version,
            base_url,
            live,
            limits,
            ca_certificate,
            context,
            provenance: self.provenance,
        })
    }

    /// The configuration as an object, secrets included: what a `control` message carries.
    pub(crate) fn to_map(&self) -> Result<Map<String, Value>, ConnectorError> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(_) => Err(ConnectorError::internal("a configuration that is not an object")),
            Err(error) => {
                Err(ConnectorError::internal("a configuration that cannot be written").caused_by(error))
            }
        }
    }
}

/// Whether an API key reads what is real. Keys of test mode read other objects, though of the same account.
pub fn is_live(key: &str) -> bool {
    ["sk_live_", "rk_live_", "sk_org_live_"].iter().any(|prefix| key.starts_with(prefix))
}

/// Whether an API key reads what was made to try things out. Of a key whose prefix does not tell, neither this nor [`is_live`] is
/// true.
pub fn is_test(key: &str) -> bool {
    ["sk_test_", "rk_test_", "sk_org_test_"].iter().any(|prefix| key.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(changes: &Value) -> Result<StripeConfig, serde_json::Error> {
        let mut config = json!({"api_key": "sk_test_1", "api_version": "2020-08-27"});
        for (name, value) in changes.as_object().unwrap() {
            config[name] = value.clone();
        }
        serde_json::from_value(config)
    }

    fn refused(changes: &Value) -> String {
        config(changes).unwrap().access().unwrap_err().to_string()
    }

    #[test]
    fn a_minimal_configuration_reads_a_sandbox_at_four_fifths_of_its_limit() {
        let access = config(&json!({})).unwrap().access().unwrap();
        assert_eq!(access.base_url.as_str(), "https://api.stripe.com/");
        assert_eq!((access.limits.account_rate, access.limits.endpoint_rate), (20.0, 20.0));
        assert!(!access.live);
    }

    #[test]
    fn live_keys_and_explicit_limits_set_the_rates() {
        for key in ["sk_live_1", "rk_live_1"] {
            assert_eq!(config(&json!({"api_key": key})).unwrap().access().unwrap().limits.account_rate, 80.0);
        }
        let limits = json!({"rate_limit": 7, "endpoint_rate_limit": 3, "livemode": true});
        let access = config(&limits).unwrap().access().unwrap();
        assert_eq!((access.limits.account_rate, access.limits.endpoint_rate), (7.0, 3.0));
        assert!(access.live);
    }

    #[test]
    fn mistakes_are_named() {
        assert!(refused(&json!({"api_key": ""})).contains("empty"));
        assert!(refused(&json!({"api_key": "sk_test_1\n"})).contains("line break"));
        assert!(refused(&json!({"api_key": " sk_test_1"})).contains("white space"));
        assert!(refused(&json!({"api_key": "pk_test_1"})).contains("publishable"));
        assert!(refused(&json!({"api_version": "latest"})).contains("YYYY-MM-DD"));
        assert!(refused(&json!({"base_url": "ftp://example.com"})).contains("base_url"));
        for changes in [
            json!({"surprise": 1}),
            json!({"rate_limit": 0}),
            json!({"backfill_limit": 0}),
            json!({"account_created": -1}),
            json!({"base_url": "nowhere"}),
        ] {
            assert!(config(&changes).is_err(), "{changes}");
        }
        assert!(serde_json::from_value::<StripeConfig>(json!({"api_version": "2020-08-27"})).is_err());
    }

    #[test]
    fn without_a_version_it_is_the_newest_and_setup_names_it() {
        let config: StripeConfig = serde_json::from_value(json!({"api_key": "sk_test_1"})).unwrap();
        assert_eq!(config.api_version, embedded::newest_version());
        assert_eq!(config.to_map().unwrap()["api_version"], embedded::newest_version());
    }

    #[test]
    fn the_key_is_written_only_where_it_must_be() {
        let config = config(&json!({"account_id": "acct_1"})).unwrap();
        assert!(!format!("{config:?}").contains("sk_test_1"));
        let map = config.to_map().unwrap();
        assert_eq!(
            Value::from(map),
            json!({"api_key": "sk_test_1", "api_version": "2020-08-27", "account_id": "acct_1"})
        );
    }
}
