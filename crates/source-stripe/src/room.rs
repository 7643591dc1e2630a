//! The memory that pages may take between Stripe and whoever pulls the messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Of the room, the part that pages may take while they wait to be pulled: a slow consumer stops the asking long before
/// the room is full, so that memory does not depend on how often it is slow.
const WAITING_SHARE: usize = 4;

/// Room for pages, asked for or waiting to be pulled.
#[derive(Debug)]
pub(crate) struct Room {
    bytes: usize,
    used: AtomicUsize,
    /// Of these, what waits to be pulled.
    waiting: AtomicUsize,
    changed: Notify,
}

/// Bytes set aside; given back when dropped.
#[derive(Debug)]
pub(crate) struct Reserved {
    room: Arc<Room>,
    bytes: usize,
    waits: bool,
}

impl Room {
    pub(crate) fn new(bytes: usize) -> Arc<Room> {
        Arc::new(Room {
            bytes,
            used: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            changed: Notify::new(),
        })
    }

    /// Whether `bytes` more fit. Whatever its size, one page always does.
    pub(crate) fn has(&self, bytes: usize) -> bool {
        self.fits(self.used.load(SeqCst), bytes)
    }

    fn fits(&self, used: usize, bytes: usize) -> bool {
        let waiting = self.waiting.load(SeqCst);
        used == 0 || (used + bytes <= self.bytes && waiting <= self.bytes / WAITING_SHARE)
    }

    /// Sets `bytes` aside, whether they fit or not.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: usize) -> Reserved {
        self.used.fetch_add(bytes, SeqCst);
        Reserved { room: Arc::clone(self), bytes, waits: false }
    }

    /// Sets `bytes` aside as soon as they fit. However small the room, a quarter of it has to do.
    pub(crate) async fn wait_for(self: &Arc<Self>, bytes: usize) -> Reserved {
        let bytes = bytes.min(self.bytes / 4);
        loop {
            // Registered before asking, so that no change in between is missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let fits = |used: usize| self.fits(used, bytes).then_some(used + bytes);
            if self.used.fetch_update(SeqCst, SeqCst, fits).is_ok() {
                return Reserved { room: Arc::clone(self), bytes, waits: false };
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

    /// What it is set aside for now waits to be pulled.
    pub(crate) fn waits(mut self) -> Reserved {
        self.waits = true;
        self.room.waiting.fetch_add(self.bytes, SeqCst);
        self
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if self.waits {
            self.room.waiting.fetch_sub(self.bytes, SeqCst);
        }
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

    #[test]
    fn little_may_wait_to_be_pulled() {
        let room = Room::new(100);
        let _under_way = room.reserve(10);
        let waiting = [room.reserve(20).waits(), room.reserve(6).waits()];
        assert!(!room.has(1));
        drop(waiting);
        assert!(room.has(90));
    }
}
