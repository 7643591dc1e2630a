//! Traces, as a collector receives them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::account::Account;

/// Paths and bodies of what was sent.
type Received = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A collector that takes everything; it ends with the test's process. Answers its address.
fn collector() -> (String, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let received = Received::default();
    let kept = Arc::clone(&received);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            take(connection.unwrap(), &kept);
        }
    });
    (url, received)
}

/// Takes one request and closes the connection.
fn take(mut connection: TcpStream, received: &Received) {
    let (mut text, mut part) = (Vec::new(), [0; 4096]);
    let head = loop {
        if let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        let read = connection.read(&mut part).unwrap();
        assert!(read > 0, "the request ends early");
        text.extend_from_slice(&part[..read]);
    };
    let words = String::from_utf8(text[..head].to_vec()).unwrap().to_ascii_lowercase();
    let length = words.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    let length: usize = length.unwrap().parse().unwrap();
    while text.len() < head + length {
        let read = connection.read(&mut part).unwrap();
        assert!(read > 0, "the body ends early");
        text.extend_from_slice(&part[..read]);
    }
    assert!(words.contains("content-type: application/x-protobuf"), "{words}");
    let path = words.split(' ').nth(1).unwrap().to_owned();
    received.lock().unwrap().push((path, text.split_off(head)));
    connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn a_sync_is_a_trace_of_requests_and_batches() {
    let (url, received) = collector();
    let account = Account::start(|account| account);
    let program = account.program().variable("OTEL_EXPORTER_OTLP_ENDPOINT", &url);
    let program = program.variable("OTEL_SERVICE_NAME", "copy of the shop");
    program.run(&["sync", "--streams", "customer", "--sqlite", "copy.db"]).expect(0);
    let received = received.lock().unwrap();
    assert!(received.iter().all(|(path, _)| path == "/v1/traces"), "{received:?}");
    let said = |text: &str| received.iter().any(|(_, body)| holds(body, text));
    for text in [
        "copy of the shop",
        "pipeline_sync",
        "stripe",
        "sqlite",
        "GET /v1/customers",
        "write_batch",
        "has_more",
    ] {
        assert!(said(text), "{text} was not sent");
    }
    assert!(!said(crate::program::KEY), "keys stay here");
}

#[test]
fn a_collector_that_is_not_there_stops_nothing() {
    let account = Account::start(|account| account);
    let program = account.program().variable("OTEL_EXPORTER_OTLP_ENDPOINT", &crate::server::nobody());
    program.run(&["sync", "--streams", "customer", "--sqlite", "copy.db"]).expect(0);
    let program = account.program().variable("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318");
    let refused = program.run(&["sync", "--streams", "customer", "--sqlite", "copy.db"]).expect(2);
    assert!(refused.stderr.contains("`collector:4318` (OTEL_EXPORTER_OTLP_ENDPOINT)"), "{}", refused.stderr);
}
