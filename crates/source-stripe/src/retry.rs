//! Whether and when a request is sent again. Requests that only read may always be repeated.

use std::time::Duration;

/// How often a request for a page is repeated before its failure counts: a minute or so.
pub(crate) const PATIENT: u32 = 7;

/// How often a look-up is repeated for which somebody waits.
pub(crate) const BRIEF: u32 = 2;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(32);

/// The longest `Retry-After` that is obeyed; a longer one is taken for a mistake of something in between.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No answer, or only a part of one.
    Network,
    /// An answer 200 that is not what was asked for.
    Unexpected,
    /// Any other status, with Stripe's own word on repeating, if it gave one.
    Status { status: u16, should_retry: Option<bool> },
}

impl Failure {
    fn may_pass(self) -> bool {
        match self {
            Failure::Network | Failure::Unexpected => true,
            Failure::Status { should_retry: Some(said), .. } => said,
            Failure::Status { status, should_retry: None } => status == 429 || status >= 500,
        }
    }
}

/// How long to wait before attempt number `attempt` (from 1) is repeated; `None`: the failure counts,
/// because it will not pass or because there were `retries` repetitions already.
/// `chance` is anywhere from 0 to 1, so that those who failed together do not return together.
pub(crate) fn delay(
    failure: Failure,
    attempt: u32,
    retries: u32,
    retry_after: Option<Duration>,
    chance: f64,
) -> Option<Duration> {
    if attempt > retries || !failure.may_pass() {
        return None;
    }
    let longest = FIRST.saturating_mul(1 << (attempt - 1).min(16)).min(LONGEST);
    let wait = longest.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0));
    // Those whom Stripe told the same time do not all return at that time.
    Some(retry_after.map_or(wait, |told| told.min(LONGEST_RETRY_AFTER) + wait.mul_f64(0.2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16) -> Failure {
        Failure::Status { status, should_retry: None }
    }

    #[test]
    fn only_what_may_pass_is_repeated() {
        for failure in [Failure::Network, Failure::Unexpected, status(429), status(500), status(503)] {
            assert!(delay(failure, 1, PATIENT, None, 0.5).is_some(), "{failure:?}");
            assert_eq!(delay(failure, BRIEF + 1, BRIEF, None, 0.5), None, "{failure:?}");
        }
        for failure in [status(400), status(401), status(403), status(404), status(302)] {
            assert_eq!(delay(failure, 1, PATIENT, None, 0.5), None, "{failure:?}");
        }
    }

    #[test]
    fn stripe_s_word_counts_more_than_the_status() {
        assert_eq!(
            delay(Failure::Status { status: 500, should_retry: Some(false) }, 1, PATIENT, None, 0.5),
            None
        );
        assert!(
            delay(Failure::Status { status: 409, should_retry: Some(true) }, 1, PATIENT, None, 0.5).is_some()
        );
    }

    #[test]
    fn waits_double_up_to_a_bound_and_never_end_before_retry_after() {
        let waits: Vec<_> = (1..=PATIENT)
            .map(|attempt| delay(Failure::Network, attempt, PATIENT, None, 1.0).unwrap())
            .collect();
        assert_eq!(waits[..3], [FIRST, FIRST * 2, FIRST * 4]);
        assert!(waits.iter().all(|wait| *wait <= LONGEST));
        let told = Duration::from_secs(60);
        assert!(delay(status(429), 1, PATIENT, Some(told), 0.0).unwrap() >= told);
        assert!(delay(status(429), 1, PATIENT, Some(told * 1000), 0.0).unwrap() < told * 10);
    }
}
