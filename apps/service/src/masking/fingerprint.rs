//! What is shown of a secret.

use std::fmt;

use ring::hmac;

use crate::vault::Vault;

/// How a fingerprint begins and ends, and how many hex digits are between.
const BEGIN: &str = "[set sha256:";
const END: &str = "]";
const DIGITS: usize = 8;

/// Makes fingerprints: the first 32 bits of a keyed digest. Without the key nobody can try out which short password it is of.
pub struct Fingerprints {
    /// The one that is shown, then those that were shown before.
    keys: Vec<hmac::Key>,
}

impl fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprints")
    }
}

impl Fingerprints {
    /// Fingerprints under a random key of the store.
    pub fn new(salt: &[u8; 32]) -> Fingerprints {
        Fingerprints { keys: vec![hmac::Key::new(hmac::HMAC_SHA256, salt)] }
    }

    /// Fingerprints under keys that follow from a vault's master keys. Those that were shown under a former master key are
    /// still understood.
    pub fn of(vault: &Vault) -> Fingerprints {
        let derived = vault.derived("fingerprints of secrets");
        Fingerprints { keys: derived.iter().map(|key| hmac::Key::new(hmac::HMAC_SHA256, key)).collect() }
    }

    /// Each way to show texts, the present one first.
    pub(super) fn ways(&self) -> impl Iterator<Item = impl Fn(&str) -> String> {
        self.keys.iter().map(|key| {
            move |secret: &str| {
                let digest = hex::encode(hmac::sign(key, secret.as_bytes()));
                format!("{BEGIN}{}{END}", &digest[..DIGITS])
            }
        })
    }

    /// Whether a fingerprint is somewhere in this text.
    pub(super) fn is_in(text: &str) -> bool {
        text.match_indices(BEGIN).any(|(at, _)| {
            let rest = &text.as_bytes()[at + BEGIN.len()..];
            rest.len() > DIGITS && rest[..DIGITS].iter().all(u8::is_ascii_hexdigit) && rest[DIGITS] == b']'
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::{MasterKey, MasterKeys};

    fn first(fingerprints: &Fingerprints, text: &str) -> String {
        fingerprints.ways().next().unwrap()(text)
    }

    #[test]
    fn a_fingerprint_depends_on_the_secret_and_the_key() {
        let one = Fingerprints::new(&[1; 32]);
        let shown = first(&one, "hunter2");
        assert_eq!(shown.len(), BEGIN.len() + 9);
        assert!(Fingerprints::is_in(&shown) && Fingerprints::is_in(&format!("a:{shown}@b")));
        assert!(!Fingerprints::is_in("[set sha256:xyz]") && !Fingerprints::is_in("[set sha256:1234567é"));
        assert_eq!(first(&one, "hunter2"), shown);
        assert_ne!(first(&one, "hunter3"), shown);
        assert_ne!(first(&Fingerprints::new(&[2; 32]), "hunter2"), shown);
    }

    #[test]
    fn they_follow_the_master_keys() {
        let key = |byte| MasterKey::new(&[byte; 32]);
        let old = Fingerprints::of(&Vault::new(MasterKeys { current: key(1), former: vec![] }));
        let new = Fingerprints::of(&Vault::new(MasterKeys { current: key(2), former: vec![key(1)] }));
        assert_ne!(first(&old, "a"), first(&new, "a"));
        assert!(new.ways().any(|show| show("a") == first(&old, "a")));
    }
}
