//! Downloads. Errors are sentences: whoever asked knows which document is meant.

use reqwest::header::{ACCEPT, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::Settings;
use crate::ApiVersion;

/// Stripe's public repository of OpenAPI documents.
const REPOSITORY: &str = "stripe/openapi";

/// The document in it.
const DOCUMENT: &str = "latest/openapi.spec3.sdk.json";

#[derive(Deserialize)]
struct Commit {
    sha: String,
}

/// The document as it was at the end of the version's date (UTC).
pub(super) async fn from_repository(version: &ApiVersion, settings: &Settings) -> Result<Vec<u8>, String> {
    let client = client(settings)?;
    let until = format!("{}T23:59:59Z", version.date());
    let url = format!("{}/repos/{REPOSITORY}/commits", settings.api_base);
    let request = client
        .get(&url)
        .query(&[("path", DOCUMENT), ("until", until.as_str()), ("per_page", "1")])
        .header(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
    let answer = send(authorized(request, settings.token.as_ref()), &url, settings.max_bytes).await?;
    let commits: Vec<Commit> = serde_json::from_slice(&answer)
        .map_err(|error| format!("{url} did not answer a list of commits: {error}"))?;
    let commit =
        commits.first().ok_or_else(|| format!("Stripe had published no document by {}", version.date()))?;
    let url = format!("{}/{REPOSITORY}/{}/{DOCUMENT}", settings.raw_base, commit.sha);
    send(authorized(client.get(&url), settings.token.as_ref()), &url, settings.max_bytes).await
}

/// The document at an address that the user named; GitHub's token is not for it.
pub(super) async fn from_url(url: &str, settings: &Settings) -> Result<Vec<u8>, String> {
    send(client(settings)?.get(url), url, settings.max_bytes).await
}

fn client(settings: &Settings) -> Result<reqwest::Client, String> {
    let agent = concat!("sync-engine/", env!("CARGO_PKG_VERSION"));
    let built = reqwest::Client::builder().user_agent(agent).timeout(settings.timeout).build();
    built.map_err(|error| format!("no HTTP client: {}", chain(&error)))
}

fn authorized(request: reqwest::RequestBuilder, token: Option<&SecretString>) -> reqwest::RequestBuilder {
    match token {
        Some(token) => request.bearer_auth(token.expose_secret()),
        None => request,
    }
}

async fn send(request: reqwest::RequestBuilder, url: &str, max_bytes: usize) -> Result<Vec<u8>, String> {
    let failed = |error: reqwest::Error| format!("{url}: {}", chain(&error.without_url()));
    let mut response = request.send().await.map_err(failed)?;
    let status = response.status();
    if !status.is_success() {
        let limited = response.headers().get("x-ratelimit-remaining").is_some_and(|left| left == "0");
        let hint = if limited { "; GitHub's rate limit is used up: set GITHUB_TOKEN" } else { "" };
        return Err(format!("{url} answered {status}{hint}"));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > max_bytes {
            return Err(format!("{url} answered more than {max_bytes} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An error with its causes: the outermost alone seldom tells what happened.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
