//! Configurations as clients see them: each secret is replaced by a fingerprint, by which two can be told apart and nothing
//! else can be learned. Who sends back what it got changes nothing.

mod fingerprint;
mod rule;
mod shown;

pub use fingerprint::Fingerprints;
pub use shown::{mask, unmask};
