//! Asking a source for single objects.

use crate::ConfiguredStream;

/// Objects of one stream to ask for.
///
/// The source answers a `record` for each that exists, with exactly the content that reading the stream would give
/// it (nested lists completed, stamps set), and a `record` with `deleted` for each that is known to be gone: its data
/// holds the fields of the key and the version. It says nothing of an object that it cannot ask for, or where the
/// answer leaves it open. A failure that concerns all of them ends the stream by an error.
#[derive(Debug, Clone)]
pub struct LookUpRequest {
    /// The stream.
    pub stream: ConfiguredStream,
    /// The objects, at most a few hundred.
    pub objects: Vec<ObjectRef>,
}

/// An object, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    /// Its id.
    pub id: String,
    /// The account that it belongs to.
    pub account: Option<String>,
    /// Id of the object that it is a child of.
    pub parent: Option<String>,
}
