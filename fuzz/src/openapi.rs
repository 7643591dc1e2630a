//! OpenAPI documents, which may come from a file or an address.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // What is wrong with it is told, not panicked.
    let _ = stripe_openapi::parse::catalog_from_slice(data);
});
