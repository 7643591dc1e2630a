//! Reading what a client sends: an object of JSON, or such an object followed by lines.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use bytes::Bytes;
use futures::TryStreamExt;
use http::header;
use protocol::{NdjsonReader, RawJson};
use serde_json::value::RawValue;
use tokio::io::AsyncRead;
use tokio_util::io::StreamReader;

use crate::{ApiError, Issue, Issues, NDJSON};

/// The longest body of JSON, and the longest line: 64 MiB. Bodies of lines have no limit as a whole.
pub const BODY_LIMIT: usize = 64 << 20;

/// The members of the object that a client sent, each as its own text.
pub type Members = BTreeMap<String, RawJson>;

/// What a client sent.
pub struct Incoming {
    /// The object.
    pub members: Members,
    /// With a body of lines, the rest of them; read only as they are asked for.
    pub lines: Option<NdjsonReader<Pin<Box<dyn AsyncRead + Send>>>>,
}

/// Reads the object in the body of `request`; with a body of lines it is the first of them.
pub async fn read(request: Request) -> Result<Incoming, ApiError> {
    match kind(&request)? {
        Kind::Json => {
            Ok(Incoming { members: members(&whole(request.into_body(), true).await?)?, lines: None })
        }
        Kind::Lines => read_first_line(request.into_body()).await,
    }
}

/// Reads the object in the body of `request`, for an operation that takes no lines.
pub async fn read_whole(request: Request) -> Result<Members, ApiError> {
    match kind(&request)? {
        Kind::Json => members(&whole(request.into_body(), false).await?),
        Kind::Lines => {
            let text = "this operation takes no stream of lines; send Content-Type: application/json";
            Err(ApiError::Invalid(Issues(vec![Issue::custom(Vec::new(), text)])))
        }
    }
}

/// Reads a body to its end; `lines` says whether one of lines would be taken instead.
pub async fn whole(body: Body, lines: bool) -> Result<Bytes, ApiError> {
    to_bytes(body, BODY_LIMIT).await.map_err(|error| {
        let source = std::error::Error::source(&error);
        match source.is_some_and(|source| source.to_string().contains("length limit")) {
            true => ApiError::TooLarge { limit: BODY_LIMIT, lines },
            false => ApiError::Malformed,
        }
    })
}

/// What a body is made of.
enum Kind {
    Json,
    Lines,
}

fn kind(request: &Request) -> Result<Kind, ApiError> {
    let kind =
        request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind == NDJSON {
        return Ok(Kind::Lines);
    }
    if kind == "application/json" || kind.ends_with("+json") {
        return Ok(Kind::Json);
    }
    let missing = Issue::invalid_type(Vec::new(), "object", "undefined");
    let message = format!("{}; send a JSON body with Content-Type: application/json", missing.message);
    Err(ApiError::Invalid(Issues(vec![Issue { message, ..missing }])))
}

async fn read_first_line(body: Body) -> Result<Incoming, ApiError> {
    let bytes = body.into_data_stream().map_err(io::Error::other);
    let input: Pin<Box<dyn AsyncRead + Send>> = Box::pin(StreamReader::new(bytes));
    let mut lines = NdjsonReader::with_max_line_bytes(input, BODY_LIMIT);
    let first = lines.next_text().await.map_err(|error| match error {
        // It is a stream of lines already.
        protocol::NdjsonError::TooLong { limit, .. } => ApiError::TooLarge { limit, lines: false },
        _ => ApiError::Malformed,
    })?;
    Ok(Incoming { members: members(&first.unwrap_or_default())?, lines: Some(lines) })
}

fn members(body: &Bytes) -> Result<Members, ApiError> {
    let text: &RawValue = serde_json::from_slice(body).map_err(|_| ApiError::Malformed)?;
    if !text.get().starts_with('{') {
        let received = received(text.get());
        return Err(ApiError::Invalid(Issues(vec![Issue::invalid_type(Vec::new(), "object", received)])));
    }
    let members: BTreeMap<String, &RawValue> =
        serde_json::from_slice(body).map_err(|_| ApiError::Malformed)?;
    Ok(members.into_iter().map(|(name, value)| (name, RawJson::part_of(body, value))).collect())
}

/// The type of a JSON text, as issues name it.
pub(crate) fn received(text: &str) -> &'static str {
    match text.trim_start().as_bytes().first() {
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'"') => "string",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        Some(_) => "number",
        None => "undefined",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: &str, body: impl Into<Body>) -> Request {
        Request::builder().header(header::CONTENT_TYPE, kind).body(body.into()).unwrap()
    }

    async fn refused(kind: &str, body: &'static str) -> ApiError {
        match read(request(kind, body)).await {
            Ok(_) => panic!("{body} was taken"),
            Err(error) => error,
        }
    }

    #[tokio::test]
    async fn members_keep_their_text() {
        let incoming =
            read(request("application/json; charset=utf-8", r#"{"a": 1.0e3, "b":{"c" : 2}}"#)).await;
        let members = incoming.unwrap().members;
        assert_eq!((members["a"].as_str(), members["b"].as_str()), ("1.0e3", r#"{"c" : 2}"#));
    }

    #[tokio::test]
    async fn the_first_line_is_the_object_and_the_rest_waits() {
        let incoming = read(request(NDJSON, "\n {\"a\":1}\n\n{\"b\":2}\n{\"c\":3}")).await.unwrap();
        assert_eq!(incoming.members["a"].as_str(), "1");
        let mut lines = incoming.lines.unwrap();
        assert_eq!(lines.next_text().await.unwrap().unwrap(), r#"{"b":2}"#);
        assert_eq!(lines.next_text().await.unwrap().unwrap(), r#"{"c":3}"#);
        assert!(lines.next_text().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_is_no_object_is_told() {
        for body in ["", "{", "{}x", "{\"a\":}"] {
            assert!(matches!(refused("application/json", body).await, ApiError::Malformed), "{body}");
        }
        let issue = |error: ApiError| match error {
            ApiError::Invalid(issues) => issues.to_string(),
            other => panic!("{other:?}"),
        };
        let text = issue(refused("application/json", "[1]").await);
        assert_eq!(text, "Invalid input: expected object, received array");
        assert!(issue(refused("text/plain", "{}").await).contains("received undefined"));
    }

    #[tokio::test]
    async fn long_bodies_are_refused() {
        let json = || Body::from(vec![b' '; BODY_LIMIT + 1]);
        let lines = Body::from(vec![b'x'; BODY_LIMIT + 1]);
        let told = [
            read(request("application/json", json())).await.err().unwrap(),
            read(request(NDJSON, lines)).await.err().unwrap(),
            read_whole(request("application/json", json())).await.err().unwrap(),
        ];
        for (error, advised) in told.iter().zip([true, false, false]) {
            assert!(matches!(error, ApiError::TooLarge { .. }), "{error}");
            assert_eq!(error.to_string().contains(NDJSON), advised, "{error}");
        }
    }

    #[tokio::test]
    async fn lines_are_refused_where_none_are_taken() {
        let error = read_whole(request(NDJSON, "{}\n{}")).await.err().unwrap();
        assert!(error.to_string().contains("takes no stream of lines"), "{error}");
        assert_eq!(read_whole(request("application/json", "{\"a\": 1}")).await.unwrap()["a"].as_str(), "1");
    }
}
