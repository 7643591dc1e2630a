//! The way through an HTTP proxy: one `CONNECT`, after which the bytes are the server's.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{FailureKind, PostgresError};

/// A proxy that is asked by `CONNECT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Host name or address of the proxy.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Hosts that are reached without it, by exactly these names.
    pub except: Vec<String>,
}

/// Longer answers are not from a proxy.
const MOST_ANSWER_BYTES: usize = 16 << 10;

impl Proxy {
    /// Whether the way to `host` leads through the proxy.
    pub(super) fn serves(&self, host: &str) -> bool {
        !self.except.iter().any(|except| except.eq_ignore_ascii_case(host))
    }

    /// A connection to `host:port` through the proxy.
    pub(super) async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, PostgresError> {
        let place = format!("{}:{}", self.host, self.port);
        let unreachable = |error: io::Error| {
            let text = format!(
                "the proxy {place} cannot be reached: {error}. Check PG_PROXY_HOST and PG_PROXY_PORT."
            );
            PostgresError::new(FailureKind::Transient, text).caused_by(error)
        };
        let mut stream = TcpStream::connect((&*self.host, self.port)).await.map_err(unreachable)?;
        let target = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.map_err(unreachable)?;
        let answer = read_head(&mut stream).await.map_err(unreachable)?;
        let status = answer.lines().next().unwrap_or_default();
        let code: Option<u16> = status
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.split_ascii_whitespace().nth(1)?.parse().ok());
        match code {
            Some(200) => Ok(stream),
            code => {
                // What the proxy or its network cannot do now it may do later; a refusal stays one.
                let passing = matches!(code, Some(429 | 500 | 502..=504));
                let kind = if passing { FailureKind::Transient } else { FailureKind::Config };
                Err(PostgresError::new(kind, format!("proxy CONNECT failed: {status} (proxy {place})")))
            }
        }
    }
}

/// Reads to the empty line and not a byte further, since what follows is the server's.
async fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).await? == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it closed the connection without an answer",
            ));
        }
        head.push(byte[0]);
        if head.len() > MOST_ANSWER_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its answer is not HTTP"));
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
