//! When what failed is tried again.

use std::time::Duration;

/// The first pause after a failure that passes by itself; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(2);

/// The longest pause after such a failure.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// The pause after a failure that lasts until somebody changes something: it may be mended elsewhere, such as by a right that is
/// granted.
const LASTING: Duration = Duration::from_secs(30 * 60);

/// How long to wait after the given number of failures in a row. `chance` (0 to 1) takes up to a fifth away, so that pipelines
/// that failed together do not come back together.
pub(super) fn retry_after(attempts: u32, lasting: bool, chance: f64) -> Duration {
    let whole = if lasting {
        LASTING
    } else {
        FIRST.saturating_mul(2u32.saturating_pow(attempts.saturating_sub(1).min(16))).min(LONGEST)
    };
    whole.mul_f64(1.0 - 0.2 * chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit() {
        let seconds = |attempts| retry_after(attempts, false, 0.0).as_secs();
        assert_eq!([1, 2, 3, 8, 9, 1000].map(seconds), [2, 4, 8, 256, 300, 300]);
        assert_eq!(retry_after(1, true, 0.0).as_secs(), 1800);
        assert_eq!(retry_after(1, true, 1.0).as_secs(), 1440);
    }
}
