//! The memory that pages may take between Stripe and whoever pulls the messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Room for pages, asked for or waiting to be pulled.
#[derive(Debug)]
pub(crate) struct Room {
    bytes: usize,
    used: AtomicUsize,
    changed: Notify,
}

/// Bytes set aside; given back when dropped.
#[derive(Debug)]
pub(crate) struct Reserved {
    room: Arc<Room>,
    bytes: usize,
}

impl Room {
    pub(crate) fn new(bytes: usize) -> Arc<Room> {
        Arc::new(Room { bytes, used: AtomicUsize::new(0), changed: Notify::new() })
    }

    /// Whether `bytes` more fit. Whatever its size, one page always does.
    pub(crate) fn has(&self, bytes: usize) -> bool {
        let used = self.used.load(SeqCst);
        used == 0 || used + bytes <= self.bytes
    }

    /// Sets `bytes` aside, whether they fit or not.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: usize) -> Reserved {
        self.used.fetch_add(bytes, SeqCst);
        Reserved { room: Arc::clone(self), bytes }
    }

    /// Sets `bytes` aside as soon as they fit. However small the room, a quarter of it has to do.
    pub(crate) async fn wait_for(self: &Arc<Self>, bytes: usize) -> Reserved {
        let bytes = bytes.min(self.bytes / 4);
        loop {
            // Registered before asking, so that no change in between is missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let fits = |used: usize| (used == 0 || used + bytes <= self.bytes).then_some(used + bytes);
            if self.used.fetch_update(SeqCst, SeqCst, fits).is_ok() {
                return Reserved { room: Arc::clone(self), bytes };
            }
            changed.await;
        }
    }

    /// Completes when room was given back since this was called.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }
}

impl Reserved {
    /// Corrects a guess.
    pub(crate) fn set(&mut self, bytes: usize) {
        self.room.used.fetch_add(bytes, SeqCst);
        self.room.used.fetch_sub(self.bytes, SeqCst);
        self.bytes = bytes;
        self.room.changed.notify_waiters();
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.room.used.fetch_sub(self.bytes, SeqCst);
        self.room.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_back() {
        let room = Room::new(100);
        let mut first = room.reserve(150);
        assert!(!room.has(1));
        first.set(60);
        assert!(room.has(40) && !room.has(41));
        drop(first);
        assert!(room.has(1000), "one page always fits");
    }
}
