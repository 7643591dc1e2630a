//! What a failed request means for its stream.

use protocol::StreamStatus;
use stripe_openapi::knowledge::refusals;

use crate::failure::RequestError;

/// How a stream ends whose request failed with `error`: known refusals and missing permissions skip it with
/// the reason, all else is an error (fidelity K2, K3).
pub(crate) fn of(stream: &str, error: &RequestError) -> StreamStatus {
    let text = error.to_string();
    let RequestError::Api(api) = error else { return StreamStatus::Error { error: text } };
    let message = api.message.as_deref().unwrap_or_default();
    if let Some(permission) = refusals::missing_permission(message).filter(|_| api.status == 403) {
        let reason = format!(
            "the API key lacks the permission {permission}: grant it in the Stripe dashboard (Developers, API keys) \
             to sync this stream. Stripe says: {text}"
        );
        return StreamStatus::Skip { reason };
    }
    // A 401 is about the key, a 5xx about Stripe: neither refuses the stream as such.
    let refused = (400..500).contains(&api.status) && api.status != 401;
    match refusals::find(stream, message).filter(|_| refused) {
        Some(refusal) => StreamStatus::Skip { reason: format!("{}. Stripe says: {text}", refusal.reason) },
        None => StreamStatus::Error { error: text },
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;
    use crate::failure::ApiError;

    fn api(status: u16, message: &str) -> RequestError {
        let body = serde_json::json!({"error": {"message": message}}).to_string();
        RequestError::Api(ApiError::read("/v1/x", status, &HeaderMap::new(), body.as_bytes()))
    }

    #[test]
    fn a_missing_permission_is_named() {
        let message = "The provided key 'rk_test_***' does not have the required permissions for this endpoint on \
                       account 'acct_1'. Having the 'rak_dispute_read' permission would allow this request to continue.";
        match of("dispute", &api(403, message)) {
            StreamStatus::Skip { reason } => {
                assert!(reason.contains("permission rak_dispute_read:"), "{reason}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn known_refusals_skip_their_own_streams_only() {
        let message = "Your account is not set up to use Issuing. Please visit …";
        assert!(matches!(of("issuing_card", &api(400, message)), StreamStatus::Skip { .. }));
        assert!(matches!(of("customer", &api(400, message)), StreamStatus::Error { .. }));
    }

    #[test]
    fn all_else_is_an_error() {
        for error in [
            api(403, "Forbidden"),
            api(401, "Invalid API Key provided"),
            api(500, "only available in testmode"),
            RequestError::NoAnswer("cannot reach api.stripe.com".to_owned()),
        ] {
            assert!(matches!(of("customer", &error), StreamStatus::Error { .. }), "{error}");
        }
    }
}
