//! Pipelines, and how far they are.

use protocol::{ConnectorConfig, SyncState, Transforms};
use serde::{Deserialize, Serialize};

use super::{Lease, Row, Statement, Store, StoreError, Value};
use crate::pipeline::{DesiredStatus, Pipeline};
use crate::standing::{Stage, Standing, Status};
use crate::stripe::is_same_world;
use crate::vault::Sealed;

/// A pipeline, with all that is known of it.
#[derive(Debug, Clone)]
pub struct Record {
    /// What the user asked for.
    pub pipeline: Pipeline,
    /// Grows with each change; what an `ETag` says.
    pub version: i64,
    /// Grows with each change of what is synced; then it is set up and backfilled again.
    pub config_version: i64,
    /// When the user last touched it: what failed before is tried again at once. Milliseconds since 1970, as all times.
    pub touched_at: i64,
    /// When it was created.
    pub created_at: i64,
    /// When it was last changed.
    pub updated_at: i64,
    /// How far it is.
    pub standing: Standing,
    /// Where its sync goes on from; only where it was asked for.
    pub state: Option<SyncState>,
    /// Whether a position is stored: only then can it be told what of the deliveries the lists show already.
    pub positioned: bool,
    /// What is being done for it at present.
    pub working: Option<Stage>,
    /// How many deliveries wait to be applied; of [`Store::all`] and [`Store::glance`] only whether any does.
    pub waiting: u64,
    /// Whether any of them waits for nothing but its turn.
    pub deliverable: bool,
    /// Whether any of them is held, as its stream failed.
    pub held: bool,
    /// When the oldest of them arrived.
    pub waiting_since: Option<i64>,
}

impl Record {
    /// Its status, which follows from the rest.
    pub fn status(&self) -> Status {
        self.standing.status(self.pipeline.desired_status, self.working, self.config_version)
    }
}

/// A change that a user makes; `None` leaves a part as it is.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Words for it; the inner `None` takes them away.
    pub name: Option<Option<String>>,
    /// Where it reads.
    pub source: Option<ConnectorConfig>,
    /// Where it writes.
    pub destination: Option<ConnectorConfig>,
    /// Which streams; the inner `None` means all.
    pub streams: Option<Option<Vec<protocol::StreamSelection>>>,
    /// What happens to records.
    pub transforms: Option<Option<Transforms>>,
    /// What the user wants of it.
    pub desired_status: Option<DesiredStatus>,
}

/// The part of a pipeline that may be secret.
#[derive(Serialize, Deserialize)]
struct Secret {
    source: ConnectorConfig,
    destination: ConnectorConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    transforms: Option<Transforms>,
}

const COLUMNS: &str = "p.id, p.name, p.desired_status, p.streams, p.sealed, p.data_key, p.version, p.config_version,
    p.touched_at, p.created_at, p.updated_at, s.standing, case when l.until > @now then l.stage end,
    (select d.received_at from @deliveries d where d.pipeline_id = p.id and d.applied_at is null and d.held_for is null
        order by d.sequence limit 1),
    case when s.state is null then 0 else 1 end,
    case when exists (select 1 from @deliveries d where d.pipeline_id = p.id and d.applied_at is null
        and d.held_for is not null) then 1 else 0 end";

/// How many deliveries wait: of thousands it takes a while to count them.
const WAITING: &str =
    "(select count(*) from @deliveries d where d.pipeline_id = p.id and d.applied_at is null and d.held_for is null)
     + (select count(*) from @deliveries d where d.pipeline_id = p.id and d.applied_at is null and d.held_for is not null)";

const TABLES: &str =
    "@pipelines p join @standings s on s.pipeline_id = p.id left join @leases l on l.pipeline_id = p.id";

impl Store {
    /// Adds a pipeline; [`StoreError::Conflict`] where one of this id is there, even if it is about to be deleted.
    pub async fn create(&self, pipeline: &Pipeline) -> Result<(), StoreError> {
        let sealed = self.seal(pipeline)?;
        let insert = "insert into @pipelines (id, name, desired_status, streams, source_type, destination_type, sealed,
            data_key, version, config_version, touched_at, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, 1, 1, @now, @now, @now)";
        let standing = "insert into @standings (pipeline_id, standing) values ($1, $2)";
        self.db
            .write(vec![
                Statement::new(
                    insert,
                    [
                        pipeline.id.as_str().into(),
                        pipeline.name.clone().into(),
                        pipeline.desired_status.as_str().into(),
                        streams(pipeline)?.into(),
                        pipeline.source.connector.as_str().into(),
                        pipeline.destination.connector.as_str().into(),
                        sealed.sealed.into(),
                        sealed.data_key.into(),
                    ],
                ),
                Statement::new(standing, [pipeline.id.as_str().into(), json(&Standing::default())?.into()]),
            ])
            .await?;
        self.notify();
        Ok(())
    }

    /// The pipeline of this id, with its state.
    pub async fn get(&self, id: &str) -> Result<Option<Record>, StoreError> {
        let sql = format!("select {COLUMNS}, {WAITING}, s.state from {TABLES} where p.id = $1");
        let rows = self.db.read(Statement::new(sql, [id.into()])).await?;
        rows.first().map(|row| self.record(row, true)).transpose()
    }

    /// Whether there is a pipeline of this id, even if it is about to be deleted.
    pub async fn exists(&self, id: &str) -> Result<bool, StoreError> {
        let sql = "select 1 from @pipelines where id = $1";
        Ok(!self.db.read(Statement::new(sql, [id.into()])).await?.is_empty())
    }

    /// As [`Store::get`] without its state, and of its deliveries only whether any waits: for what is asked often.
    pub async fn glance(&self, id: &str) -> Result<Option<Record>, StoreError> {
        let sql = format!("select {COLUMNS} from {TABLES} where p.id = $1");
        let rows = self.db.read(Statement::new(sql, [id.into()])).await?;
        rows.first().map(|row| self.record(row, false)).transpose()
    }

    /// Pipelines in the order of their creation, newest first, without those that are to be deleted: at most `limit` of those
    /// that were created before the one called `after`. The second part says whether there are more.
    pub async fn list(&self, after: Option<&str>, limit: usize) -> Result<(Vec<Record>, bool), StoreError> {
        let most = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let sql = format!(
            "select {COLUMNS}, {WAITING}, s.state from {TABLES} where p.desired_status <> 'deleted' and ($1 is null or
             (p.created_at, p.id) < (select c.created_at, c.id from @pipelines c where c.id = $1))
             order by p.created_at desc, p.id desc limit $2"
        );
        let rows = self.db.read(Statement::new(sql, [after.into(), most.into()])).await?;
        let more = rows.len() > limit;
        let records = rows.iter().take(limit).map(|row| self.record(row, true)).collect::<Result<_, _>>()?;
        Ok((records, more))
    }

    /// All pipelines, also those that are to be deleted, without their states. Of their deliveries it is only known whether any
    /// waits.
    pub async fn all(&self) -> Result<Vec<Record>, StoreError> {
        let sql = format!("select {COLUMNS} from {TABLES} order by p.created_at, p.id");
        let rows = self.db.read(Statement::new(sql, [])).await?;
        rows.iter().map(|row| self.record(row, false)).collect()
    }

    /// Changes a pipeline, if it is still at the version of `record`; [`StoreError::Unmet`] if not. Answers what it is now.
    pub async fn update(&self, record: &Record, change: Change) -> Result<Record, StoreError> {
        let before = &record.pipeline;
        let pipeline = Pipeline {
            id: before.id.clone(),
            name: change.name.unwrap_or_else(|| before.name.clone()),
            source: change.source.unwrap_or_else(|| before.source.clone()),
            destination: change.destination.unwrap_or_else(|| before.destination.clone()),
            streams: change.streams.unwrap_or_else(|| before.streams.clone()),
            transforms: change.transforms.unwrap_or_else(|| before.transforms.clone()),
            desired_status: change.desired_status.unwrap_or(before.desired_status),
        };
        let other = pipeline.config() != before.config();
        let sealed = self.seal(&pipeline)?;
        let mut statements = vec![
            Statement::new(
                "update @pipelines set name = $2, desired_status = $3, streams = $4, source_type = $5, destination_type = $6,
                 sealed = $7, data_key = $8, version = version + 1, config_version = config_version + $9,
                 touched_at = @now, updated_at = @now where id = $1 and version = $10 returning 1",
                [
                    pipeline.id.as_str().into(),
                    pipeline.name.clone().into(),
                    pipeline.desired_status.as_str().into(),
                    streams(&pipeline)?.into(),
                    pipeline.source.connector.as_str().into(),
                    pipeline.destination.connector.as_str().into(),
                    sealed.sealed.into(),
                    sealed.data_key.into(),
                    other.into(),
                    record.version.into(),
                ],
            )
            .must_answer(),
        ];
        // What was read of one place says nothing of another.
        if moved(before, &pipeline) {
            let forget = "update @standings set state = null, standing = $2 where pipeline_id = $1";
            let values = [Value::from(pipeline.id.as_str()), json(&Standing::default())?.into()];
            statements.push(Statement::new(forget, values));
            statements.push(super::deliveries::release(&pipeline.id));
            // Whoever is at work on it must not put back what it knows of the place of before.
            let fence = "update @leases set fence = fence + 1 where pipeline_id = $1";
            statements.push(Statement::new(fence, [pipeline.id.as_str().into()]));
        }
        self.db.write(statements).await?;
        self.notify();
        self.get(&record.pipeline.id).await?.ok_or(StoreError::Unmet)
    }

    /// Takes over a configuration that a connector changed by itself, such as the id of a spreadsheet that it made. That is no
    /// change of the user's: nothing is set up again for it.
    pub async fn adopt(&self, lease: &Lease, pipeline: &Pipeline) -> Result<(), StoreError> {
        let sealed = self.seal(pipeline)?;
        let sql = "update @pipelines set sealed = $2, data_key = $3, version = version + 1, updated_at = @now
            where id = $1 and exists (select 1 from @leases l where l.pipeline_id = $1 and l.fence = $4 and l.until > @now)
            returning 1";
        let values =
            [pipeline.id.as_str().into(), sealed.sealed.into(), sealed.data_key.into(), lease.fence.into()];
        self.db.write(vec![Statement::new(sql, values).must_answer()]).await?;
        Ok(())
    }

    /// Has what failed tried again at once.
    pub async fn touch(&self, id: &str) -> Result<(), StoreError> {
        let sql = "update @pipelines set touched_at = @now where id = $1 returning 1";
        self.db.write(vec![Statement::new(sql, [id.into()]).must_answer()]).await?;
        self.notify();
        Ok(())
    }

    /// Saves how far it is; with a state, that too. [`StoreError::Unmet`] where the lease was lost: then nothing is saved.
    pub async fn save(
        &self,
        lease: &Lease,
        standing: &Standing,
        state: Option<&SyncState>,
    ) -> Result<(), StoreError> {
        let sql = "update @standings set standing = $2, state = coalesce($3, state),
            state_at = case when $3 is null then state_at else @now end
            where pipeline_id = $1 and exists (select 1 from @leases l where l.pipeline_id = $1 and l.fence = $4 and l.until > @now)
            returning 1";
        let state = state.map(json).transpose()?;
        let values =
            [lease.pipeline.as_str().into(), json(standing)?.into(), state.into(), lease.fence.into()];
        self.db.write(vec![Statement::new(sql, values).must_answer()]).await?;
        Ok(())
    }

    /// Forgets how far it is: what was made for it is gone. It rests until somebody wants it active again.
    pub async fn begin_anew(&self, lease: &Lease) -> Result<(), StoreError> {
        let guarded = "exists (select 1 from @leases l where l.pipeline_id = $1 and l.fence = $2 and l.until > @now) returning 1";
        let standing =
            format!("update @standings set standing = $3, state = null where pipeline_id = $1 and {guarded}");
        let paused = format!(
            "update @pipelines set desired_status = case when desired_status = 'active' then 'paused' else desired_status end,
             version = version + 1, updated_at = @now where id = $1 and {guarded}"
        );
        let (id, fence) = (Value::from(lease.pipeline.as_str()), Value::from(lease.fence));
        let values = [id.clone(), fence.clone(), json(&Standing::default())?.into()];
        self.db
            .write(vec![
                Statement::new(standing, values).must_answer(),
                Statement::new(paused, [id, fence]).must_answer(),
                super::deliveries::release(&lease.pipeline),
            ])
            .await?;
        Ok(())
    }

    /// Forgets a pipeline, with all that belongs to it.
    pub async fn forget(&self, id: &str) -> Result<(), StoreError> {
        self.db.write_one(Statement::new("delete from @pipelines where id = $1", [id.into()])).await?;
        self.notify();
        Ok(())
    }

    fn seal(&self, pipeline: &Pipeline) -> Result<Sealed, StoreError> {
        let secret = Secret {
            source: pipeline.source.clone(),
            destination: pipeline.destination.clone(),
            transforms: pipeline.transforms.clone(),
        };
        self.vault
            .seal(&pipeline.id, json(&secret)?.as_bytes())
            .map_err(|error| StoreError::broken(error.to_string()))
    }

    fn record(&self, row: &Row, whole: bool) -> Result<Record, StoreError> {
        let id = row.required_text(0)?;
        let sealed = Sealed { sealed: row.required_bytes(4)?, data_key: row.required_bytes(5)? };
        let opened = self.vault.open(&id, &sealed).map_err(|error| StoreError::broken(error.to_string()))?;
        let secret: Secret = read(&id, &String::from_utf8_lossy(&opened))?;
        let status = row.required_text(2)?;
        let pipeline = Pipeline {
            name: row.text(1)?,
            source: secret.source,
            destination: secret.destination,
            streams: row.text(3)?.map(|text| read(&id, &text)).transpose()?,
            transforms: secret.transforms,
            desired_status: DesiredStatus::parse(&status).ok_or_else(|| unknown(&id, &status))?,
            id: id.clone(),
        };
        let state = if whole { row.text(17)? } else { None };
        let standing: Standing = read(&id, &row.required_text(11)?)?;
        let oldest = row.int(13)?;
        let held = row.required_int(15)? == 1;
        let waiting = match whole {
            true => u64::try_from(row.required_int(16)?).unwrap_or(0),
            false => u64::from(oldest.is_some() || held),
        };
        let waiting_since = standing.deferred.values().map(|held| held.since).chain(oldest).min();
        Ok(Record {
            pipeline,
            version: row.required_int(6)?,
            config_version: row.required_int(7)?,
            touched_at: row.required_int(8)?,
            created_at: row.required_int(9)?,
            updated_at: row.required_int(10)?,
            standing,
            working: row.text(12)?.and_then(|stage| Stage::parse(&stage)),
            positioned: row.required_int(14)? == 1,
            waiting,
            deliverable: oldest.is_some(),
            held,
            waiting_since,
            state: state.map(|text| read(&id, &text)).transpose()?,
        })
    }
}

/// Whether it reads or writes elsewhere by now, so that no state of before holds.
fn moved(before: &Pipeline, now: &Pipeline) -> bool {
    let place = |connector: &ConnectorConfig, fields: &[&str]| {
        let values: Vec<_> = fields.iter().map(|field| connector.config.get(*field).cloned()).collect();
        (connector.connector.clone(), values)
    };
    let source = ["account_id", "accounts", "livemode"];
    let destination = [
        "url",
        "connection_string",
        "host",
        "port",
        "database",
        "schema",
        "path",
        "spreadsheet_id",
        "table_prefix",
    ];
    place(&before.source, &source) != place(&now.source, &source)
        || !is_same_world(&before.source, &now.source)
        || place(&before.destination, &destination) != place(&now.destination, &destination)
}

fn streams(pipeline: &Pipeline) -> Result<Option<String>, StoreError> {
    pipeline.streams.as_ref().map(json).transpose()
}

fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::broken(format!("cannot be written as JSON: {error}")))
}

fn read<T: serde::de::DeserializeOwned>(id: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| {
        StoreError::broken(format!("what the store holds of pipeline {id} cannot be read: {error}"))
    })
}

fn unknown(id: &str, status: &str) -> StoreError {
    StoreError::broken(format!("the store says that pipeline {id} is to be `{status}`, which is unknown"))
}
