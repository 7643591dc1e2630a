//! `Stripe-Signature`.

use ring::hmac;

/// The header for a body sent at `second` (unix): `t=…,v1=…`, HMAC-SHA256 over `t.body`.
pub(crate) fn header(secret: &str, second: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(second.to_string().as_bytes());
    context.update(b".");
    context.update(body);
    format!("t={second},v1={}", hex::encode(context.sign()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_signature_is_that_of_any_hmac() {
        // Computed with `openssl dgst -sha256 -hmac whsec_test` over `1700000000.{"id":"evt_1"}`.
        assert_eq!(
            super::header("whsec_test", 1_700_000_000, br#"{"id":"evt_1"}"#),
            "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925"
        );
    }
}
