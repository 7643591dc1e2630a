//! Where a server is, and how to log in.

mod parameters;
mod reach;

use std::path::PathBuf;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslNegotiation};

use self::parameters::{TlsParameters, strip_settings, strip_url};
use self::reach::Reach;
use crate::PostgresError;
use crate::login::AwsDatabase;
use crate::tls::{Certificates, ClientIdentity};

/// How far the connection is encrypted and the server's certificate checked (`sslmode`, as libpq means it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Not encrypted.
    Disable,
    /// Encrypted only where the server insists; not checked.
    Allow,
    /// Encrypted when the server can; not checked.
    Prefer,
    /// Encrypted; checked only where an authority is given.
    Require,
    /// Encrypted, and the certificate must come from a trusted authority.
    VerifyCa,
    /// As [`TlsMode::VerifyCa`], and the certificate must name the host.
    VerifyFull,
}

impl TlsMode {
    /// Reads an `sslmode`.
    pub fn parse(text: &str) -> Result<TlsMode, PostgresError> {
        Ok(match text {
            "disable" => TlsMode::Disable,
            "allow" => TlsMode::Allow,
            "prefer" => TlsMode::Prefer,
            "require" => TlsMode::Require,
            "verify-ca" => TlsMode::VerifyCa,
            "verify-full" => TlsMode::VerifyFull,
            other => {
                return Err(PostgresError::config(format!(
                    "Unsupported Postgres sslmode \"{other}\". Use disable, allow, prefer, require, verify-ca, \
                     or verify-full."
                )));
            }
        })
    }
}

/// Where a server is and how to log in: a connection string, read, or a database at AWS.
#[derive(Clone)]
pub struct Address {
    pub(crate) config: Config,
    pub(crate) tls: TlsMode,
    /// Whether nobody chose `tls`.
    pub(crate) tls_by_default: bool,
    pub(crate) certificates: Certificates,
    pub(crate) aws: Option<AwsDatabase>,
}

impl Address {
    /// Reads a URL (`postgres://user:password@host:5432/database?sslmode=require`) or a list of
    /// settings (`host=… user=…`).
    ///
    /// Without `sslmode` a connection within this machine is not encrypted, one in a private network is
    /// encrypted when the server can, and any other must prove who the server is (`verify-full`).
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
        let config: Config = for_driver.parse().map_err(|error: tokio_postgres::Error| {
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
        let chosen = tls.mode.as_deref().map(TlsMode::parse).transpose()?;
        let system = tls.root.as_deref().is_some_and(|root| root.as_os_str() == "system");
        let mode = match chosen {
            Some(mode) if system && mode != TlsMode::VerifyFull => {
                return Err(PostgresError::config(
                    "sslrootcert=system trusts every public authority, which proves nothing without the host's \
                     name: use it with sslmode=verify-full",
                ));
            }
            Some(mode) => mode,
            None if system => TlsMode::VerifyFull,
            None => default_mode(&config),
        };
        let identity = match (tls.certificate, tls.key) {
            (Some(certificate), Some(key)) => Some(ClientIdentity::Files { certificate, key }),
            (None, None) => None,
            _ => {
                return Err(PostgresError::config(
                    "sslcert and sslkey belong together: give both or neither in the connection string",
                ));
            }
        };
        let authorities_file = tls.root.filter(|_| !system);
        let certificates = Certificates { authorities: None, authorities_file, identity };
        Address { config, tls: mode, tls_by_default: chosen.is_none(), certificates, aws: None }.consistent()
    }

    /// The hosts that may be connected to: names, addresses, and directories of sockets (which begin with `/`).
    pub fn hosts(&self) -> Vec<String> {
        let named = self.config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        });
        named.chain(self.config.get_hostaddrs().iter().map(ToString::to_string)).collect()
    }

    /// The files that connecting reads.
    pub fn files(&self) -> Vec<PathBuf> {
        let identity = match &self.certificates.identity {
            Some(ClientIdentity::Files { certificate, key }) => vec![certificate.clone(), key.clone()],
            _ => Vec::new(),
        };
        self.certificates.authorities_file.iter().cloned().chain(identity).collect()
    }

    /// A database of Amazon RDS or Aurora to which a token of IAM is the password.
    ///
    /// The token is a secret that the server reads, so without `tls` the server must prove who it is.
    pub fn of_aws(aws: AwsDatabase, tls: Option<TlsMode>) -> Result<Address, PostgresError> {
        let mut config = Config::new();
        config.host(&*aws.host).port(aws.port).dbname(&*aws.database).user(&*aws.user);
        if matches!(tls, Some(TlsMode::Disable | TlsMode::Allow | TlsMode::Prefer)) {
            return Err(PostgresError::config(
                "a token of IAM must not travel unencrypted: the sslmode of an `aws` database is require, \
                 verify-ca or verify-full",
            ));
        }
        Ok(Address {
            config,
            tls: tls.unwrap_or(TlsMode::VerifyFull),
            tls_by_default: tls.is_none(),
            certificates: Certificates::default(),
            aws: Some(aws),
        })
    }

    fn consistent(self) -> Result<Address, PostgresError> {
        let direct = self.config.get_ssl_negotiation() == SslNegotiation::Direct;
        if direct && matches!(self.tls, TlsMode::Disable | TlsMode::Allow | TlsMode::Prefer) {
            return Err(PostgresError::config(
                "sslnegotiation=direct needs an sslmode that encrypts: require, verify-ca or verify-full",
            ));
        }
        Ok(self)
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

/// For who names no `sslmode`: as safe as the way to the farthest host demands.
fn default_mode(config: &Config) -> TlsMode {
    // Where there are addresses, they are dialled, whatever the names beside them.
    let addresses = config.get_hostaddrs();
    let farthest = if addresses.is_empty() {
        config.get_hosts().iter().map(Reach::of).max()
    } else {
        addresses.iter().map(|address| Reach::of_address(*address)).max()
    };
    match farthest {
        Some(Reach::Machine) => TlsMode::Disable,
        Some(Reach::Network) => TlsMode::Prefer,
        _ => TlsMode::VerifyFull,
    }
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
    fn without_a_word_it_is_as_safe_as_the_way_is_long() {
        assert_eq!(mode("postgres://u:p@db.example.com/x"), TlsMode::VerifyFull);
        assert_eq!(mode("postgres://u:p@localhost,db.example.com/x"), TlsMode::VerifyFull);
        assert_eq!(mode("host=db.example.com hostaddr=127.0.0.1 user=u"), TlsMode::Disable);
        assert_eq!(mode("postgres://u:p@postgres:5432/x"), TlsMode::Prefer);
        assert_eq!(mode("postgres://u:p@10.1.2.3/x?sslrootcert=system"), TlsMode::VerifyFull);
        assert_eq!(mode("postgres://u:p@localhost/x"), TlsMode::Disable);
        assert_eq!(mode("postgres://u:p@[::1]:5432/x"), TlsMode::Disable);
        assert_eq!(mode("host=/run/postgresql user=u"), TlsMode::Disable);
    }

    #[test]
    fn every_sslmode_is_known() {
        for (text, expected) in [
            ("disable", TlsMode::Disable),
            ("allow", TlsMode::Allow),
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
        assert!(
            refusal("postgres://u@h/d?sslnegotiation=direct&sslmode=prefer")
                .contains("sslmode that encrypts")
        );
        assert!(refusal("postgres://u@h/d?sslrootcert=system&sslmode=require").contains("verify-full"));
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
