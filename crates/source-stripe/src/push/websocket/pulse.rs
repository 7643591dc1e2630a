//! Whether a connection still lives, and when it is to be renewed.

use std::time::Duration;

use super::course::Life;

const PING_EVERY: Duration = Duration::from_secs(2);
const STALE_AFTER: Duration = Duration::from_secs(10);

/// What is to be done about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Ping,
    /// Nothing came for too long.
    Stale,
    /// It is old enough.
    Renewal,
    Nothing,
}

/// The times of one connection, since it was made.
#[derive(Debug)]
pub(super) struct Pulse {
    renew_at: Duration,
    pinged: Duration,
    heard: Duration,
}

impl Pulse {
    /// A new connection, which is to be renewed after a while.
    pub(super) fn new(renew_after: Duration) -> Pulse {
        Pulse { renew_at: renew_after, pinged: Duration::ZERO, heard: Duration::ZERO }
    }

    /// Something came, a message or the answer to a ping; or nobody listened up to now, so that nothing could come.
    pub(super) fn heard(&mut self, now: Duration) {
        self.heard = now;
    }

    /// How well the connection worked.
    pub(super) fn life(&self) -> Life {
        match self.heard {
            Duration::ZERO => Life::Fruitless,
            heard if heard < STALE_AFTER => Life::Short,
            _ => Life::Long,
        }
    }

    /// What is to be done now; a ping is taken to be sent. While nobody listens, silence means nothing.
    pub(super) fn due(&mut self, now: Duration, listens: bool) -> Due {
        if now >= self.renew_at {
            Due::Renewal
        } else if listens && now >= self.heard + STALE_AFTER {
            Due::Stale
        } else if now >= self.pinged + PING_EVERY {
            self.pinged = now;
            Due::Ping
        } else {
            Due::Nothing
        }
    }

    /// When something is due next, at the latest.
    pub(super) fn next(&self, listens: bool) -> Duration {
        let stale = if listens { self.heard + STALE_AFTER } else { self.renew_at };
        self.renew_at.min(stale).min(self.pinged + PING_EVERY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// What is due second after second.
    fn dues(pulse: &mut Pulse, seconds: std::ops::Range<u64>, listens: bool) -> String {
        let mark = |due| match due {
            Due::Ping => 'p',
            Due::Stale => 's',
            Due::Renewal => 'r',
            Due::Nothing => '.',
        };
        seconds.map(|second| mark(pulse.due(at(second), listens))).collect()
    }

    #[test]
    fn pings_are_sent_every_two_seconds_until_none_was_answered_for_ten() {
        let mut pulse = Pulse::new(at(60));
        assert_eq!(dues(&mut pulse, 0..11, true), "..p.p.p.p.s");
        assert_eq!(pulse.life(), Life::Fruitless);
        let mut pulse = Pulse::new(at(60));
        pulse.heard(at(7));
        assert_eq!(dues(&mut pulse, 8..18, true), "p.p.p.p.ps");
        assert_eq!(pulse.life(), Life::Short);
        pulse.heard(at(10));
        assert_eq!(pulse.life(), Life::Long);
    }

    #[test]
    fn a_connection_is_renewed_in_time() {
        let mut pulse = Pulse::new(at(3));
        assert_eq!(dues(&mut pulse, 0..5, true), "..prr");
        assert_eq!(pulse.next(true), at(3));
    }

    #[test]
    fn who_does_not_listen_cannot_tell_silence() {
        let mut pulse = Pulse::new(at(60));
        assert_eq!(dues(&mut pulse, 0..14, false), "..p.p.p.p.p.p.");
        pulse.heard(at(14));
        assert_eq!(dues(&mut pulse, 14..25, true), "p.p.p.p.p.s");
    }
}
