//! From what was given on the command line to a request.

use std::collections::HashMap;

use bytes::Bytes;
use clap::ArgMatches;
use futures::{StreamExt, stream};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::value::RawValue;

use crate::answer::ByteStream;
use crate::document::{Api, BODY, Field, Operation, Place};

/// What is written as it is in paths and queries; everything else is escaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Stands for stdin.
const STDIN: &str = "-";

/// Why no request can be made of what was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CallError(String);

/// A request to be made.
#[derive(Clone)]
pub struct Call {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Content,
}

/// Values may be secret, so only the operation is shown.
impl std::fmt::Debug for Call {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.method, self.uri.path())
    }
}

#[derive(Clone, Default)]
struct Content {
    media: Option<&'static str>,
    given: Bytes,
    /// Whether stdin follows.
    stdin: bool,
}

/// The body of a request.
pub enum RequestBody {
    /// Nothing.
    Empty,
    /// All of it.
    Bytes(Bytes),
    /// What comes, as it comes.
    Stream(ByteStream),
}

impl Api {
    /// What the matches of [`Api::commands`] ask for: those of the command that holds the groups.
    pub fn call(&self, matches: &ArgMatches) -> Result<Call, CallError> {
        let unknown = || CallError("choose a group and a command".to_owned());
        let (group_name, matches) = matches.subcommand().ok_or_else(unknown)?;
        let (name, matches) = matches.subcommand().ok_or_else(unknown)?;
        let group = self.groups.iter().find(|group| group.name == group_name).ok_or_else(unknown)?;
        let operation = group.operations.iter().find(|operation| operation.name == name);
        operation.ok_or_else(unknown)?.call(matches)
    }
}

impl Call {
    /// The request. Its address is a path with a query; where that is, the transport knows. `stdin` is read only if
    /// that was asked for.
    pub fn request(self, stdin: ByteStream) -> Request<RequestBody> {
        let Content { media, given, stdin: streamed } = self.body;
        let body = match (streamed, given.is_empty()) {
            (true, true) => RequestBody::Stream(stdin),
            (true, false) => {
                let first = stream::once(std::future::ready(Ok(given)));
                RequestBody::Stream(first.chain(stdin).boxed())
            }
            (false, true) => RequestBody::Empty,
            (false, false) => RequestBody::Bytes(given),
        };
        let mut request = Request::new(body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        if let Some(media) = media {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
        }
        request
    }
}

impl Operation {
    fn call(&self, matches: &ArgMatches) -> Result<Call, CallError> {
        let mut path = HashMap::new();
        let mut query = Vec::new();
        let mut headers = HeaderMap::new();
        for field in &self.fields {
            let Some(values) = matches.get_many::<String>(&field.name) else { continue };
            for (value, place) in
                values.flat_map(|value| field.places.iter().map(move |place| (value, place)))
            {
                match place {
                    Place::Path(name) => {
                        path.insert(name.as_str(), segment(field, value)?);
                    }
                    Place::Query(name) => query.push(format!("{}={}", escape(name), escape(value))),
                    Place::Header(name) => {
                        let refused = || {
                            CallError(format!(
                                "--{}: a header holds one line of visible characters",
                                field.name
                            ))
                        };
                        headers.append(name, HeaderValue::from_str(value).map_err(|_| refused())?);
                    }
                    Place::Body { .. } => {
                        if let Some(problem) = field.kind.problem(value) {
                            return Err(CallError(format!("--{}: {problem}", field.name)));
                        }
                    }
                }
            }
        }
        let mut target = self.path.clone();
        for (name, value) in path {
            target = target.replace(&format!("{{{name}}}"), &value);
        }
        if !query.is_empty() {
            target = format!("{target}?{}", query.join("&"));
        }
        let uri = target.parse().map_err(|error| CallError(format!("`{target}` is no address: {error}")))?;
        Ok(Call { method: self.method.clone(), uri, headers, body: self.content(matches) })
    }

    fn content(&self, matches: &ArgMatches) -> Content {
        let Some(body) = self.body else { return Content::default() };
        let given = matches.get_one::<String>(BODY).map(String::as_str);
        // Where only lines will do they are expected.
        let given = given.or((body.lines && !body.json).then_some(STDIN));
        let Some(given) = given else {
            let made =
                self.object(matches, |_| true).or_else(|| body.required.then(|| Bytes::from_static(b"{}")));
            return match made {
                Some(made) if body.json => {
                    Content { media: Some("application/json"), given: made, stdin: false }
                }
                _ => Content::default(),
            };
        };
        let media = match (body.lines, body.json) {
            (true, _) => Some("application/x-ndjson"),
            (false, true) => Some("application/json"),
            (false, false) => None,
        };
        let first = self.object(matches, |first_line| first_line).filter(|_| body.lines);
        let mut text = first.map(|first| [first.as_ref(), b"\n"].concat()).unwrap_or_default();
        let stdin = given == STDIN;
        if !stdin {
            text.extend_from_slice(given.as_bytes());
        }
        Content { media, given: text.into(), stdin }
    }

    /// The object of those given fields whose place in the body is `wanted`, by whether the first line has it.
    fn object(&self, matches: &ArgMatches, wanted: fn(bool) -> bool) -> Option<Bytes> {
        let mut members: Vec<(&str, Box<RawValue>)> = Vec::new();
        for field in &self.fields {
            let Some(value) = matches.get_one::<String>(&field.name) else { continue };
            for place in &field.places {
                if let Place::Body { name, first_line } = place
                    && wanted(*first_line)
                {
                    members.push((name, field.kind.encode(value)));
                }
            }
        }
        if members.is_empty() {
            return None;
        }
        let members = members.iter().map(|(name, value)| {
            // A name can always be written as JSON.
            format!("{}:{}", serde_json::Value::from(*name), value.get())
        });
        Some(format!("{{{}}}", members.collect::<Vec<_>>().join(",")).into())
    }
}

impl Field {
    pub(crate) fn is_in_body(&self) -> bool {
        self.places.iter().any(|place| matches!(place, Place::Body { .. }))
    }

    pub(crate) fn is_in_body_only(&self) -> bool {
        self.places.iter().all(|place| matches!(place, Place::Body { .. }))
    }
}

fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// A value as part of a path. Some would be taken for another path, however they are written.
fn segment(field: &Field, value: &str) -> Result<String, CallError> {
    if matches!(value, "" | "." | "..") {
        return Err(CallError(format!("`{value}` cannot be the {}", field.name)));
    }
    Ok(escape(value))
}
