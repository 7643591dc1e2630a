//! Whether a webhook comes from Stripe, unchanged and lately.

use ring::hmac;
use thiserror::Error;

/// The header that holds the signature.
pub(crate) const HEADER: &str = "stripe-signature";

/// Seconds by which the sender's clock may differ from ours. Whoever records a webhook cannot send it again later.
pub(crate) const TOLERANCE: u64 = 300;

/// Why a webhook is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Rejection {
    #[error("No valid signature found in stripe-signature header")]
    NoSignature,
    #[error("Webhook signature verification failed. Ensure the webhook secret matches.")]
    Mismatch,
    #[error("Webhook timestamp too old ({0}s > {TOLERANCE}s tolerance)")]
    TooOld(u64),
    #[error(
        "Webhook timestamp in the future ({0}s > {TOLERANCE}s tolerance). Check the clock of this machine."
    )]
    TooEarly(u64),
}

/// Checks the value of `Stripe-Signature` against the body as it came, at `now` (unix seconds).
///
/// One of several `v1` signatures is enough: while a secret is being replaced, Stripe signs with both.
pub(crate) fn verify(header: &str, body: &[u8], secret: &str, now: i64) -> Result<(), Rejection> {
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let time = parts().find(|(name, _)| *name == "t").map(|(_, time)| time).ok_or(Rejection::NoSignature)?;
    let sent = seconds(time).ok_or(Rejection::NoSignature)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signed = [time.as_bytes(), b".", body].concat();
    let mut any = false;
    let mut matches = false;
    for (_, signature) in parts().filter(|(name, _)| *name == "v1") {
        any = true;
        // Compares in constant time; what is no hex is no signature either.
        matches |= hex::decode(signature).is_ok_and(|code| hmac::verify(&key, &signed, &code).is_ok());
    }
    match (any, matches) {
        (false, _) => return Err(Rejection::NoSignature),
        (true, false) => return Err(Rejection::Mismatch),
        (true, true) => {}
    }
    let age = now.abs_diff(sent);
    match age > TOLERANCE {
        true if sent < now => Err(Rejection::TooOld(age)),
        true => Err(Rejection::TooEarly(age)),
        false => Ok(()),
    }
}

/// Unix seconds as Stripe writes them: digits alone.
fn seconds(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A header as Stripe writes it.
    pub(crate) fn sign(body: &[u8], secret: &str, at: i64) -> String {
        format!("t={at},v1={}", code(body, secret, at))
    }

    fn code(body: &[u8], secret: &str, at: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hex::encode(hmac::sign(&key, &[at.to_string().as_bytes(), b".", body].concat()))
    }

    #[test]
    fn a_signature_is_that_of_any_hmac() {
        // Computed with `openssl dgst -sha256 -hmac whsec_test` over `1700000000.{"id":"evt_1"}`.
        let header = "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925,v0=00";
        assert_eq!(verify(header, br#"{"id":"evt_1"}"#, "whsec_test", 1_700_000_000), Ok(()));
    }

    #[test]
    fn one_of_several_signatures_is_enough() {
        let (old, new) = (code(b"{}", "old", 9), code(b"{}", "new", 9));
        let header = format!("t=9, v1={old}, v1=xyz, v1={new}");
        assert_eq!(verify(&header, b"{}", "new", 9), Ok(()));
        assert_eq!(verify(&header, b"{}", "old", 9), Ok(()));
        assert_eq!(verify(&header, b"{}", "other", 9), Err(Rejection::Mismatch));
    }

    #[test]
    fn headers_without_a_time_or_a_signature_are_refused() {
        let code = code(b"{}", "s", 9);
        for header in [
            String::new(),
            "t=9".to_owned(),
            format!("v1={code}"),
            format!("t=,v1={code}"),
            format!("t=now,v1={code}"),
            format!("t=+9,v1={code}"),
            format!("t=99999999999999999999999,v1={code}"),
            format!("t=9,v0={code}"),
        ] {
            assert_eq!(verify(&header, b"{}", "s", 9), Err(Rejection::NoSignature), "{header}");
        }
        // The time is part of what is signed, as it is written.
        assert_eq!(verify(&format!("t=09,v1={code}"), b"{}", "s", 9), Err(Rejection::Mismatch));
    }

    #[test]
    fn clocks_may_differ_by_five_minutes_either_way() {
        let header = sign(b"{}", "s", 1_000);
        assert_eq!(verify(&header, b"{}", "s", 1_300), Ok(()));
        assert_eq!(verify(&header, b"{}", "s", 700), Ok(()));
        let old = verify(&header, b"{}", "s", 1_301).unwrap_err();
        assert_eq!(old.to_string(), "Webhook timestamp too old (301s > 300s tolerance)");
        assert_eq!(verify(&header, b"{}", "s", 699), Err(Rejection::TooEarly(301)));
        // Who does not know the secret does not learn our clock either.
        assert_eq!(verify(&header, b"{}", "x", 9_999), Err(Rejection::Mismatch));
    }

    proptest! {
        #[test]
        fn what_was_signed_is_believed(body: Vec<u8>, secret in "[a-z]{1,40}", at in 0i64..1 << 40, late in -300i64..=300) {
            prop_assert_eq!(verify(&sign(&body, &secret, at), &body, &secret, at + late), Ok(()));
        }

        #[test]
        fn what_was_changed_is_not(body in prop::collection::vec(any::<u8>(), 1..200), at in 0i64..1 << 40, flip: prop::sample::Index, bit in 0u8..8) {
            let header = sign(&body, "whsec_1", at);
            let mut changed = body.clone();
            changed[flip.index(body.len())] ^= 1 << bit;
            prop_assert_eq!(verify(&header, &changed, "whsec_1", at), Err(Rejection::Mismatch));
            prop_assert_eq!(verify(&header, &body, "whsec_2", at), Err(Rejection::Mismatch));
        }

        #[test]
        fn any_header_is_read(header: String, body: Vec<u8>, now: i64) {
            prop_assert!(verify(&header, &body, "s", now).is_err());
        }
    }
}
