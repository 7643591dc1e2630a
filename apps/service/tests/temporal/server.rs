//! Temporal's development server, as the tests use it.

use std::ops::{Deref, DerefMut};

use service::temporal::{Address, Client};

/// A running server; it ends with this value.
pub(crate) struct Server(test_utils::temporal::Server);

impl Server {
    /// Starts one, and waits until it answers.
    pub(crate) async fn start() -> Server {
        Server(test_utils::temporal::Server::start().await)
    }

    /// Where it is.
    pub(crate) fn at(&self) -> Address {
        Address { address: self.address(), ..Address::default() }
    }

    /// Runs Temporal's own command line against it, and answers what it prints.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        self.ask(words).unwrap_or_else(|error| panic!("temporal {words:?}: {error}"))
    }

    /// A connection to it.
    pub(crate) async fn client(&self) -> Client {
        Client::connect(&self.at()).await.expect("the server answers")
    }
}

impl Deref for Server {
    type Target = test_utils::temporal::Server;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}
