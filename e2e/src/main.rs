//! The long runs, with figures: `cargo run --release -p e2e --bin prove -- --help`.

use std::num::NonZeroUsize;
use std::ops::Range;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand, ValueEnum};
use e2e::database::Database;
use e2e::{chaos, crowd, economy, evolve, fidelity, kill, limiter, memory, rules, service, sheets, webhooks};
use futures::StreamExt;
use stripe_simulator::Distribution;
use tempfile::TempDir;
use test_utils::postgres::Cluster;

/// Proves at full length what the tests check in a short slice.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Copy, ValueEnum)]
enum Target {
    Sqlite,
    Postgres,
}

#[derive(Clone, Copy, ValueEnum)]
enum Orchestrator {
    Process,
    Temporal,
}

#[derive(Subcommand)]
enum What {
    /// Every table equals Stripe's truth.
    Fidelity {
        #[arg(long, default_value_t = 100_000)]
        objects: u64,
        /// API versions; default newest, 2020-08-27 and oldest.
        #[arg(long)]
        version: Vec<String>,
        #[arg(long, value_enum, default_value = "postgres")]
        into: Target,
    },
    /// Runs that are killed at random moments resume without a gap.
    Kill {
        #[arg(long, default_value_t = 50)]
        seeds: u64,
        /// The first seed; a failing one replays with `--seeds 1`.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[arg(long, default_value_t = 10_000)]
        objects: u64,
        /// API version; default newest.
        #[arg(long)]
        version: Option<String>,
        #[arg(long, value_enum, default_value = "postgres")]
        into: Target,
    },
    /// A spreadsheet is written by runs that are killed, and edited by hand in between.
    Sheets {
        #[arg(long, default_value_t = 50)]
        seeds: u64,
        /// The first seed; a failing one replays with `--seeds 1`.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[arg(long, default_value_t = 8_000)]
        objects: u64,
    },
    /// A table goes into a spreadsheet in few requests, within Google's quota.
    Quota {
        #[arg(long, default_value_t = 50_000)]
        rows: u64,
    },
    /// Writers that are killed, and servers that crash, at every point of a transaction lose nothing.
    Exactness {
        #[arg(long, default_value_t = 200)]
        seeds: u64,
    },
    /// Live syncs of accounts that change, through faults and kills, end equal to Stripe.
    Chaos {
        #[arg(long, default_value_t = 200)]
        seeds: u64,
        /// The first seed; a failing one replays with `--seeds 1`.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Seeds at the same time.
        #[arg(long, default_value_t = 6)]
        at_once: usize,
        #[arg(long, value_enum, default_value = "sqlite")]
        into: Target,
    },
    /// The service is killed while accounts change and webhooks arrive; copies end equal to Stripe, and no webhook that was
    /// acknowledged is lost.
    Service {
        #[arg(long, default_value_t = 100)]
        seeds: u64,
        /// The first seed; a failing one replays with `--seeds 1`.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Who orchestrates; on Temporal its server and the workers are killed, and cut off, as well.
        #[arg(long, value_enum, default_value = "process")]
        on: Orchestrator,
        /// Seeds at the same time; in PostgreSQL one, except on Temporal.
        #[arg(long, default_value_t = 4)]
        at_once: usize,
        /// Where copies and the service's own store are.
        #[arg(long, value_enum, default_value = "sqlite")]
        into: Target,
    },
    /// Webhooks under load: how fast they are acknowledged, and whether all are stored.
    Webhooks {
        /// Webhooks a second.
        #[arg(long, default_value_t = 2000)]
        rate: u32,
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        /// Where the service's store is.
        #[arg(long, value_enum, default_value = "sqlite")]
        into: Target,
    },
    /// Many pipelines of one account use up its limit, and none of them starves.
    Crowd {
        #[arg(long, default_value = "200")]
        pipelines: NonZeroUsize,
        /// Requests per second of all of them together.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        #[arg(long, default_value_t = 540, value_parser = clap::value_parser!(u64).range(2..))]
        seconds: u64,
        /// Processes of the service; several have their store in PostgreSQL, by which they share the limit.
        #[arg(long, default_value = "1")]
        processes: NonZeroUsize,
    },
    /// Requests against the floor, and use of the rate limit, for one stream.
    Economy {
        #[arg(long, default_value_t = 100_000)]
        objects: u64,
        /// Requests per second that the simulated endpoint allows.
        #[arg(long, default_value_t = 25)]
        rate: u32,
        #[arg(long, default_value_t = 200)]
        latency_ms: u64,
    },
    /// The rate limit is used up alone and beside another client, and hardly ever exceeded.
    Limiter {
        /// Seconds alone, then beside another client that uses half of the limit, then alone again.
        #[arg(long, default_value_t = 60)]
        phase: u64,
        #[arg(long, default_value_t = 200)]
        latency_ms: u64,
    },
    /// Two processes share one limit through PostgreSQL.
    Share {
        #[arg(long, default_value_t = 200_000)]
        objects: u64,
        #[arg(long, default_value_t = 100)]
        latency_ms: u64,
    },
    /// A backfill of all streams takes what its requests take at the limit.
    Backfill {
        #[arg(long, default_value_t = 1_000_000)]
        objects: u64,
        #[arg(long, default_value_t = 200)]
        latency_ms: u64,
        /// Requests per second; a quarter of it to each list.
        #[arg(long, default_value_t = 100)]
        rate: u32,
    },
    /// Each rule of fidelity has a test that fails once the rule is switched off, in a copy of the code.
    Rules {
        /// Only these, e.g. `U4`; default all.
        #[arg(long)]
        rule: Vec<String>,
        /// Write the page of rules, docs/fidelity.md, instead.
        #[arg(long)]
        document: bool,
    },
    /// A large table gains columns while others read and write it, and they never wait for long.
    Evolve {
        #[arg(long, default_value_t = 1_000_000)]
        rows: i64,
    },
    /// Peak memory of small and large syncs.
    Memory {
        #[arg(long, default_values_t = [10_000, 1_000_000])]
        objects: Vec<u64>,
        /// Requests per second; default the engine's own, 80.
        #[arg(long)]
        rate: Option<u32>,
        #[arg(long, value_enum, default_value = "postgres")]
        into: Target,
    },
}

/// A store for a service.
async fn kept(into: Target) -> service::Kept {
    match into {
        Target::Sqlite => service::Kept::File,
        Target::Postgres => service::Kept::Postgres(test_utils::postgres::shared_database().await),
    }
}

/// A fresh database, and what keeps it.
async fn fresh(target: Target) -> Result<(Database, TempDir)> {
    let folder = TempDir::new()?;
    let database = match target {
        Target::Sqlite => Database::Sqlite(folder.path().join("stripe.db")),
        Target::Postgres => Database::Postgres(test_utils::postgres::shared_database().await),
    };
    Ok((database, folder))
}

/// Lets these seeds decide what happens to a service; prints what it survived, and fails where it did not.
#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
async fn prove_service(seeds: Range<u64>, on: service::On, at_once: usize, into: Target) -> Result<()> {
    if on == service::On::Temporal {
        e2e::process::with_temporal();
    }
    e2e::process::service_binary();
    let shared = on == service::On::Process && matches!(into, Target::Postgres);
    // One server for all: whoever ends its connections ends those of the others, too.
    let at_once = if shared { 1 } else { at_once };
    let count = seeds.end - seeds.start;
    let runs = seeds.map(|seed| async move {
        if on == service::On::Process {
            let (database, _folder) = fresh(into).await?;
            let cluster = shared.then(test_utils::postgres::shared_cluster);
            let seen = service::survive(seed, &database, &kept(into).await, on, cluster).await;
            return Ok::<_, anyhow::Error>((seed, seen));
        }
        let folder = TempDir::new()?;
        let cluster = matches!(into, Target::Postgres).then(Cluster::start);
        let (database, kept) = match &cluster {
            None => (Database::Sqlite(folder.path().join("stripe.db")), service::Kept::File),
            Some(cluster) => (
                Database::Postgres(cluster.database("copy").await),
                service::Kept::Postgres(cluster.database("store").await),
            ),
        };
        Ok((seed, service::survive(seed, &database, &kept, on, cluster.as_ref()).await))
    });
    let mut runs = futures::stream::iter(runs).buffer_unordered(at_once.max(1));
    let (mut total, mut violations) = (service::Served::default(), 0);
    while let Some(run) = runs.next().await {
        match run? {
            (_, Ok(seen)) => total.add(&seen),
            (seed, Err(error)) => {
                violations += 1;
                println!("seed {seed}: {error:#}");
            }
        }
    }
    println!(
        "{count} seeds, {} changes, {} kills, {} webhooks acknowledged and applied, {} refused, {} rows compared: \
         {violations} violations",
        total.survived.changes, total.survived.kills, total.acknowledged, total.refused, total.survived.rows
    );
    ensure!(violations == 0, "{violations} violations");
    Ok(())
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
async fn main() -> Result<()> {
    match Arguments::parse().what {
        What::Fidelity { objects, version, into } => {
            let newest = stripe_openapi::embedded::newest_version().to_owned();
            let oldest = "2017-08-15".to_owned();
            let versions =
                if version.is_empty() { vec![newest, "2020-08-27".to_owned(), oldest] } else { version };
            for version in versions {
                let (database, _folder) = fresh(into).await?;
                let seen = fidelity::prove(&version, objects, 1, &database).await?;
                println!(
                    "{version}: {} rows in {} streams equal Stripe's; {} requests, {} objects served",
                    seen.rows, seen.streams, seen.requests, seen.served
                );
            }
        }
        What::Kill { seeds, seed, objects, version, into } => {
            let version = version.unwrap_or_else(|| stripe_openapi::embedded::newest_version().to_owned());
            let mut total = (0, 0, 0);
            for seed in seed..seed + seeds {
                let (database, _folder) = fresh(into).await?;
                let seen = kill::prove(&version, objects, seed, &database).await?;
                println!(
                    "seed {seed}: {} kills, {} rows equal; {} rows durable when killed, {} of them read again",
                    seen.kills, seen.rows, seen.durable, seen.read_again
                );
                ensure!(seen.exceeded.is_empty(), "more was read again than may be: {:?}", seen.exceeded);
                total = (total.0 + seen.kills, total.1 + seen.durable, total.2 + seen.read_again);
            }
            println!(
                "{seeds} seeds, {} kills: {} rows durable when killed, {} of them read again, 0 lost",
                total.0, total.1, total.2
            );
        }
        What::Sheets { seeds, seed, objects } => {
            let mut total = (0, 0, 0);
            for seed in seed..seed + seeds {
                let seen = sheets::prove(objects, seed).await.with_context(|| format!("seed {seed}"))?;
                println!(
                    "seed {seed}: {} kills, {} tabs edited by hand, {} rows equal",
                    seen.kills, seen.edited, seen.rows
                );
                total = (total.0 + seen.kills, total.1 + seen.edited, total.2 + seen.rows);
            }
            println!("{seeds} seeds, {} kills, {} tabs edited: {} rows equal", total.0, total.1, total.2);
        }
        What::Quota { rows } => {
            let seen = sheets::spend(rows).await?;
            let calls = seen.calls.reads + seen.calls.writes;
            let ratio = calls as f64 / seen.least as f64;
            println!(
                "{} rows of {} columns: {} reads and {} writes, least {}: {ratio:.2} x; {} refused",
                seen.rows, seen.columns, seen.calls.reads, seen.calls.writes, seen.least, seen.calls.refused
            );
            ensure!(ratio <= 1.2, "more than 1.2 x the fewest requests that batching allows");
            ensure!(seen.calls.refused == 0, "the quota was exceeded");
        }
        What::Exactness { seeds } => {
            // The points are in what is built for tests only.
            let status = std::process::Command::new(env!("CARGO"))
                .args(["test", "-p", "destination-postgres", "--test", "kill", "--", "--seeds"])
                .arg(seeds.to_string())
                .current_dir(e2e::repository())
                .status()?;
            ensure!(status.success(), "rows or deletes were lost, see above");
        }
        What::Service { seeds, seed, on, at_once, into } => {
            let on = match on {
                Orchestrator::Process => service::On::Process,
                Orchestrator::Temporal => service::On::Temporal,
            };
            prove_service(seed..seed + seeds, on, at_once, into).await?;
        }
        What::Webhooks { rate, seconds, into } => {
            let seen = webhooks::load(&kept(into).await, rate, seconds).await?;
            let [half, most, all] = seen.milliseconds;
            println!(
                "{} webhooks sent at {:.0}/s, {} acknowledged, none of them lost; p50 {half:.1} ms, p99 {most:.1} ms, \
                 slowest {all:.1} ms",
                seen.sent, seen.per_second, seen.acknowledged
            );
        }
        What::Crowd { pipelines, limit, seconds, processes } => {
            e2e::process::service_binary();
            let store = if processes.get() > 1 { Target::Postgres } else { Target::Sqlite };
            let kept = kept(store).await;
            let seen = crowd::prove(pipelines.get(), limit, seconds, &kept, processes.get()).await?;
            let [least, mean, most] = seen.rows;
            println!(
                "{pipelines} pipelines: {:.1} of {limit} requests/s, {:.2}% refused; rows of a pipeline: least {least:.0}, \
                 mean {mean:.0}, most {most:.0}",
                seen.rate,
                seen.refused * 100.0
            );
            ensure!(seen.rate >= 0.9 * f64::from(limit), "less than nine tenths of the limit is used");
            ensure!(least >= mean / 2.0, "a pipeline has less than half of what they have on average");
        }
        What::Chaos { seeds, seed, at_once, into } => {
            e2e::process::binary();
            let runs = (seed..seed + seeds).map(|seed| async move {
                let (database, _folder) = fresh(into).await?;
                Ok::<_, anyhow::Error>((seed, chaos::survive(seed, &database).await))
            });
            let mut runs = futures::stream::iter(runs).buffer_unordered(at_once.max(1));
            let (mut total, mut violations) = (chaos::Survived::default(), 0);
            while let Some(run) = runs.next().await {
                match run? {
                    (_, Ok(seen)) => {
                        total.changes += seen.changes;
                        total.kills += seen.kills;
                        total.rows += seen.rows;
                    }
                    (seed, Err(error)) => {
                        violations += 1;
                        println!("seed {seed}: {error:#}");
                    }
                }
            }
            println!(
                "{seeds} seeds, {} changes, {} kills, {} rows compared: {violations} violations",
                total.changes, total.kills, total.rows
            );
            ensure!(violations == 0, "{violations} of {seeds} copies differ from Stripe");
        }
        What::Economy { objects, rate, latency_ms } => {
            for (name, distribution) in [
                ("uniform", Distribution::Uniform),
                ("clustered", Distribution::Clustered { bursts: 7 }),
                ("skewed", Distribution::Skewed { exponent: 4.0 }),
            ] {
                let seen = economy::prove(objects, distribution, rate, latency_ms).await?;
                let most = (seen.floor as f64 * 1.05) as u64 + 3;
                println!(
                    "{name}: {} requests, floor {}, most {most}; {:.1}% of the rate used, {} refused",
                    seen.requests,
                    seen.floor,
                    100.0 * seen.utilisation,
                    seen.refused
                );
                ensure!(seen.requests <= most, "more requests than 1.05 × the floor + 3");
            }
        }
        What::Limiter { phase, latency_ms } => {
            let seen = limiter::prove(phase, latency_ms).await?;
            let tell = |when: &str, seen: &limiter::Stretch| {
                println!(
                    "{when}: {:.1} requests/s answered, {:.2}% refused",
                    seen.rate,
                    100.0 * seen.refused
                );
            };
            tell("alone, limit 100", &seen.alone);
            tell("beside another client, limit 50", &seen.beside);
            tell("alone again, limit 100", &seen.after);
            tell("all but the first 5 s", &seen.all);
            ensure!(seen.alone.rate >= 95.0, "less than 95% of the limit was used");
            ensure!(seen.alone.refused < 0.005 && seen.all.refused < 0.005, "more than 0.5% were refused");
            ensure!(seen.beside.rate < 56.0, "no room was made for the other client");
            ensure!(seen.after.rate >= 90.0, "the limit was not taken back");
        }
        What::Share { objects, latency_ms } => {
            let url = test_utils::postgres::shared_database().await;
            let seen = limiter::share(objects, latency_ms, &url).await?;
            println!(
                "rows {} and {}; {:.1} requests/s answered while both were at work, {:.2}% refused; busiest second {}",
                seen.rows[0],
                seen.rows[1],
                seen.both.rate,
                100.0 * seen.both.refused,
                seen.busiest
            );
            ensure!(
                seen.rows.iter().all(|rows| *rows == seen.rows[0] && *rows > 0),
                "not everything was copied"
            );
            ensure!(seen.both.rate <= 82.0, "together they exceeded what they share");
            ensure!(seen.both.refused < 0.005, "more than 0.5% were refused");
        }
        What::Backfill { objects, latency_ms, rate } => {
            let seen = limiter::backfill(objects, latency_ms, rate).await?;
            let ratio = seen.seconds / seen.ideal;
            println!(
                "{objects} objects: {} requests in {:.1} s, ideal {:.1} s: {ratio:.3} x; {:.2}% refused",
                seen.requests,
                seen.seconds,
                seen.ideal,
                100.0 * seen.refused
            );
            let tenths = seen.tenths.iter().map(|rate| format!("{rate:.0}"));
            println!("requests/s in each tenth: {}", tenths.collect::<Vec<_>>().join(" "));
            for (list, requests, before) in &seen.last {
                println!("{list}: {requests} requests, the last {before:.1} s before the end");
            }
            ensure!(ratio <= 1.1, "more than 1.1 x the ideal");
        }
        What::Rules { document: true, .. } => print!("{}", rules::document()),
        What::Rules { rule, .. } => {
            let seen = rules::proving::prove(&rule, |seen| println!("{seen}"))?;
            let wrong = seen.iter().filter(|seen| !seen.is_kept()).count();
            println!("{} entries, {wrong} without a test that keeps the rule", seen.len());
            ensure!(wrong == 0, "{wrong} of {} entries are not kept", seen.len());
        }
        What::Evolve { rows } => {
            let seen = evolve::prove(rows).await?;
            println!(
                "{} rows, {} MiB: eight columns in {:.1} s; {} statements of others meanwhile, the longest {:.1} ms \
                 ({:.1} ms before), the longest wait for a lock {:.1} ms",
                seen.rows,
                seen.table_mib,
                seen.took.as_secs_f64(),
                seen.statements,
                seen.longest_during.as_secs_f64() * 1e3,
                seen.longest_before.as_secs_f64() * 1e3,
                seen.longest_wait.as_secs_f64() * 1e3,
            );
            ensure!(seen.longest_wait.as_millis() <= 100, "somebody waited for more than 100 ms");
        }
        What::Memory { objects, rate, into } => {
            for objects in objects {
                let (database, _folder) = fresh(into).await?;
                let seen = memory::weigh(objects, rate, &database).await?;
                println!("{} objects: peak {:.1} MiB, {:.1} s", seen.objects, seen.peak_mib, seen.seconds);
            }
        }
    }
    Ok(())
}
