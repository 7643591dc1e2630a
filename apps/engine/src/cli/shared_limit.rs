//! The rate limit that processes share, in a database of the user.

use std::error::Error;
use std::sync::Arc;

use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use source_stripe::{BudgetLease, BudgetWant, SharedBudget};
use util_postgres::shared_rate::{SharedRate, Want};
use util_postgres::{Address, ConnectOptions, Database};

use super::args::ShareArgs;
use super::environment::Environment;
use super::failure::Failure;
use super::settings::DestinationSettings;

const VARIABLE: &str = "SHARED_LIMIT_URL";

/// The schema of the table, unless it lies beside the data.
const SCHEMA: &str = "stripe";

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
    let text = |field: &str| destination.connector.config.get(field).and_then(Value::as_str);
    let given = args.shared_limit_url.clone();
    let given = given.or_else(|| environment.get(VARIABLE).map(|url| SecretString::from(url.to_owned())));
    let (url, schema, authority, place) = match given {
        Some(url) => (url, SCHEMA, None, "--shared-limit-url"),
        None if !args.share_limit => return Ok(None),
        None => {
            let url = text("url").or_else(|| text("connection_string"));
            let url = url.filter(|_| destination.connector.connector == "postgres").ok_or_else(|| {
                Failure::usage(
                    "--share-limit keeps the limit in the destination's database, which has to be PostgreSQL: \
                     name another database by --shared-limit-url postgres://…",
                )
            })?;
            let schema = text("schema").unwrap_or("public");
            (SecretString::from(url.to_owned()), schema, text("ssl_ca_pem"), "the destination's `url`")
        }
    };
    let options = ConnectOptions {
        application_name: "sync-engine limit".to_owned(),
        connections: 1,
        ssl_ca_pem: authority.map(str::to_owned),
        ..ConnectOptions::default()
    };
    let database = Address::parse(url.expose_secret()).and_then(|address| Database::new(&address, &options));
    let database = database.map_err(|error| Failure::usage(format!("{place}: {error}")))?;
    Ok(Some(Arc::new(TableBudget(SharedRate::in_schema(database, schema)))))
}
