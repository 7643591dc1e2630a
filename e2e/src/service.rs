//! The service, killed at random while the account changes and webhooks arrive. In the end every table equals Stripe's, and every
//! webhook that was acknowledged was applied.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::{Client, StatusCode};
use ring::hmac;
use serde_json::{Value, json};
use stripe_openapi::embedded;
use stripe_simulator::{Control, Running, Simulator};
use tempfile::TempDir;
use test_utils::postgres::Cluster;

use crate::chaos::{self, Survived, TABLES, faults};
use crate::database::Database;
use crate::process;
use crate::temporal::Temporal;

/// How long the service may take to answer after a start.
const START: Duration = Duration::from_secs(20);

/// How long until what was acknowledged is applied, after the last kill.
const PATIENCE: Duration = Duration::from_secs(90);

/// How much longer it takes on Temporal, which notices by the clock alone that a worker is dead.
const SILENCE: Duration = Duration::from_secs(90);

const PIPELINE: &str = "pipe_chaos";

/// The master key of all processes of a run.
const MASTER_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Where the service keeps its pipelines.
#[derive(Debug, Clone)]
pub enum Kept {
    /// In a file.
    File,
    /// In this database.
    Postgres(String),
}

/// Who decides what is done when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// The process that serves.
    Process,
    /// Temporal, by workers.
    Temporal,
}

/// What a service has survived.
#[derive(Debug, Default)]
pub struct Served {
    /// Changes, kills and rows.
    pub survived: Survived,
    /// Webhooks that were acknowledged, and found applied.
    pub acknowledged: u64,
    /// Webhooks that were not answered, or refused.
    pub refused: u64,
}

impl Served {
    /// Adds what another run has seen.
    pub fn add(&mut self, other: &Served) {
        self.survived.changes += other.survived.changes;
        self.survived.kills += other.survived.kills;
        self.survived.rows += other.survived.rows;
        self.acknowledged += other.acknowledged;
        self.refused += other.refused;
    }
}

/// One service, which can be killed and started again.
pub(crate) struct Service {
    folder: PathBuf,
    kept: Kept,
    port: u16,
    child: Option<Child>,
    client: Client,
    temporal: Option<Temporal>,
}

impl Service {
    /// A service over this store, in this folder, which does not run yet.
    pub(crate) fn new(folder: &Path, kept: &Kept) -> Result<Service> {
        // Clients want a provider of TLS; a second one changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let client = Client::builder().timeout(Duration::from_secs(10)).build()?;
        Ok(Service {
            folder: folder.to_owned(),
            kept: kept.clone(),
            port,
            child: None,
            client,
            temporal: None,
        })
    }

    /// Starts it, and those workers that do not run.
    pub(crate) fn start(&mut self) -> Result<()> {
        let mut command = self.command("serve")?;
        self.child = Some(command.args(["--port", &self.port.to_string()]).spawn()?);
        self.work()
    }

    /// Starts those workers that do not run.
    fn work(&mut self) -> Result<()> {
        let Some(mut temporal) = self.temporal.take() else { return Ok(()) };
        let address = temporal.address();
        let started = temporal.work(|| {
            let mut command = self.command("worker")?;
            command.args(["--temporal-address", &address]);
            Ok(command)
        });
        self.temporal = Some(temporal);
        started
    }

    /// Starts again what else was killed.
    fn mend(&mut self) -> Result<()> {
        if let Some(temporal) = &mut self.temporal {
            temporal.check()?;
            temporal.mend();
        }
        self.work()
    }

    /// The program over the store.
    fn command(&self, word: &str) -> Result<Command> {
        let words = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.join("words"))?;
        let mut command = Command::new(process::service_binary());
        command.args([word, "--allow-private-addresses", "--allow-any-path", "--follow-interval", "1"]);
        command.arg("--data-dir").arg(self.folder.join("data"));
        command.env_clear().env("SYNC_SERVICE_MASTER_KEY", MASTER_KEY).env("LOG_LEVEL", "warn");
        if let Kept::Postgres(url) = &self.kept {
            command.env("SERVICE_STORE", url);
        }
        if let Some(temporal) = &self.temporal {
            command.env("TEMPORAL_ADDRESS", temporal.address());
        }
        command.stdin(Stdio::null()).stdout(words.try_clone()?).stderr(words).current_dir(&self.folder);
        Ok(command)
    }

    pub(crate) fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) async fn answers(&mut self) -> Result<()> {
        for _ in 0..START.as_millis() / 50 {
            if self
                .client
                .get(self.url("/ready"))
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                return Ok(());
            }
            if let Some(status) = self.child.as_mut().map(Child::try_wait).transpose()?.flatten() {
                bail!("the service ended by itself with {status}:\n{}", self.words());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the service does not answer:\n{}", self.words())
    }

    fn words(&self) -> String {
        std::fs::read_to_string(self.folder.join("words")).unwrap_or_default()
    }

    pub(crate) async fn get(&self, id: &str) -> Result<Value> {
        Ok(self.client.get(self.url(&format!("/pipelines/{id}"))).send().await?.json().await?)
    }

    /// Creates a pipeline.
    pub(crate) async fn create(&self, query: &str, pipeline: &Value) -> Result<()> {
        let answer = self.client.post(self.url(&format!("/pipelines{query}"))).json(pipeline).send().await?;
        let status = answer.status();
        ensure!(status == StatusCode::CREATED, "creating the pipeline: {status} {}", answer.text().await?);
        Ok(())
    }

    /// Posts an event as Stripe does; answers whether it was acknowledged.
    async fn push(&self, event: &Value) -> bool {
        let body = event.to_string();
        let request = self.client.post(self.url(&format!("/webhooks/{PIPELINE}")));
        let request = request.header("stripe-signature", signature(&body)).body(body);
        request.send().await.is_ok_and(|answer| answer.status() == StatusCode::OK)
    }
}

/// The signature of a body that is posted now.
pub(crate) fn signature(body: &str) -> String {
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let digest = hmac::sign(&key, format!("{now}.{body}").as_bytes());
    let digits: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={now},v1={digits}")
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Lets `seed` decide what happens, and compares in the end. Fails with what differs or was lost. Of `cluster` connections are ended
/// and, on Temporal, servers killed: it is to be the run's own there.
pub async fn survive(
    seed: u64,
    database: &Database,
    kept: &Kept,
    on: On,
    cluster: Option<&Cluster>,
) -> Result<Served> {
    let mut random = StdRng::seed_from_u64(seed);
    let simulator = account(seed, &mut random).await?;
    let control = simulator.control();
    let folder = TempDir::new()?;
    let mut service = Service::new(folder.path(), kept)?;
    if on == On::Temporal {
        process::has_temporal()?;
        service.temporal = Some(Temporal::start().await);
    }
    service.start()?;
    service.answers().await?;
    create(&service, &simulator, database).await?;
    let told = run(&mut random, &mut service, &control, cluster).await;
    let ended = match told {
        Ok(served) => conclude(&mut service, &control, database, served).await,
        Err(error) => Err(error),
    };
    let now = service.get(PIPELINE).await.unwrap_or_default();
    service.kill()?;
    simulator.stop().await;
    ended.with_context(|| {
        format!(
            "seed {seed}, replay with `prove service --seed {seed} --seeds 1`{}\n{}\n{}",
            if on == On::Temporal { " and `--on temporal`" } else { "" },
            service.words(),
            json!({"status": now["status"], "error": now["error"], "failed": now["failed_streams"], "waiting": now["waiting_deliveries"]})
        )
    })
}

async fn account(seed: u64, random: &mut StdRng) -> Result<Running> {
    let catalog = embedded::catalog(embedded::newest_version()).context("no catalog")?;
    let mut builder = Simulator::builder(catalog).seed(seed).latency(1, 10).long_lists(10).unsaid_changes(0);
    for table in ["customer", "product", "price", "coupon", "subscription", "invoice", "charge"] {
        builder = builder.table(table, random.random_range(5..60));
    }
    let simulator = builder.late_events(0.2, 3).start().await?;
    Ok(simulator)
}

/// The secret of the endpoint, given so that events can be signed here, too.
pub(crate) const SECRET: &str = "whsec_chaoschaoschaos";

async fn create(service: &Service, simulator: &Running, database: &Database) -> Result<()> {
    let (kind, config) = match database {
        Database::Sqlite(path) => ("sqlite", json!({"path": path})),
        Database::Postgres(url) => ("postgres", json!({"url": url, "schema": "stripe"})),
    };
    let streams: Vec<Value> = TABLES.iter().map(|name| json!({"name": name})).collect();
    let source = json!({
        "api_key": simulator.api_key(), "base_url": simulator.url(), "api_version": simulator.api_version(),
        "rate_limit": 2000, "endpoint_rate_limit": 2000, "events_lag": 1, "poll_interval": 1, "webhook_secret": SECRET,
    });
    let pipeline = json!({
        "id": PIPELINE, "streams": streams,
        "source": {"type": "stripe", "stripe": source},
        "destination": {"type": kind, kind: config},
    });
    service.create("", &pipeline).await
}

async fn run(
    random: &mut StdRng,
    service: &mut Service,
    control: &Control,
    cluster: Option<&Cluster>,
) -> Result<Told> {
    let mut told = Told::default();
    for round in 0..random.random_range(4..9_u64) {
        control.clear_faults();
        for fault in faults(random) {
            control.add_fault(fault);
        }
        told.changes += control.stir(random.random(), random.random_range(3..40))?.len() as u64;
        told.push(round, random, service, control).await?;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..2_000))).await;
        if let Some(cluster) = cluster.filter(|_| random.random_bool(0.4)) {
            if service.temporal.is_some() && random.random_bool(0.3) {
                cluster.restart();
                told.kills += 1;
            } else {
                cluster.kill_backends().await;
            }
        }
        if let Some(temporal) = &mut service.temporal {
            told.kills += temporal.harm(random).await?;
            if random.random_bool(0.5) {
                // Some arrive while nobody works.
                told.push(100 + round, random, service, control).await?;
            }
        }
        if random.random_bool(0.6) {
            // Some are on their way while it dies.
            let changes = random.random_range(0..20);
            service.kill()?;
            told.kills += 1;
            told.changes += control.stir(random.random(), changes)?.len() as u64;
            tokio::time::sleep(Duration::from_millis(random.random_range(0..500))).await;
            service.start()?;
            service.answers().await?;
        }
        service.mend()?;
    }
    control.clear_faults();
    Ok(told)
}

/// What was done so far.
#[derive(Default)]
struct Told {
    changes: u64,
    kills: u64,
    acknowledged: Vec<String>,
    refused: u64,
}

impl Told {
    /// Posts what some customers are now, as events of their own.
    async fn push(
        &mut self,
        round: u64,
        random: &mut StdRng,
        service: &Service,
        control: &Control,
    ) -> Result<()> {
        let ids = control.ids("customer")?;
        let count = if ids.is_empty() { 0 } else { random.random_range(1..30_u64) };
        for number in 0..count {
            let id = &ids[random.random_range(0..ids.len())];
            let Some(customer) = control.get("customer", id)? else { continue };
            // Those of a test clock go with it, without a word of each.
            if customer["test_clock"].is_string() {
                continue;
            }
            let event = format!("evt_pushed_{round}_{number}");
            let body = json!({
                "id": event, "object": "event", "type": "customer.updated", "created": control.now(), "livemode": false,
                "api_version": embedded::newest_version(), "data": {"object": customer}, "pending_webhooks": 1, "request": null,
            });
            match service.push(&body).await {
                true => self.acknowledged.push(event),
                false => self.refused += 1,
            }
        }
        Ok(())
    }
}

async fn conclude(
    service: &mut Service,
    control: &Control,
    database: &Database,
    told: Told,
) -> Result<Served> {
    if let Some(temporal) = &mut service.temporal {
        temporal.answers().await;
    }
    let more = if service.temporal.is_some() { SILENCE } else { Duration::ZERO };
    chaos::settle(control, database, chaos::PATIENCE + more).await?;
    let mut lost = told.acknowledged.clone();
    for _ in 0..(PATIENCE + more).as_millis() / 200 {
        let applied = applied(service, &lost).await?;
        lost.retain(|event| !applied.contains(event));
        if lost.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    ensure!(lost.is_empty(), "{} acknowledged webhooks were not applied, e.g. {}", lost.len(), lost[0]);
    // Nothing that is still on its way changes what is right.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let rows = chaos::equal(control, database).await?;
    let status = service.get(PIPELINE).await?["status"].clone();
    ensure!(status == "ready", "the copy is right, but the pipeline says {status}");
    if let Some(temporal) = &mut service.temporal {
        temporal.check()?;
        temporal.runs(PIPELINE)?;
    }
    let survived = Survived { changes: told.changes, kills: told.kills, rows };
    Ok(Served { survived, acknowledged: told.acknowledged.len() as u64, refused: told.refused })
}

/// Which of these events the service says are applied.
async fn applied(service: &Service, events: &[String]) -> Result<Vec<String>> {
    let mut applied = Vec::new();
    for event in events {
        let url = service.url(&format!("/pipelines/{PIPELINE}/wait?event={event}&timeout=0"));
        if service.client.get(url).send().await?.status() == StatusCode::OK {
            applied.push(event.clone());
        }
    }
    Ok(applied)
}
