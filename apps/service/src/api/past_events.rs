//! The events that Stripe still has, oldest first, in bounded memory: Stripe answers them newest first, so they are asked for in
//! stretches of time that are short enough to be turned round.

use std::num::NonZeroU64;
use std::time::Duration;

use async_stream::try_stream;
use futures::StreamExt;
use protocol::{ConnectorError, ErrorKind, InputStream, RawJson, Timestamp, with_causes};
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

const STRIPE: &str = "https://api.stripe.com";

/// Events in one answer of Stripe.
const PAGE: usize = 100;

/// The first stretch, in seconds; each is longer or shorter than the one before, as it fits.
const STRETCH: i64 = 3600;

/// Events are few and asked for one page after the other; the rest of the limit is for others.
const PAUSE: Duration = Duration::from_millis(100);

/// Which events.
pub(super) struct PastEvents {
    pub(super) api_key: SecretString,
    /// Where the API is; Stripe's own if absent.
    pub(super) base_url: Option<Url>,
    /// Those created since, in unix seconds.
    pub(super) since: i64,
    /// So many at the most.
    pub(super) limit: Option<NonZeroU64>,
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
    has_more: bool,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

/// The events, oldest first.
pub(super) fn past_events(asked: PastEvents) -> InputStream {
    let events = try_stream! {
        let client = Client::new();
        let end = Timestamp::now().unix_seconds() + 1;
        let (mut from, mut length) = (asked.since, STRETCH);
        let mut left = asked.limit.map_or(u64::MAX, NonZeroU64::get);
        while from < end && left > 0 {
            let until = from.saturating_add(length).min(end);
            let (mut stretch, mut has_more) = ask(&client, &asked, from, until, None).await?;
            if has_more && until - from > 1 {
                length = (length / 2).max(1);
                continue;
            }
            // A second is not divided.
            while has_more {
                let last = stretch.last().and_then(|event: &RawJson| event.read::<Id>().ok());
                let (more, further) = ask(&client, &asked, from, until, last.map(|last| last.id)).await?;
                has_more = further && !more.is_empty();
                stretch.extend(more);
            }
            if stretch.len() < PAGE / 2 {
                length = length.saturating_mul(2);
            }
            for event in stretch.into_iter().rev() {
                if left == 0 {
                    break;
                }
                left -= 1;
                yield event;
            }
            from = until;
            tokio::time::sleep(PAUSE).await;
        }
    };
    events.boxed()
}

async fn ask(
    client: &Client,
    asked: &PastEvents,
    from: i64,
    until: i64,
    after: Option<String>,
) -> Result<(Vec<RawJson>, bool), ConnectorError> {
    let base = asked.base_url.as_ref().map_or(STRIPE, Url::as_str).trim_end_matches('/');
    let mut query = vec![
        ("limit", PAGE.to_string()),
        ("created[gte]", from.to_string()),
        ("created[lt]", until.to_string()),
    ];
    query.extend(after.map(|after| ("starting_after", after)));
    let request =
        client.get(format!("{base}/v1/events")).bearer_auth(asked.api_key.expose_secret()).query(&query);
    let failed = |error: reqwest::Error| {
        ConnectorError::new(
            ErrorKind::Transient,
            format!("Stripe's events cannot be read: {}", with_causes(&error)),
        )
    };
    let response = request.send().await.map_err(failed)?;
    let status = response.status();
    let body = response.bytes().await.map_err(failed)?;
    if !status.is_success() {
        let kind = if status.is_client_error() { ErrorKind::Auth } else { ErrorKind::Transient };
        return Err(ConnectorError::new(
            kind,
            format!("Stripe answered {status} when it was asked for events"),
        ));
    }
    let list: List<'_> = serde_json::from_slice(&body).map_err(|error| {
        ConnectorError::internal("Stripe's list of events cannot be read").caused_by(error)
    })?;
    Ok((list.data.into_iter().map(|event| RawJson::part_of(&body, event)).collect(), list.has_more))
}
