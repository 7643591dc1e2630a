//! A way to a cluster that breaks at a chosen moment.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::Cluster;

/// How a connection breaks around one message to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// The server never sees the message.
    BeforeIt,
    /// The server sees it, the client never its answer.
    AfterIt,
    /// The client sees the first bytes of the answer.
    WithinTheAnswer,
}

/// A loopback proxy that understands as much of PostgreSQL's protocol as to break a connection at a message to
/// the server. It breaks one; all others pass.
pub struct FaultyProxy {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    server: u16,
    breaks: Break,
    at: usize,
    /// Messages to the server so far, of all connections.
    messages: AtomicUsize,
    broken: AtomicBool,
    /// What the message said that was broken at.
    victim: Mutex<Option<String>>,
}

impl FaultyProxy {
    /// Listens on loopback; breaks the connection at the `at`-th message (from 0) to the server, counted over all
    /// connections.
    pub async fn before(cluster: &Cluster, at: usize, breaks: Break) -> FaultyProxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let shared = Arc::new(Shared {
            server: cluster.port(),
            breaks,
            at,
            messages: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
            victim: Mutex::new(None),
        });
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&accepting);
                // A broken connection ends both halves, which is all that its client must see.
                tokio::spawn(async move { drop(shared.carry(client).await) });
            }
        });
        FaultyProxy { port, shared }
    }

    /// The connection string of the database called `name`, by way of the proxy.
    pub fn url_of(&self, name: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// The text of the message at which a connection was broken; `None` if there were fewer messages.
    pub fn victim(&self) -> Option<String> {
        self.shared.victim.lock().expect("no panic while it was held").clone()
    }
}

impl Shared {
    async fn carry(self: Arc<Shared>, client: TcpStream) -> std::io::Result<()> {
        let server = TcpStream::connect(("127.0.0.1", self.server)).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let answering = Arc::new(AtomicBool::new(false));
        let answers = tokio::spawn(answer(from_server, to_client, Arc::clone(&answering)));
        let asked = self.ask(from_client, to_server, &answering).await;
        if self.breaks != Break::WithinTheAnswer || !answering.load(Ordering::SeqCst) {
            answers.abort();
        }
        let _ = answers.await;
        asked
    }

    async fn ask(
        &self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        cut_the_answer: &AtomicBool,
    ) -> std::io::Result<()> {
        let mut first = true;
        loop {
            let message = read_message(&mut from, first).await?;
            first = false;
            let number = self.messages.fetch_add(1, Ordering::SeqCst);
            if number != self.at || self.broken.swap(true, Ordering::SeqCst) {
                to.write_all(&message).await?;
                continue;
            }
            let text = String::from_utf8_lossy(&message).replace('\0', " ");
            *self.victim.lock().expect("no panic while it was held") = Some(text);
            match self.breaks {
                Break::BeforeIt => {}
                Break::AfterIt => to.write_all(&message).await?,
                Break::WithinTheAnswer => {
                    cut_the_answer.store(true, Ordering::SeqCst);
                    to.write_all(&message).await?;
                }
            }
            return Ok(());
        }
    }
}

/// Carries answers; of the one that is to be cut the first three bytes.
async fn answer(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, cut: Arc<AtomicBool>) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count) = from.read(&mut bytes).await {
        if count == 0 {
            return;
        }
        if cut.load(Ordering::SeqCst) {
            let _ = to.write_all(&bytes[..count.min(3)]).await;
            return;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

/// One message: a type (but for the very first), the length of what follows including itself, the rest.
async fn read_message(from: &mut OwnedReadHalf, first: bool) -> std::io::Result<Vec<u8>> {
    let mut message = Vec::new();
    if !first {
        message.push(from.read_u8().await?);
    }
    let length = from.read_u32().await?;
    message.extend_from_slice(&length.to_be_bytes());
    let start = message.len();
    message.resize(start + length as usize - 4, 0);
    from.read_exact(&mut message[start..]).await?;
    Ok(message)
}
