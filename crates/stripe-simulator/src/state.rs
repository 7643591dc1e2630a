//! What all requests share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::chance::mix;
use crate::clock::Clock;
use crate::counters::Counters;
use crate::faults::Faults;
use crate::identity::push_base62;
use crate::routes::Routes;
use crate::throttle::Throttle;
use crate::world::World;

/// A running simulation, without its sockets.
#[derive(Debug)]
pub(crate) struct State {
    world: RwLock<World>,
    pub(crate) routes: Routes,
    pub(crate) api_version: String,
    pub(crate) keys: Vec<String>,
    pub(crate) clock: Clock,
    throttle: Mutex<Throttle>,
    faults: Mutex<Faults>,
    counters: Mutex<Counters>,
    pretty: AtomicBool,
    requests: AtomicU64,
}

impl State {
    pub(crate) fn new(
        world: World,
        keys: Vec<String>,
        clock: Clock,
        throttle: Throttle,
        faults: Faults,
        pretty: bool,
    ) -> Self {
        Self {
            routes: Routes::new(&world),
            api_version: world.api_version().to_owned(),
            world: RwLock::new(world),
            keys,
            clock,
            throttle: Mutex::new(throttle),
            faults: Mutex::new(faults),
            counters: Mutex::default(),
            pretty: AtomicBool::new(pretty),
            requests: AtomicU64::new(0),
        }
    }

    // A panic while a lock was held leaves nothing half done that a test should not see.
    pub(crate) fn world(&self) -> RwLockReadGuard<'_, World> {
        self.world.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn world_mut(&self) -> RwLockWriteGuard<'_, World> {
        self.world.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn counters(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_pretty(&self) -> bool {
        self.pretty.load(Ordering::Relaxed)
    }

    pub(crate) fn set_pretty(&self, pretty: bool) {
        self.pretty.store(pretty, Ordering::Relaxed);
    }

    /// A new `Request-Id`.
    pub(crate) fn request_id(&self) -> String {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let mut letters = b"req_".to_vec();
        push_base62(mix(number), 10, &mut letters);
        push_base62(number, 4, &mut letters);
        String::from_utf8_lossy(&letters).into_owned()
    }
}
