//! Connectors that are programs of their own, and speak the protocol over stdin and stdout.
//!
//! * `search` says which program a name means;
//! * `run` runs one command of it, with its messages as they come;
//! * `connector` makes a source or a destination of it.
//!
//! Each operation is a process. What is secret in its arguments goes into files that nobody else may read; dropping the messages ends
//! the process and all that it started.

mod connector;
mod files;
mod run;
mod search;
mod tail;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::{AnyDestination, AnySource, ConnectorError};

use crate::Role;
use connector::Connector;

pub use search::{CommandMap, Search};

/// Finds connectors that are programs, and remembers them.
#[derive(Debug)]
pub struct Programs {
    search: Search,
    found: Mutex<HashMap<(Role, String), Connector>>,
}

impl Programs {
    /// Looks for programs where `search` says.
    pub fn new(search: Search) -> Programs {
        Programs { search, found: Mutex::default() }
    }

    /// The source of this name; `None` where there is no such program. Fails where the program does not say how it is
    /// configured.
    pub fn source(&self, name: &str) -> Option<Result<Arc<dyn AnySource>, ConnectorError>> {
        Some(self.connector(Role::Source, name)?.map(|found| Arc::new(found) as Arc<dyn AnySource>))
    }

    /// The destination of this name; as with [`Programs::source`].
    pub fn destination(&self, name: &str) -> Option<Result<Arc<dyn AnyDestination>, ConnectorError>> {
        Some(self.connector(Role::Destination, name)?.map(|found| Arc::new(found) as Arc<dyn AnyDestination>))
    }

    fn connector(&self, role: Role, name: &str) -> Option<Result<Connector, ConnectorError>> {
        let key = (role, name.to_owned());
        // Held while a program is asked, so that it is asked once.
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = found.get(&key) {
            return Some(Ok(known.clone()));
        }
        let command = self.search.command(role, name)?;
        Some(Connector::open(role, name, command).inspect(|connector| {
            found.insert(key, connector.clone());
        }))
    }
}
