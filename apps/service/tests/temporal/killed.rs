//! A worker that is killed, and another that goes on. The killed one is a process: this program, run again.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use service::pipeline::DesiredStatus;
use service::standing::Stage;
use service::temporal::{Address, Beat, Client, Snapshot, StepFailure, StepReport, Steps};
use tokio_util::sync::CancellationToken;

use crate::server::Server;
use crate::world::{Worker, quick};

/// Where the other process finds the server, and the folder that it shares with this one.
const SERVER: &str = "TEST_TEMPORAL_SERVER";
const FOLDER: &str = "TEST_TEMPORAL_FOLDER";

/// How many steps the backfill takes.
const CHUNKS: usize = 6;

/// A pipeline in a folder: one file for each thing that is done.
#[derive(Clone)]
struct Folder(PathBuf);

impl Folder {
    fn has(&self, name: &str) -> bool {
        self.0.join(name).exists()
    }

    fn put(&self, name: &str) {
        std::fs::write(self.0.join(name), "").unwrap();
    }

    fn chunks(&self) -> usize {
        (0..CHUNKS).take_while(|chunk| self.has(&format!("chunk-{chunk}"))).count()
    }
}

#[async_trait]
impl Steps for Folder {
    async fn run(
        &self,
        _id: &str,
        stage: Stage,
        _run_id: Option<&str>,
        _limit: Option<Duration>,
        stop: CancellationToken,
        _beat: Beat,
    ) -> Result<StepReport, StepFailure> {
        let mut report = StepReport::default();
        match stage {
            Stage::Setup => self.put("set-up"),
            Stage::Backfill => {
                let chunk = self.chunks();
                // Half-way, it takes for ever while this file is there.
                while chunk == CHUNKS / 2 && self.has("stuck") && !stop.is_cancelled() {
                    self.put("half-way");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                self.put(&format!("chunk-{chunk}"));
                report.records = 1;
                report.has_more = chunk + 1 < CHUNKS;
            }
            _ => {}
        }
        Ok(report)
    }

    async fn standing(&self, _id: &str) -> Result<Option<Snapshot>, StepFailure> {
        Ok(Some(Snapshot {
            desired: DesiredStatus::Active,
            set_up: self.has("set-up"),
            backfilled: self.chunks() == CHUNKS,
            waiting: 0,
            reconcile_due: false,
            follow_ms: None,
            problem: None,
        }))
    }
}

/// What the other process does; among the other tests it has nothing to do.
#[tokio::test(flavor = "multi_thread")]
async fn worker_process() {
    let (Ok(address), Ok(folder)) = (std::env::var(SERVER), std::env::var(FOLDER)) else {
        return;
    };
    let client = Client::connect(&Address { address, ..Address::default() }).await.unwrap();
    let _worker = Worker::start(&client, Folder(folder.into()));
    std::future::pending::<()>().await;
}

struct Process(Child);

impl Process {
    fn start(server: &Server, folder: &Path) -> Process {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::worker_process"])
            .env(SERVER, server.at().address)
            .env(FOLDER, folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Process(child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // At once, as by the kernel.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..3_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it never came to this: {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_is_replaced() {
    let server = Server::start().await;
    let client = server.client().await;
    let place = tempfile::tempdir().unwrap();
    let folder = Folder(place.path().to_owned());
    folder.put("stuck");
    let process = Process::start(&server, place.path());
    client.start("pipe_killed", quick()).await.unwrap();
    until("the backfill is half-way", || folder.has("half-way")).await;
    drop(process);
    std::fs::remove_file(place.path().join("stuck")).unwrap();
    assert_eq!(folder.chunks(), CHUNKS / 2);

    let worker = Worker::start(&client, folder.clone());
    until("another worker finishes it", || folder.chunks() == CHUNKS).await;
    worker.stop().await;
}
