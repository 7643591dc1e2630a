//! How fast webhooks are acknowledged under load, and whether all that were are there afterwards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::{Client, StatusCode};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::service::{Kept, SECRET, Service, signature};

const PIPELINE: &str = "pipe_load";

/// Posts that are under way at a time, at the most: a sender such as Stripe waits for nobody.
const SENDERS: usize = 64;

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// Webhooks that were sent.
    pub sent: u64,
    /// Webhooks that were acknowledged, all of them stored.
    pub acknowledged: u64,
    /// Webhooks a second, over the whole time.
    pub per_second: f64,
    /// Time until the answer, in milliseconds: half of them, 99 of 100, and all of them are at least so fast.
    pub milliseconds: [f64; 3],
}

/// Posts `rate` webhooks a second for `seconds`, each due at its own moment; time runs from then, so that waiting in line counts.
pub async fn load(kept: &Kept, rate: u32, seconds: u32) -> Result<Load> {
    let folder = TempDir::new()?;
    let mut service = Service::new(folder.path(), kept)?;
    service.start()?;
    service.answers().await?;
    // It rests, so what is measured is the taking.
    let pipeline = json!({
        "id": PIPELINE, "desired_status": "paused",
        "source": {"type": "stripe", "stripe": {"api_key": "sk_test_1", "base_url": "http://127.0.0.1:1", "webhook_secret": SECRET}},
        "destination": {"type": "sqlite", "sqlite": {"path": folder.path().join("copy.db")}},
    });
    service.create("?skip_check=true", &pipeline).await?;
    let url: Arc<str> = service.url(&format!("/webhooks/{PIPELINE}")).into();
    let client = Client::builder().pool_max_idle_per_host(SENDERS).build()?;
    let total = u64::from(rate) * u64::from(seconds);
    let next = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let began = Instant::now();
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let (client, url, next) = (client.clone(), Arc::clone(&url), Arc::clone(&next));
        senders.spawn(async move {
            let mut seen = Vec::new();
            loop {
                let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if number >= total {
                    return seen;
                }
                let due = began + Duration::from_secs_f64(number as f64 / f64::from(rate));
                tokio::time::sleep_until(due.into()).await;
                let body = event(number);
                let request = client.post(&*url).header("stripe-signature", signature(&body)).body(body);
                let taken = request.send().await.is_ok_and(|answer| answer.status() == StatusCode::OK);
                seen.push((taken, due.elapsed().as_secs_f64() * 1000.0));
            }
        });
    }
    let seen: Vec<(bool, f64)> = senders.join_all().await.into_iter().flatten().collect();
    let per_second = seen.len() as f64 / began.elapsed().as_secs_f64();
    let acknowledged = seen.iter().filter(|(taken, _)| *taken).count() as u64;
    let stored = service.get(PIPELINE).await?["waiting_deliveries"].as_u64().context("no figure")?;
    ensure!(stored >= acknowledged, "{acknowledged} were acknowledged, and {stored} are stored");
    let mut times: Vec<f64> = seen.iter().map(|(_, time)| *time).collect();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| {
        times.get(((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1))).copied()
    };
    let [half, most, all] = [0.5, 0.99, 1.0].map(|share| at(share).unwrap_or_default());
    service.kill()?;
    Ok(Load { sent: seen.len() as u64, acknowledged, per_second, milliseconds: [half, most, all] })
}

/// An event about as long as Stripe's of a charge: 3 KB.
fn event(number: u64) -> String {
    json!({
        "id": format!("evt_load_{number}"), "object": "event", "type": "charge.updated", "created": 1_900_000_000,
        "data": {"object": {"id": format!("ch_{number}"), "object": "charge", "description": "x".repeat(2800)}},
    })
    .to_string()
}
