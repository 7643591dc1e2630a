//! Answers to requests that name an idempotency key: asking twice does once.

use super::{Statement, Store, StoreError};

/// A key is known for so long, as Stripe's are.
const REMEMBERED_MS: i64 = 24 * 3600 * 1000;

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Its status.
    pub status: u16,
    /// Its body, JSON.
    pub body: String,
}

/// What is known of a request with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It is new, and now the caller's to answer.
    New,
    /// It was answered so.
    Before(Answered),
    /// It is being answered at present.
    UnderWay,
    /// Another request had this key.
    Other,
}

/// The status of a request that is not answered yet.
const UNANSWERED: i64 = 0;

impl Store {
    /// Notes that the request of this digest is asked under this key.
    pub async fn ask(&self, key: &str, digest: &str) -> Result<Asked, StoreError> {
        let insert =
            "insert into @answers (key, request, status, body, created_at) values ($1, $2, 0, '', @now)
            on conflict (key) do nothing returning 1";
        let rows = self.db.write_one(Statement::new(insert, [key.into(), digest.into()])).await?;
        if !rows.is_empty() {
            return Ok(Asked::New);
        }
        let select = "select request, status, body from @answers where key = $1";
        let rows = self.db.read(Statement::new(select, [key.into()])).await?;
        let Some(row) = rows.first() else { return Ok(Asked::UnderWay) };
        if row.required_text(0)? != digest {
            return Ok(Asked::Other);
        }
        match row.required_int(1)? {
            UNANSWERED => Ok(Asked::UnderWay),
            status => {
                let status =
                    u16::try_from(status).map_err(|_| StoreError::broken("an answer has no status"))?;
                Ok(Asked::Before(Answered { status, body: row.text(2)?.unwrap_or_default() }))
            }
        }
    }

    /// Keeps the answer for whoever asks again.
    pub async fn answer(&self, key: &str, answered: &Answered) -> Result<(), StoreError> {
        let sql = "update @answers set status = $2, body = $3 where key = $1";
        let values = [key.into(), i64::from(answered.status).into(), answered.body.as_str().into()];
        self.db.write_one(Statement::new(sql, values)).await?;
        Ok(())
    }

    /// Forgets a request that failed by no fault of its own: it may be asked again.
    pub async fn unask(&self, key: &str) -> Result<(), StoreError> {
        self.db.write_one(Statement::new("delete from @answers where key = $1", [key.into()])).await?;
        Ok(())
    }

    /// Forgets answers that nobody asks for again.
    pub async fn forget_old_answers(&self) -> Result<(), StoreError> {
        let sql = "delete from @answers where created_at < @now - $1";
        self.db.write_one(Statement::new(sql, [REMEMBERED_MS.into()])).await?;
        Ok(())
    }
}
