//! What every source must do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use conformance::{keys_of, state_after, states_at};
use futures::{FutureExt, StreamExt};
use protocol::{
    AnySource, CatalogMessage, ConfiguredCatalog, ConfiguredStream, ConnectionState, Message, Payload,
    ReadRequest, SourceState, SourceStateMessage, Stream, StreamStatus, first_of,
};
use serde_json::Value;

use crate::conformance::{Case, Config, Report, check_config_schema};

/// How many of the emitted states are read from again.
const RESUMES: usize = 12;

/// A source and what it needs to be read. What it reads from must not change while the suite
/// runs, and every read must end by itself.
pub trait SourceFixture: Sync {
    /// The source.
    fn source(&self) -> Arc<dyn AnySource>;

    /// A configuration that works.
    fn config(&self) -> impl Future<Output = anyhow::Result<Config>> + Send;

    /// Configurations that are well-formed but whose check must fail.
    fn unusable(&self) -> impl Future<Output = anyhow::Result<Vec<Config>>> + Send;

    /// The streams to read, in which there must be records; `None`: all.
    fn streams(&self) -> Option<Vec<String>> {
        None
    }
}

/// Checks every rule and says which do not hold.
pub async fn run_all<F: SourceFixture>(fixture: &F) -> Report {
    crate::conformance::run(cases(fixture)).await
}

macro_rules! list {
    ($fixture:ident; $($case:ident)+) => {
        vec![$(Case { name: concat!("source::", stringify!($case)), run: $case($fixture).boxed() },)+]
    };
}

fn cases<F: SourceFixture>(fixture: &F) -> Vec<Case<'_>> {
    list![fixture;
        spec_describes_an_object
        check_succeeds_and_fails
        discover_yields_one_catalog
        read_yields_only_what_sources_may_say
        statuses_come_in_order
        records_belong_to_configured_streams
        records_have_their_key_and_version
        a_read_can_resume_from_any_state
        the_final_state_is_final
    ]
}

async fn spec_describes_an_object<F: SourceFixture>(fixture: &F) -> anyhow::Result<()> {
    check_config_schema(&fixture.source().spec().config)?;
    fixture.source().validate(&fixture.config().await?)?;
    Ok(())
}

async fn check_succeeds_and_fails<F: SourceFixture>(fixture: &F) -> anyhow::Result<()> {
    let check = async |config: &Config| -> anyhow::Result<()> {
        let messages = fixture.source().check(config)?;
        let status = first_of(messages, "connection_status", |payload| match payload {
            Payload::ConnectionStatus(status) => Some(status),
            _ => None,
        });
        ensure!(status.await?.status == ConnectionState::Succeeded, "a failed status was not refused");
        Ok(())
    };
    check(&fixture.config().await?).await.context("a usable configuration")?;
    let unusable = fixture.unusable().await?;
    ensure!(!unusable.is_empty(), "the fixture knows no unusable configuration");
    for config in unusable {
        ensure!(check(&config).await.is_err(), "check succeeds with {config:?}");
    }
    Ok(())
}

/// All that an operation says.
async fn collect(mut messages: protocol::MessageStream) -> anyhow::Result<Vec<Payload>> {
    let mut seen = Vec::new();
    while let Some(message) = messages.next().await {
        let Message { payload, .. } = message?;
        seen.push(payload);
    }
    Ok(seen)
}

async fn discover<F: SourceFixture>(fixture: &F) -> anyhow::Result<CatalogMessage> {
    let mut catalogs = Vec::new();
    for payload in collect(fixture.source().discover(&fixture.config().await?)?).await? {
        match payload {
            Payload::Catalog(catalog) => catalogs.push(catalog),
            Payload::Log(_) => {}
            other => bail!("discover says `{}`", other.type_name()),
        }
    }
    ensure!(catalogs.len() == 1, "{} catalogs instead of one", catalogs.len());
    catalogs.pop().context("no catalog")
}

/// The catalog of the streams that the fixture wants read.
async fn configured<F: SourceFixture>(fixture: &F) -> anyhow::Result<ConfiguredCatalog> {
    let streams = discover(fixture).await?.streams;
    let wanted = fixture.streams();
    let wanted: Vec<Stream> = streams
        .into_iter()
        .filter(|stream| wanted.as_ref().is_none_or(|names| names.iter().any(|name| **name == *stream.name)))
        .collect();
    ensure!(!wanted.is_empty(), "there are no streams to read");
    Ok(ConfiguredCatalog { streams: wanted.into_iter().map(ConfiguredStream::whole).collect() })
}

async fn read<F: SourceFixture>(
    fixture: &F,
    catalog: &ConfiguredCatalog,
    state: Option<SourceState>,
) -> anyhow::Result<Vec<Payload>> {
    let request = ReadRequest { catalog: catalog.clone(), state, input: None, durable: None };
    let seen = collect(fixture.source().read(&fixture.config().await?, request)?).await.context("read")?;
    for payload in &seen {
        if let Payload::StreamStatus(status) = payload
            && let StreamStatus::Error { error } = &status.status
        {
            bail!("stream `{}` failed: {error}", status.stream);
        }
    }
    Ok(seen)
}

async fn discover_yields_one_catalog<F: SourceFixture>(fixture: &F) -> anyhow::Result<()> {
    let catalog = discover(fixture).await?;
    conformance::catalog_is_sound(&catalog)?;
    let again = discover(fixture).await?;
    ensure!(catalog == again, "two calls yield different catalogs");
    Ok(())
}

async fn read_yields_only_what_sources_may_say<F: SourceFixture>(fixture: &F) -> anyhow::Result<()> {
    let said = read(fixture, &configured(fixture).await?, None).await?;
    Ok(conformance::only_what_sources_say(&said)?)
}

async fn statuses_come_in_order<F: SourceFixture>(fixture: &F) -> anyhow::Result<()> {
    let catalog = configured(fixture).await?;
    let said = read(fixture, &catalog, None).await?;
    Ok(conformance::statuses_come_in_order(&catalog, &said)?)
}

async fn records_belong_to_configured_streams<F: SourceFixture>(fixture: &F) -> anyhow::Result<()> {
    let mut catalog = configured(fixture).await?;
    // Every other stream only.
    let mut position = 0;
    catalog.streams.retain(|_| {
        position += 1;
        position % 2 == 1
    });
    let said = read(fixture, &catalog, None).await?;
    Ok(conformance::only_of_the_streams(&catalog, &said)?)
}

async fn records_have_their_key_and_version<F: SourceFixture>(fixture: &F) -> anyhow::Result<()> {
    let catalog = configured(fixture).await?;
    let messages = read(fixture, &catalog, None).await?;
    let keys = keys_of(&catalog, &messages)?;
    ensure!(!keys.is_empty(), "there are no records");
    conformance::records_have_their_version(&catalog, &messages)?;
    for payload in &messages {
        let Payload::Record(record) = payload else { continue };
        let configured = catalog.stream(&record.stream).context("a record of an unknown stream")?;
        let [version] = record.data.members([&*configured.stream.newer_than_field])?;
        // Ours tell when a row is gone, too.
        ensure!(version.is_some(), "stream `{}`: a record without a version", record.stream);
    }
    Ok(())
}

async fn a_read_can_resume_from_any_state<F: SourceFixture>(fixture: &F) -> anyhow::Result<()> {
    let catalog = configured(fixture).await?;
    let messages = read(fixture, &catalog, None).await?;
    let all = keys_of(&catalog, &messages)?;
    let states = states_at(&messages);
    ensure!(!states.is_empty(), "the source emits no states");
    let every = states.len().div_ceil(RESUMES);
    for position in states.iter().copied().step_by(every) {
        let state = state_after(&messages, position);
        let told = || format!("resumed from {}", serde_json::to_string(&state).unwrap_or_default());
        let rest = read(fixture, &catalog, Some(state.clone())).await.with_context(told)?;
        let mut seen = keys_of(&catalog, &messages[..position])?;
        seen.extend(keys_of(&catalog, &rest)?);
        conformance::nothing_is_lost(&all, &seen).with_context(told)?;
    }
    Ok(())
}

async fn the_final_state_is_final<F: SourceFixture>(fixture: &F) -> anyhow::Result<()> {
    let catalog = configured(fixture).await?;
    let messages = read(fixture, &catalog, None).await?;
    let state = state_after(&messages, messages.len());
    let complete: BTreeSet<&Arc<str>> = messages
        .iter()
        .filter_map(|payload| match payload {
            Payload::StreamStatus(status) if status.status == StreamStatus::Complete => Some(&status.stream),
            _ => None,
        })
        .collect();
    let mut again: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    for payload in read(fixture, &catalog, Some(state)).await? {
        match &payload {
            Payload::Record(record) if complete.contains(&record.stream) => {
                *again.entry(Arc::clone(&record.stream)).or_default() += 1;
            }
            Payload::SourceState(SourceStateMessage::Stream { data, .. }) => {
                ensure!(data.read::<Value>().is_ok(), "a state that is not JSON");
            }
            _ => {}
        }
    }
    ensure!(again.is_empty(), "records of finished streams come again: {again:?}");
    Ok(())
}
