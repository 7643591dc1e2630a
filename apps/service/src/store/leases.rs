//! Who works on a pipeline: one at a time, whichever process or machine.

use std::time::Duration;

use super::{Statement, Store, StoreError};
use crate::standing::Stage;

/// How long a lease lasts unless it is renewed. Whoever died is waited for so long.
pub(crate) const TERM: Duration = Duration::from_secs(10);

/// How often it is renewed.
pub(crate) const RENEWAL: Duration = Duration::from_secs(3);

/// The right to work on a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The pipeline.
    pub pipeline: String,
    /// Grows with each holder: what is saved with an older one is refused.
    pub fence: i64,
}

fn term() -> i64 {
    i64::try_from(TERM.as_millis()).unwrap_or(i64::MAX)
}

impl Store {
    /// Takes the lease of a pipeline for `stage`; `None` while somebody else has it, or where somebody asked for it by
    /// [`Store::ask_for`] before (`asking` is who asked).
    pub async fn lease(
        &self,
        pipeline: &str,
        holder: &str,
        stage: Stage,
        asking: bool,
    ) -> Result<Option<Lease>, StoreError> {
        let sql = "insert into @leases as l (pipeline_id, holder, stage, fence, until, asked_until)
            select id, $2, $3, 1, @now + $4, 0 from @pipelines where id = $1
            on conflict (pipeline_id) do update set holder = $2, stage = $3, fence = l.fence + 1, until = @now + $4,
                asked_until = case when $5 = 1 then 0 else l.asked_until end
            where l.until <= @now and ($5 = 1 or l.asked_until <= @now)
            returning fence";
        let values = [pipeline.into(), holder.into(), stage.as_str().into(), term().into(), asking.into()];
        let rows = self.db.write_one(Statement::new(sql, values)).await?;
        let fence = rows.first().map(|row| row.required_int(0)).transpose()?;
        Ok(fence.map(|fence| Lease { pipeline: pipeline.to_owned(), fence }))
    }

    /// Keeps a lease for another while. Answers whether somebody asks for it; [`StoreError::Unmet`] where it is lost.
    pub async fn renew(&self, lease: &Lease) -> Result<bool, StoreError> {
        let sql =
            "update @leases set until = @now + $3 where pipeline_id = $1 and fence = $2 and until > @now
            returning case when asked_until > @now then 1 else 0 end";
        let values = [lease.pipeline.as_str().into(), lease.fence.into(), term().into()];
        let rows = self.db.write(vec![Statement::new(sql, values).must_answer()]).await?;
        let asked = rows.first().and_then(|rows| rows.first()).map(|row| row.required_int(0)).transpose()?;
        Ok(asked == Some(1))
    }

    /// Gives a lease back.
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let sql = "update @leases set until = 0 where pipeline_id = $1 and fence = $2";
        self.db.write_one(Statement::new(sql, [lease.pipeline.as_str().into(), lease.fence.into()])).await?;
        self.notify();
        Ok(())
    }

    /// Asks whoever works on the pipeline to stop at the next safe point, for the next few seconds.
    pub async fn ask_for(&self, pipeline: &str) -> Result<(), StoreError> {
        let sql = "update @leases set asked_until = @now + $2 where pipeline_id = $1";
        self.db.write_one(Statement::new(sql, [pipeline.into(), term().into()])).await?;
        Ok(())
    }
}
