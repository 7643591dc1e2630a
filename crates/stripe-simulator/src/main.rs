//! The `stripe-simulator` command: a simulated Stripe account on a port of this machine.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context as _, bail};
use clap::{Parser, ValueEnum};
use stripe_openapi::embedded;
use stripe_simulator::{DEFAULT_API_KEY, Distribution, Limits, Permissions, Simulator};

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
    /// Restricted key with its permissions, e.g. rk_test_1=rak_charge_read,rak_customer_read, or with those it lacks
    /// to read everything, e.g. rk_test_1=!rak_charge_read; may be repeated
    #[arg(long = "restricted-key", value_name = "KEY=PERMISSIONS", value_parser = restricted_key)]
    restricted_keys: Vec<(String, Permissions)>,
    /// Accounts connected to this one; requests choose one by Stripe-Account
    #[arg(long, value_name = "N", default_value_t = 0)]
    connected: u64,
    /// Objects in each connected account, spread over all lists
    #[arg(long, value_name = "N", default_value_t = 100)]
    connected_objects: u64,
    /// Share of the global rate limit, between 0 and 1, that somebody else uses
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    taken_share: f64,
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

fn restricted_key(text: &str) -> Result<(String, Permissions), String> {
    let expected = "expected KEY=PERMISSIONS, e.g. rk_test_1=rak_charge_read,rak_customer_read";
    let (key, names) = text.split_once('=').ok_or(expected)?;
    let names: Vec<&str> = names.split(',').filter(|name| !name.is_empty()).collect();
    let lacking: Vec<&str> = names.iter().filter_map(|name| name.strip_prefix('!')).collect();
    if !lacking.is_empty() && lacking.len() < names.len() {
        return Err("name either what the key may do or, each with `!`, what it may not read".to_owned());
    }
    let permissions = match lacking.is_empty() {
        true => Permissions::only(names),
        false => Permissions::read_all_but(lacking),
    };
    Ok((key.to_owned(), permissions))
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
    for (key, permissions) in options.restricted_keys {
        builder = builder.restricted_key(&key, permissions);
    }
    if options.connected > 0 {
        builder = builder.connected_objects(options.connected, options.connected_objects);
    }
    builder = match options.limit_preset {
        Preset::None => builder,
        Preset::Test => builder.limits(Limits::test()),
        Preset::Live => builder.limits(Limits::live()),
    };
    if options.latency_ms > 0 {
        builder = builder.latency(options.latency_ms, 0);
    }
    let running = builder.build()?.start_on((options.host, options.port).into()).await?;
    running.control().take_share(options.taken_share);
    let ready = serde_json::json!({
        "url": running.url(), "api_key": running.api_key(), "api_version": running.api_version(),
    });
    writeln!(std::io::stdout(), "{ready}").context("cannot write to stdout")?;
    stopped().await?;
    let counters = running.control().all_counters();
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
