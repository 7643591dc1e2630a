//! When the next request may go, and how long to wait after a refusal. Decides only.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Google's quota: requests a minute for each user, of reads and of writes.
/// <https://developers.google.com/workspace/sheets/api/limits>
pub const A_MINUTE: usize = 60;
/// Where other programs use the quota too, ours goes no lower than this.
const LEAST: usize = 6;

/// Keeps requests of one kind within a quota. Any minute has at most the allowed number, so it does not matter when
/// Google's minutes begin.
#[derive(Debug)]
pub struct Pacer {
    minute: Duration,
    most: usize,
    /// How many are allowed now: half after each refusal, and a tenth of the most more after each minute without.
    allowed: usize,
    sent: VecDeque<Instant>,
    changed: Option<Instant>,
}

impl Pacer {
    /// At most `most` requests in any `minute`.
    pub fn new(most: usize, minute: Duration) -> Pacer {
        Pacer { minute, most, allowed: most, sent: VecDeque::new(), changed: None }
    }

    /// Takes a place for a request, or says how long to wait before asking again.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        while self.sent.front().is_some_and(|sent| now.duration_since(*sent) >= self.minute) {
            self.sent.pop_front();
        }
        if self.allowed < self.most
            && self.changed.is_some_and(|changed| now.duration_since(changed) >= self.minute)
        {
            self.allowed = (self.allowed + self.most.div_ceil(10)).min(self.most);
            self.changed = Some(now);
        }
        match self.sent.len().checked_sub(self.allowed).and_then(|over| self.sent.get(over)) {
            Some(oldest) => Err(self.minute.saturating_sub(now.duration_since(*oldest))),
            None => {
                self.sent.push_back(now);
                Ok(())
            }
        }
    }

    /// Google refused for its quota: someone else uses it too.
    pub fn refused(&mut self, now: Instant) {
        self.allowed = (self.allowed / 2).max(LEAST.min(self.most));
        self.changed = Some(now);
    }
}

/// How long to wait before the `attempt`-th repetition, from 0 on: a 60th of a minute, doubling, at most a minute; by
/// up to a half longer, as `random` in 0..1 says. What the server asks for counts where it is more.
pub fn back_off(attempt: u32, minute: Duration, random: f64, asked: Option<Duration>) -> Duration {
    let base = (minute / 60).saturating_mul(1 << attempt.min(6)).min(minute);
    base.mul_f64(1.0 + random / 2.0).max(asked.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn no_minute_has_more_than_the_quota() {
        let mut pacer = Pacer::new(60, MINUTE);
        let mut now = Instant::now();
        let mut sent = Vec::new();
        while sent.len() < 500 {
            match pacer.take(now) {
                Ok(()) => sent.push(now),
                Err(wait) => {
                    assert!(!wait.is_zero() && wait <= MINUTE);
                    now += wait;
                }
            }
            now += Duration::from_millis(70);
        }
        for (at, first) in sent.iter().enumerate() {
            let within = sent[at..].iter().take_while(|other| other.duration_since(*first) < MINUTE).count();
            assert!(within <= 60, "{within} in a minute");
        }
        // The quota is used up, too.
        assert!(sent[499].duration_since(sent[0]) < MINUTE * 9);
    }

    #[test]
    fn a_refusal_halves_the_rate_and_time_heals_it() {
        let mut pacer = Pacer::new(60, MINUTE);
        let now = Instant::now();
        pacer.refused(now);
        assert_eq!((0..100).take_while(|_| pacer.take(now).is_ok()).count(), 30);
        for minute in 1..=6 {
            let now = now + MINUTE * minute;
            while pacer.take(now).is_ok() {}
        }
        assert_eq!(pacer.allowed, 60);
    }

    #[test]
    fn waits_double_up_to_a_minute() {
        assert_eq!(back_off(0, MINUTE, 0.0, None), Duration::from_secs(1));
        assert_eq!(back_off(3, MINUTE, 0.0, None), Duration::from_secs(8));
        assert_eq!(back_off(30, MINUTE, 0.0, None), MINUTE);
        assert_eq!(back_off(0, MINUTE, 0.0, Some(MINUTE)), MINUTE);
    }
}
