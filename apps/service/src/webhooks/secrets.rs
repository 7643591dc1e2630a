//! The secrets of endpoints, remembered for a moment: a query for each webhook would be one too many.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::Instant;

use crate::pipeline::DesiredStatus;
use crate::store::{Store, StoreError};
use crate::stripe::is_stripe;

/// So long a secret, or that there is none, is believed.
const BELIEVED: Duration = Duration::from_secs(2);

/// Most pipelines that are remembered: what is posted to ids that do not exist must not fill the memory.
const REMEMBERED: usize = 10_000;

/// What is known of the endpoint of a pipeline.
#[derive(Debug, Clone)]
pub(crate) enum Secret {
    /// There is no such pipeline.
    NoPipeline,
    /// Its source is not Stripe.
    NotStripe,
    /// Its configuration has no secret.
    NotConfigured,
    /// The secret.
    Known(SecretString),
}

/// The secrets of endpoints.
#[derive(Default)]
pub(crate) struct Secrets(Mutex<HashMap<String, (Instant, Secret)>>);

impl Secrets {
    /// What is known of the endpoint of the pipeline.
    pub(crate) async fn of(&self, store: &Store, id: &str) -> Result<Secret, StoreError> {
        let now = Instant::now();
        if let Some((at, secret)) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(id)
            && now.duration_since(*at) < BELIEVED
        {
            return Ok(secret.clone());
        }
        let secret = look(store, id).await?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.retain(|_, (at, _)| now.duration_since(*at) < BELIEVED);
        }
        if known.len() < REMEMBERED {
            known.insert(id.to_owned(), (now, secret.clone()));
        }
        Ok(secret)
    }
}

async fn look(store: &Store, id: &str) -> Result<Secret, StoreError> {
    let Some(record) = store.glance(id).await? else { return Ok(Secret::NoPipeline) };
    let pipeline = record.pipeline;
    if pipeline.desired_status == DesiredStatus::Deleted {
        return Ok(Secret::NoPipeline);
    }
    if !is_stripe(&pipeline.source) {
        return Ok(Secret::NotStripe);
    }
    let secret = pipeline.source.config.get("webhook_secret").and_then(|secret| secret.as_str());
    Ok(secret.map_or(Secret::NotConfigured, |secret| Secret::Known(secret.to_owned().into())))
}
