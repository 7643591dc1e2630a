//! What is secret in the store, encrypted: whoever copies its file or dumps its tables learns nothing without a master key.
//!
//! Each sealed configuration has a data key of its own (AES-256-GCM, by `ring`), which is stored beside it, wrapped by the
//! current master key. To change the master key is therefore to wrap data keys again.

mod envelope;
mod keys;
mod rotation;
mod uses;

pub use envelope::{Sealed, Vault, VaultError};
pub use keys::{KEY_FILE, KeyError, KeyOptions, MasterKey, MasterKeys};
pub use rotation::RotationError;
pub(crate) use rotation::{check, rotate};
pub(crate) use uses::uses;
pub use uses::{KeyState, KeyUse};
