//! How often an address may fail: guessing tokens must not pay.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// So many failures of one address are allowed within the time.
const ALLOWED: u32 = 20;
const WITHIN: Duration = Duration::from_secs(60);

/// Addresses that are remembered. Where there are more, those that failed first are forgotten first.
const REMEMBERED: usize = 10_000;

/// Failures by address.
#[derive(Debug, Default)]
pub(super) struct Attempts(HashMap<IpAddr, (Instant, u32)>);

impl Attempts {
    /// For how long this address is not listened to, if so.
    pub(super) fn locked(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let (since, count) = self.0.get(&address)?;
        let left = WITHIN.checked_sub(now.duration_since(*since))?;
        (*count >= ALLOWED).then_some(left)
    }

    /// An address failed.
    pub(super) fn failed(&mut self, address: IpAddr, now: Instant) {
        if self.0.len() >= REMEMBERED && !self.0.contains_key(&address) {
            self.0.retain(|_, (since, _)| now.duration_since(*since) < WITHIN);
            let oldest = self.0.iter().min_by_key(|(_, (since, _))| *since).map(|(address, _)| *address);
            if let Some(oldest) = oldest.filter(|_| self.0.len() >= REMEMBERED) {
                self.0.remove(&oldest);
            }
        }
        let (since, count) = self.0.entry(address).or_insert((now, 0));
        if now.duration_since(*since) >= WITHIN {
            (*since, *count) = (now, 0);
        }
        *count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_too_often_is_not_listened_to_for_a_while() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        let address: IpAddr = [1, 2, 3, 4].into();
        for _ in 0..ALLOWED {
            assert_eq!(attempts.locked(address, now), None);
            attempts.failed(address, now);
        }
        assert!(attempts.locked(address, now).is_some());
        assert_eq!(attempts.locked([1, 2, 3, 5].into(), now), None);
        assert_eq!(attempts.locked(address, now + WITHIN + Duration::from_secs(1)), None);
    }

    #[test]
    fn the_memory_is_bounded() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        for number in 0..u32::try_from(REMEMBERED + 50).unwrap() {
            attempts.failed(std::net::Ipv4Addr::from(number).into(), now);
        }
        assert_eq!(attempts.0.len(), REMEMBERED);
    }
}
