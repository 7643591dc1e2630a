//! The same data on every path from source to destination: within one process, between programs, over HTTP.

use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use protocol::{ConfiguredStream, Message, Payload};
use serde_json::{Value, json};
use stripe_openapi::embedded;
use stripe_simulator::{Running, Simulator};
use tempfile::TempDir;

use crate::meter::ended_seconds;
use crate::report::{self, median};

const KEY: &str = "sk_live_simulated";
/// Requests per second that the source may make: more than it can.
const NO_LIMIT: u32 = 100_000;

/// What is moved.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Objects, half of them customers and half charges.
    #[arg(long, default_value_t = 100_000)]
    objects: u64,
    /// How often; the median counts.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Write the table into bench/README.md.
    #[arg(long)]
    publish: bool,
}

/// How records get from the source to the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    InProcess,
    Pipe,
    Programs,
    HttpSync,
    HttpReadWrite,
}

impl fmt::Display for Way {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Way::InProcess => "`sync-engine sync`, connectors in its process",
            Way::Pipe => "`source-stripe read \\| destination-sqlite write`",
            Way::Programs => "`sync-engine sync`, both connectors as programs",
            Way::HttpSync => "`POST /pipeline_sync`",
            Way::HttpReadWrite => "`POST /pipeline_read` piped into `POST /pipeline_write`",
        })
    }
}

const WAYS: [Way; 5] = [Way::InProcess, Way::Pipe, Way::Programs, Way::HttpSync, Way::HttpReadWrite];

/// Seconds on the clock and of all processors, the simulator's not among them.
type Spent = (f64, f64);

pub(crate) async fn run(options: &Options) -> Result<()> {
    let programs = build()?;
    let catalog = embedded::catalog(embedded::newest_version()).context("no embedded catalog")?;
    let half = options.objects / 2;
    let simulator = Simulator::builder(catalog).livemode(true).api_key(KEY);
    let simulator = simulator.table("customer", half).table("charge", half).start().await?;
    let work = Work::new(programs, &simulator)?;
    let mut spent: Vec<(Way, Vec<Spent>)> = WAYS.map(|way| (way, Vec::new())).into();
    for _ in 0..options.runs {
        for (way, costs) in &mut spent {
            costs.push(work.measure(*way, half * 2)?);
        }
    }
    let mut text =
        String::from("| Path | records/s | processors, µs per record | by the first |\n|---|---|---|---|\n");
    let cpu = |costs: &[Spent]| median(costs.iter().map(|(_, cpu)| *cpu));
    let floor = cpu(&spent[0].1);
    for (way, costs) in &spent {
        let records = (half * 2) as f64;
        let seconds = median(costs.iter().map(|(clock, _)| *clock));
        let line = format!(
            "| {way} | {:.0} | {:.1} | {:.2} |\n",
            records / seconds,
            cpu(costs) * 1e6 / records,
            cpu(costs) / floor
        );
        text.push_str(&line);
    }
    simulator.stop().await;
    report::publish("paths", &text, options.publish)
}

/// The folder of the programs, as they are released.
fn build() -> Result<PathBuf> {
    let engine = e2e::process::binary();
    let folder = engine.parent().context("no folder")?;
    let target = folder.parent().context("no target folder")?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--quiet", "-p", "connectors", "--bins", "--target-dir"]).arg(target);
    ensure!(cargo.current_dir(e2e::repository()).status()?.success(), "cargo build failed");
    Ok(folder.to_owned())
}

/// What all ways have in common.
struct Work {
    programs: PathBuf,
    source: Value,
    catalog: Value,
}

impl Work {
    fn new(programs: PathBuf, simulator: &Running) -> Result<Work> {
        let source = json!({
            "api_key": KEY, "api_version": simulator.api_version(), "base_url": simulator.url(),
            "rate_limit": NO_LIMIT, "endpoint_rate_limit": NO_LIMIT,
        });
        let mut discover = Command::new(programs.join("source-stripe"));
        let told = discover.args(["discover", "--config", &source.to_string()]).output()?;
        ensure!(told.status.success(), "discover: {}", String::from_utf8_lossy(&told.stderr));
        let mut streams = Vec::new();
        for line in told.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if let Payload::Catalog(catalog) = serde_json::from_slice::<Message>(line)?.payload {
                streams = catalog.streams;
            }
        }
        let wanted = streams.into_iter().filter(|stream| matches!(&*stream.name, "customer" | "charge"));
        let streams: Vec<ConfiguredStream> = wanted.map(ConfiguredStream::whole).collect();
        Ok(Work { programs, source, catalog: json!({"streams": streams}) })
    }

    fn measure(&self, way: Way, records: u64) -> Result<Spent> {
        let folder = TempDir::new()?;
        let file = folder.path().join("copy.db");
        let path = file.to_str().context("the path is not UTF-8")?;
        let write = |name: &str, value: &Value| fs::write(folder.path().join(name), value.to_string());
        let pipeline = json!({
            "source": {"type": "stripe", "stripe": self.source},
            "destination": {"type": "sqlite", "sqlite": {"path": path}},
            "streams": [{"name": "customer"}, {"name": "charge"}],
        });
        write("source.json", &self.source)?;
        write("destination.json", &json!({"path": path}))?;
        write("catalog.json", &self.catalog)?;
        write("pipeline.json", &json!({"pipeline": pipeline}))?;
        let server = match way {
            Way::HttpSync | Way::HttpReadWrite => Some(self.serve(folder.path())?),
            _ => None,
        };
        let url = server.as_ref().map_or("", |(_, url)| url);
        let (cpu, started) = (ended_seconds()?, Instant::now());
        self.shell(&self.script(way, url), folder.path())?;
        let clock = started.elapsed().as_secs_f64();
        if let Some((mut server, _)) = server {
            server.kill()?;
            server.wait()?;
        }
        let spent = (clock, ended_seconds()? - cpu);
        let mut rows = 0;
        for table in ["customer", "charge"] {
            rows += count(&file, table)?;
        }
        ensure!(rows == records, "{way}: {rows} rows instead of {records}");
        Ok(spent)
    }

    fn script(&self, way: Way, url: &str) -> String {
        let engine = self.programs.join("sync-engine");
        let engine = engine.display();
        let (source, destination) =
            (self.programs.join("source-stripe"), self.programs.join("destination-sqlite"));
        let (source, destination) = (source.display(), destination.display());
        let common = "--streams customer,charge --plain --source-config source.json \
                      --destination-config destination.json";
        match way {
            Way::InProcess => format!("{engine} sync --destination sqlite {common}"),
            Way::Pipe => format!(
                "{destination} setup --config destination.json --catalog catalog.json && \
                 {source} read --config source.json --catalog catalog.json </dev/null | \
                 {destination} write --config destination.json --catalog catalog.json"
            ),
            Way::Programs => {
                let map = json!({
                    "source-outside": source.to_string(), "destination-outside": destination.to_string(),
                });
                format!(
                    "{engine} --connectors-from-command-map '{map}' sync --source outside --destination outside {common}"
                )
            }
            Way::HttpSync => format!("{} && {}", post(url, "setup"), post(url, "sync")),
            Way::HttpReadWrite => format!(
                "{} && (cat pipeline.json; echo; {}) | curl -sSN -f -T - -X POST \
                 -H 'content-type: application/x-ndjson' {url}/pipeline_write",
                post(url, "setup"),
                post(url, "read")
            ),
        }
    }

    fn shell(&self, script: &str, folder: &Path) -> Result<()> {
        let said = fs::File::create(folder.join("said"))?;
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).current_dir(folder).stdin(Stdio::null());
        let status = shell.stdout(fs::File::create(folder.join("out"))?).stderr(said).status()?;
        let words = fs::read_to_string(folder.join("said"))?;
        ensure!(status.success(), "{script}: {status}\n{words}");
        Ok(())
    }

    fn serve(&self, folder: &Path) -> Result<(Child, String)> {
        let mut serve = Command::new(self.programs.join("sync-engine"));
        serve.args(["serve", "--port", "0"]).current_dir(folder).env("LOG_LEVEL", "warn");
        let mut child = serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let stderr = child.stderr.take().context("no stderr")?;
        let mut lines = BufReader::new(stderr).lines();
        let url = loop {
            let line = lines.next().context("the server ended before it listened")??;
            let found = line.split_whitespace().find(|word| word.starts_with("http://"));
            if let Some(url) = found.filter(|_| line.contains("Listening on")) {
                break url.trim_end_matches(',').to_owned();
            }
        };
        // What it says further must not block it.
        std::thread::spawn(move || lines.for_each(drop));
        Ok((child, url))
    }
}

fn post(url: &str, what: &str) -> String {
    format!(
        "curl -sSN -f -X POST -H 'content-type: application/json' -d @pipeline.json {url}/pipeline_{what}"
    )
}

/// Rows of a table in a SQLite file.
fn count(file: &Path, table: &str) -> Result<u64> {
    let database = rusqlite::Connection::open(file)?;
    let rows: i64 = database.query_row(&format!("SELECT count(*) FROM \"{table}\""), [], |row| row.get(0))?;
    Ok(rows.cast_unsigned())
}
