//! Posts events to webhook endpoints.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::outbox::Post;
use super::signature;
use crate::state::State;

/// How often the account's clock is looked at while something waits: it need not be the machine's.
const TICK: Duration = Duration::from_millis(10);

/// Posts what is due until told to stop.
pub(crate) async fn run(state: Arc<State>, stop: CancellationToken) {
    // The provider may be installed already; both are the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = match reqwest::Client::builder().no_proxy().build() {
        Ok(http) => http,
        Err(error) => return tracing::error!(%error, "webhooks cannot be delivered"),
    };
    loop {
        let (due, waiting) = state.outbox.due(state.clock.elapsed());
        for post in due {
            let (state, http, stop) = (Arc::clone(&state), http.clone(), stop.clone());
            tokio::spawn(async move {
                let sent = tokio::select! {
                    () = stop.cancelled() => return,
                    sent = send(&state, &http, &post) => sent,
                };
                state.outbox.posted(post, sent, state.clock.elapsed());
            });
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = state.outbox.wake.notified() => {}
            () = tokio::time::sleep(TICK), if waiting => {}
        }
    }
}

/// Whether the delivery is done: answered by 2xx, or the endpoint is gone or disabled.
async fn send(state: &Arc<State>, http: &reqwest::Client, post: &Post) -> bool {
    if !state.outbox.lives(state, &post.endpoint) {
        return true;
    }
    let signature = signature::header(&post.secret, state.clock.now(), &post.body);
    let request = http
        .post(&post.url)
        .timeout(Duration::from_millis(state.outbox.settings().timeout_ms))
        .header("stripe-signature", signature)
        .header(http::header::CONTENT_TYPE, "application/json; charset=utf-8")
        .header(http::header::USER_AGENT, "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
        .body(post.body.to_vec());
    match request.send().await {
        Ok(answer) => answer.status().is_success(),
        Err(error) => {
            tracing::debug!(%error, url = post.url, "a webhook was not delivered");
            false
        }
    }
}
