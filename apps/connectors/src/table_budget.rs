//! The rate limit that processes share, in a table of PostgreSQL.

use std::error::Error;

use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use source_stripe::{BudgetLease, BudgetWant, SharedBudget};
use util_postgres::shared_rate::{SharedRate, Want};
use util_postgres::{Address, ConnectOptions, Database};

/// What the server shows of the connection.
const APPLICATION: &str = "sync-engine limit";

/// Leases rates in a table.
#[derive(Debug)]
pub struct TableBudget(SharedRate);

impl TableBudget {
    /// Leases in this table.
    pub fn new(rate: SharedRate) -> TableBudget {
        TableBudget(rate)
    }

    /// Leases in a table of `schema` of the database at this address. The error says what is wrong with the address.
    pub fn connect(url: &SecretString, schema: &str) -> Result<TableBudget, String> {
        let options = ConnectOptions {
            application_name: APPLICATION.to_owned(),
            connections: 1,
            ..ConnectOptions::default()
        };
        let database =
            Address::parse(url.expose_secret()).and_then(|address| Database::new(&address, &options));
        let database = database.map_err(|error| error.to_string())?;
        Ok(TableBudget(SharedRate::in_schema(database, schema)))
    }
}

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
