//! What the API asks of Temporal: start a pipeline's workflow, signal it, cancel it, ask how it is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::with_causes;
use secrecy::{ExposeSecret, SecretString};
use temporalio_client::errors::{
    ClientConnectError, WorkflowInteractionError, WorkflowQueryError, WorkflowStartError,
};
use temporalio_client::{
    ClientOptions, ClientTlsOptions, Connection, ConnectionOptions, TlsOptions, Url, WorkflowCancelOptions,
    WorkflowDescribeOptions, WorkflowExecutionStatus, WorkflowHandle, WorkflowIdConflictPolicy,
    WorkflowQueryOptions, WorkflowSignalOptions, WorkflowStartOptions,
};

use super::call::{Anything, Call};
use super::options::PipelineOptions;
use super::workflows::{PipelineStatus, PipelineWorkflow};
use super::{NAMESPACE, TASK_QUEUE};

/// Deliveries of one pipeline are signalled so often at most: the signal only says that some wait.
const SIGNALS: Duration = Duration::from_secs(1);

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Where Temporal is.
#[derive(Debug, Clone)]
pub struct Address {
    /// `host:port`, or an `http://` or `https://` address.
    pub address: String,
    /// The namespace.
    pub namespace: String,
    /// The task queue that the workers poll.
    pub task_queue: String,
    /// Encryption; also switched on by an `https://` address or an API key.
    pub tls: Option<Tls>,
    /// An API key, as Temporal Cloud gives out.
    pub api_key: Option<SecretString>,
}

/// How the connection is encrypted. Everything is text in PEM.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// The authority that signed the server's certificate; those that the system trusts when absent.
    pub ca: Option<String>,
    /// The name in the server's certificate, where it is not that of the address.
    pub server_name: Option<String>,
    /// The client's certificate and its private key.
    pub identity: Option<(String, SecretString)>,
}

/// Why Temporal did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address is none.
    #[error("the Temporal address `{address}` is none: {reason}; write it as host:port")]
    Address {
        /// As it was given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no connection.
    #[error("cannot connect to Temporal at {address}: {reason}")]
    Connect {
        /// Where.
        address: String,
        /// Why not.
        reason: String,
    },
    /// No workflow of this pipeline runs.
    #[error("no workflow of pipeline {0} runs on Temporal")]
    NotFound(String),
    /// Temporal answered with an error.
    #[error("Temporal refused to {what} pipeline {id}: {reason}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// For which pipeline.
        id: String,
        /// What it said.
        reason: String,
    },
}

/// How a pipeline's workflow is.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// Whether it runs; a workflow that continued as new does.
    pub running: bool,
    /// How Temporal calls its state, such as `Running` or `Canceled`.
    pub execution: String,
    /// Its present run.
    pub run_id: String,
    /// How many events its history has.
    pub history_length: usize,
    /// What it says itself; nothing when no worker answers.
    pub status: Option<PipelineStatus>,
}

/// A connection to Temporal. Cloning shares it.
#[derive(Clone)]
pub struct Client {
    inner: temporalio_client::Client,
    task_queue: Arc<str>,
    /// Pipelines that were signalled just now, and whether they are to be once more.
    signalled: Arc<Mutex<HashMap<String, bool>>>,
}

impl Default for Address {
    fn default() -> Address {
        Address {
            address: "localhost:7233".to_owned(),
            namespace: NAMESPACE.to_owned(),
            task_queue: TASK_QUEUE.to_owned(),
            tls: None,
            api_key: None,
        }
    }
}

impl Address {
    /// Whether it can lead anywhere.
    pub(super) fn check(&self) -> Result<(), ClientError> {
        self.url().map(|_| ())
    }

    fn url(&self) -> Result<Url, ClientError> {
        let secure = self.tls.is_some() || self.api_key.is_some();
        let text = match self.address.contains("://") {
            true => self.address.clone(),
            false if secure => format!("https://{}", self.address),
            false => format!("http://{}", self.address),
        };
        let refuse = |reason: String| ClientError::Address { address: self.address.clone(), reason };
        let url = Url::parse(&text).map_err(|error| refuse(error.to_string()))?;
        match url.scheme() {
            "http" if secure => Err(refuse("TLS and API keys need an https:// address".to_owned())),
            "http" | "https" => Ok(url),
            other => Err(refuse(format!("{other}:// is not spoken"))),
        }
    }

    fn connection(&self) -> Result<ConnectionOptions, ClientError> {
        let url = self.url()?;
        let tls = (url.scheme() == "https").then(|| self.tls.clone().unwrap_or_default());
        let tls = tls.map(|tls| {
            let identity = tls.identity.map(|(certificate, key)| {
                ClientTlsOptions::builder()
                    .client_cert(certificate.into_bytes())
                    .client_private_key(key.expose_secret().as_bytes().to_vec())
                    .build()
            });
            TlsOptions::builder()
                .maybe_server_root_ca_cert(tls.ca.map(String::into_bytes))
                .maybe_domain(tls.server_name)
                .maybe_client_tls_options(identity)
                .build()
        });
        Ok(ConnectionOptions::new(url)
            .connect_timeout(CONNECT)
            .maybe_tls_options(tls)
            .maybe_api_key(self.api_key.as_ref().map(|key| key.expose_secret().to_owned()))
            .build())
    }
}

impl Client {
    /// Connects.
    pub async fn connect(to: &Address) -> Result<Client, ClientError> {
        let refuse = |reason| ClientError::Connect { address: to.address.clone(), reason };
        let connecting = Connection::connect(to.connection()?);
        let connection = connecting.await.map_err(|error| refuse(unconnected(&error)))?;
        let options = ClientOptions::new(to.namespace.clone()).build();
        let inner = temporalio_client::Client::new(connection, options)
            .map_err(|error| refuse(with_causes(&error)))?;
        Ok(Client { inner, task_queue: to.task_queue.as_str().into(), signalled: Arc::default() })
    }

    /// The client of the SDK.
    pub fn inner(&self) -> &temporalio_client::Client {
        &self.inner
    }

    /// The task queue.
    pub fn task_queue(&self) -> &str {
        &self.task_queue
    }

    /// Starts the workflow of the pipeline `id`; nothing happens when it runs already.
    pub async fn start(&self, id: &str, options: PipelineOptions) -> Result<(), ClientError> {
        let start = WorkflowStartOptions::new(self.task_queue.to_string(), id)
            .id_conflict_policy(WorkflowIdConflictPolicy::UseExisting)
            .build();
        match self.inner.start_workflow(PipelineWorkflow::run, Call::new(id, options), start).await {
            Ok(_) | Err(WorkflowStartError::AlreadyStarted { .. }) => Ok(()),
            Err(error) => Err(refused("start", id, &error)),
        }
    }

    /// Tells the workflow that what is wanted of the pipeline changed. Write it into the store first. `true` ends what runs;
    /// `false` also says that what failed is worth another try.
    pub async fn signal_paused(&self, id: &str, paused: bool) -> Result<(), ClientError> {
        let handle = self.handle(id);
        let signalling = handle.signal(PipelineWorkflow::paused, paused, WorkflowSignalOptions::default());
        signalling.await.map_err(|error| interaction("signal", id, error))
    }

    /// Tells the workflow that deliveries wait in the store.
    pub async fn signal_input(&self, id: &str) -> Result<(), ClientError> {
        let handle = self.handle(id);
        let signalling =
            handle.signal(PipelineWorkflow::source_input, Anything, WorkflowSignalOptions::default());
        signalling.await.map_err(|error| interaction("signal", id, error))
    }

    /// Like [`Client::signal_input`], in the background and once a second at most, however often it is called: a history has
    /// room for ten thousand signals. One that Temporal does not take is sent again.
    pub fn nudge(&self, id: &str) {
        let mut signalled = self.signalled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(again) = signalled.get_mut(id) {
            *again = true;
            return;
        }
        signalled.insert(id.to_owned(), false);
        let (client, id) = (self.clone(), id.to_owned());
        tokio::spawn(async move {
            loop {
                let lost = match client.signal_input(&id).await {
                    Ok(()) => false,
                    Err(error) => {
                        tracing::warn!(
                            pipeline = id,
                            "deliveries wait, and their pipeline was not told: {error}"
                        );
                        // A workflow that does not run looks at the store once it is started.
                        !matches!(error, ClientError::NotFound(_))
                    }
                };
                tokio::time::sleep(SIGNALS).await;
                let mut signalled = client.signalled.lock().unwrap_or_else(PoisonError::into_inner);
                match signalled.get_mut(&id) {
                    _ if lost => {}
                    Some(again) if *again => *again = false,
                    _ => {
                        signalled.remove(&id);
                        return;
                    }
                }
            }
        });
    }

    /// Cancels the workflow, which then tears down.
    pub async fn cancel(&self, id: &str) -> Result<(), ClientError> {
        let options = WorkflowCancelOptions::builder().reason("the pipeline was deleted").build();
        self.handle(id).cancel(options).await.map_err(|error| interaction("cancel", id, error))
    }

    /// How the workflow is; `None` when there never was one.
    pub async fn describe(&self, id: &str) -> Result<Option<Described>, ClientError> {
        let handle = self.handle(id);
        let described = match handle.describe(WorkflowDescribeOptions::default()).await {
            Ok(described) => described,
            Err(WorkflowInteractionError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(interaction("describe", id, error)),
        };
        let running = described.status() == WorkflowExecutionStatus::Running;
        let status = if running { self.status(id).await.ok() } else { None };
        Ok(Some(Described {
            running,
            execution: format!("{:?}", described.status()),
            run_id: described.run_id().to_owned(),
            history_length: described.history_length(),
            status,
        }))
    }

    /// What the workflow says of itself. A worker must run.
    pub async fn status(&self, id: &str) -> Result<PipelineStatus, ClientError> {
        let handle = self.handle(id);
        let asking = handle.query(PipelineWorkflow::status, (), WorkflowQueryOptions::default());
        asking.await.map_err(|error| match error {
            WorkflowQueryError::NotFound(_) => ClientError::NotFound(id.to_owned()),
            error => refused("query", id, &error),
        })
    }

    fn handle(&self, id: &str) -> WorkflowHandle<temporalio_client::Client, PipelineWorkflow> {
        self.inner.get_workflow_handle(id)
    }
}

/// Why there is no connection: what lies deepest, as what lies around it says less in more words.
fn unconnected(error: &ClientConnectError) -> String {
    if let ClientConnectError::SystemInfoCallError(status) = error {
        return format!("it answered: {}", status.message());
    }
    let mut deepest: &dyn std::error::Error = error;
    while let Some(cause) = deepest.source() {
        deepest = cause;
    }
    deepest.to_string()
}

fn interaction(what: &'static str, id: &str, error: WorkflowInteractionError) -> ClientError {
    match error {
        WorkflowInteractionError::NotFound(_) => ClientError::NotFound(id.to_owned()),
        error => refused(what, id, &error),
    }
}

fn refused(what: &'static str, id: &str, error: &dyn std::error::Error) -> ClientError {
    ClientError::Refused { what, id: id.to_owned(), reason: with_causes(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(address: &str, api_key: Option<&str>) -> Result<String, ClientError> {
        let api_key = api_key.map(SecretString::from);
        let address = Address { address: address.to_owned(), api_key, ..Address::default() };
        address.url().map(Into::into)
    }

    #[test]
    fn keys_travel_encrypted_only() {
        assert_eq!(url("localhost:7233", None).unwrap(), "http://localhost:7233/");
        assert_eq!(url("acme.tmprl.cloud:7233", Some("key")).unwrap(), "https://acme.tmprl.cloud:7233/");
        assert_eq!(url("https://temporal:443", None).unwrap(), "https://temporal/");
        for (address, key) in
            [("http://temporal:7233", Some("key")), ("ftp://temporal", None), ("http://", None)]
        {
            assert!(matches!(url(address, key), Err(ClientError::Address { .. })), "{address}");
        }
    }
}
