//! What Stripe delivered, until it is applied.

use std::fmt::Write as _;

use super::{Row, Statement, Store, StoreError, Value};

/// An event, as it was delivered and verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// For which pipeline.
    pub pipeline: String,
    /// The event's id; a second delivery of it is dropped.
    pub event: String,
    /// The id of the object that it is about.
    pub object: Option<String>,
    /// The event itself, as JSON.
    pub body: String,
}

/// A delivery that waits to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its place in the order of arrival.
    pub sequence: i64,
    /// The event, as JSON.
    pub body: String,
    /// When it arrived, in milliseconds since 1970.
    pub received_at: i64,
}

/// Ids of applied events are known for so long: Stripe repeats a delivery for three days.
const REMEMBERED_MS: i64 = 4 * 24 * 3600 * 1000;

/// So many ids are forgotten at a time.
const FORGOTTEN: i64 = 5000;

impl Store {
    /// Stores deliveries durably, all or none; those whose event was delivered before, and those whose pipeline is gone,
    /// are dropped.
    pub async fn deliver(&self, deliveries: &[Delivery]) -> Result<(), StoreError> {
        if deliveries.is_empty() {
            return Ok(());
        }
        let mut sql = "insert into @deliveries (pipeline_id, event_id, object_id, body, received_at)
            select v.pipeline_id, v.event_id, v.object_id, v.body, @now from ("
            .to_owned();
        let mut values: Vec<Value> = Vec::with_capacity(deliveries.len() * 4);
        for (index, delivery) in deliveries.iter().enumerate() {
            let at = index * 4;
            // Writing to a string cannot fail.
            let _ = match index {
                0 => write!(
                    sql,
                    "select $1 as pipeline_id, $2 as event_id, $3 as object_id, $4 as body, 0 as place"
                ),
                _ => write!(
                    sql,
                    " union all select ${}, ${}, ${}, ${}, {index}",
                    at + 1,
                    at + 2,
                    at + 3,
                    at + 4
                ),
            };
            values.push(delivery.pipeline.as_str().into());
            values.push(delivery.event.as_str().into());
            values.push(delivery.object.clone().into());
            values.push(delivery.body.as_str().into());
        }
        sql.push_str(
            ") v join @pipelines p on p.id = v.pipeline_id where true order by v.place
             on conflict (pipeline_id, event_id) do nothing",
        );
        self.db.write_one(Statement::new(sql, values)).await?;
        self.notify();
        Ok(())
    }

    /// The oldest deliveries that wait and are not held, at most `most`.
    pub async fn waiting(&self, pipeline: &str, most: usize) -> Result<Vec<Waiting>, StoreError> {
        let sql = "select sequence, body, received_at from @deliveries
            where pipeline_id = $1 and applied_at is null and held_for is null order by sequence limit $2";
        self.deliveries(Statement::new(sql, [pipeline.into(), limit(most)])).await
    }

    /// The oldest deliveries that are held for the stream, at most `most`.
    pub async fn held(&self, pipeline: &str, stream: &str, most: usize) -> Result<Vec<Waiting>, StoreError> {
        let sql = "select sequence, body, received_at from @deliveries
            where pipeline_id = $1 and applied_at is null and held_for is not null and held_for = $2
            order by sequence limit $3";
        self.deliveries(Statement::new(sql, [pipeline.into(), stream.into(), limit(most)])).await
    }

    async fn deliveries(&self, statement: Statement) -> Result<Vec<Waiting>, StoreError> {
        let rows = self.db.read(statement).await?;
        let waiting = |row: &Row| {
            let (sequence, received_at) = (row.required_int(0)?, row.required_int(2)?);
            Ok(Waiting { sequence, body: row.text(1)?.unwrap_or_default(), received_at })
        };
        rows.iter().map(waiting).collect()
    }

    /// Holds deliveries, each for a stream, until it works again.
    pub async fn hold(&self, pipeline: &str, deliveries: &[(i64, String)]) -> Result<(), StoreError> {
        if deliveries.is_empty() {
            return Ok(());
        }
        let statement = |(sequence, stream): &(i64, String)| {
            let sql = "update @deliveries set held_for = $3
                where sequence = $1 and pipeline_id = $2 and applied_at is null";
            Statement::new(sql, [(*sequence).into(), pipeline.into(), stream.as_str().into()])
        };
        self.db.write(deliveries.iter().map(statement).collect()).await?;
        Ok(())
    }

    /// Holds nothing of the pipeline any more.
    pub async fn release_held(&self, pipeline: &str) -> Result<(), StoreError> {
        self.db.write_one(release(pipeline)).await?;
        Ok(())
    }

    /// Notes that these were applied; their bodies go, their ids stay for a while.
    pub async fn applied(&self, pipeline: &str, sequences: &[i64]) -> Result<(), StoreError> {
        let statement = |sequence: &i64| {
            let sql = "update @deliveries set applied_at = @now, body = null where sequence = $1 and pipeline_id = $2";
            Statement::new(sql, [(*sequence).into(), pipeline.into()])
        };
        self.db.write(sequences.iter().map(statement).collect()).await?;
        self.notify();
        Ok(())
    }

    /// Forgets the ids of events that Stripe repeats no more. Answers how many.
    pub async fn forget_old_deliveries(&self) -> Result<usize, StoreError> {
        let sql = "delete from @deliveries where sequence in (select sequence from @deliveries
            where applied_at is not null and applied_at < @now - $1 limit $2) returning 1";
        let values = [REMEMBERED_MS.into(), FORGOTTEN.into()];
        Ok(self.db.write_one(Statement::new(sql, values)).await?.len())
    }

    /// Whether the event was delivered, and whether it is applied; `None` where it was never delivered, or long ago.
    pub async fn event_applied(&self, pipeline: &str, event: &str) -> Result<Option<bool>, StoreError> {
        let sql = "select case when applied_at is null then 0 else 1 end from @deliveries
            where pipeline_id = $1 and event_id = $2";
        let rows = self.db.read(Statement::new(sql, [pipeline.into(), event.into()])).await?;
        Ok(rows.first().map(|row| row.required_int(0)).transpose()?.map(|applied| applied == 1))
    }

    /// How many deliveries wait, of all pipelines.
    pub async fn all_waiting(&self) -> Result<i64, StoreError> {
        let sql = "select (select count(*) from @deliveries where applied_at is null and held_for is null)
            + (select count(*) from @deliveries where applied_at is null and held_for is not null)";
        let rows = self.db.read(Statement::new(sql, [])).await?;
        Ok(rows.first().map(|row| row.required_int(0)).transpose()?.unwrap_or(0))
    }

    /// How many deliveries about this object wait.
    pub async fn waiting_about(&self, pipeline: &str, object: &str) -> Result<u64, StoreError> {
        // Each half has an index.
        let about = "select count(*) from @deliveries where pipeline_id = $1 and object_id = $2 and applied_at is null";
        let sql = format!("select ({about} and held_for is null) + ({about} and held_for is not null)");
        let rows = self.db.read(Statement::new(sql, [pipeline.into(), object.into()])).await?;
        let count = rows.first().map(|row| row.required_int(0)).transpose()?.unwrap_or(0);
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

/// What holds nothing of a pipeline any more.
pub(super) fn release(pipeline: &str) -> Statement {
    let sql = "update @deliveries set held_for = null
        where pipeline_id = $1 and applied_at is null and held_for is not null";
    Statement::new(sql, [pipeline.into()])
}

fn limit(most: usize) -> Value {
    i64::try_from(most).unwrap_or(i64::MAX).into()
}
