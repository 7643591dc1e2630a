//! Comparing one part of a stream: the objects of some seconds, or all of it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::StreamExt;
use protocol::{
    AnySource, ConfiguredCatalog, ConfiguredStream, ConnectionState, ConnectorConfig, ConnectorError,
    ErrorKind, LookUpRequest, MessageStream, ObjectRef, Payload, ReadRequest, Record, StoredRow,
    StreamStatus, Sweep, TimeRange, Timestamp,
};
use tokio_util::sync::CancellationToken;

use super::budget::Budget;
use super::comparison::{Comparison, Expected, Verdict, judge, shown, tombstone, with_version};
use super::copy::Copy;
use super::report::StreamReport;
use crate::EngineError;
use crate::delivery::Delivery;
use crate::transform::Rules;

/// Objects that are suspected before they are looked at again, and their bytes.
const SUSPECTS: usize = 500;
const SUSPECT_BYTES: usize = 4 << 20;

/// Objects that are asked for at once.
const LOOK_UPS: usize = 100;

/// One stream on both sides.
pub(crate) struct Part<'a> {
    pub(crate) source: &'a Arc<dyn AnySource>,
    pub(crate) connector: &'a ConnectorConfig,
    pub(crate) stream: &'a ConfiguredStream,
    pub(crate) copy: &'a Copy<'a>,
    pub(crate) rules: &'a Rules,
    pub(crate) budget: &'a Budget,
    pub(crate) stop: &'a CancellationToken,
    pub(crate) repair: bool,
    pub(crate) clock: fn() -> Timestamp,
}

/// How the comparison of a part ended.
pub(crate) enum End {
    Compared,
    Skipped(String),
    Failed(String),
    /// Not wholly: the budget was used up.
    Exhausted,
    Interrupted,
}

impl Part<'_> {
    fn failed(&self, error: ConnectorError) -> EngineError {
        EngineError::source(&self.connector.connector, error)
    }

    fn now(&self) -> i64 {
        (self.clock)().unix_seconds()
    }

    /// Holds the objects created in `range` against `rows`. With `judge_rest` a row whose object does not come
    /// is judged, too. What was found is in the report however it ended.
    pub(crate) async fn compare(
        &self,
        range: Option<TimeRange>,
        rows: Vec<StoredRow>,
        judge_rest: bool,
    ) -> Result<(End, StreamReport), EngineError> {
        let mut report = StreamReport::new(&self.stream.stream.name);
        report.stored = rows.len() as u64;
        let began = self.now();
        let mut comparison = Comparison::with(rows);
        let end = self.read(range, &mut comparison, began, &mut report).await?;
        if !matches!(end, End::Compared) || !judge_rest {
            return Ok((end, report));
        }
        let rest = comparison.rest(began);
        for rows in rest.chunks(LOOK_UPS) {
            if self.stop.is_cancelled() {
                return Ok((End::Interrupted, report));
            }
            if self.budget.is_exceeded() {
                return Ok((End::Exhausted, report));
            }
            self.prove(rows, began, &mut report).await?;
        }
        Ok((End::Compared, report))
    }

    async fn read(
        &self,
        range: Option<TimeRange>,
        comparison: &mut Comparison,
        began: i64,
        report: &mut StreamReport,
    ) -> Result<End, EngineError> {
        let stream = ConfiguredStream { time_range: range, backfill_limit: None, ..self.stream.clone() };
        let catalog = ConfiguredCatalog { streams: vec![stream] };
        let request = ReadRequest { catalog, state: None, input: None, durable: None };
        let messages = self.source.read(&self.connector.config, request);
        let mut messages = messages.map_err(|error| self.failed(error))?;
        let mut delivery = self.delivery();
        let (mut suspects, mut bytes) = (Vec::new(), 0);
        let mut end = End::Compared;
        loop {
            let message = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(End::Interrupted),
                message = messages.next() => message,
            };
            let Some(message) = message else { break };
            match message.map_err(|error| self.failed(error))?.payload {
                Payload::Record(record) if !record.deleted => {
                    // The row of one that is not wanted is left for the end, and told as extra.
                    let Some((expected, false)) = self.expected(&mut delivery, record)? else { continue };
                    report.read += 1;
                    if let Some(suspect) = comparison.take(expected) {
                        bytes += suspect.data.len();
                        suspects.push(suspect);
                    }
                    if suspects.len() >= SUSPECTS || bytes >= SUSPECT_BYTES {
                        self.settle(std::mem::take(&mut suspects), began, report).await?;
                        bytes = 0;
                    }
                }
                Payload::StreamStatus(status) if status.stream == self.stream.stream.name => {
                    match status.status {
                        StreamStatus::Error { error } => end = End::Failed(error),
                        StreamStatus::Skip { reason } => end = End::Skipped(reason),
                        _ => {}
                    }
                }
                Payload::ConnectionStatus(status) if status.status == ConnectionState::Failed => {
                    let text = status.message.unwrap_or_else(|| "the connection failed".to_owned());
                    return Err(self.failed(ConnectorError::new(ErrorKind::Permanent, text)));
                }
                _ => {}
            }
            if self.budget.is_exceeded() {
                self.settle(suspects, began, report).await?;
                return Ok(End::Exhausted);
            }
        }
        self.settle(suspects, began, report).await?;
        Ok(end)
    }

    fn delivery(&self) -> Delivery {
        Delivery::new(&ConfiguredCatalog { streams: vec![self.copy.stream.clone()] })
    }

    /// A record as it should be stored, and whether it should not be: it is gone, or not wanted. `None` where it is not
    /// of this stream.
    fn expected(
        &self,
        delivery: &mut Delivery,
        record: Record,
    ) -> Result<Option<(Expected, bool)>, EngineError> {
        let message = self.rules.apply(Payload::Record(record).into());
        let admitted =
            message.and_then(|message| delivery.admit(message)).map_err(|error| self.failed(error))?;
        let Some(Payload::Record(record)) = admitted.map(|message| message.payload) else { return Ok(None) };
        let expected = Expected::of(&self.stream.stream, record.data).map_err(|error| self.failed(error))?;
        Ok(Some((expected, record.deleted)))
    }

    /// Looks at the rows of suspected objects again, and repairs them where that is wanted.
    async fn settle(
        &self,
        suspects: Vec<Expected>,
        began: i64,
        report: &mut StreamReport,
    ) -> Result<(), EngineError> {
        if suspects.is_empty() {
            return Ok(());
        }
        let stored = self.copy.stored(suspects.iter().map(|suspect| suspect.key.clone())).await?;
        let mut seen = HashSet::new();
        let mut wrong = Vec::new();
        for suspect in suspects {
            let verdict = judge(&suspect, stored.get(&suspect.key), began);
            // An object may come twice.
            if verdict == Verdict::Fine || !seen.insert(suspect.key.clone()) {
                continue;
            }
            let id = shown(&self.stream.stream, &suspect.key);
            match verdict {
                Verdict::Missing => report.missing.add(id),
                _ => report.different.add(id),
            }
            wrong.push((suspect, verdict));
        }
        if !self.repair || wrong.is_empty() {
            return Ok(());
        }
        let now = (self.clock)();
        let newer_than = &self.stream.stream.newer_than_field;
        let records = wrong.iter().map(|(suspect, _)| {
            // It is true as of the reading, and must win against whatever is stored or remembered as deleted.
            let least = stored.get(&suspect.key).map_or(began, |row| row.version.max(began));
            self.copy.record(with_version(&suspect.data, newer_than, least), false, now)
        });
        self.copy.write(records.collect()).await?;
        let stored = self.copy.stored(wrong.iter().map(|(suspect, _)| suspect.key.clone())).await?;
        for (suspect, verdict) in &wrong {
            let healed = judge(suspect, stored.get(&suspect.key), began) == Verdict::Fine;
            match verdict {
                Verdict::Missing => report.missing.repaired += u64::from(healed),
                _ => report.different.repaired += u64::from(healed),
            }
        }
        Ok(())
    }

    /// Asks the source whether the objects of rows that it did not list are gone.
    async fn prove(
        &self,
        rows: &[StoredRow],
        began: i64,
        report: &mut StreamReport,
    ) -> Result<(), EngineError> {
        let mut stored = self.copy.stored(rows.iter().map(|row| row.key.clone())).await?;
        // What was written or deleted meanwhile is somebody else's.
        stored.retain(|_, row| row.version <= began);
        if stored.is_empty() {
            return Ok(());
        }
        let objects: Vec<ObjectRef> = stored.values().map(|row| self.object(row)).collect();
        let request = LookUpRequest { stream: self.stream.clone(), objects };
        let answers = self.source.look_up(&self.connector.config, request);
        let mut gone = Vec::new();
        if let Some(answers) = answers.map_err(|error| self.failed(error))? {
            gone = self.ask(answers, &mut stored, began, report).await?;
        }
        for row in stored.values() {
            report.not_listed.add(shown(&self.stream.stream, &row.key));
        }
        for row in &gone {
            report.extra.add(shown(&self.stream.stream, &row.key));
        }
        if self.repair && !gone.is_empty() {
            let now = (self.clock)();
            let graves = gone.iter().map(|row| {
                let version = row.version.max(now.unix_seconds());
                let data = tombstone(&self.stream.stream, &row.key, version);
                data.map(|data| self.copy.record(data, true, now)).map_err(|error| self.failed(error))
            });
            self.copy.write(graves.collect::<Result<_, _>>()?).await?;
            let left = self.copy.stored(gone.iter().map(|row| row.key.clone())).await?;
            report.extra.repaired += gone.len().saturating_sub(left.len()) as u64;
        }
        Ok(())
    }

    /// Takes the rows away that the source has an answer for, and answers those that are gone.
    async fn ask(
        &self,
        mut answers: MessageStream,
        stored: &mut HashMap<Vec<String>, StoredRow>,
        began: i64,
        report: &mut StreamReport,
    ) -> Result<Vec<StoredRow>, EngineError> {
        let mut delivery = self.delivery();
        let (mut gone, mut suspects) = (Vec::new(), Vec::new());
        while let Some(message) = answers.next().await {
            let Payload::Record(record) = message.map_err(|error| self.failed(error))?.payload else {
                continue;
            };
            if Sweep::of(&record).is_some() {
                continue;
            }
            let Some((expected, deleted)) = self.expected(&mut delivery, record)? else { continue };
            let Some(row) = stored.remove(&expected.key) else { continue };
            if deleted {
                gone.push(row);
            } else if judge(&expected, Some(&row), began) != Verdict::Fine {
                suspects.push(expected);
            }
        }
        self.settle(suspects, began, report).await?;
        Ok(gone)
    }

    fn object(&self, row: &StoredRow) -> ObjectRef {
        let fields = self.stream.stream.key_fields();
        let field = |name: &str| {
            let at = fields.iter().position(|field| *field == name)?;
            row.key.get(at).cloned()
        };
        ObjectRef {
            id: field("id").or_else(|| row.key.first().cloned()).unwrap_or_default(),
            account: field("_account_id"),
            parent: row.parent.clone(),
        }
    }
}
