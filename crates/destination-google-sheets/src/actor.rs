//! The one task that owns the spreadsheet while it is written: what several streams hand in goes out in one request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::{Batch, ConnectorError, LogLevel, RawJson, Timestamp};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::a1;
use crate::books::{self, Kind};
use crate::error::SheetsError;
use crate::grow::Need;
use crate::ranges;
use crate::stream::Planned;
use crate::workbook::{REQUEST, Workbook};

/// Stands for the stream in a global state.
pub(crate) const GLOBAL: &str = "_global";
/// Payload bytes of the batches that share a request.
const TOGETHER: usize = 3 << 20;

/// What became of a job; the error goes to the user.
pub(crate) type Answer = Result<(), ConnectorError>;

/// Something to be made durable.
pub(crate) struct Job {
    pub(crate) work: Work,
    pub(crate) done: oneshot::Sender<Answer>,
}

/// What is to be made durable.
pub(crate) enum Work {
    /// Rows, and the state after them.
    Batch(Arc<Batch>),
    /// A state of the source as a whole.
    Global(RawJson),
}

impl Work {
    fn bytes(&self) -> usize {
        match self {
            Work::Batch(batch) => batch.bytes(),
            Work::Global(state) => state.len(),
        }
    }
}

/// The task.
pub(crate) struct Actor {
    pub(crate) workbook: Workbook,
    pub(crate) sync_id: Option<String>,
    /// How long what is known of rows is trusted.
    pub(crate) minute: Duration,
    pub(crate) claim: Claim,
}

/// That this sync is the one that writes. The newest one is: it says so with its first rows, and whoever wrote before
/// finds that out at the next look. A sync that was killed is in nobody's way by that.
pub(crate) struct Claim {
    /// Names this writer; no other has the name.
    name: String,
    is_made: bool,
    /// Somebody else has made one since.
    is_lost: bool,
    /// When it was looked at last.
    looked: Instant,
    /// Requests that wrote since.
    wrote: usize,
}

/// Whoever writes looks at who claims the spreadsheet after so many requests that wrote: it costs one that reads.
const WRITES_PER_LOOK: usize = 30;

/// The shares of a minute within which it is not looked again, and after which it is, however little was written.
const SOONEST_LOOK: u32 = 12;
const LATEST_LOOK: u32 = 2;

impl Claim {
    /// A claim that is not made yet.
    pub(crate) fn new() -> Claim {
        let name = format!("{:032x}", rand::random::<u128>());
        Claim { name, is_made: false, is_lost: false, looked: Instant::now(), wrote: 0 }
    }

    /// Whether it is time to look at it, so that two syncs are not at work for long at once.
    fn is_due(&self, now: Instant, minute: Duration) -> bool {
        let passed = now.duration_since(self.looked);
        let enough = self.wrote >= WRITES_PER_LOOK && passed >= minute / SOONEST_LOOK;
        self.is_made && (enough || passed >= minute / LATEST_LOOK)
    }

    /// Takes in the first row of the books, where somebody may claim the spreadsheet who did not when it was opened, `before`.
    fn look(&mut self, rows: Option<&Vec<Vec<Value>>>, before: &str) -> Result<(), SheetsError> {
        (self.looked, self.wrote) = (Instant::now(), 0);
        let first = rows.and_then(|rows| rows.first());
        let writer = first.map(|first| books::writer_of(first)).unwrap_or_default();
        self.is_lost = !writer.is_empty() && writer != self.name && writer != before;
        if self.is_lost { Err(SheetsError::Superseded) } else { Ok(()) }
    }
}

/// A job that has been worked out.
struct Ready {
    job: oneshot::Sender<Answer>,
    stream: Option<Arc<str>>,
    need: Option<Need>,
    ranges: Vec<String>,
    books: books::Changes,
}

impl Actor {
    /// Works until nobody hands anything in any more.
    pub(crate) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut next = None;
        loop {
            let first = match next.take() {
                Some(job) => Some(job),
                None => jobs.recv().await,
            };
            let Some(first) = first else { return };
            let mut bytes = first.work.bytes();
            let mut together = vec![first];
            while let Ok(job) = jobs.try_recv() {
                bytes += job.work.bytes();
                if bytes > TOGETHER {
                    next = Some(job);
                    break;
                }
                together.push(job);
            }
            self.flush(together).await;
        }
    }

    async fn flush(&mut self, jobs: Vec<Job>) {
        if self.claim.is_lost {
            return jobs.into_iter().for_each(|job| answer(job.done, Err(&SheetsError::Superseded)));
        }
        if let Err(error) = self.look_again(&jobs).await {
            for job in jobs {
                answer(job.done, Err(&error));
            }
            return;
        }
        let mut ready = Vec::new();
        for Job { work, done } in jobs {
            match self.work_out(work, done) {
                Ok(job) => ready.push(job),
                Err((done, error)) => answer(done, Err(&error)),
            }
        }
        let ready = match self.make_room(ready).await {
            Ok(ready) => ready,
            Err((jobs, error)) => return self.fail(jobs, &error),
        };
        match self.send(&ready).await {
            Ok(()) => ready.into_iter().for_each(|job| answer(job.job, Ok(()))),
            // One of them may be at fault, such as a tab that is protected; the others need not fail with it.
            Err(SheetsError::Refused { .. } | SheetsError::Forbidden { .. }) if ready.len() > 1 => {
                for job in ready {
                    let alone = std::slice::from_ref(&job);
                    match self.send(alone).await {
                        Ok(()) => answer(job.job, Ok(())),
                        Err(error) => self.fail(vec![job], &error),
                    }
                }
            }
            Err(error) => self.fail(ready, &error),
        }
    }

    /// What a job writes. Fails with the job where it cannot be written.
    fn work_out(
        &mut self,
        work: Work,
        done: oneshot::Sender<Answer>,
    ) -> Result<Ready, (oneshot::Sender<Answer>, SheetsError)> {
        let batch = match work {
            Work::Batch(batch) => batch,
            Work::Global(state) => {
                if let Some(sync_id) = &self.sync_id {
                    self.workbook.books.set(Kind::State, sync_id, GLOBAL, state.as_str());
                }
                let books = self.changes();
                return Ok(Ready { job: done, stream: None, need: None, ranges: Vec::new(), books });
            }
        };
        let Workbook { streams, books, refused, spreadsheet, .. } = &mut self.workbook;
        let stream = Arc::clone(batch.stream());
        let Some(tab) = streams.get_mut(&stream) else {
            let error = refused.remove(&stream);
            return Err((
                done,
                error.unwrap_or_else(|| SheetsError::UnknownStream { stream: stream.to_string() }),
            ));
        };
        if let Some(problem) = &tab.broken {
            return Err((done, SheetsError::Config(problem.clone())));
        }
        let planned = match tab.plan(&batch, books, Timestamp::now()) {
            Ok(planned) => planned,
            Err(error) => {
                tab.broken = Some(error.to_string());
                return Err((done, error));
            }
        };
        let Planned { ranges, rows, columns, warnings } = planned;
        for warning in warnings {
            spreadsheet.client.say(LogLevel::Warn, warning);
        }
        if let (Some(sync_id), Some(state), false) = (&self.sync_id, batch.state(), tab.tainted) {
            books.set(Kind::State, sync_id, &stream, state.as_str());
        }
        let need = (rows > 0).then(|| Need { stream: Arc::clone(&stream), sheet: tab.tab.id, rows, columns });
        let books = self.changes();
        Ok(Ready { job: done, stream: Some(stream), need, ranges, books })
    }

    /// What changed in the books; the first time with the claim.
    fn changes(&mut self) -> books::Changes {
        let mut changes = self.workbook.books.take_changes();
        if !std::mem::replace(&mut self.claim.is_made, true) {
            changes.ranges.push(books::first_row(&self.claim.name));
            changes.rows = changes.rows.max(1);
            changes.columns = changes.columns.max(books::FIRST);
        }
        changes
    }

    /// Makes the grids large enough for the jobs; those for which there is no room fail, before anything is written.
    async fn make_room(&mut self, jobs: Vec<Ready>) -> Result<Vec<Ready>, (Vec<Ready>, SheetsError)> {
        let needs: Vec<Need> = jobs.iter().filter_map(|job| job.need.clone()).collect();
        let rows = jobs.iter().map(|job| job.books.rows).max().unwrap_or_default();
        let columns = jobs.iter().map(|job| job.books.columns).max().unwrap_or_default();
        if let Err(error) = self.workbook.grow_books(rows, columns).await {
            return Err((jobs, error));
        }
        let mut answers = match self.workbook.grow(&needs).await {
            Ok(answers) => answers.into_iter(),
            Err(error) => return Err((jobs, error)),
        };
        let mut fitting = Vec::new();
        for job in jobs {
            let room = if job.need.is_some() { answers.next().unwrap_or(Ok(())) } else { Ok(()) };
            match room {
                Ok(()) => fitting.push(job),
                Err(error) => self.fail(vec![job], &error),
            }
        }
        Ok(fitting)
    }

    /// Sends what the jobs write; the books of a job go last, and in one request with its last rows.
    async fn send(&mut self, jobs: &[Ready]) -> Result<(), SheetsError> {
        let all = jobs.iter().flat_map(|job| job.ranges.iter().chain(&job.books.ranges).cloned());
        for request in ranges::requests(all, REQUEST) {
            self.workbook.spreadsheet.write(&request, false).await?;
            self.claim.wrote += 1;
        }
        for stream in jobs.iter().filter_map(|job| job.stream.as_ref()) {
            if let Some(tab) = self.workbook.streams.get_mut(stream) {
                tab.wrote = Instant::now();
            }
        }
        Ok(())
    }

    fn fail(&mut self, jobs: Vec<Ready>, error: &SheetsError) {
        for job in jobs {
            let tab = job.stream.as_ref().and_then(|stream| self.workbook.streams.get_mut(stream));
            if let Some(tab) = tab {
                tab.broken = Some(error.to_string());
            }
            answer(job.job, Err(error));
        }
    }

    /// Looks whether somebody else has begun to write, where that was not looked at just now.
    async fn look_at_claim(&mut self, now: Instant) -> Result<(), SheetsError> {
        if !self.claim.is_due(now, self.minute) {
            return Ok(());
        }
        let rows = self.workbook.spreadsheet.values(&[a1::header(books::TITLE)], false).await?;
        self.claim.look(rows.first(), self.workbook.books.writer())
    }

    /// Reads again what is known of the tabs of these jobs, where that may no longer be true.
    async fn look_again(&mut self, jobs: &[Job]) -> Result<(), SheetsError> {
        let (now, workbook) = (Instant::now(), &mut self.workbook);
        let streams: Vec<Arc<str>> = jobs
            .iter()
            .filter_map(|job| {
                if let Work::Batch(batch) = &job.work { Some(Arc::clone(batch.stream())) } else { None }
            })
            .filter(|stream| workbook.streams.get(stream).is_some_and(|tab| tab.is_stale(now, self.minute)))
            .collect();
        if streams.is_empty() {
            return self.look_at_claim(now).await;
        }
        workbook.described = workbook.spreadsheet.describe().await?;
        workbook.take_grids();
        let (there, gone): (Vec<_>, Vec<_>) = streams.into_iter().partition(|stream| {
            let tab = workbook.streams.get(stream).map(|tab| tab.tab.id);
            workbook.described.tabs.iter().any(|described| Some(described.id) == tab)
        });
        for stream in gone {
            if let Some(tab) = workbook.streams.get_mut(&stream) {
                tab.broken = Some(format!(
                    "the tab of stream `{stream}` was deleted while it was written; run the sync again"
                ));
            }
        }
        let streams = there;
        let mut headers: Vec<String> = streams
            .iter()
            .filter_map(|stream| workbook.streams.get(stream))
            .map(|tab| a1::header(&tab.tab.title))
            .collect();
        if workbook.described.tabs.iter().any(|tab| tab.title == books::TITLE) {
            headers.push(a1::header(books::TITLE));
        }
        let rows = workbook.spreadsheet.values(&headers, false).await?;
        self.claim.look(rows.get(streams.len()), workbook.books.writer())?;
        for (stream, row) in streams.iter().zip(rows) {
            let Some(tab) = workbook.streams.get_mut(stream) else { continue };
            let lost = tab.take_header(row.first().map(Vec::as_slice).unwrap_or_default());
            if !lost.is_empty() {
                tab.tainted = true;
                workbook.forget_columns(stream, &lost);
            }
        }
        for stream in workbook.read_rows(&streams).await? {
            if let Some(tab) = workbook.streams.get_mut(&stream) {
                tab.tainted = true;
            }
        }
        Ok(())
    }
}

fn answer(job: oneshot::Sender<Answer>, outcome: Result<(), &SheetsError>) {
    let outcome = outcome.map_err(|error| ConnectorError::new(error.kind(), error.to_string()));
    // Whoever went away needs no answer.
    let _ = job.send(outcome);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_looked_at_by_what_was_written_and_by_the_clock() {
        let minute = Duration::from_secs(60);
        let begun = Instant::now();
        let claim = |wrote| Claim { is_made: true, looked: begun, wrote, ..Claim::new() };
        let after = |seconds| begun + Duration::from_secs(seconds);
        assert!(!claim(WRITES_PER_LOOK - 1).is_due(after(29), minute));
        assert!(claim(WRITES_PER_LOOK).is_due(after(29), minute));
        assert!(!claim(WRITES_PER_LOOK).is_due(after(4), minute), "just now");
        assert!(claim(0).is_due(after(30), minute));
        assert!(
            !Claim { is_made: false, ..claim(WRITES_PER_LOOK) }.is_due(after(300), minute),
            "it claims nothing"
        );
    }
}
