//! The `stripe-simulator` command: a simulated Stripe account on a port of this machine.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context as _, bail};
use clap::{Parser, ValueEnum};
use stripe_openapi::embedded;
use stripe_simulator::{DEFAULT_API_KEY, Distribution, Limits, Simulator};

/// Serve a simulated Stripe account over HTTP.
///
/// Prints one line of JSON with its URL, key and API version when it is ready; stops on Ctrl-C or SIGTERM and
/// then prints what was asked of it.
#[derive(Debug, Parser)]
#[command(name = "stripe-simulator", version)]
struct Options {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// API version to serve [default: the newest]
    #[arg(long)]
    api_version: Option<String>,
    /// Objects in the account, spread over all lists
    #[arg(long, value_name = "N", conflicts_with = "tables")]
    objects: Option<u64>,
    /// Objects in one table, e.g. customer=100000; may be repeated
    #[arg(long = "table", value_name = "TABLE=N", value_parser = table)]
    tables: Vec<(String, u64)>,
    /// Decides what is in the account
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How creation times spread
    #[arg(long, value_enum, default_value_t = Spread::Uniform)]
    distribution: Spread,
    /// Key that is accepted; may be repeated
    #[arg(long = "api-key", default_value = DEFAULT_API_KEY)]
    api_keys: Vec<String>,
    /// Rate limits of Stripe's live mode, of a sandbox, or none
    #[arg(long, value_enum, default_value_t = Preset::None)]
    limit_preset: Preset,
    /// Milliseconds that every answer waits
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Lay answers out with two spaces per level, as Stripe does
    #[arg(long)]
    pretty: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Spread {
    Uniform,
    Clustered,
    Skewed,
    Ties,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Preset {
    None,
    Test,
    Live,
}

fn table(text: &str) -> Result<(String, u64), String> {
    let (table, count) = text.split_once('=').ok_or("expected TABLE=N, e.g. customer=1000")?;
    let count =
        count.replace('_', "").parse().map_err(|_| format!("`{count}` is not a number of objects"))?;
    Ok((table.to_owned(), count))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let options = Options::parse();
    let version = options.api_version.as_deref().unwrap_or(embedded::newest_version());
    let Some(catalog) = embedded::catalog(version) else {
        bail!("API version `{version}` is not known; the newest is {}", embedded::newest_version());
    };
    let mut builder = Simulator::builder(catalog).seed(options.seed).pretty(options.pretty);
    builder = builder.distribution(match options.distribution {
        Spread::Uniform => Distribution::Uniform,
        Spread::Clustered => Distribution::Clustered { bursts: 12 },
        Spread::Skewed => Distribution::Skewed { exponent: 4.0 },
        Spread::Ties => Distribution::Ties { per_second: 250 },
    });
    builder = match (options.objects, &options.tables[..]) {
        (None, []) => builder.objects(10_000),
        (Some(objects), _) => builder.objects(objects),
        (None, tables) => tables.iter().fold(builder, |builder, (table, count)| builder.table(table, *count)),
    };
    builder = options.api_keys.iter().fold(builder, |builder, key| builder.api_key(key));
    builder = match options.limit_preset {
        Preset::None => builder,
        Preset::Test => builder.limits(Limits::test()),
        Preset::Live => builder.limits(Limits::live()),
    };
    if options.latency_ms > 0 {
        builder = builder.latency(options.latency_ms, 0);
    }
    let running = builder.build()?.start_on((options.host, options.port).into()).await?;
    let ready = serde_json::json!({
        "url": running.url(), "api_key": running.api_key(), "api_version": running.api_version(),
    });
    writeln!(std::io::stdout(), "{ready}").context("cannot write to stdout")?;
    stopped().await?;
    let counters = running.control().counters();
    running.stop().await;
    writeln!(std::io::stderr(), "{}", serde_json::to_string_pretty(&counters)?)?;
    Ok(())
}

/// Waits for Ctrl-C or, where there is such a thing, SIGTERM.
async fn stopped() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed?,
            _ = term.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}
