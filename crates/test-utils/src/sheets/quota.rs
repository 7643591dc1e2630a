//! Google's quotas: so many reads and writes a minute for each user.
//! <https://developers.google.com/workspace/sheets/api/limits>

use std::time::{Duration, Instant};

use super::error::ApiError;

/// One quota, refilled when its minute begins anew.
#[derive(Debug)]
pub(super) struct Quota {
    kind: &'static str,
    pub(super) a_minute: usize,
    pub(super) minute: Duration,
    begun: Option<Instant>,
    used: usize,
}

impl Quota {
    /// `kind` is `Read` or `Write`; 60 a minute.
    pub(super) fn new(kind: &'static str) -> Quota {
        Quota { kind, a_minute: 60, minute: Duration::from_secs(60), begun: None, used: 0 }
    }

    /// Counts a request, or refuses it.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), ApiError> {
        if self.begun.is_none_or(|begun| now.duration_since(begun) >= self.minute) {
            self.begun = Some(now);
            self.used = 0;
        }
        if self.used >= self.a_minute {
            return Err(ApiError::quota(self.kind));
        }
        self.used += 1;
        Ok(())
    }
}
