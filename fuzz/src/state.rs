//! States that clients send back, and what a source said of a stream.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::{RawJson, SourceState, SyncState};

fuzz_target!(|data: &[u8]| {
    if let Ok(state) = serde_json::from_slice::<SyncState>(data) {
        let text = serde_json::to_vec(&state).expect("what was read can be written");
        let again: SyncState = serde_json::from_slice(&text).expect("what was written can be read");
        assert_eq!(again, state);
    }
    if let Ok(state) = serde_json::from_slice::<SourceState>(data) {
        let text = serde_json::to_vec(&state).expect("what was read can be written");
        assert_eq!(serde_json::from_slice::<SourceState>(&text).expect("it can be read"), state);
    }
    if let Ok(raw) = RawJson::parse(data.to_vec()) {
        source_stripe::fuzzing::read_states(&raw);
    }
});
