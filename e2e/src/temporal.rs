//! Temporal as the service's orchestrator, with its workers: what else can be killed or cut off.

use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::Value;
use test_utils::temporal::Server;

/// So many workers share the work.
const WORKERS: usize = 2;

/// Temporal's development server, and workers of the service.
pub(crate) struct Temporal {
    server: Server,
    workers: [Option<Child>; WORKERS],
}

impl Temporal {
    /// The server, without workers so far.
    pub(crate) async fn start() -> Temporal {
        Temporal { server: Server::start().await, workers: [const { None }; WORKERS] }
    }

    /// Where the server is.
    pub(crate) fn address(&self) -> String {
        self.server.address()
    }

    /// Starts the workers that do not run.
    pub(crate) fn work(&mut self, worker: impl Fn() -> Result<Command>) -> Result<()> {
        for place in &mut self.workers {
            if place.is_none() {
                *place = Some(worker()?.spawn()?);
            }
        }
        Ok(())
    }

    /// Fails where a worker ended by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        for worker in self.workers.iter_mut().flatten() {
            if let Some(status) = worker.try_wait()? {
                bail!("a worker ended by itself with {status}");
            }
        }
        Ok(())
    }

    /// Kills the server and the workers, each by chance, or stops them for a while, which is how they look when they are cut
    /// off. Answers how many were killed; whoever was is started again by [`Temporal::mend`] and [`Temporal::work`].
    pub(crate) async fn harm(&mut self, random: &mut StdRng) -> Result<u64> {
        let mut kills = 0;
        let mut frozen = Vec::new();
        if random.random_bool(0.3) {
            self.server.kill();
            kills += 1;
        } else if random.random_bool(0.2) {
            frozen.push(self.server.process_id());
        }
        for place in &mut self.workers {
            if random.random_bool(0.4) {
                end(place)?;
                kills += 1;
            } else if let Some(worker) = place.as_ref().filter(|_| random.random_bool(0.2)) {
                frozen.push(worker.id());
            }
        }
        for process in &frozen {
            signal("-STOP", *process)?;
        }
        // Longer than a lease now and then: somebody else may work on the pipeline when it wakes.
        let most = if random.random_bool(0.2) { 13_000 } else { 2_000 };
        if !frozen.is_empty() {
            tokio::time::sleep(Duration::from_millis(random.random_range(0..most))).await;
        }
        for process in &frozen {
            signal("-CONT", *process)?;
        }
        Ok(kills)
    }

    /// Starts the server again, if it does not run; nobody waits until it answers.
    pub(crate) fn mend(&mut self) {
        self.server.launch();
    }

    /// Waits until the server answers.
    pub(crate) async fn answers(&mut self) {
        self.server.restart().await;
    }

    /// Fails where a workflow ended: each goes on as long as its pipeline.
    pub(crate) fn runs(&self, pipeline: &str) -> Result<()> {
        let query = format!("WorkflowId = '{pipeline}'");
        let listed = self.server.ask(&["workflow", "list", "--output", "json", "--query", &query]);
        let listed: Vec<Value> = serde_json::from_str(&listed.map_err(anyhow::Error::msg)?)?;
        let states: Vec<&str> = listed.iter().filter_map(|run| run["status"].as_str()).collect();
        let expected = ["WORKFLOW_EXECUTION_STATUS_RUNNING", "WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW"];
        ensure!(
            states.contains(&expected[0]) && states.iter().all(|state| expected.contains(state)),
            "the runs of the workflow are {states:?}"
        );
        Ok(())
    }
}

impl Drop for Temporal {
    fn drop(&mut self) {
        for place in &mut self.workers {
            // It may have ended by itself.
            let _ = end(place);
        }
    }
}

fn end(place: &mut Option<Child>) -> Result<()> {
    if let Some(mut child) = place.take() {
        child.kill()?;
        child.wait()?;
    }
    Ok(())
}

fn signal(name: &str, process: u32) -> Result<()> {
    let sent = Command::new("kill").args([name, &process.to_string()]).status()?;
    ensure!(sent.success(), "kill {name} {process}: {sent}");
    Ok(())
}
