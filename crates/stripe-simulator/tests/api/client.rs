//! A client without sockets: requests go straight to the simulator's service.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use serde_json::Value;
use stripe_openapi::{Catalog, embedded};
use stripe_simulator::{DEFAULT_API_KEY, Simulator};
use tokio::runtime::Runtime;

/// The catalog of the newest version.
pub(crate) fn newest() -> Arc<Catalog> {
    embedded::catalog(embedded::newest_version()).unwrap()
}

/// The ids of objects.
pub(crate) fn ids(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Asks a simulator.
pub(crate) struct Client {
    simulator: Simulator,
    runtime: Runtime,
}

impl Client {
    pub(crate) fn new(simulator: &Simulator) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { simulator: simulator.clone(), runtime }
    }

    pub(crate) fn send(&self, request: Request<Body>) -> Answer {
        self.runtime.block_on(async {
            let response = self.simulator.answer(request).await;
            let (parts, body) = response.into_parts();
            let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            Answer {
                status: parts.status.as_u16(),
                headers: parts.headers,
                text: String::from_utf8(bytes.to_vec()).unwrap(),
            }
        })
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        let uri = path.replace('[', "%5B").replace(']', "%5D");
        let request = Request::get(uri).header("authorization", format!("Bearer {DEFAULT_API_KEY}"));
        self.send(request.body(Body::empty()).unwrap())
    }

    /// Asks with these headers; without `authorization` among them, with the default key.
    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::get(path.replace('[', "%5B").replace(']', "%5D"));
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            request = request.header("authorization", format!("Bearer {DEFAULT_API_KEY}"));
        }
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(request.body(Body::empty()).unwrap())
    }

    /// The JSON of an answer with status 200, asked in the name of a connected account.
    pub(crate) fn ok_as(&self, account: &str, path: &str) -> Value {
        let answer = self.get_with(path, &[("stripe-account", account)]);
        assert_eq!(answer.status, 200, "{account} {path}: {}", answer.text);
        answer.json()
    }

    /// The JSON of an answer with status 200.
    pub(crate) fn ok(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    /// All rows of a v1 list; `url` has a query already.
    pub(crate) fn walk(&self, url: &str) -> Vec<Value> {
        let mut rows: Vec<Value> = Vec::new();
        loop {
            let cursor = rows.last().map(|row| format!("&starting_after={}", row["id"].as_str().unwrap()));
            let page = self.ok(&format!("{url}{}", cursor.unwrap_or_default()));
            let data = page["data"].as_array().unwrap();
            rows.extend(data.iter().cloned());
            if page["has_more"] == false {
                return rows;
            }
            assert!(!data.is_empty(), "has_more on an empty page of {url}");
        }
    }

    /// All rows before the row `id`, from the end of the list to its beginning, in list order.
    pub(crate) fn walk_back(&self, url: &str, id: &str) -> Vec<Value> {
        let mut rows: Vec<Value> = Vec::new();
        let mut cursor = id.to_owned();
        loop {
            let page = self.ok(&format!("{url}&ending_before={cursor}"));
            let data = page["data"].as_array().unwrap().clone();
            rows = data.iter().cloned().chain(rows).collect();
            if page["has_more"] == false {
                return rows;
            }
            cursor = rows[0]["id"].as_str().unwrap().to_owned();
        }
    }
}
