//! One message: what is read is written so that it reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::Message;

fuzz_target!(|data: &[u8]| {
    let Ok(message) = serde_json::from_slice::<Message>(data) else { return };
    let mut line = Vec::new();
    protocol::encode_line(&message, &mut line).expect("what was read can be written");
    assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1, "one line");
    let again: Message = serde_json::from_slice(&line).expect("what was written can be read");
    let mut second = Vec::new();
    protocol::encode_line(&again, &mut second).expect("what was read can be written");
    assert_eq!(line, second);
});
