//! Signatures of webhooks: nothing but a signature under the secret is believed.
#![no_main]

use libfuzzer_sys::fuzz_target;

/// A secret that no input can know: it is made of the input's own bytes, turned around.
fn secret(data: &[u8]) -> String {
    data.iter().rev().map(|byte| format!("{:02x}", byte ^ 0x5a)).collect::<String>() + "_kept"
}

fuzz_target!(|data: &[u8]| {
    let (header, body) = match data.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[][..]),
    };
    let header = String::from_utf8_lossy(header);
    assert!(!source_stripe::fuzzing::is_signed(&header, body, &secret(data), 1_700_000_000));
});
