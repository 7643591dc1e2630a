//! The `sync-engine` binary as a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};
use stripe_simulator::Running;

use crate::database::Database;
use crate::repository;

/// The path of the binary, built once per process with the profile of the caller.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| build().unwrap_or_else(|error| panic!("building sync-engine: {error:#}")))
}

/// The path of `sync-service`, built with it.
pub fn service_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| binary().with_file_name("sync-service"))
}

/// Whether a release is built with the orchestrator on Temporal, which needs `protoc`.
static WITH_TEMPORAL: AtomicBool = AtomicBool::new(false);

/// Has the binaries built with the orchestrator on Temporal; to be called before the first use of one. Tests have it in any case.
pub fn with_temporal() {
    WITH_TEMPORAL.store(true, Ordering::Relaxed);
}

/// Fails where the binary of the service does not know Temporal.
pub fn has_temporal() -> Result<()> {
    let binary = service_binary();
    let help = Command::new(binary).args(["serve", "--help"]).output()?;
    if !String::from_utf8_lossy(&help.stdout).contains("--temporal-address") {
        bail!("{} was built without Temporal: build it with `--features service/temporal`", binary.display());
    }
    Ok(())
}

/// What the orchestrator on Temporal is built by.
const TEMPORAL: [&str; 2] = ["--features", "service/temporal"];

fn build() -> Result<PathBuf> {
    // `target/<profile>/deps/<test>` or `target/<profile>/prove`.
    let this = std::env::current_exe()?;
    let folder = this.ancestors().skip(1).find(|folder| !folder.ends_with("deps")).context("no folder")?;
    let target = folder.parent().context("no target folder")?;
    // As the caller was built: with the whole workspace's tests as `scripts/test` has them, or by itself for a release. Any other
    // choice of packages, or of features, builds most dependencies once more.
    let mut cargo = Command::new(env!("CARGO"));
    if folder.ends_with("release") {
        cargo.args(["build", "--release", "-p", "engine", "-p", "service", "-p", "e2e", "--bins"]);
        if WITH_TEMPORAL.load(Ordering::Relaxed) {
            cargo.args(TEMPORAL);
        }
    } else {
        cargo.args(["test", "--workspace", "--no-run"]).args(TEMPORAL);
    }
    cargo.arg("--quiet").arg("--target-dir").arg(target).current_dir(repository());
    let status = cargo.status()?;
    if !status.success() {
        bail!("cargo build failed: {status}");
    }
    Ok(folder.join("sync-engine"))
}

/// One `sync-engine sync`.
#[derive(Debug, Clone)]
pub struct Sync {
    api_key: String,
    source: Map<String, Value>,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Sync {
    /// From the simulator into `database`, at the simulator's API version, as fast as `rate_limit`
    /// requests per second allow, overall and on one endpoint; `None` is the default limit.
    pub fn new(simulator: &Running, database: &Database, rate_limit: Option<u32>) -> Sync {
        Sync::limited(simulator, database.flags(), rate_limit.map(|limit| (limit, limit)))
    }

    /// The same into what `flags` name.
    pub fn with_flags(simulator: &Running, flags: &[&str], rate_limit: Option<u32>) -> Sync {
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Sync::limited(simulator, flags, rate_limit.map(|limit| (limit, limit)))
    }

    /// The same at `rate` requests per second overall, and `of_each` to one endpoint.
    pub fn at(simulator: &Running, database: &Database, rate: u32, of_each: u32) -> Sync {
        Sync::limited(simulator, database.flags(), Some((rate, of_each)))
    }

    fn limited(simulator: &Running, flags: Vec<String>, limits: Option<(u32, u32)>) -> Sync {
        let mut arguments: Vec<String> =
            ["sync", "--plain", "--stripe-base-url", &simulator.url()].map(str::to_owned).into();
        arguments.extend(["--api-version".to_owned(), simulator.api_version()]);
        let mut source = Map::new();
        if let Some((rate, of_each)) = limits {
            source.insert("rate_limit".to_owned(), rate.into());
            source.insert("endpoint_rate_limit".to_owned(), of_each.into());
        }
        arguments.extend(flags);
        Sync { api_key: simulator.api_key(), source, arguments, variables: Vec::new() }
    }

    /// With these fields, of a JSON object, in the source's configuration.
    #[must_use]
    pub fn source(mut self, fields: &Value) -> Sync {
        self.source.extend(fields.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
        self
    }

    /// With a further flag.
    #[must_use]
    pub fn flag(mut self, flag: &str) -> Sync {
        self.arguments.push(flag.to_owned());
        self
    }

    /// Only these streams.
    #[must_use]
    pub fn streams(mut self, streams: &[&str]) -> Sync {
        self.arguments.extend(["--streams".to_owned(), streams.join(",")]);
        self
    }

    /// With one more flag.
    #[must_use]
    pub fn argument(mut self, flag: &str, value: &str) -> Sync {
        self.arguments.extend([flag.to_owned(), value.to_owned()]);
        self
    }

    /// With a variable of the environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Sync {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Another command with the same settings.
    #[must_use]
    pub fn command(mut self, name: &str) -> Sync {
        name.clone_into(&mut self.arguments[0]);
        self
    }

    /// Starts it; its words are kept in `words`.
    pub fn start(&self, words: &Path) -> Result<Child> {
        let out = std::fs::File::create(words)?;
        let mut command = Command::new(binary());
        command.args(&self.arguments);
        command.args(["--source-config", &Value::from(self.source.clone()).to_string()]);
        command.env_clear().env("STRIPE_API_KEY", &self.api_key);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        command.current_dir(words.parent().context("no folder")?);
        Ok(command.spawn()?)
    }

    /// Runs it to its end and fails, with its words, if it fails.
    pub async fn run(&self, words: &Path) -> Result<()> {
        let mut child = self.start(words)?;
        let status = tokio::task::spawn_blocking(move || child.wait()).await??;
        if !status.success() {
            bail!("sync-engine ended with {status}:\n{}", std::fs::read_to_string(words)?);
        }
        Ok(())
    }

    /// Runs it to its end, as [`Sync::run`], and answers what it weighed.
    pub async fn weighed(&self, words: &Path) -> Result<Weighed> {
        binary();
        let started = Instant::now();
        let mut child = self.start(words)?;
        let mut seen = Weighed::default();
        let status = loop {
            // The kernel keeps the figures itself; they are gone with the process, so the last look counts.
            seen.look(child.id());
            if let Some(status) = child.try_wait()? {
                break status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        seen.seconds = started.elapsed().as_secs_f64();
        if !status.success() {
            bail!("sync-engine ended with {status}:\n{}", std::fs::read_to_string(words)?);
        }
        Ok(seen)
    }
}

/// What a process weighed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weighed {
    /// Peak resident size, MiB.
    pub peak_mib: f64,
    /// How long it ran.
    pub seconds: f64,
    /// Processor time, in seconds.
    pub cpu_seconds: f64,
}

impl Weighed {
    fn look(&mut self, process: u32) {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{process}/{file}"));
        if let Ok(status) = read("status") {
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
            self.peak_mib = self.peak_mib.max(kib.unwrap_or(0.0) / 1024.0);
        }
        if let Ok(stat) = read("stat") {
            // After the name, in parentheses: user and system time, in hundredths of a second on every Linux.
            let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace();
            let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
            self.cpu_seconds = self.cpu_seconds.max(ticks / 100.0);
        }
    }
}
