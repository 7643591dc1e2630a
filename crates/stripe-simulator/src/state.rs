//! What all requests share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio_util::sync::CancellationToken;

use crate::chance::mix;
use crate::clock::Clock;
use crate::counters::Counters;
use crate::delivery::outbox::Target;
use crate::delivery::{DeliverySettings, Outbox};
use crate::events::{EventSettings, Feed};
use crate::faults::Faults;
use crate::identity::push_base62;
use crate::routes::Routes;
use crate::throttle::Throttle;
use crate::world::World;

/// The account as one API version shows it.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) api_version: String,
    pub(crate) routes: Routes,
    world: RwLock<World>,
}

impl Served {
    fn new(world: World) -> Self {
        Self {
            api_version: world.api_version().to_owned(),
            routes: Routes::new(&world),
            world: RwLock::new(world),
        }
    }

    // A panic while a lock was held leaves nothing half done that a test should not see.
    pub(crate) fn world(&self) -> RwLockReadGuard<'_, World> {
        self.world.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn world_mut(&self) -> RwLockWriteGuard<'_, World> {
        self.world.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running simulation, without its sockets.
#[derive(Debug)]
pub(crate) struct State {
    /// The account at the default version.
    pub(crate) main: Served,
    /// The same account at further versions.
    pub(crate) others: Vec<Served>,
    pub(crate) keys: Vec<String>,
    pub(crate) clock: Clock,
    /// What the account tells of its changes.
    pub(crate) feed: Feed,
    /// What is on its way to those who want to be told.
    pub(crate) outbox: Outbox,
    /// Ends what runs beside the requests.
    pub(crate) stop: CancellationToken,
    throttle: Mutex<Throttle>,
    faults: Mutex<Faults>,
    counters: Mutex<Counters>,
    pretty: AtomicBool,
    requests: AtomicU64,
}

impl State {
    pub(crate) fn new(
        main: World,
        others: Vec<World>,
        keys: Vec<String>,
        clock: Clock,
        throttle: Throttle,
        faults: Faults,
        events: EventSettings,
    ) -> Self {
        Self {
            outbox: Outbox::new(main.settings.seed, DeliverySettings::default()),
            feed: Feed::new(events, &main),
            stop: CancellationToken::new(),
            main: Served::new(main),
            others: others.into_iter().map(Served::new).collect(),
            keys,
            clock,
            throttle: Mutex::new(throttle),
            faults: Mutex::new(faults),
            counters: Mutex::default(),
            pretty: AtomicBool::new(false),
            requests: AtomicU64::new(0),
        }
    }

    /// The account at `version`, or at the default version.
    pub(crate) fn served(&self, version: Option<&str>) -> Option<&Served> {
        match version {
            None => Some(&self.main),
            Some(version) => [&self.main].into_iter().chain(&self.others).find(|s| s.api_version == version),
        }
    }

    /// The versions at which events are rendered; the one of `/v1/events` is first.
    pub(crate) fn event_versions(&self) -> Vec<String> {
        let mut versions = vec![self.feed.api_version.clone()];
        for target in self.outbox.endpoints(self, None) {
            if let Target::Endpoint { api_version: Some(version), .. } = target
                && !versions.contains(&version)
            {
                versions.push(version);
            }
        }
        versions
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
