//! The events that Stripe still has, for those who push them in as if they were delivered.

use std::num::NonZeroU64;

use futures::{StreamExt, TryStreamExt, stream};
use protocol::{ConnectorError, ErrorKind, InputStream, RawJson};

use crate::account;
use crate::client::Client;
use crate::config::StripeConfig;
use crate::current::{EventLog, RETENTION};
use crate::failure::RequestError;
use crate::source::StripeSource;

/// Seconds that are asked for first.
const FIRST: i64 = 3600;

/// Where a window holds fewer events than this, the next one may be longer.
const FEW: usize = 50;

impl StripeSource {
    /// The events of the account of the key since the unix second `since`, oldest first, `most` of them at the most: input for a
    /// read ([`protocol::ReadRequest`]). Those of longer than 30 days ago Stripe has no more.
    ///
    /// They are asked for as a read asks: by the key, version, address, certificates and limits of `config`, and again where a
    /// failure may pass. Nothing is asked before somebody pulls, and some 500 events are held at a time. The stream ends with an
    /// error of kind `Config` where `config` cannot be meant, `Auth` where the key may not read events, and else with what
    /// Stripe's refusal is for a read.
    pub fn past_events(&self, config: StripeConfig, since: i64, most: Option<NonZeroU64>) -> InputStream {
        let source = self.clone();
        let begun = async move { Reading::begin(&source, &config, since, most).await };
        stream::once(begun)
            .map_ok(|reading| stream::try_unfold(reading, Reading::next))
            .try_flatten()
            .map_ok(|events| stream::iter(events.into_iter().map(Ok)))
            .try_flatten()
            .boxed()
    }
}

/// How far the log is read.
struct Reading {
    client: Client,
    log: EventLog,
    /// The next second to ask for, and the first one not to.
    from: i64,
    end: i64,
    /// Seconds to ask for at a time: more while events are few, and fewer where they are many. Stripe answers the newest of a
    /// window first, by which alone nobody can tell how many the rest of it holds.
    length: i64,
    /// So many events are still wanted.
    left: u64,
}

impl Reading {
    async fn begin(
        source: &StripeSource,
        config: &StripeConfig,
        since: i64,
        most: Option<NonZeroU64>,
    ) -> Result<Reading, ConnectorError> {
        let access = config.access()?;
        let catalog = source.catalog(&access).await?;
        let client = source.client(&access)?;
        // Events of the v2 API are not delivered to the endpoints that this stands for.
        let log = EventLog::new(&catalog, false);
        log.probe(&client).await.map_err(|error| explain(&error))?;
        // Stripe has answered, so it is known what time it is there.
        let now = client.now();
        let left = most.map_or(u64::MAX, NonZeroU64::get);
        let from = since.max(now - RETENTION);
        Ok(Reading { client, log, from, end: now + 1, length: FIRST, left })
    }

    /// The next events, and the reading after them.
    async fn next(mut self) -> Result<Option<(Vec<RawJson>, Reading)>, ConnectorError> {
        if self.left == 0 || self.from >= self.end {
            return Ok(None);
        }
        let until = self.from.saturating_add(self.length).min(self.end);
        let stretch = self.log.stretch(&self.client, self.from, until).await;
        let stretch = stretch.map_err(|error| explain(&error))?;
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX);
        let events: Vec<RawJson> = stretch.events.into_iter().take(wanted).map(|event| event.text).collect();
        self.left -= events.len() as u64;
        if stretch.end < until {
            self.length = ((until - self.from) / 2).max(1);
        } else if events.len() < FEW {
            self.length = self.length.saturating_mul(2);
        }
        self.from = stretch.end;
        Ok(Some((events, self)))
    }
}

/// What a refusal means, for the user.
fn explain(error: &RequestError) -> ConnectorError {
    match error.status() {
        Some(403) => ConnectorError::new(
            ErrorKind::Auth,
            format!("the API key may not read events: grant it read access to Events. Stripe says: {error}"),
        ),
        _ => account::explain(error),
    }
}
