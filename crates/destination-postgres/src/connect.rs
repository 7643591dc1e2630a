//! From the configuration to a database.

use std::num::NonZeroU32;
use std::time::Duration;

use protocol::ConnectorError;
use secrecy::ExposeSecret;
use util_postgres::{
    Address, AwsDatabase, ConnectOptions, Database, PostgresError, Proxy, TlsMode, TransactionLimits,
};

use crate::config::{AwsConfig, PostgresConfig};
use crate::failure::connector_error;

/// The database, without connecting to it yet; at most so many connections.
pub(crate) fn database(config: &PostgresConfig, connections: usize) -> Result<Database, ConnectorError> {
    let address = address(config)?;
    let milliseconds = |limit: NonZeroU32| Duration::from_millis(limit.get().into());
    let ssl_identity_pem = match (&config.ssl_cert_pem, &config.ssl_key_pem) {
        (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
        (None, None) => None,
        _ => {
            return Err(ConnectorError::config(
                "ssl_cert_pem and ssl_key_pem belong together: give both or neither",
            ));
        }
    };
    let options = ConnectOptions {
        application_name: config.application_name.clone(),
        connections,
        ssl_ca_pem: config.ssl_ca_pem.clone(),
        ssl_identity_pem,
        password_file: config.password_file.clone(),
        connect_timeout: Some(milliseconds(config.connect_timeout_ms)),
        proxy: config.proxy.as_ref().map(|proxy| Proxy {
            host: proxy.host.clone(),
            port: proxy.port,
            except: proxy.no_proxy.clone(),
        }),
        patience: Some(milliseconds(config.retry_for_ms)),
        limits: TransactionLimits {
            statement: config.statement_timeout_ms.map(milliseconds),
            lock: config.lock_timeout_ms.map(milliseconds),
            idle: config.idle_in_transaction_timeout_ms.map(milliseconds),
        },
    };
    Database::new(&address, &options).map_err(connector_error)
}

fn address(config: &PostgresConfig) -> Result<Address, ConnectorError> {
    let url = config.url.as_ref().or(config.connection_string.as_ref());
    let address = match (url, &config.aws) {
        (Some(_), Some(_)) => {
            return Err(ConnectorError::config(
                "Specify either url/connection_string or aws config, not both",
            ));
        }
        (None, None) => {
            return Err(ConnectorError::config(
                "Either url/connection_string or aws config is required, such as `url`: \
                 postgres://user:password@host:5432/database",
            ));
        }
        (Some(url), None) => Address::parse(url.expose_secret()),
        (None, Some(aws)) => of_aws(aws),
    };
    address.map_err(connector_error)
}

fn of_aws(aws: &AwsConfig) -> Result<Address, PostgresError> {
    let tls = aws.sslmode.as_deref().map(TlsMode::parse).transpose()?;
    let database = AwsDatabase {
        host: aws.host.clone(),
        port: aws.port,
        database: aws.database.clone(),
        user: aws.user.clone(),
        region: aws.region.clone(),
        role_arn: aws.role_arn.clone(),
        external_id: aws.external_id.clone(),
    };
    Address::of_aws(database, tls)
}
