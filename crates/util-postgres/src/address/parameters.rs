//! Taking what is ours out of a connection string; the rest is the driver's.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use super::EXPECTED;
use crate::PostgresError;

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

/// The parameters about TLS.
#[derive(Default)]
pub(super) struct TlsParameters {
    pub(super) mode: Option<String>,
    pub(super) root: Option<PathBuf>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
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

/// The driver's part of a URL.
pub(super) fn strip_url(text: &str, tls: &mut TlsParameters) -> String {
    let Some((base, query)) = text.split_once('?') else { return text.to_owned() };
    let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    let kept = query.split('&').filter(|part| !part.is_empty()).filter(|part| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        tls.take(&decode(key), &decode(value))
    });
    let kept = kept.collect::<Vec<_>>().join("&");
    if kept.is_empty() { base.to_owned() } else { format!("{base}?{kept}") }
}

/// The driver's part of a list of settings.
pub(super) fn strip_settings(text: &str, tls: &mut TlsParameters) -> Result<String, PostgresError> {
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
