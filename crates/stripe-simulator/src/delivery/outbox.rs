//! What is to be sent, and to whom.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::fate::DeliverySettings;
use crate::chance::{draw, seed_of};
use crate::events::Event;
use crate::events::answer::covers;
use crate::identity::push_base62;
use crate::state::State;

/// Events that a session keeps while nobody acknowledges them.
const SESSION_LIMIT: usize = 10_000;

/// Who gets an event.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Endpoint {
        id: String,
        url: String,
        secret: String,
        /// `None`: the account's default.
        api_version: Option<String>,
    },
    Session {
        id: String,
    },
}

/// A request to a webhook endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    pub(crate) endpoint: String,
    pub(crate) url: String,
    pub(crate) secret: String,
    pub(crate) body: Arc<[u8]>,
    /// By the account's clock, since it started.
    due: Duration,
    retry: u32,
}

/// An event on its way to a session.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) webhook_id: String,
    pub(crate) body: Arc<[u8]>,
    due: Duration,
    /// The connection on which it was sent last.
    sent_on: Option<u64>,
}

/// Whose events somebody wants to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interest {
    /// The account that asked.
    pub(crate) account: String,
    /// Whether it wants the events of the accounts connected to it.
    pub(crate) connect: bool,
}

impl Interest {
    /// Whether it is in the events of `state` as a connected account.
    fn covers_connected(&self, state: &State) -> Option<Arc<State>> {
        let platform = state.its_platform().filter(|platform| self.connect && platform.id == self.account)?;
        platform.reaches(&state.id).then_some(platform)
    }
}

/// A webhook endpoint that was made through the API.
#[derive(Debug, Clone)]
struct Registration {
    secret: String,
    interest: Interest,
}

/// A Stripe CLI session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) secret: String,
    interest: Interest,
    letters: VecDeque<Letter>,
}

#[derive(Debug, Default)]
pub(crate) struct Contents {
    drawn: u64,
    registered: BTreeMap<String, Registration>,
    posts: Vec<Post>,
    at_work: usize,
    sessions: BTreeMap<String, Session>,
}

/// Everything that waits to be delivered.
#[derive(Debug)]
pub(crate) struct Outbox {
    seed: u64,
    settings: Mutex<DeliverySettings>,
    contents: Mutex<Contents>,
    /// Told when there is something to post.
    pub(crate) wake: Notify,
}

impl Outbox {
    pub(crate) fn new(seed: u64, settings: DeliverySettings) -> Self {
        Self {
            seed: seed_of(seed, "delivery"),
            settings: Mutex::new(settings),
            contents: Mutex::default(),
            wake: Notify::new(),
        }
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn settings(&self) -> DeliverySettings {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, settings: DeliverySettings) {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// A random text of `length` letters.
    pub(crate) fn token(&self, prefix: &str, length: usize) -> String {
        let mut contents = self.contents();
        let mut letters = prefix.as_bytes().to_vec();
        let end = letters.len() + length;
        while letters.len() < end {
            contents.drawn += 1;
            push_base62(draw(self.seed, contents.drawn, 0x7e), 8.min(end - letters.len()), &mut letters);
        }
        String::from_utf8_lossy(&letters).into_owned()
    }

    /// Remembers an endpoint; those that nobody registered get nothing.
    pub(crate) fn register(&self, endpoint: &str, secret: &str, interest: Interest) {
        let registration = Registration { secret: secret.to_owned(), interest };
        self.contents().registered.insert(endpoint.to_owned(), registration);
    }

    /// Who gets the events of a type that `state` tells.
    pub(crate) fn targets(&self, state: &State, kind: &str) -> Vec<Target> {
        let registered = self.contents().registered.clone();
        let endpoint = |(id, registration): (String, Registration)| {
            let Registration { secret, interest } = registration;
            if interest.account == state.id && !interest.connect {
                return target(state, id, secret, Some(kind));
            }
            target(&*interest.covers_connected(state)?, id, secret, Some(kind))
        };
        let mut targets: Vec<Target> = registered.into_iter().filter_map(endpoint).collect();
        let sessions: Vec<(String, Interest)> = self
            .contents()
            .sessions
            .iter()
            .map(|(id, session)| (id.clone(), session.interest.clone()))
            .collect();
        let wants =
            |interest: &Interest| interest.account == state.id || interest.covers_connected(state).is_some();
        let told = sessions.into_iter().filter(|(_, interest)| wants(interest));
        targets.extend(told.map(|(id, _)| Target::Session { id }));
        targets
    }

    /// The versions that endpoints want which may be told of changes in `state`.
    pub(crate) fn versions(&self, state: &State) -> Vec<String> {
        let registered = self.contents().registered.clone();
        let platform = state.its_platform();
        let version = |(id, registration): (String, Registration)| {
            let account = registration.interest.account;
            let owner = match &platform {
                _ if account == state.id => state,
                Some(platform) if account == platform.id => platform,
                _ => return None,
            };
            match target(owner, id, registration.secret, None)? {
                Target::Endpoint { api_version, .. } => api_version,
                Target::Session { .. } => None,
            }
        };
        registered.into_iter().filter_map(version).collect()
    }

    /// Whether an endpoint is there and enabled; `platform` is the account behind the keys.
    pub(crate) fn lives(&self, platform: &Arc<State>, endpoint: &str) -> bool {
        let Some(registration) = self.contents().registered.get(endpoint).cloned() else { return false };
        let account = registration.interest.account;
        let owner =
            if account == platform.id { Some(Arc::clone(platform)) } else { platform.connected(&account) };
        owner.is_some_and(|owner| target(&owner, endpoint.to_owned(), String::new(), None).is_some())
    }

    /// Puts an event in, as often and as late as the settings say.
    pub(crate) fn put(&self, state: &State, event: &Event, target: &Target, body: &[u8]) {
        let settings = self.settings();
        let surfaces = Duration::from_secs((event.surfaces - event.created).max(0).unsigned_abs());
        let base = state.clock.elapsed() + surfaces;
        let body: Arc<[u8]> = body.into();
        let mut contents = self.contents();
        contents.drawn += 1;
        for wait in settings.copies(self.seed, contents.drawn) {
            let due = base + wait;
            match target {
                Target::Endpoint { id, url, secret, .. } => contents.posts.push(Post {
                    endpoint: id.clone(),
                    url: url.clone(),
                    secret: secret.clone(),
                    body: Arc::clone(&body),
                    due,
                    retry: 0,
                }),
                Target::Session { id } => {
                    contents.drawn += 1;
                    let mut webhook_id = b"wc_".to_vec();
                    push_base62(draw(self.seed, contents.drawn, 0x3b), 10, &mut webhook_id);
                    push_base62(contents.drawn, 6, &mut webhook_id);
                    let webhook_id = String::from_utf8_lossy(&webhook_id).into_owned();
                    if let Some(session) = contents.sessions.get_mut(id) {
                        if session.letters.len() >= SESSION_LIMIT {
                            session.letters.pop_front();
                        }
                        let body = Arc::clone(&body);
                        session.letters.push_back(Letter { webhook_id, body, due, sent_on: None });
                    }
                }
            }
        }
        drop(contents);
        self.wake.notify_one();
    }

    /// The posts whose time has come, and whether others wait.
    pub(crate) fn due(&self, now: Duration) -> (Vec<Post>, bool) {
        let mut contents = self.contents();
        let (mut due, later): (Vec<Post>, Vec<Post>) =
            std::mem::take(&mut contents.posts).into_iter().partition(|post| post.due <= now);
        due.sort_by_key(|post| post.due);
        contents.at_work += due.len();
        contents.posts = later;
        (due, !contents.posts.is_empty())
    }

    /// A post was made; it is made again if it failed and there are retries left.
    pub(crate) fn posted(&self, mut post: Post, succeeded: bool, now: Duration) {
        let wait = self.settings().retry(post.retry).filter(|_| !succeeded);
        let mut contents = self.contents();
        contents.at_work = contents.at_work.saturating_sub(1);
        if let Some(wait) = wait {
            post.due = now + wait;
            post.retry += 1;
            contents.posts.push(post);
        }
        drop(contents);
        self.wake.notify_one();
    }

    /// A new session: its id and secret.
    pub(crate) fn open_session(&self, interest: Interest) -> (String, String) {
        let (id, secret) = (self.token("cliws_", 24), self.token("whsec_", 64));
        let session = Session { secret: secret.clone(), interest, letters: VecDeque::new() };
        self.contents().sessions.insert(id.clone(), session);
        (id, secret)
    }

    pub(crate) fn has_session(&self, id: &str) -> bool {
        self.contents().sessions.contains_key(id)
    }

    /// Ends all sessions; their sockets close.
    pub(crate) fn end_sessions(&self) {
        self.contents().sessions.clear();
    }

    /// The secret of a session with the letters to send on this connection now; `None` if it has ended.
    pub(crate) fn letters(&self, id: &str, connection: u64, now: Duration) -> Option<(String, Vec<Letter>)> {
        let mut contents = self.contents();
        let session = contents.sessions.get_mut(id)?;
        let waits = |letter: &&mut Letter| letter.due <= now && letter.sent_on != Some(connection);
        let mut letters: Vec<Letter> = Vec::new();
        for letter in session.letters.iter_mut().filter(waits) {
            letter.sent_on = Some(connection);
            letters.push(letter.clone());
        }
        letters.sort_by_key(|letter| letter.due);
        Some((session.secret.clone(), letters))
    }

    /// The client has the event.
    pub(crate) fn acknowledge(&self, id: &str, webhook_id: &str) {
        if let Some(session) = self.contents().sessions.get_mut(id) {
            session.letters.retain(|letter| letter.webhook_id != webhook_id);
        }
    }

    /// Deliveries that are not made, not answered by 2xx, or not acknowledged yet.
    pub(crate) fn pending(&self) -> usize {
        let contents = self.contents();
        let letters: usize = contents.sessions.values().map(|session| session.letters.len()).sum();
        contents.posts.len() + contents.at_work + letters
    }

    /// How many endpoints among `targets`: what `pending_webhooks` counts.
    pub(crate) fn count(targets: &[Target]) -> usize {
        targets.iter().filter(|target| matches!(target, Target::Endpoint { .. })).count()
    }
}

/// An endpoint of `owner`, if it is enabled and, where a type is given, wants it.
fn target(owner: &State, id: String, secret: String, kind: Option<&str>) -> Option<Target> {
    let world = owner.main.world();
    let table = world.table_index("webhook_endpoint").ok()?;
    let object = world.stored(table, world.find(table, &id)?);
    let text = |name: &str| object.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
    let wanted = object.get("enabled_events").and_then(serde_json::Value::as_array)?;
    let wants = |kind: &str| wanted.iter().filter_map(|w| w.as_str()).any(|w| covers(w, kind));
    let enabled = text("status").as_deref() == Some("enabled") && kind.is_none_or(wants);
    let url = text("url")?;
    enabled.then(|| Target::Endpoint { id, url, secret, api_version: text("api_version") })
}

/// The body that a target gets: rendered at its version.
pub(crate) fn version_of<'a>(target: &'a Target, default: &'a str) -> &'a str {
    match target {
        Target::Endpoint { api_version: Some(version), .. } => version,
        _ => default,
    }
}
