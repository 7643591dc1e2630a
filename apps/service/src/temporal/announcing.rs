//! What Temporal is told: what the API changes, what was delivered, and, of both, what it did not hear.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use tokio_util::sync::CancellationToken;

use super::client::{Client, ClientError};
use super::link::Link;
use super::options::PipelineOptions;
use crate::orchestrator::{Due, Pace, due};
use crate::pipeline::DesiredStatus;
use crate::service::Announce;
use crate::store::{Store, StoreError};

/// How often it is looked for what Temporal did not hear.
const LOOK: Duration = Duration::from_secs(1);

/// How often all pipelines are looked at, for those that nobody carries on.
const SWEEP: Duration = Duration::from_secs(60);

/// What has been due for so long, in milliseconds, without anybody at work on it, was forgotten.
const OVERDUE: i64 = 60_000;

/// So many pipelines are told of at once.
const AT_ONCE: usize = 16;

/// Tells the workflows of what the API changes. Cloning shares it.
#[derive(Clone)]
pub struct Workflows {
    link: Link,
    options: PipelineOptions,
    /// Pipelines whose workflows have not heard what is wanted of them.
    untold: Arc<Mutex<HashSet<String>>>,
}

impl Workflows {
    /// Workflows that are started with these options.
    pub fn new(link: Link, options: PipelineOptions) -> Workflows {
        Workflows { link, options, untold: Arc::default() }
    }

    /// Until `stop`: tells again what was not heard, which after a start may be of any pipeline; and has workflows started, or woken,
    /// where something is due that nobody does. One process that knows the pace is enough for that.
    pub async fn tend(&self, store: &Store, pace: &Pace, stop: CancellationToken) {
        self.look_after(store, Some(pace), stop).await;
    }

    /// Until `stop`: tells again what was not heard of what this process told.
    pub async fn repeat(&self, store: &Store, stop: CancellationToken) {
        self.look_after(store, None, stop).await;
    }

    /// With a pace, pipelines that nobody carries on are looked for as well.
    async fn look_after(&self, store: &Store, pace: Option<&Pace>, stop: CancellationToken) {
        let tending = async {
            let mut swept = None;
            loop {
                let sweep = swept.is_none_or(|at: tokio::time::Instant| at.elapsed() >= SWEEP);
                if let Some(pace) = pace.filter(|_| sweep) {
                    match self.sweep(store, pace, swept.is_none()).await {
                        Ok(()) => swept = Some(tokio::time::Instant::now()),
                        Err(error) => tracing::warn!(error = %error, "the store cannot be looked at"),
                    }
                }
                self.tell_again(store).await;
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tending => {}
        }
    }

    /// Looks at all pipelines. What was told before the start of this process is not known: `first` tells all of them.
    async fn sweep(&self, store: &Store, pace: &Pace, first: bool) -> Result<(), StoreError> {
        let (records, now) = (store.all().await?, store.now().await?);
        if first {
            self.untold().extend(records.iter().map(|record| record.pipeline.id.clone()));
            return Ok(());
        }
        let overdue = |record: &&crate::store::Record| {
            record.working.is_none() && matches!(due(record, now - OVERDUE, pace), Due::Now(_))
        };
        for record in records.iter().filter(overdue) {
            let id = &record.pipeline.id;
            let woken = async {
                let client = self.link.now()?;
                client.start(id, self.options.clone()).await?;
                client.signal_input(id).await
            };
            if let Err(error) = woken.await {
                tracing::warn!(pipeline = id, error = %error, "nobody carries the pipeline on");
            }
        }
        Ok(())
    }

    /// Tells what was not heard; what fails again stays for the next time.
    async fn tell_again(&self, store: &Store) {
        let untold: Vec<String> = self.untold().iter().cloned().collect();
        let Ok(client) = self.link.now() else { return };
        let telling = untold.into_iter().map(|id| {
            let client = &client;
            async move {
                // Taken off first: what changes meanwhile is told by whoever changes it.
                self.untold().remove(&id);
                let told = match store.glance(&id).await {
                    Ok(None) => return,
                    Ok(Some(record)) => {
                        let desired = record.pipeline.desired_status;
                        tell(client, &self.options, &id, desired).await.map_err(|error| error.to_string())
                    }
                    Err(error) => Err(error.to_string()),
                };
                if let Err(error) = told {
                    tracing::warn!(pipeline = id, error, "its workflow could not be told yet");
                    self.untold().insert(id);
                }
            }
        });
        futures::stream::iter(telling).buffer_unordered(AT_ONCE).collect::<()>().await;
    }

    fn untold(&self) -> MutexGuard<'_, HashSet<String>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the workflow of the pipeline what is wanted of it; one that does not run is started.
async fn tell(
    client: &Client,
    options: &PipelineOptions,
    id: &str,
    desired: DesiredStatus,
) -> Result<(), ClientError> {
    let told = match desired {
        DesiredStatus::Deleted => client.cancel(id).await,
        desired => client.signal_paused(id, desired == DesiredStatus::Paused).await,
    };
    match told {
        // Also one that is deleted wants a workflow: it tears down.
        Err(ClientError::NotFound(_)) => client.start(id, options.clone()).await,
        told => told,
    }
}

impl Announce for Workflows {
    fn wanted(&self, id: &str, desired: DesiredStatus) -> BoxFuture<'static, Result<(), String>> {
        let (this, id) = (self.clone(), id.to_owned());
        async move {
            let told = match this.link.now() {
                Ok(client) => tell(&client, &this.options, &id, desired).await,
                Err(error) => Err(error),
            };
            told.map_err(|error| {
                this.untold().insert(id);
                error.to_string()
            })
        }
        .boxed()
    }

    fn delivered(&self, id: &str) -> BoxFuture<'static, Result<(), String>> {
        match self.link.now() {
            Ok(client) => client.nudge(id),
            // Once there is a connection every pipeline is told of that waits.
            Err(_) => {
                self.untold().insert(id.to_owned());
            }
        }
        std::future::ready(Ok(())).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Pipeline;
    use crate::temporal::Address;
    use crate::vault::{MasterKeys, Vault};
    use protocol::ConnectorConfig;

    /// What is still to be told after a moment, where Temporal cannot be reached, by a process that told of nothing.
    async fn untold(pace: Option<&Pace>) -> HashSet<String> {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::new(MasterKeys::parse(&"0123456789abcdef".repeat(4), "the test").unwrap());
        let store = Store::file(&folder.path().join("service.db"), vault).await.unwrap();
        let connector = |name: &str| ConnectorConfig::new(name, serde_json::Map::new());
        let pipeline = Pipeline {
            id: "shop".to_owned(),
            name: None,
            source: connector("stripe"),
            destination: connector("sqlite"),
            streams: None,
            transforms: None,
            desired_status: DesiredStatus::Active,
        };
        store.create(&pipeline).await.unwrap();
        let to = Address {
            address: "127.0.0.1:1".to_owned(),
            namespace: "default".to_owned(),
            task_queue: "none".to_owned(),
            tls: None,
            api_key: None,
        };
        let workflows = Workflows::new(Link::open(to).unwrap(), PipelineOptions::default());
        let looking = workflows.look_after(&store, pace, CancellationToken::new());
        assert!(tokio::time::timeout(Duration::from_millis(500), looking).await.is_err());
        workflows.untold().clone()
    }

    #[tokio::test]
    async fn only_who_knows_the_pace_looks_for_pipelines_that_nobody_carries_on() {
        assert_eq!(untold(Some(&Pace::default())).await, HashSet::from(["shop".to_owned()]));
        assert_eq!(untold(None).await, HashSet::new());
    }
}
