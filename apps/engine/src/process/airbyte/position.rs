//! States, from Airbyte's three kinds to ours and back.
//!
//! * a state of a stream is one of ours: `{"stream_state": …}`, with `"sync_mode": "full_refresh"` where it is one. When a full refresh
//!   is complete, `{"sync_mode": "full_refresh", "complete": true}` says so, and the next read begins anew;
//! * a global state is our global state, `{"global": …}`;
//! * a state of the time before there were kinds is our global state, too, `{"legacy": …}`.

use protocol::{ConnectorError, Message, Payload, RawJson, SourceState, SourceStateMessage};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::catalog::Selected;
use super::wire::{State, StreamState};

const FULL_REFRESH: &str = "full_refresh";

#[derive(Debug, Default, Serialize, Deserialize)]
struct OfStream {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stream_state: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sync_mode: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    complete: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct OfAll {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    global: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    legacy: Option<Box<RawValue>>,
}

fn raw(value: &impl Serialize) -> Option<RawJson> {
    RawJson::from_value(value).ok()
}

/// Our message of a state; `None` where it is of a stream that is not read, or says nothing.
pub(super) fn said(
    state: State,
    find: impl Fn(&super::wire::Descriptor) -> Option<Selected>,
) -> Option<Message> {
    let kind = state.kind.as_deref();
    if let (Some(one), None | Some("STREAM")) = (state.stream, kind) {
        let selected = find(&one.stream_descriptor)?;
        let sync_mode = (!selected.incremental).then(|| FULL_REFRESH.to_owned());
        let data = raw(&OfStream { stream_state: one.stream_state, sync_mode, complete: false })?;
        return Some(Message::stream_state(&selected.name.into(), data));
    }
    let all = match (kind, state.global, state.data) {
        (None | Some("GLOBAL"), Some(global), _) => OfAll { global: Some(global), legacy: None },
        (None | Some("LEGACY"), _, Some(data)) => OfAll { global: None, legacy: Some(data) },
        _ => return None,
    };
    Some(Payload::SourceState(SourceStateMessage::Global { data: raw(&all)? }).into())
}

/// The state that says that a full refresh is complete; `None` for a stream that is read from a cursor on.
pub(super) fn refreshed(selected: &Selected) -> Option<RawJson> {
    let sync_mode = (!selected.incremental).then(|| FULL_REFRESH.to_owned())?;
    raw(&OfStream { stream_state: None, sync_mode: Some(sync_mode), complete: true })
}

/// What goes into the file of `--state`; `None` where the read begins anew. Fails where a state is none of these.
pub(super) fn given(
    state: &SourceState,
    selected: &[Selected],
) -> Result<Option<Box<RawValue>>, ConnectorError> {
    let foreign = |what: &str, error: &dyn std::fmt::Display| {
        ConnectorError::config(format!("the state of {what} is not one of an Airbyte source: {error}"))
    };
    let all: OfAll = state.global.read().map_err(|error| foreign("the source", &error))?;
    if let Some(legacy) = all.legacy {
        return Ok(Some(legacy));
    }
    let written = |given: &[Given]| to_raw_value(given).map_err(|error| foreign("the source", &error));
    if let Some(global) = all.global {
        return written(&[Given::Global { global }]).map(Some);
    }
    let mut streams = Vec::new();
    for one in selected {
        let Some(data) = state.streams.get(&one.name) else { continue };
        let of: OfStream =
            data.read().map_err(|error| foreign(&format!("the stream `{}`", one.name), &error))?;
        let is_refresh = of.sync_mode.as_deref() == Some(FULL_REFRESH);
        let counts = if one.incremental { !is_refresh } else { is_refresh && one.resumable && !of.complete };
        if let (true, Some(stream_state)) = (counts, of.stream_state) {
            let stream_descriptor = one.descriptor.clone();
            streams.push(Given::Stream {
                stream: StreamState { stream_descriptor, stream_state: Some(stream_state) },
            });
        }
    }
    if streams.is_empty() { Ok(None) } else { written(&streams).map(Some) }
}

/// A state as a source takes it.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "UPPERCASE")]
enum Given {
    Stream { stream: StreamState },
    Global { global: Box<RawValue> },
}
