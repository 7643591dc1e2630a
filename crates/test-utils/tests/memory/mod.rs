//! A destination in memory that is right, or wrong in one chosen way.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::{StreamExt, stream};
use protocol::{
    AnyDestination, Batch, BatchLimits, BatchWriter, ConfiguredCatalog, ConnectionStatus, ConnectorError,
    Destination, ErrorKind, InspectRequest, InspectedRows, Message, MessageStream, Payload, RawJson, Record,
    RowStream, SourceState, SourceStateMessage, StateStore, StoredRow, Stream, Sweep, WriteRequest,
    empty_stream, once, write_batches,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use test_utils::conformance::Config;
use test_utils::conformance::destination::{DestinationFixture, Exactness, Rows};

/// What the destination does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    CheckAlwaysSucceeds,
    CheckMakesTables,
    SetupEmptiesTables,
    TeardownTakesForeignTables,
    StateOutlivesTeardown,
    HandsBackBeforeWriting,
    GlobalStatesOvertake,
    SwallowsLogs,
    DropsWhatPrecedesAFailure,
    OldReplacesNew,
    EqualDoesNotReplace,
    ComparesVersionsAsFloats,
    FirstOfABatchWins,
    DeletesLeaveNoTrace,
    DeletesAreNotGated,
    DeletesComeLastInABatch,
    DeletesNeedAVersion,
    KeyIsTheIdAlone,
    KeyPartsAreJoined,
    BadRecordsAreSkipped,
    BadRecordsEndTheWrite,
    NumbersBecomeFloats,
    SyncsShareTheirState,
    StatesOfFailedStreamsAreStored,
    StateBeforeRows,
    StatesWithoutRowsAreForgotten,
    InspectionShowsEveryAccount,
    InspectionCutsSeconds,
    SweepsAreIgnored,
    SweepsTakeNewerChildren,
    SweepsTakeOtherParents,
    SweepsLeaveNoTrace,
    SweepsBuryTheirSecond,
    SweepsComeLastInABatch,
}

#[derive(Debug, Default)]
struct World {
    tables: BTreeMap<String, BTreeMap<Vec<String>, Row>>,
    tombstones: BTreeMap<(String, Vec<String>), i64>,
    states: BTreeMap<(String, String), RawJson>,
    foreign: bool,
}

#[derive(Debug)]
struct Row {
    version: i64,
    key: Vec<String>,
    payload: String,
}

type Worlds = Arc<Mutex<HashMap<String, World>>>;

fn world(worlds: &Worlds, name: &str, work: impl FnOnce(&mut World)) {
    let mut worlds: MutexGuard<'_, HashMap<String, World>> = worlds.lock().unwrap();
    work(worlds.entry(name.to_owned()).or_default());
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemoryConfig {
    /// Which world; `nowhere` cannot be reached.
    world: String,
    /// Rows per batch.
    batch_size: Option<usize>,
}

#[derive(Clone)]
pub(crate) struct Memory {
    worlds: Worlds,
    defect: Option<Defect>,
}

impl Memory {
    pub(crate) fn new(defect: Option<Defect>) -> Memory {
        Memory { worlds: Worlds::default(), defect }
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }
}

impl Destination for Memory {
    type Config = MemoryConfig;

    fn name(&self) -> &'static str {
        "memory"
    }

    fn check(&self, config: MemoryConfig) -> MessageStream {
        if self.has(Defect::CheckMakesTables) {
            world(&self.worlds, &config.world, |world| {
                world.tables.entry("customer".to_owned()).or_default();
            });
        }
        let reachable = config.world != "nowhere" || self.has(Defect::CheckAlwaysSucceeds);
        let status = if reachable {
            ConnectionStatus::succeeded()
        } else {
            ConnectionStatus::failed("nowhere cannot be reached")
        };
        once(async { Ok(Message::connection_status(status)) })
    }

    fn setup(&self, config: MemoryConfig, catalog: ConfiguredCatalog) -> Option<MessageStream> {
        world(&self.worlds, &config.world, |world| {
            for configured in catalog.streams {
                let table = world.tables.entry(configured.stream.name.to_string()).or_default();
                if self.has(Defect::SetupEmptiesTables) {
                    table.clear();
                }
            }
        });
        Some(empty_stream())
    }

    fn teardown(&self, config: MemoryConfig) -> Option<MessageStream> {
        world(&self.worlds, &config.world, |world| {
            let foreign = world.foreign && !self.has(Defect::TeardownTakesForeignTables);
            let states = std::mem::take(&mut world.states);
            *world = World { foreign, ..World::default() };
            if self.has(Defect::StateOutlivesTeardown) {
                world.states = states;
            }
        });
        Some(empty_stream())
    }

    fn write(&self, config: MemoryConfig, request: WriteRequest) -> MessageStream {
        let streams =
            request.catalog.streams.into_iter().map(|one| (Arc::clone(&one.stream.name), one.stream));
        let writer = Writer {
            memory: self.clone(),
            world: config.world,
            streams: streams.collect(),
            sync_id: request.sync_id,
        };
        let limits = BatchLimits { rows: config.batch_size.unwrap_or(1000), ..BatchLimits::default() };
        match self.defect {
            Some(Defect::HandsBackBeforeWriting) => early(writer, limits, request.input, |_| true),
            Some(Defect::GlobalStatesOvertake) => early(writer, limits, request.input, |message| {
                matches!(message.payload, Payload::SourceState(SourceStateMessage::Global { .. }))
            }),
            Some(Defect::SwallowsLogs) => {
                let kept = |message: &Result<Message, _>| {
                    let log = matches!(message, Ok(Message { payload: Payload::Log(_), .. }));
                    std::future::ready(!log)
                };
                write_batches(Arc::new(writer), limits, request.input.filter(kept).boxed())
            }
            Some(Defect::DropsWhatPrecedesAFailure) => stream::once(async move {
                let all: Vec<Result<Message, ConnectorError>> = request.input.collect().await;
                let input = match all.iter().position(Result::is_err) {
                    Some(at) => stream::iter(all.into_iter().skip(at)).boxed(),
                    None => stream::iter(all).boxed(),
                };
                write_batches(Arc::new(writer), limits, input)
            })
            .flatten()
            .boxed(),
            Some(Defect::BadRecordsEndTheWrite) => {
                let failed = |message: Result<Message, ConnectorError>| match message {
                    Ok(Message { payload: Payload::StreamStatus(status), .. })
                        if status.status.is_terminal() =>
                    {
                        Err(ConnectorError::internal(format!("{status:?}")))
                    }
                    other => other,
                };
                write_batches(Arc::new(writer), limits, request.input).map(failed).boxed()
            }
            _ => write_batches(Arc::new(writer), limits, request.input),
        }
    }

    fn inspect(&self, config: MemoryConfig, request: InspectRequest) -> Option<RowStream> {
        let mut rows = Vec::new();
        let Stream { name, newer_than_field, .. } = request.stream.stream;
        world(&self.worlds, &config.world, |world| {
            for row in world.tables.get(&*name).into_iter().flat_map(BTreeMap::values) {
                let payload = RawJson::parse(row.payload.clone()).unwrap();
                let account = row.key.last();
                let everyone = self.has(Defect::InspectionShowsEveryAccount);
                if everyone || request.account_id.as_ref().is_none_or(|wanted| Some(wanted) == account) {
                    rows.push(StoredRow::of(row.key.clone(), &payload, &newer_than_field).unwrap());
                }
            }
        });
        match request.rows {
            InspectedRows::All => {}
            InspectedRows::Keys(keys) => rows.retain(|row| keys.contains(&row.key)),
            InspectedRows::Created { gte, lt, newest } => {
                rows.retain(|row| (gte..lt).contains(&row.created.unwrap_or_default()));
                rows.sort_by_key(|row| std::cmp::Reverse(row.created));
                let count = newest.map_or(rows.len(), |newest| newest as usize);
                let last = rows.get(count.saturating_sub(1)).and_then(|row| row.created);
                let cut = self.has(Defect::InspectionCutsSeconds);
                let within = rows.iter().take_while(|row| !cut && row.created >= last).count();
                rows.truncate(within.max(count));
            }
        }
        Some(stream::iter(rows.into_iter().map(Ok)).boxed())
    }

    fn state_store(
        &self,
        config: MemoryConfig,
        sync_id: &str,
    ) -> Option<BoxFuture<'static, Result<Box<dyn StateStore>, ConnectorError>>> {
        let sync_id = if self.has(Defect::SyncsShareTheirState) { "" } else { sync_id };
        let store =
            States { worlds: Arc::clone(&self.worlds), world: config.world, sync_id: sync_id.to_owned() };
        Some(Box::pin(async move { Ok(Box::new(store) as Box<dyn StateStore>) }))
    }
}

/// Hands back what `when` names before anything is written, and everything else afterwards.
fn early(
    writer: Writer,
    limits: BatchLimits,
    input: MessageStream,
    when: fn(&Message) -> bool,
) -> MessageStream {
    stream::once(async move {
        let all: Vec<Message> = input.filter_map(|message| async { message.ok() }).collect().await;
        let (first, rest): (Vec<Message>, Vec<Message>) = all.iter().cloned().partition(when);
        let rest = if rest.is_empty() { all } else { rest };
        let written = write_batches(Arc::new(writer), limits, stream::iter(rest.into_iter().map(Ok)).boxed());
        let again = move |message: &Result<Message, _>| std::future::ready(!message.as_ref().is_ok_and(when));
        stream::iter(first.into_iter().map(Ok)).chain(written.filter(again))
    })
    .flatten()
    .boxed()
}

struct Writer {
    memory: Memory,
    world: String,
    streams: HashMap<Arc<str>, Stream>,
    sync_id: Option<String>,
}

/// A record as far as it is understood.
struct Read<'a> {
    record: &'a Record,
    key: Vec<String>,
    version: Option<i64>,
    sweep: Option<Sweep>,
}

impl Writer {
    fn has(&self, defect: Defect) -> bool {
        self.memory.has(defect)
    }

    fn read<'a>(&self, stream: &Stream, record: &'a Record) -> Result<Read<'a>, String> {
        let member = |name: &str| record.data.members([name]).unwrap()[0];
        let text = |name: &str| serde_json::from_str::<String>(member(name)?.get()).ok();
        let version = member(&stream.newer_than_field).and_then(|value| value.get().parse::<i64>().ok());
        let fields = stream.key_fields();
        let mut key = Vec::new();
        for field in &fields {
            let known: Vec<String> = fields.iter().filter_map(|field| text(field)).collect();
            key.push(text(field).ok_or_else(|| format!("{}: no `{field}` in {known:?}", stream.name))?);
        }
        if version.is_none() && !record.deleted {
            return Err(format!("{}: no `{}` in {key:?}", stream.name, stream.newer_than_field));
        }
        let sweep = Sweep::of(record).filter(|_| !self.has(Defect::SweepsAreIgnored));
        let sweep = sweep.transpose().map_err(|error| error.to_string())?;
        Ok(Read { record, key, version, sweep })
    }

    fn stored_key(&self, key: &[String]) -> Vec<String> {
        match self.memory.defect {
            Some(Defect::KeyIsTheIdAlone) => key[..1].to_vec(),
            Some(Defect::KeyPartsAreJoined) => vec![key.join(",")],
            _ => key.to_vec(),
        }
    }

    fn older(&self, version: i64, stored: i64) -> bool {
        match self.memory.defect {
            Some(Defect::OldReplacesNew) => false,
            Some(Defect::EqualDoesNotReplace) => version <= stored,
            Some(Defect::ComparesVersionsAsFloats) => (version as f64) < (stored as f64),
            _ => version < stored,
        }
    }

    fn sweep(&self, world: &mut World, stream: &Stream, sweep: &Sweep) {
        let table = world.tables.entry(stream.name.to_string()).or_default();
        let is = |row: &Row, field: &str, text: &str| {
            self.has(Defect::SweepsTakeOtherParents)
                || serde_json::from_str::<Value>(&row.payload).unwrap()[field] == text
        };
        let gone = |row: &Row| {
            is(row, "_parent_id", &sweep.parent)
                && is(row, "_account_id", &sweep.account)
                && !sweep.keep.contains(&row.key[0])
                && (row.version <= sweep.version || self.has(Defect::SweepsTakeNewerChildren))
        };
        let before = i64::from(!self.has(Defect::SweepsBuryTheirSecond));
        let keys: Vec<Vec<String>> =
            table.iter().filter(|(_, row)| gone(row)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            table.remove(&key);
            if !self.has(Defect::SweepsLeaveNoTrace) {
                world.tombstones.insert((stream.name.to_string(), key), sweep.version - before);
            }
        }
    }

    fn apply(&self, world: &mut World, stream: &Stream, read: &Read<'_>) {
        if let Some(sweep) = &read.sweep {
            return self.sweep(world, stream, sweep);
        }
        let table = world.tables.entry(stream.name.to_string()).or_default();
        let key = self.stored_key(&read.key);
        let mark = (stream.name.to_string(), key.clone());
        let stored = table.get(&key).map(|row| row.version);
        if read.record.deleted {
            if read.version.is_none() && self.has(Defect::DeletesNeedAVersion) {
                return;
            }
            // As upstream does it: whatever is deleted goes last, and goes.
            let gated = !self.has(Defect::DeletesAreNotGated) && !self.has(Defect::DeletesComeLastInABatch);
            if let (Some(version), Some(stored), true) = (read.version, stored, gated)
                && version < stored
            {
                return;
            }
            table.remove(&key);
            if !self.has(Defect::DeletesLeaveNoTrace) {
                let now = protocol::Timestamp::now().unix_seconds();
                let deleted = world.tombstones.entry(mark).or_insert(i64::MIN);
                *deleted = (*deleted).max(read.version.unwrap_or(now));
            }
            return;
        }
        let version = read.version.unwrap();
        let buried = world.tombstones.get(&mark).is_some_and(|deleted| version <= *deleted);
        if buried || stored.is_some_and(|stored| self.older(version, stored)) {
            return;
        }
        let payload = if self.has(Defect::NumbersBecomeFloats) {
            serde_json::from_str::<Value>(read.record.data.as_str())
                .map_or_else(|_| "null".into(), |value| value.to_string())
        } else {
            read.record.data.to_string()
        };
        world.tombstones.remove(&mark);
        table.insert(key, Row { version, key: read.key.clone(), payload });
    }

    fn store(&self, world: &mut World, stream: &str, state: &RawJson) {
        if let Some(sync_id) = &self.sync_id {
            let sync_id = if self.has(Defect::SyncsShareTheirState) { "" } else { sync_id };
            world.states.insert((sync_id.to_owned(), stream.to_owned()), state.clone());
        }
    }
}

impl BatchWriter for Writer {
    type Prepared = ();

    fn prepare(&self, _: &Batch) -> Result<(), ConnectorError> {
        Ok(())
    }

    async fn commit(&self, batch: Arc<Batch>, (): ()) -> Result<(), ConnectorError> {
        let name = batch.stream();
        let refused = |message: String| ConnectorError::new(ErrorKind::Permanent, message);
        let stream = self.streams.get(name).ok_or_else(|| refused(format!("{name} is unknown")))?;
        if let (Some(state), true) = (batch.state(), self.has(Defect::StatesOfFailedStreamsAreStored)) {
            world(&self.memory.worlds, &self.world, |world| self.store(world, name, state));
        }
        let mut reads = Vec::new();
        for record in batch.records() {
            match self.read(stream, record) {
                Ok(read) => reads.push(read),
                Err(_) if self.has(Defect::BadRecordsAreSkipped) => {}
                Err(message) => return Err(refused(message)),
            }
        }
        if self.has(Defect::DeletesComeLastInABatch) {
            reads.sort_by_key(|read| read.record.deleted);
        }
        if self.has(Defect::SweepsComeLastInABatch) {
            reads.sort_by_key(|read| read.sweep.is_some());
        }
        if self.has(Defect::FirstOfABatchWins) {
            let mut seen = std::collections::HashSet::new();
            reads.retain(|read| seen.insert(read.key.clone()));
        }
        let state =
            batch.state().filter(|_| !(self.has(Defect::StatesWithoutRowsAreForgotten) && reads.is_empty()));
        if let (Some(state), true) = (state, self.has(Defect::StateBeforeRows)) {
            world(&self.memory.worlds, &self.world, |world| self.store(world, name, state));
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
        }
        world(&self.memory.worlds, &self.world, |world| {
            for read in &reads {
                self.apply(world, stream, read);
            }
            if let Some(state) = state {
                self.store(world, name, state);
            }
        });
        Ok(())
    }

    async fn commit_global(&self, state: RawJson) -> Result<(), ConnectorError> {
        world(&self.memory.worlds, &self.world, |world| self.store(world, "_global", &state));
        Ok(())
    }
}

struct States {
    worlds: Worlds,
    world: String,
    sync_id: String,
}

#[async_trait]
impl StateStore for States {
    async fn load(&self) -> Result<Option<SourceState>, ConnectorError> {
        let mut found = None;
        world(&self.worlds, &self.world, |world| {
            for ((sync_id, stream), data) in &world.states {
                if *sync_id == self.sync_id {
                    let state = found.get_or_insert_with(SourceState::default);
                    if stream == "_global" {
                        state.global = data.clone();
                    } else {
                        state.streams.insert(stream.clone(), data.clone());
                    }
                }
            }
        });
        Ok(found)
    }

    async fn clear(&self) -> Result<(), ConnectorError> {
        world(&self.worlds, &self.world, |world| {
            world.states.retain(|(sync_id, _), _| *sync_id != self.sync_id);
        });
        Ok(())
    }
}

/// The fixture around it.
pub(crate) struct MemoryFixture {
    memory: Memory,
    made: Mutex<usize>,
}

impl MemoryFixture {
    pub(crate) fn new(defect: Option<Defect>) -> MemoryFixture {
        MemoryFixture { memory: Memory::new(defect), made: Mutex::new(0) }
    }
}

fn config(world: &str) -> Config {
    Map::from_iter([("world".to_owned(), json!(world))])
}

fn name_of(config: &Config) -> &str {
    config["world"].as_str().unwrap()
}

impl DestinationFixture for MemoryFixture {
    fn destination(&self) -> Arc<dyn AnyDestination> {
        Arc::new(self.memory.clone())
    }

    fn exactness(&self) -> Exactness {
        Exactness::Text
    }

    async fn fresh(&self) -> anyhow::Result<Config> {
        let mut made = self.made.lock().unwrap();
        *made += 1;
        Ok(config(&format!("world {made}")))
    }

    async fn unusable(&self) -> anyhow::Result<Vec<Config>> {
        Ok(vec![config("nowhere")])
    }

    async fn rows(&self, config: &Config, stream: &Stream) -> anyhow::Result<Option<Rows>> {
        let mut rows = None;
        world(&self.memory.worlds, name_of(config), |world| {
            rows = world
                .tables
                .get(&*stream.name)
                .map(|table| table.values().map(|row| (row.key.clone(), row.payload.clone())).collect());
        });
        Ok(rows)
    }

    async fn make_foreign_table(&self, config: &Config) -> anyhow::Result<()> {
        world(&self.memory.worlds, name_of(config), |world| world.foreign = true);
        Ok(())
    }

    async fn foreign_table_is_whole(&self, config: &Config) -> anyhow::Result<bool> {
        let mut whole = false;
        world(&self.memory.worlds, name_of(config), |world| whole = world.foreign);
        Ok(whole)
    }
}
