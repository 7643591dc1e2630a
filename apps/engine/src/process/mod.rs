//! Connectors that are programs of their own, and speak the protocol over stdin and stdout.
//!
//! * `search` says which program a name means;
//! * `run` runs one command of it, with its messages as they come;
//! * `connector` makes a source or a destination of it; `airbyte` a source of one that speaks Airbyte's protocol.
//!
//! Each operation is a process. What is secret in its arguments goes into files that nobody else may read; dropping the messages ends
//! the process and all that it started.

mod airbyte;
mod connector;
mod files;
mod run;
mod search;
mod tail;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::{AnyDestination, AnySource, ConnectorError};

use crate::Role;
use airbyte::Airbyte;
use connector::Connector;
use search::Found;

pub(crate) use files::Flags;

pub use search::{CommandMap, Search};

/// Finds connectors that are programs, and remembers them.
#[derive(Debug)]
pub struct Programs {
    search: Search,
    found: Mutex<HashMap<(Role, String), Known>>,
}

/// A program that was asked how it is configured.
#[derive(Debug, Clone)]
enum Known {
    Ours(Connector),
    Airbyte(Airbyte),
}

impl Programs {
    /// Looks for programs where `search` says.
    pub fn new(search: Search) -> Programs {
        Programs { search, found: Mutex::default() }
    }

    /// The source of this name; `None` where there is no such program. Fails where the program does not say how it is
    /// configured, or may not be run.
    pub fn source(&self, name: &str) -> Option<Result<Arc<dyn AnySource>, ConnectorError>> {
        Some(self.known(Role::Source, name)?.map(|known| match known {
            Known::Ours(source) => Arc::new(source) as Arc<dyn AnySource>,
            Known::Airbyte(source) => Arc::new(source),
        }))
    }

    /// The destination of this name; as with [`Programs::source`].
    pub fn destination(&self, name: &str) -> Option<Result<Arc<dyn AnyDestination>, ConnectorError>> {
        Some(self.known(Role::Destination, name)?.and_then(|known| match known {
            Known::Ours(destination) => Ok(Arc::new(destination) as Arc<dyn AnyDestination>),
            Known::Airbyte(_) => {
                Err(ConnectorError::config("of Airbyte's connectors, sources can be used only"))
            }
        }))
    }

    fn known(&self, role: Role, name: &str) -> Option<Result<Known, ConnectorError>> {
        let key = (role, name.to_owned());
        // Held while a program is asked, so that it is asked once.
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = found.get(&key) {
            return Some(Ok(known.clone()));
        }
        let opened = match self.search.command(role, name)? {
            Found::Ours(command) => Connector::open(role, name, command).map(Known::Ours),
            Found::Airbyte(command) => Airbyte::open(name, command).map(Known::Airbyte),
            Found::Refused(why) => Err(ConnectorError::config(why)),
        };
        Some(opened.inspect(|known| {
            found.insert(key, known.clone());
        }))
    }
}
