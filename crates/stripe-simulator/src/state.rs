//! What all requests for one account share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use tokio_util::sync::CancellationToken;

use crate::access::Keyring;
use crate::chance::mix;
use crate::clock::Clock;
use crate::connect::{self, Connections, Habits};
use crate::counters::Counters;
use crate::delivery::{DeliverySettings, Outbox};
use crate::events::{EventSettings, Feed};
use crate::faults::Faults;
use crate::identity::push_base62;
use crate::routes::Routes;
use crate::throttle::{Limits, Throttle};
use crate::world::{View, World};

/// The account as one API version shows it.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) api_version: String,
    pub(crate) routes: Arc<Routes>,
    world: RwLock<World>,
}

impl Served {
    /// The routes depend on the version only.
    fn new(world: World, routes: Option<&Arc<Routes>>) -> Self {
        Self {
            api_version: world.api_version().to_owned(),
            routes: routes.map_or_else(|| Arc::new(Routes::new(&world)), Arc::clone),
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

/// What an account is to the others.
#[derive(Debug)]
enum Role {
    /// The account behind the keys, and those connected to it.
    Platform(Box<Connections<State>>),
    /// An account that is connected to this one.
    Connected(Weak<State>),
}

/// A running account, without its sockets. Connected accounts share what does not belong to one of them.
#[derive(Debug)]
pub(crate) struct State {
    /// The account's id.
    pub(crate) id: String,
    /// The account at the default version.
    pub(crate) main: Served,
    /// The same account at further versions.
    pub(crate) others: Vec<Served>,
    /// What the account tells of its changes.
    pub(crate) feed: Feed,
    role: Role,
    throttle: Mutex<Throttle>,
    counters: Mutex<Counters>,
    pub(crate) keys: Arc<Keyring>,
    pub(crate) clock: Clock,
    /// What is on its way to those who want to be told.
    pub(crate) outbox: Arc<Outbox>,
    /// Ends what runs beside the requests.
    pub(crate) stop: CancellationToken,
    faults: Arc<Mutex<Faults>>,
    pretty: Arc<AtomicBool>,
    requests: Arc<AtomicU64>,
}

impl State {
    /// The account behind `keys`, at its versions: the default one and others.
    pub(crate) fn platform(
        (main, others): (World, Vec<World>),
        connections: Connections<Self>,
        keys: Keyring,
        clock: Clock,
        faults: Faults,
    ) -> Self {
        let Habits { events, limits } = connections.habits().clone();
        Self {
            id: main.settings.account.id.clone(),
            outbox: Arc::new(Outbox::new(main.settings.seed, DeliverySettings::default())),
            feed: Feed::new(events, &main),
            main: Served::new(main, None),
            others: others.into_iter().map(|world| Served::new(world, None)).collect(),
            role: Role::Platform(Box::new(connections)),
            throttle: Mutex::new(Throttle::new(limits)),
            counters: Mutex::default(),
            keys: Arc::new(keys),
            clock,
            stop: CancellationToken::new(),
            faults: Arc::new(Mutex::new(faults)),
            pretty: Arc::default(),
            requests: Arc::default(),
        }
    }

    /// An account connected to `platform`, from its worlds at all of the platform's versions.
    fn connected_to(platform: &Arc<Self>, worlds: Vec<World>, habits: Habits) -> Option<Self> {
        let shown = [&platform.main].into_iter().chain(&platform.others);
        let mut served = worlds.into_iter().zip(shown).map(|(world, like)| (world, &like.routes));
        let (main, routes) = served.next()?;
        Some(Self {
            id: main.settings.account.id.clone(),
            feed: Feed::new(habits.events, &main),
            main: Served::new(main, Some(routes)),
            others: served.map(|(world, routes)| Served::new(world, Some(routes))).collect(),
            role: Role::Connected(Arc::downgrade(platform)),
            throttle: Mutex::new(Throttle::new(habits.limits)),
            counters: Mutex::default(),
            keys: Arc::clone(&platform.keys),
            clock: platform.clock.clone(),
            outbox: Arc::clone(&platform.outbox),
            stop: platform.stop.clone(),
            faults: Arc::clone(&platform.faults),
            pretty: Arc::clone(&platform.pretty),
            requests: Arc::clone(&platform.requests),
        })
    }

    /// The accounts connected to this one, if it is a platform.
    pub(crate) fn connections(&self) -> Option<&Connections<Self>> {
        match &self.role {
            Role::Platform(connections) => Some(connections),
            Role::Connected(_) => None,
        }
    }

    /// The platform that this account is connected to.
    pub(crate) fn its_platform(&self) -> Option<Arc<Self>> {
        match &self.role {
            Role::Platform(_) => None,
            Role::Connected(platform) => platform.upgrade(),
        }
    }

    /// Whether the connected account `id` lets this platform in.
    pub(crate) fn reaches(&self, id: &str) -> bool {
        self.row_of(id).is_some()
    }

    /// Ordinal and time of the row that stands for the connected account `id`.
    fn row_of(&self, id: &str) -> Option<(u64, i64)> {
        let world = self.main.world();
        let table = world.table_index(connect::TABLE).ok()?;
        let row = world.find(table, id)?;
        Some((row, world.created(table, row)))
    }

    /// The connected account `id`, if this is a platform that has access to it.
    pub(crate) fn connected(self: &Arc<Self>, id: &str) -> Option<Arc<Self>> {
        let connections = self.connections()?;
        let (row, created) = self.row_of(id)?;
        connections.open(id, || {
            let worlds = connections.blueprint.worlds(id, row, created);
            let worlds = worlds.inspect_err(|error| tracing::error!(%error, id, "no such world")).ok()?;
            Self::connected_to(self, worlds, connections.habits().clone())
        })
    }

    /// This account, and the connected ones that were made so far.
    pub(crate) fn with_connected(self: &Arc<Self>) -> Vec<Arc<Self>> {
        let mut accounts = vec![Arc::clone(self)];
        accounts.extend(self.connections().into_iter().flat_map(Connections::opened));
        accounts
    }

    /// The account as `/v1/account` answers it, JSON text.
    pub(crate) fn own_account(&self) -> Vec<u8> {
        if let Some(platform) = self.its_platform() {
            let world = platform.main.world();
            let found = world.table_index(connect::TABLE).ok();
            if let Some((table, row)) = found.and_then(|table| Some((table, world.find(table, &self.id)?))) {
                let mut text = Vec::new();
                world.write_object(table, row, View::PLAIN, &mut text);
                return text;
            }
        }
        self.main.world().own_account()
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
        for version in self.outbox.versions(self) {
            if !versions.contains(&version) {
                versions.push(version);
            }
        }
        versions
    }

    /// From now on these limits hold, also in the connected accounts.
    pub(crate) fn set_limits(self: &Arc<Self>, limits: Limits) {
        if let Some(connections) = self.connections() {
            connections.habits().limits = limits;
        }
        for account in self.with_connected() {
            account.throttle().set(limits);
        }
    }

    /// Changes how events are told from now on, also in the connected accounts.
    pub(crate) fn set_lateness(self: &Arc<Self>, share: f64, most: u64) {
        if let Some(connections) = self.connections() {
            let EventSettings { late_share, late_most, .. } = &mut connections.habits().events;
            (*late_share, *late_most) = (share, most);
        }
        for account in self.with_connected() {
            account.feed.log().lateness = crate::events::log::Lateness { share, most };
        }
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
