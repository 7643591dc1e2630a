//! The rate limit that processes share, in a database of the user.

use std::error::Error;
use std::sync::Arc;

use destination_postgres::PostgresConfig;
use futures::future::BoxFuture;
use protocol::ConnectorConfig;
use secrecy::{ExposeSecret, SecretString};
use source_stripe::{BudgetLease, BudgetWant, SharedBudget};
use util_postgres::shared_rate::{SharedRate, Want};
use util_postgres::{Address, ConnectOptions, Database};

use super::args::ShareArgs;
use super::environment::Environment;
use super::failure::Failure;
use super::settings::DestinationSettings;

/// Where the database is named, if no flag does it.
pub(crate) const VARIABLE: &str = "SHARED_LIMIT_URL";

/// The schema of the table, unless it lies beside the data.
const SCHEMA: &str = "stripe";

/// What the server shows of the connection.
const APPLICATION: &str = "sync-engine limit";

/// Leases rates in a table.
#[derive(Debug)]
struct TableBudget(SharedRate);

impl SharedBudget for TableBudget {
    fn lease(
        &self,
        account: String,
        holder: String,
        wants: Vec<BudgetWant>,
    ) -> BoxFuture<'static, Result<BudgetLease, Box<dyn Error + Send + Sync>>> {
        let rate = self.0.clone();
        let wanted = |want: BudgetWant| Want {
            level: want.endpoint,
            full_rate: want.full_rate,
            wanted: want.wanted,
            exceeded: want.exceeded,
        };
        let wants: Vec<Want> = wants.into_iter().map(wanted).collect();
        Box::pin(async move {
            let leased = rate.lease(&account, &holder, &wants).await?;
            Ok(BudgetLease {
                rates: leased.grants.into_iter().map(|grant| grant.per_second).collect(),
                valid_for: leased.valid_for,
                holders: leased.processes,
            })
        })
    }
}

/// Where the limit is shared, if it is: by the flag, the environment, or the destination's own database.
pub(crate) fn shared_budget(
    args: &ShareArgs,
    environment: &Environment,
    destination: &DestinationSettings,
) -> Result<Option<Arc<dyn SharedBudget>>, Failure> {
    let given = args.shared_limit_url.clone();
    let given = given.or_else(|| environment.get(VARIABLE).map(|url| SecretString::from(url.to_owned())));
    let rate = match given {
        Some(url) => {
            let options = ConnectOptions {
                application_name: APPLICATION.to_owned(),
                connections: 1,
                ..ConnectOptions::default()
            };
            let database =
                Address::parse(url.expose_secret()).and_then(|address| Database::new(&address, &options));
            let database =
                database.map_err(|error| Failure::usage(format!("--shared-limit-url: {error}")))?;
            SharedRate::in_schema(database, SCHEMA)
        }
        None if args.share_limit => beside_the_data(&destination.connector)?,
        None => return Ok(None),
    };
    Ok(Some(Arc::new(TableBudget(rate))))
}

/// The limit in the destination's own database, reached as the destination reaches it.
fn beside_the_data(destination: &ConnectorConfig) -> Result<SharedRate, Failure> {
    if destination.connector != "postgres" {
        return Err(Failure::usage(
            "--share-limit keeps the limit in the destination's database, which has to be PostgreSQL: name another \
             database by --shared-limit-url postgres://…",
        ));
    }
    let wrong =
        |error: &dyn std::fmt::Display| Failure::usage(format!("--share-limit: the destination's {error}"));
    let config = serde_json::Value::Object(destination.config.clone());
    let config = serde_json::from_value::<PostgresConfig>(config)
        .map_err(|error| wrong(&format!("configuration is wrong: {error}")))?;
    let database = config.database_for(APPLICATION, 1).map_err(|error| wrong(&error))?;
    Ok(SharedRate::in_schema(database, &config.schema))
}
