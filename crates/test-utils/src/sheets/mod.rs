//! Google Sheets on the loopback: the part of its API (version 4) that a destination needs, kept in memory.
//!
//! It is as strict as Google: unknown members, ranges outside of the grid, names that are taken and cells that are
//! too long are refused in Google's words; requests beyond the quotas get 429. A test can look at the
//! spreadsheets, edit them as a user would, and make requests fail before or after they are carried out.

mod a1;
mod error;
mod faults;
mod model;
mod oauth;
mod quota;
mod requests;
mod routes;
mod svg;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use a1::letters;
pub use faults::Fault;
pub use model::{Cell, Sheet, Spreadsheet};
pub use oauth::{CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, SERVICE_ACCOUNT, service_account_key};
pub use svg::picture;

use quota::Quota;

/// What the server was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// Requests that read.
    pub reads: usize,
    /// Requests that write.
    pub writes: usize,
    /// Requests that were refused because of a quota.
    pub refused: usize,
    /// Bytes of the bodies of `values:batchUpdate`.
    pub value_bytes: usize,
}

struct State {
    address: SocketAddr,
    spreadsheets: BTreeMap<String, Spreadsheet>,
    made: usize,
    tokens: BTreeSet<String>,
    tokens_given: usize,
    revoked: bool,
    reads: Quota,
    writes: Quota,
    calls: Calls,
    faults: faults::Faults,
}

/// A server; it stops when it is dropped.
pub struct SheetsServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

impl Drop for SheetsServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SheetsServer {
    /// Starts one on a free port, without spreadsheets.
    pub async fn start() -> anyhow::Result<SheetsServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State {
            address,
            spreadsheets: BTreeMap::new(),
            made: 0,
            tokens: BTreeSet::new(),
            tokens_given: 0,
            revoked: false,
            reads: Quota::new("Read"),
            writes: Quota::new("Write"),
            calls: Calls::default(),
            faults: faults::Faults::default(),
        }));
        let serving = tokio::spawn(routes::serve(listener, Arc::clone(&state)));
        Ok(SheetsServer { address, state, serving })
    }

    /// Where it is, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a spreadsheet with an empty `Sheet1` and answers its id.
    pub fn create(&self, title: &str) -> String {
        locked(&self.state).create(title)
    }

    /// A copy of a spreadsheet.
    ///
    /// # Panics
    /// If there is none of this id.
    pub fn spreadsheet(&self, id: &str) -> Spreadsheet {
        self.edit(id, |spreadsheet| spreadsheet.clone())
    }

    /// Looks at a spreadsheet, or changes it as a user would by hand.
    ///
    /// # Panics
    /// If there is none of this id.
    pub fn edit<T>(&self, id: &str, edit: impl FnOnce(&mut Spreadsheet) -> T) -> T {
        let mut state = locked(&self.state);
        edit(state.spreadsheets.get_mut(id).expect("a spreadsheet of this id"))
    }

    /// The ids of all spreadsheets.
    pub fn ids(&self) -> Vec<String> {
        locked(&self.state).spreadsheets.keys().cloned().collect()
    }

    /// What was asked for so far.
    pub fn calls(&self) -> Calls {
        locked(&self.state).calls
    }

    /// How long a minute of the quotas is, and how many reads and writes it allows each.
    pub fn set_quota(&self, minute: Duration, a_minute: usize) {
        let mut state = locked(&self.state);
        let State { reads, writes, .. } = &mut *state;
        for quota in [reads, writes] {
            (quota.minute, quota.a_minute) = (minute, a_minute);
        }
    }

    /// What happens to the next requests that write, one after the other.
    pub fn fail_next_writes(&self, faults: impl IntoIterator<Item = Fault>) {
        locked(&self.state).faults.next_writes.extend(faults);
    }

    /// The tokens given out are no longer good.
    pub fn expire_tokens(&self) {
        locked(&self.state).tokens.clear();
    }

    /// The user takes the permission back.
    pub fn revoke(&self) {
        let mut state = locked(&self.state);
        state.revoked = true;
        state.tokens.clear();
    }

    /// How many tokens were given out.
    pub fn tokens_given(&self) -> usize {
        locked(&self.state).tokens_given
    }
}

impl State {
    fn create(&mut self, title: &str) -> String {
        self.made += 1;
        let id = format!("spreadsheet-{}-{}", self.address.port(), self.made);
        self.spreadsheets.insert(id.clone(), Spreadsheet::new(id.clone(), title.to_owned()));
        id
    }

    fn token(&mut self) -> String {
        self.tokens_given += 1;
        let token = format!("ya29.{}", self.tokens_given);
        self.tokens.insert(token.clone());
        token
    }
}
