//! A connection to Temporal that is made as soon as Temporal can be reached: the API, and above all the webhooks, do not wait
//! for it.

use std::time::Duration;

use tokio::sync::watch;

use super::client::{Address, Client, ClientError};

/// The first wait after a connection that failed; twice as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The longest one.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A connection, perhaps still to come. Cloning shares it.
#[derive(Clone)]
pub struct Link {
    address: String,
    client: watch::Receiver<Option<Client>>,
}

impl Link {
    /// Begins to connect, in the background, until it succeeds or nobody has the link any more. An address that can lead nowhere
    /// is refused at once. It must be called in a Tokio runtime.
    pub fn open(to: Address) -> Result<Link, ClientError> {
        to.check()?;
        let (connected, client) = watch::channel(None);
        let address = to.address.clone();
        tokio::spawn(async move {
            let mut wait = FIRST_WAIT;
            while !connected.is_closed() {
                match Client::connect(&to).await {
                    Ok(client) => {
                        connected.send_replace(Some(client));
                        return;
                    }
                    Err(error) => tracing::warn!(error = %error, "Temporal is asked again in {wait:?}"),
                }
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = connected.closed() => {}
                }
                wait = LONGEST_WAIT.min(wait * 2);
            }
        });
        Ok(Link { address, client })
    }

    /// The connection, if there is one by now.
    pub fn now(&self) -> Result<Client, ClientError> {
        let reason = || "it could not be reached so far".to_owned();
        let client = self.client.borrow().clone();
        client.ok_or_else(|| ClientError::Connect { address: self.address.clone(), reason: reason() })
    }

    /// Waits for the connection.
    pub async fn connected(&self) -> Result<Client, ClientError> {
        let mut client = self.client.clone();
        // It ends only by succeeding, while somebody has the link.
        let _ = client.wait_for(Option::is_some).await;
        self.now()
    }
}
