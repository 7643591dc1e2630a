//! Requests that fail although they are right.

use std::collections::VecDeque;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// 429, as if other programs had used up the quota.
    TooMany,
    /// 503 before anything is done.
    Unavailable,
    /// 503 although everything is done.
    UnavailableAfter,
    /// The connection ends before anything is done.
    ResetBefore,
    /// The connection ends although everything is done.
    ResetAfter,
    /// 403: the caller may not.
    Forbidden,
}

/// What is to come.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) next_writes: VecDeque<Fault>,
}
