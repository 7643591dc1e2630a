//! What the fuzz targets reach of this crate; compiled for them only.

use protocol::RawJson;

use crate::current::Position;
use crate::push::signature;
use crate::stream_state::StreamState;

/// Whether a webhook is believed.
pub fn is_signed(header: &str, body: &[u8], secret: &str, now: i64) -> bool {
    signature::verify(header, body, secret, now).is_ok()
}

/// Reads a text as the state of a stream, and as the position in the events. What is read is written so that it reads the
/// same.
pub fn read_states(text: &RawJson) {
    if let Ok(state) = StreamState::read(text) {
        let again = state.write().map(|text| StreamState::read(&text));
        assert!(matches!(again, Ok(Ok(again)) if again == state), "{text:?}");
    }
    // What is wrong with it is told, not panicked.
    let _ = Position::read(text);
}
