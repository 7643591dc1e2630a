//! Building, starting and stopping a simulated Stripe.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::Request;
use stripe_openapi::Catalog;
use tokio::net::TcpListener;
use tokio_util::sync::DropGuard;

use crate::access::{Keyring, Permissions};
use crate::clock::Clock;
use crate::connect::{self, Blueprint, Connections, Group, Habits};
use crate::connection::{CuttableListener, Scissors};
use crate::control::Control;
use crate::delivery::{self, DeliverySettings};
use crate::events::EventSettings;
use crate::faults::{Fault, FaultRule, Faults};
use crate::state::State;
use crate::throttle::Limits;
use crate::timeline::{Distribution, Span};
use crate::world::{AccountFacts, World, WorldSettings};
use crate::{SimulatorError, control_http, service, weights};

/// The key that is accepted unless others are named.
pub const DEFAULT_API_KEY: &str = "sk_test_simulated";

/// A simulated Stripe account behind an HTTP API.
#[derive(Debug, Clone)]
pub struct Simulator {
    state: Arc<State>,
}

impl Simulator {
    /// Begins to describe a simulation of the API version of `catalog`.
    pub fn builder(catalog: Arc<Catalog>) -> SimulatorBuilder {
        SimulatorBuilder {
            catalog,
            others: Vec::new(),
            settings: WorldSettings::default(),
            keys: Vec::new(),
            connected: Vec::new(),
            limits: Limits::default(),
            faults: Vec::new(),
            clock: Clock::system(),
            pretty: false,
            events: EventSettings { unsaid_percent: 50, ..EventSettings::default() },
            delivery: DeliverySettings::default(),
        }
    }

    /// The handle by which to change and watch the account.
    pub fn control(&self) -> Control {
        Control { state: Arc::clone(&self.state) }
    }

    /// The API and the control API as a tower service.
    pub fn router(&self) -> Router {
        let state = Arc::clone(&self.state);
        control_http::router(self.control())
            .fallback(move |request: Request<Body>| service::serve(Arc::clone(&state), request))
    }

    /// Answers one request to the API, for use without sockets.
    ///
    /// A connection cannot be reset here: that fault answers an empty 200.
    pub async fn answer(&self, request: Request<Body>) -> Response {
        service::serve(Arc::clone(&self.state), request).await
    }

    /// Listens on a free port of the loopback address.
    pub async fn start(self) -> Result<Running, SimulatorError> {
        self.start_on((Ipv4Addr::LOCALHOST, 0).into()).await
    }

    /// Listens on `address`.
    pub async fn start_on(self, address: SocketAddr) -> Result<Running, SimulatorError> {
        let failed = |source| SimulatorError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop = self.state.stop.clone();
        tokio::spawn(delivery::post::run(Arc::clone(&self.state), stop.clone()));
        let app = self.router().into_make_service_with_connect_info::<Scissors>();
        let server = axum::serve(CuttableListener(listener), app)
            .with_graceful_shutdown(stop.clone().cancelled_owned());
        let task = tokio::spawn(async move { server.await });
        Ok(Running { simulator: self, address, task, stop: stop.drop_guard() })
    }
}

/// What to simulate.
#[derive(Debug, Clone)]
pub struct SimulatorBuilder {
    catalog: Arc<Catalog>,
    others: Vec<Arc<Catalog>>,
    settings: WorldSettings,
    keys: Vec<(String, Permissions)>,
    connected: Vec<Group>,
    limits: Limits,
    faults: Vec<FaultRule>,
    clock: Clock,
    pretty: bool,
    events: EventSettings,
    delivery: DeliverySettings,
}

impl SimulatorBuilder {
    /// Decides everything that is drawn; equal seeds give equal accounts. Default 1.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// The number of objects in a table that can be listed without a parent.
    #[must_use]
    pub fn table(mut self, table: &str, count: u64) -> Self {
        self.settings.counts.insert(table.to_owned(), count);
        self
    }

    /// Spreads so many objects over all listable tables, as [`weights::spread`] does.
    #[must_use]
    pub fn objects(mut self, count: u64) -> Self {
        self.settings.counts = weights::spread(&self.catalog, count);
        self
    }

    /// The account behind the key.
    #[must_use]
    pub fn account(mut self, id: &str, created: i64) -> Self {
        self.settings.account = AccountFacts { id: id.to_owned(), created };
        self
    }

    /// When objects were created: unix seconds, the end not included. Default 2023-01-01 to 2026-10-01.
    #[must_use]
    pub fn span(mut self, start: i64, end: i64) -> Self {
        self.settings.span = Span { start, end };
        self
    }

    /// How `created` spreads over the span in all tables. Default uniform.
    #[must_use]
    pub fn distribution(mut self, distribution: Distribution) -> Self {
        self.settings.distribution = distribution;
        self
    }

    /// How `created` spreads over the span in one table.
    #[must_use]
    pub fn table_distribution(mut self, table: &str, distribution: Distribution) -> Self {
        self.settings.distributions.insert(table.to_owned(), distribution);
        self
    }

    /// Whether this is live mode. Default: no.
    #[must_use]
    pub fn livemode(mut self, livemode: bool) -> Self {
        self.settings.livemode = livemode;
        self
    }

    /// Whether metadata holds `\u0000`, integers beyond 2^53 and the like. Default: no.
    #[must_use]
    pub fn oddities(mut self, oddities: bool) -> Self {
        self.settings.oddities = oddities;
        self
    }

    /// Of a hundred parents, how many have 11 to 25 items in a list of their own. Default 3.
    #[must_use]
    pub fn long_lists(mut self, percent: u8) -> Self {
        self.settings.long_lists_percent = percent;
        self
    }

    /// Serves the same account at a further API version too: to requests that name it in `Stripe-Version`.
    ///
    /// Objects have the same ids and times at all versions. Any other version is refused with 400.
    #[must_use]
    pub fn also_serve(mut self, catalog: Arc<Catalog>) -> Self {
        self.others.push(catalog);
        self
    }

    /// Accepts this key; without any, [`DEFAULT_API_KEY`] is accepted.
    #[must_use]
    pub fn api_key(mut self, key: &str) -> Self {
        self.keys.push((key.to_owned(), Permissions::All));
        self
    }

    /// Accepts this key for what `permissions` allow. The first key is the one that [`Running::api_key`] tells.
    #[must_use]
    pub fn restricted_key(mut self, key: &str, permissions: Permissions) -> Self {
        self.keys.push((key.to_owned(), permissions));
        self
    }

    /// So many accounts are connected to this one, each a world of its own with these objects, made when it
    /// is first asked for. They are the rows of the table `account`, whatever was said about that table;
    /// their ids are there. May be repeated.
    #[must_use]
    pub fn connected(mut self, count: u64, tables: &[(&str, u64)]) -> Self {
        let counts = tables.iter().map(|(table, count)| ((*table).to_owned(), *count)).collect();
        self.connected.push(Group { count, counts });
        self
    }

    /// Like [`Self::connected`], with so many objects in each account, spread over all tables.
    #[must_use]
    pub fn connected_objects(mut self, count: u64, objects: u64) -> Self {
        let mut counts = weights::spread(&self.catalog, objects);
        // They have no accounts connected to them.
        counts.remove(connect::TABLE);
        self.connected.push(Group { count, counts });
        self
    }

    /// Rate limits. Default none.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Every answer waits so many milliseconds, and up to `jitter_ms` more.
    #[must_use]
    pub fn latency(self, ms: u64, jitter_ms: u64) -> Self {
        self.fault(FaultRule::always("*", Fault::Latency { ms, jitter_ms }))
    }

    /// A fault from the start.
    #[must_use]
    pub fn fault(mut self, rule: FaultRule) -> Self {
        self.faults.push(rule);
        self
    }

    /// Where the time is read. Default the machine's clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Whether answers are laid out as Stripe's are, with two spaces per level. Default: no, for speed.
    #[must_use]
    pub fn pretty(mut self, pretty: bool) -> Self {
        self.pretty = pretty;
        self
    }

    /// The API version at which events are rendered: the default version of the account, which need not be
    /// the one that requests name. It is served too. Default the builder's version.
    #[must_use]
    pub fn events_version(mut self, catalog: Arc<Catalog>) -> Self {
        self.events.api_version = Some(catalog.api_version.clone());
        let served = [&self.catalog].into_iter().chain(&self.others);
        if !served.into_iter().any(|known| known.api_version == catalog.api_version) {
            self.others.push(catalog);
        }
        self
    }

    /// A share of the events (between 0 and 1) surfaces up to so many seconds after its `created`.
    /// Default none.
    #[must_use]
    pub fn late_events(mut self, share: f64, most_seconds: u64) -> Self {
        (self.events.late_share, self.events.late_most) = (share, most_seconds);
        self
    }

    /// How events are delivered to webhook endpoints and Stripe CLI sessions. Default: once each, at once.
    #[must_use]
    pub fn delivery(mut self, settings: DeliverySettings) -> Self {
        self.delivery = settings;
        self
    }

    /// Of a hundred changes in tables whose events are unreliable (`stripe_openapi::knowledge::events`), so
    /// many have no event. Default 50.
    #[must_use]
    pub fn unsaid_changes(mut self, percent: u8) -> Self {
        self.events.unsaid_percent = percent;
        self
    }

    /// The world alone, without an API.
    pub fn build_world(self) -> Result<World, SimulatorError> {
        World::new(self.catalog, self.settings)
    }

    /// The simulation, not listening yet.
    pub fn build(self) -> Result<Simulator, SimulatorError> {
        let mut keys = self.keys;
        if keys.is_empty() {
            keys.push((DEFAULT_API_KEY.to_owned(), Permissions::All));
        }
        let mut faults = Faults::new(self.settings.seed);
        for rule in self.faults {
            faults.add(rule);
        }
        let catalogs: Vec<Arc<Catalog>> = [self.catalog].into_iter().chain(self.others).collect();
        let mut settings = self.settings;
        let blueprint = Blueprint { catalogs, settings: settings.clone(), groups: self.connected };
        blueprint.check()?;
        if !blueprint.groups.is_empty() {
            settings.counts.insert(connect::TABLE.to_owned(), blueprint.count());
        }
        let mut worlds = connect::worlds(&blueprint.catalogs, &settings)?.into_iter();
        let Some(main) = worlds.next() else { return Err(SimulatorError::Invalid("no version".into())) };
        let habits = Habits { events: self.events, limits: self.limits };
        let connections = Connections::new(blueprint, habits);
        let state =
            State::platform((main, worlds.collect()), connections, Keyring::new(keys), self.clock, faults);
        state.set_pretty(self.pretty);
        state.outbox.set(self.delivery);
        Ok(Simulator { state: Arc::new(state) })
    }

    /// Builds the simulation and listens on a free port of the loopback address.
    pub async fn start(self) -> Result<Running, SimulatorError> {
        self.build()?.start().await
    }
}

/// A simulation that listens. Dropping it stops it.
#[derive(Debug)]
pub struct Running {
    simulator: Simulator,
    address: SocketAddr,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
    stop: DropGuard,
}

impl Running {
    /// E.g. `http://127.0.0.1:40123`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The first key that is accepted.
    pub fn api_key(&self) -> String {
        self.simulator.state.keys.all().into_iter().next().map(|(key, _)| key).unwrap_or_default()
    }

    /// The default API version.
    pub fn api_version(&self) -> String {
        self.simulator.state.main.api_version.clone()
    }

    /// The handle by which to change and watch the account.
    pub fn control(&self) -> Control {
        self.simulator.control()
    }

    /// Lets running requests end, for five seconds at most, then stops.
    pub async fn stop(self) {
        self.stop.disarm().cancel();
        let abort = self.task.abort_handle();
        if tokio::time::timeout(std::time::Duration::from_secs(5), self.task).await.is_err() {
            abort.abort();
        }
    }
}
