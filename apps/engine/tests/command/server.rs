//! A server of the program, for as long as a test wants it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Child;

use reqwest::{Client, RequestBuilder};
use serde_json::Value;

use crate::program::Program;

/// A running server; killed when dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) stderr: BufReader<Box<dyn Read + Send>>,
    pub(crate) url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    pub(crate) fn start(program: &Program, words: &[&str]) -> Server {
        let mut child = program.start(&[&["serve", "--port", "0"], words].concat());
        let stderr: Box<dyn Read + Send> = Box::new(child.stderr.take().unwrap());
        let mut stderr = BufReader::new(stderr);
        let mut line = String::new();
        while !line.contains("Listening on ") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended before it listened");
        }
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
        Server { url: url.trim_end_matches(',').to_owned(), child, stderr }
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        client().post(format!("{}{path}", self.url)).json(body)
    }
}

pub(crate) fn client() -> Client {
    // Another test may have done so already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build().unwrap()
}

/// An address that nobody listens on.
pub(crate) fn nobody() -> String {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", taken.local_addr().unwrap())
}

/// The address of somebody who answers one request, and is no engine.
pub(crate) fn stranger() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 64 * 1024];
        let _ = stream.read(&mut request).unwrap();
        let page = "<html>\n  Welcome to nginx\n</html>";
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{page}", page.len());
        stream.write_all(answer.as_bytes()).unwrap();
    });
    url
}
