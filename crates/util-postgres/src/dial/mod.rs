//! Opening one connection: the way to the server, encryption, logging in.

mod proxy;

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

pub use proxy::Proxy;

use crate::login::Login;
use crate::{FailureKind, PostgresError, TlsMode};

/// What opens the connections of a [`crate::Database`].
#[derive(Clone)]
pub(crate) struct Dialer {
    pub(crate) config: Config,
    pub(crate) mode: TlsMode,
    /// Whether nobody chose the mode.
    pub(crate) mode_by_default: bool,
    pub(crate) tls: Option<MakeRustlsConnect>,
    pub(crate) login: Login,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) timeout: Duration,
    /// `host:port/database`, for messages.
    pub(crate) place: Arc<str>,
}

/// What to do where the safe default does not fit.
const RELAX: &str = "No sslmode was given, so a server outside of this machine and its private network must \
    prove who it is (sslmode=verify-full). Where it cannot and you trust the way to it, say so in the \
    connection string: sslmode=require encrypts without a proof, sslmode=disable does not encrypt.";

/// A client and the task that moves its bytes.
pub(crate) type Opened = (Client, JoinHandle<()>);

/// Without user and password.
impl fmt::Debug for Dialer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Dialer").field("place", &self.place).field("mode", &self.mode).finish()
    }
}

impl Dialer {
    /// Opens a connection, in the ways that the `sslmode` allows.
    pub(crate) async fn connect(&self) -> Result<Opened, PostgresError> {
        let mut config = self.config.clone();
        if let Some(password) = self.login.password().await? {
            config.password(password);
        }
        let (first, second): (SslMode, Option<SslMode>) = match self.mode {
            TlsMode::Disable => (SslMode::Disable, None),
            TlsMode::Allow => (SslMode::Disable, Some(SslMode::Require)),
            TlsMode::Prefer => (SslMode::Prefer, Some(SslMode::Disable)),
            TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull => (SslMode::Require, None),
        };
        let error = match self.attempt(config.ssl_mode(first)).await {
            Ok(opened) => return Ok(opened),
            Err(error) => error,
        };
        match second {
            Some(second) if error.is_about_encryption() => {
                let again = self.attempt(config.ssl_mode(second)).await;
                // Where the other way fails for a reason of its own kind, the first reason is the user's.
                again.map_err(|other| if other.refusal().is_some() { other } else { error })
            }
            _ if self.mode_by_default && error.is_about_encryption() && error.refusal().is_none() => {
                let text = format!("{error} {RELAX}");
                Err(error.with_message(text))
            }
            _ => Err(error),
        }
    }

    async fn attempt(&self, config: &Config) -> Result<Opened, PostgresError> {
        match &self.tls {
            Some(tls) if config.get_ssl_mode() != SslMode::Disable => self.open(config, tls.clone()).await,
            _ => self.open(config, NoTls).await,
        }
    }

    async fn open<T>(&self, config: &Config, tls: T) -> Result<Opened, PostgresError>
    where
        T: MakeTlsConnect<tokio_postgres::Socket> + MakeTlsConnect<TcpStream> + Clone,
        <T as MakeTlsConnect<tokio_postgres::Socket>>::Stream: Send + 'static,
        <T as MakeTlsConnect<TcpStream>>::Stream: Send + 'static,
    {
        let failed = |error| PostgresError::from_driver(error, &self.place);
        // A socket of this machine is not behind a proxy.
        let by_name = config.get_hosts().iter().all(|host| matches!(host, Host::Tcp(_)));
        match self.proxy.as_ref().filter(|_| by_name) {
            Some(proxy) => self.open_through(proxy, config, tls).await,
            None => {
                let (client, connection) = config.connect(tls).await.map_err(failed)?;
                Ok((client, tokio::spawn(run(connection))))
            }
        }
    }

    /// What the driver does with the hosts of a connection string, with a proxy in between.
    async fn open_through<T>(&self, proxy: &Proxy, config: &Config, tls: T) -> Result<Opened, PostgresError>
    where
        T: MakeTlsConnect<TcpStream> + Clone,
        T::Stream: Send + 'static,
    {
        let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
        let mut last = None;
        for at in 0..hosts.len().max(addresses.len()) {
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            let address = addresses.get(at).map(ToString::to_string);
            let name = match hosts.get(at) {
                Some(Host::Tcp(name)) => Some(name.clone()),
                _ => None,
            };
            let Some(target) = address.or_else(|| name.clone()) else { continue };
            let name = name.unwrap_or_else(|| target.clone());
            let opened = async {
                let wire = tokio::time::timeout(self.timeout, self.wire(proxy, &name, &target, port));
                let wire = wire.await.unwrap_or_else(|_| Err(self.silent()))?;
                self.log_in(config, tls.clone(), wire, &name).await
            };
            match opened.await {
                Ok(opened) => return Ok(opened),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| PostgresError::config(format!("{} names no host", self.place))))
    }

    /// The bare connection to one host.
    async fn wire(
        &self,
        proxy: &Proxy,
        name: &str,
        target: &str,
        port: u16,
    ) -> Result<TcpStream, PostgresError> {
        let unreachable = |error: std::io::Error| {
            let text = format!("PostgreSQL at {} cannot be reached: {error}.", self.place);
            PostgresError::new(FailureKind::Transient, text).caused_by(error)
        };
        let stream = if proxy.serves(name) {
            proxy.connect(target, port).await?
        } else {
            TcpStream::connect((target, port)).await.map_err(unreachable)?
        };
        let keepalive = socket2::TcpKeepalive::new().with_time(self.config.get_keepalives_idle());
        let keepalive = match self.config.get_keepalives_interval() {
            Some(interval) => keepalive.with_interval(interval),
            None => keepalive,
        };
        stream
            .set_nodelay(true)
            .and_then(|()| socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive))
            .map_err(unreachable)?;
        Ok(stream)
    }

    async fn log_in<T>(
        &self,
        config: &Config,
        mut tls: T,
        wire: TcpStream,
        name: &str,
    ) -> Result<Opened, PostgresError>
    where
        T: MakeTlsConnect<TcpStream>,
        T::Stream: Send + 'static,
    {
        let failed = |error| PostgresError::from_driver(error, &self.place);
        let tls = tls.make_tls_connect(name).map_err(|error| {
            PostgresError::config(format!("\"{name}\" is not a name that a certificate can have"))
                .caused_by(error.into())
        })?;
        let (client, connection) = config.connect_raw(wire, tls).await.map_err(failed)?;
        let task = tokio::spawn(run(connection));
        let wanted = match config.get_target_session_attrs() {
            TargetSessionAttrs::ReadWrite => "off",
            TargetSessionAttrs::ReadOnly => "on",
            _ => return Ok((client, task)),
        };
        let rows = client.simple_query("SHOW transaction_read_only").await.map_err(failed)?;
        let fits =
            rows.iter().any(|row| matches!(row, SimpleQueryMessage::Row(row) if row.get(0) == Some(wanted)));
        if fits {
            return Ok((client, task));
        }
        let text = format!("PostgreSQL at {} is not what target_session_attrs asks for", self.place);
        Err(PostgresError::new(FailureKind::Transient, text))
    }

    /// Nothing answered in time.
    pub(crate) fn silent(&self) -> PostgresError {
        let text = format!("PostgreSQL at {} does not answer. Check host, port and firewall.", self.place);
        PostgresError::new(FailureKind::Transient, text)
    }
}

/// Moves the bytes of a connection until it ends, and shows what the server remarks.
async fn run<S, T>(mut connection: tokio_postgres::Connection<S, T>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    T: AsyncRead + AsyncWrite + Unpin + Send,
{
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        match message {
            Ok(tokio_postgres::AsyncMessage::Notice(notice)) => {
                tracing::debug!(severity = notice.severity(), "{}", notice.message());
            }
            Ok(_) => {}
            Err(error) => return tracing::debug!(%error, "a connection ended"),
        }
    }
}
