//! Reading a connection string.

use std::net::IpAddr;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::PostgresError;
use crate::tls::Certificates;

/// How far the connection is encrypted and the server's certificate checked (`sslmode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Not encrypted.
    Disable,
    /// Encrypted when the server can; not checked.
    Prefer,
    /// Encrypted; checked only where an authority is given.
    Require,
    /// Encrypted, and the certificate must come from a trusted authority.
    VerifyCa,
    /// As [`TlsMode::VerifyCa`], and the certificate must name the host.
    VerifyFull,
}

/// Where a server is and how to log in: a connection string, read.
#[derive(Clone)]
pub struct Address {
    pub(crate) config: Config,
    pub(crate) tls: TlsMode,
    pub(crate) certificates: Certificates,
}

/// What the driver understands; other parameters are for other clients.
const DRIVER_PARAMETERS: &[&str] = &[
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "sslnegotiation",
    "host",
    "hostaddr",
    "port",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
];

#[derive(Default)]
struct TlsParameters {
    mode: Option<String>,
    root: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl TlsParameters {
    /// Takes the parameter, or answers whether it is the driver's.
    fn take(&mut self, key: &str, value: &str) -> bool {
        match key {
            "sslmode" => self.mode = Some(value.to_owned()),
            "sslrootcert" => self.root = Some(value.into()),
            "sslcert" => self.certificate = Some(value.into()),
            "sslkey" => self.key = Some(value.into()),
            key if DRIVER_PARAMETERS.contains(&key) => return true,
            key => tracing::warn!(parameter = key, "unknown parameter of the connection string, ignored"),
        }
        false
    }
}

impl Address {
    /// Reads a URL (`postgres://user:password@host:5432/database?sslmode=require`) or a list of
    /// settings (`host=… user=…`). Without `sslmode` the connection to another machine is
    /// encrypted when the server can, and one to this machine is not.
    pub fn parse(text: &str) -> Result<Address, PostgresError> {
        let text = text.trim();
        let mut tls = TlsParameters::default();
        let for_driver = if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            strip_url(text, &mut tls)
        } else if text.contains('=') {
            strip_settings(text, &mut tls)?
        } else {
            return Err(PostgresError::config(format!(
                "this is not a PostgreSQL connection string. {EXPECTED}"
            )));
        };
        let mut config: Config = for_driver.parse().map_err(|error: tokio_postgres::Error| {
            let cause =
                std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
            PostgresError::config(format!(
                "the PostgreSQL connection string cannot be read{cause}. {EXPECTED}; special characters \
                 in user and password must be percent-encoded"
            ))
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(PostgresError::config(format!(
                "the PostgreSQL connection string names no host. {EXPECTED}"
            )));
        }
        let mode = match tls.mode.as_deref() {
            None if config.get_hosts().iter().all(is_local) => TlsMode::Disable,
            Some("disable") => TlsMode::Disable,
            None | Some("allow" | "prefer") => TlsMode::Prefer,
            Some("require") => TlsMode::Require,
            Some("verify-ca") => TlsMode::VerifyCa,
            Some("verify-full") => TlsMode::VerifyFull,
            Some(other) => {
                return Err(PostgresError::config(format!(
                    "Unsupported Postgres sslmode \"{other}\". Use disable, prefer, require, verify-ca, or verify-full."
                )));
            }
        };
        config.ssl_mode(match mode {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            _ => SslMode::Require,
        });
        let client = match (tls.certificate, tls.key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => {
                return Err(PostgresError::config(
                    "sslcert and sslkey belong together: give both or neither in the connection string",
                ));
            }
        };
        let certificates = Certificates { authorities: None, authorities_file: tls.root, client };
        Ok(Address { config, tls: mode, certificates })
    }

    /// How the connection is encrypted.
    pub fn tls_mode(&self) -> TlsMode {
        self.tls
    }

    /// `host:port/database`, for messages; without user and password.
    pub fn place(&self) -> String {
        let (hosts, ports) = (self.config.get_hosts(), self.config.get_ports());
        let names: Vec<String> = if hosts.is_empty() {
            self.config.get_hostaddrs().iter().map(ToString::to_string).collect()
        } else {
            hosts.iter().map(host_name).collect()
        };
        let with_ports = names.iter().enumerate().map(|(at, name)| {
            let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
            format!("{name}:{port}")
        });
        let hosts = with_ports.collect::<Vec<_>>().join(",");
        match self.config.get_dbname().or(self.config.get_user()) {
            Some(database) => format!("{hosts}/{database}"),
            None => hosts,
        }
    }
}

const EXPECTED: &str = "Expected postgres://user:password@host:5432/database";

fn host_name(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn strip_url(text: &str, tls: &mut TlsParameters) -> String {
    let Some((base, query)) = text.split_once('?') else { return text.to_owned() };
    let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    let kept = query.split('&').filter(|part| !part.is_empty()).filter(|part| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        tls.take(&decode(key), &decode(value))
    });
    let kept = kept.collect::<Vec<_>>().join("&");
    if kept.is_empty() { base.to_owned() } else { format!("{base}?{kept}") }
}

fn strip_settings(text: &str, tls: &mut TlsParameters) -> Result<String, PostgresError> {
    let mut kept = String::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let malformed = || {
            PostgresError::config(format!("the PostgreSQL connection string ends unexpectedly. {EXPECTED}"))
        };
        let (key, after) = rest.split_once('=').ok_or_else(malformed)?;
        let (value, after) = setting_value(after.trim_start()).ok_or_else(malformed)?;
        if tls.take(key.trim(), &value) {
            let quoted = value.replace('\\', "\\\\").replace('\'', "\\'");
            kept.push_str(&format!("{}='{quoted}' ", key.trim()));
        }
        rest = after.trim_start();
    }
    Ok(kept)
}

/// A value, in single quotes or up to white space, and what follows it. A backslash escapes.
fn setting_value(text: &str) -> Option<(String, &str)> {
    let (quoted, text) = text.strip_prefix('\'').map_or((false, text), |inner| (true, inner));
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.push(characters.next()?.1),
            '\'' if quoted => return Some((value, &text[at + 1..])),
            space if !quoted && space.is_whitespace() => return Some((value, &text[at..])),
            other => value.push(other),
        }
    }
    (!quoted).then_some((value, ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mode(text: &str) -> TlsMode {
        Address::parse(text).unwrap().tls
    }

    fn refusal(text: &str) -> String {
        Address::parse(text).err().unwrap().to_string()
    }

    #[test]
    fn another_machine_is_encrypted_when_it_can() {
        assert_eq!(mode("postgres://u:p@db.example.com/x"), TlsMode::Prefer);
        assert_eq!(mode("postgres://u:p@localhost/x"), TlsMode::Disable);
        assert_eq!(mode("postgres://u:p@[::1]:5432/x"), TlsMode::Disable);
        assert_eq!(mode("host=/run/postgresql user=u"), TlsMode::Disable);
    }

    #[test]
    fn every_sslmode_is_known() {
        for (text, expected) in [
            ("disable", TlsMode::Disable),
            ("allow", TlsMode::Prefer),
            ("prefer", TlsMode::Prefer),
            ("require", TlsMode::Require),
            ("verify-ca", TlsMode::VerifyCa),
            ("verify-full", TlsMode::VerifyFull),
        ] {
            assert_eq!(mode(&format!("postgres://u@h/d?sslmode={text}")), expected);
            assert_eq!(mode(&format!("host=h user=u sslmode = '{text}'")), expected);
        }
        assert!(refusal("postgres://u@h/d?sslmode=on").contains("Unsupported Postgres sslmode \"on\""));
    }

    #[test]
    fn parameters_of_other_clients_are_ignored() {
        let address = Address::parse(
            "postgres://u:p@h:6543/d?pgbouncer=true&application_name=me&sslrootcert=/ca%20x.pem",
        )
        .unwrap();
        assert_eq!(address.config.get_application_name(), Some("me"));
        assert_eq!(address.certificates.authorities_file.as_deref(), Some("/ca x.pem".as_ref()));
        assert_eq!(address.place(), "h:6543/d");
    }

    #[test]
    fn mistakes_are_named_and_secrets_are_not() {
        for text in ["", "mysql://u:secret@h/d", "postgres://u:secret@h:port/d", "postgres:///d", "host"] {
            let refusal = refusal(text);
            assert!(refusal.contains("Expected postgres://"), "{refusal}");
            assert!(!refusal.contains("secret"), "{refusal}");
        }
        assert!(refusal("host='h").contains("ends unexpectedly"));
        assert!(refusal("postgres://u@h/d?sslcert=/x").contains("belong together"));
    }

    proptest! {
        #[test]
        fn settings_survive_quoting(password in "[^\0]{1,20}") {
            let quoted = password.replace('\\', "\\\\").replace('\'', "\\'");
            let address = Address::parse(&format!("host=h password='{quoted}' user=u")).unwrap();
            prop_assert_eq!(address.config.get_password(), Some(password.as_bytes()));
            prop_assert_eq!(address.config.get_user(), Some("u"));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}") {
            let _ = Address::parse(&text);
            let _ = Address::parse(&format!("postgres://{text}"));
            let _ = Address::parse(&format!("host={text}"));
        }
    }
}
