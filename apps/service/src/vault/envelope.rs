//! Envelopes: plain bytes under a data key, the data key under a master key.

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretBox};

use super::keys::{KEY_LENGTH, MasterKey, MasterKeys};

/// The first byte of what is stored: how the rest is laid out.
const LAYOUT: u8 = 1;

/// The length of a master key's id, in bytes.
pub(super) const ID_LENGTH: usize = 8;

/// Where the encrypted data key begins in a wrapped one: after the layout and the id of the master key.
const WRAPPED_AT: usize = 1 + ID_LENGTH;

/// What the keys are for, so that no text that one made passes as one of the other.
const DATA: &[u8] = b"sync-service data\0";
const KEY: &[u8] = b"sync-service data key\0";

/// Something sealed, as it is stored. Nothing of it is secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The layout, a nonce, and the encrypted bytes with their tag.
    pub sealed: Vec<u8>,
    /// The layout, the id of the master key, a nonce, and the encrypted data key with its tag.
    pub data_key: Vec<u8>,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.sealed.len())
    }
}

/// Why something cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The master key is not there.
    #[error(
        "the secrets of `{context}` are sealed with the master key {id}, which was not given: give it too, after the current \
         one (SYNC_SERVICE_MASTER_KEY, --master-key-file, --master-key-command), or restore `master.key` from a backup"
    )]
    UnknownKey {
        /// What the secrets belong to.
        context: String,
        /// The first bytes of the key's digest, in hex.
        id: String,
    },
    /// The bytes are not those that were sealed for this context.
    #[error(
        "the secrets of `{context}` were damaged or belong to something else: restore a backup, or send them again"
    )]
    Damaged {
        /// What the secrets belong to.
        context: String,
    },
    /// A newer version sealed them.
    #[error("the secrets of `{context}` were sealed by a newer version of sync-service: use that version")]
    Newer {
        /// What the secrets belong to.
        context: String,
    },
    /// The system has no randomness to give.
    #[error("the system gives no random bytes to make a key of: try again, then look at its log")]
    NoRandomness,
}

/// Seals and opens. Holds the master keys in memory, and wipes them when it goes.
pub struct Vault {
    keys: MasterKeys,
    random: SystemRandom,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("keys", &self.keys).finish()
    }
}

impl Vault {
    /// A vault that seals with the current of these keys, and opens with all of them.
    pub fn new(keys: MasterKeys) -> Vault {
        Vault { keys, random: SystemRandom::new() }
    }

    /// Encrypts `plain` with a data key of its own. It can be opened for the same `context` (a pipeline's id) only.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<Sealed, VaultError> {
        let mut data_key = SecretBox::<[u8; KEY_LENGTH]>::init_with_mut(|_| {});
        self.fill(secrecy::ExposeSecretMut::expose_secret_mut(&mut data_key))?;
        let mut sealed = vec![LAYOUT];
        self.encrypt(data_key.expose_secret(), &aad(DATA, &[], context), plain, &mut sealed)?;
        Ok(Sealed { sealed, data_key: self.wrap(context, data_key.expose_secret())? })
    }

    /// What was sealed for this `context`; wiped from memory when dropped.
    pub fn open(&self, context: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let data_key = self.unwrap_key(context, &sealed.data_key)?;
        let bytes = laid_out(context, &sealed.sealed)?;
        decrypt(&data_key, &aad(DATA, &[], context), bytes).ok_or_else(|| damaged(context))
    }

    /// The same under the current master key; nothing where it is under that already.
    pub fn rewrap(&self, context: &str, sealed: &Sealed) -> Result<Option<Sealed>, VaultError> {
        let data_key = self.rewrap_key(context, &sealed.data_key)?;
        Ok(data_key.map(|data_key| Sealed { sealed: sealed.sealed.clone(), data_key }))
    }

    /// [`Vault::rewrap`] for the data key alone.
    pub(super) fn rewrap_key(&self, context: &str, wrapped: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        if self.master_key(context, wrapped)?.id() == self.keys.current.id() {
            return Ok(None);
        }
        let data_key = self.unwrap_key(context, wrapped)?;
        self.wrap(context, &data_key).map(Some)
    }

    /// Keys for another use, derived from the master keys, the current one's first. They tell nothing about those.
    pub fn derived(&self, purpose: &str) -> Vec<[u8; 32]> {
        let derive = |key: &MasterKey| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
            let mut derived = [0; 32];
            derived.copy_from_slice(hmac::sign(&key, purpose.as_bytes()).as_ref());
            derived
        };
        self.keys.all().map(derive).collect()
    }

    /// The master key that a wrapped data key names.
    pub(super) fn master_key(&self, context: &str, wrapped: &[u8]) -> Result<&MasterKey, VaultError> {
        let id = key_id(context, wrapped)?;
        self.keys
            .all()
            .find(|key| key.id().as_slice() == id)
            .ok_or_else(|| VaultError::UnknownKey { context: context.to_owned(), id: hex::encode(id) })
    }

    /// The id, in hex, of the master key that wraps this data key, whether it is known or not.
    pub(super) fn wrapped_by(&self, context: &str, wrapped: &[u8]) -> Result<String, VaultError> {
        key_id(context, wrapped).map(hex::encode)
    }

    /// The master keys.
    pub(super) fn keys(&self) -> &MasterKeys {
        &self.keys
    }

    fn wrap(&self, context: &str, data_key: &[u8]) -> Result<Vec<u8>, VaultError> {
        let master = &self.keys.current;
        let mut wrapped = vec![LAYOUT];
        wrapped.extend_from_slice(master.id());
        self.encrypt(master.expose(), &aad(KEY, master.id(), context), data_key, &mut wrapped)?;
        Ok(wrapped)
    }

    fn unwrap_key(&self, context: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let master = self.master_key(context, wrapped)?;
        let aad = aad(KEY, master.id(), context);
        decrypt(master.expose(), &aad, &wrapped[WRAPPED_AT..]).ok_or_else(|| damaged(context))
    }

    /// Appends a new nonce, the encrypted bytes and their tag to `out`.
    fn encrypt(&self, key: &[u8], aad: &[u8], plain: &[u8], out: &mut Vec<u8>) -> Result<(), VaultError> {
        let mut nonce = [0; NONCE_LEN];
        self.fill(&mut nonce)?;
        out.extend_from_slice(&nonce);
        // Reserved at once: growing would leave a copy of the plain bytes behind.
        out.reserve_exact(plain.len() + AES_256_GCM.tag_len());
        let start = out.len();
        out.extend_from_slice(plain);
        // A data key encrypts once; a master key as often as configurations are written, far from 2^32 times.
        let key = cipher(key).ok_or(VaultError::NoRandomness)?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), &mut out[start..]);
        let tag = tag.map_err(|_| VaultError::NoRandomness)?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    fn fill(&self, bytes: &mut [u8]) -> Result<(), VaultError> {
        self.random.fill(bytes).map_err(|_| VaultError::NoRandomness)
    }
}

fn cipher(key: &[u8]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}

fn decrypt(key: &[u8], aad: &[u8], bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, encrypted) = bytes.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut plain = Zeroizing::new(encrypted.to_vec());
    let length = cipher(key)?.open_in_place(nonce, Aad::from(aad), &mut plain).ok()?.len();
    plain.truncate(length);
    Some(plain)
}

/// What is authenticated beside the encrypted bytes.
fn aad(purpose: &[u8], id: &[u8], context: &str) -> Vec<u8> {
    [purpose, id, context.as_bytes()].concat()
}

/// The bytes after the layout, which must be ours.
fn laid_out<'b>(context: &str, bytes: &'b [u8]) -> Result<&'b [u8], VaultError> {
    match bytes.split_first() {
        Some((&LAYOUT, rest)) => Ok(rest),
        Some((layout, _)) if *layout > LAYOUT => Err(VaultError::Newer { context: context.to_owned() }),
        _ => Err(damaged(context)),
    }
}

/// The id of the master key that wraps this data key.
fn key_id<'b>(context: &str, wrapped: &'b [u8]) -> Result<&'b [u8], VaultError> {
    laid_out(context, wrapped)?.get(..ID_LENGTH).ok_or_else(|| damaged(context))
}

fn damaged(context: &str) -> VaultError {
    VaultError::Damaged { context: context.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(keys: &[u8]) -> Vault {
        let mut keys = keys.iter().map(|byte| MasterKey::new(&[*byte; 32])).collect::<Vec<_>>();
        let current = keys.remove(0);
        Vault::new(MasterKeys { current, former: keys })
    }

    #[test]
    fn what_was_sealed_is_opened_for_its_context_only() {
        let vault = vault(&[1]);
        let sealed = vault.seal("pipe_a", b"secret words").unwrap();
        assert_eq!(vault.open("pipe_a", &sealed).unwrap().as_slice(), b"secret words");
        assert!(matches!(vault.open("pipe_b", &sealed), Err(VaultError::Damaged { .. })));
        let again = vault.seal("pipe_a", b"secret words").unwrap();
        assert!(again.sealed != sealed.sealed && again.data_key != sealed.data_key);
        let mixed = Sealed { sealed: again.sealed, ..sealed };
        assert!(matches!(vault.open("pipe_a", &mixed), Err(VaultError::Damaged { .. })));
        assert_eq!(vault.open("p", &vault.seal("p", b"").unwrap()).unwrap().len(), 0);
    }

    #[test]
    fn no_byte_can_be_changed() {
        let vault = vault(&[1]);
        let sealed = vault.seal("p", b"words").unwrap();
        assert_eq!(sealed.data_key.len(), 1 + 8 + 12 + 32 + 16);
        for at in 0..sealed.sealed.len() {
            let mut changed = sealed.clone();
            changed.sealed[at] ^= 1;
            assert!(vault.open("p", &changed).is_err(), "byte {at}");
            let mut shorter = sealed.clone();
            shorter.sealed.truncate(at);
            assert!(vault.open("p", &shorter).is_err(), "{at} bytes");
        }
        for at in 0..sealed.data_key.len() {
            let mut changed = sealed.clone();
            changed.data_key[at] ^= 1;
            assert!(vault.open("p", &changed).is_err(), "byte {at}");
            let mut shorter = sealed.clone();
            shorter.data_key.truncate(at);
            assert!(vault.open("p", &shorter).is_err(), "{at} bytes");
        }
    }

    #[test]
    fn a_new_master_key_takes_over() {
        let (old, both, new) = (vault(&[1]), vault(&[2, 1]), vault(&[2]));
        let sealed = old.seal("p", b"words").unwrap();
        assert_eq!(both.open("p", &sealed).unwrap().as_slice(), b"words");
        let error = new.open("p", &sealed).unwrap_err();
        assert!(matches!(error, VaultError::UnknownKey { .. }));
        let id = hex::encode(MasterKey::new(&[1; 32]).id());
        assert!(error.to_string().contains(&id) && error.to_string().contains("`p`"), "{error}");
        let rewrapped = both.rewrap("p", &sealed).unwrap().unwrap();
        assert_eq!(rewrapped.sealed, sealed.sealed);
        assert_eq!(new.open("p", &rewrapped).unwrap().as_slice(), b"words");
        assert_eq!(both.rewrap("p", &rewrapped).unwrap(), None);
        assert!(both.rewrap("q", &sealed).is_err(), "it is of another context");
        assert!(old.open("p", &rewrapped).is_err());
    }

    #[test]
    fn derived_keys_follow_the_master_keys() {
        let both = vault(&[2, 1]).derived("x");
        assert_eq!(both, [vault(&[2]).derived("x"), vault(&[1]).derived("x")].concat());
        assert_ne!(both[0], vault(&[2]).derived("y")[0]);
    }

    #[test]
    fn nothing_is_shown_by_debug() {
        let vault = vault(&[7]);
        let shown = format!("{vault:?} {:?}", vault.seal("p", b"words").unwrap());
        assert!(!shown.contains("07, 7") && !shown.contains("words") && !shown.contains("7, 7"), "{shown}");
    }
}
