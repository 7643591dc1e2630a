//! The rate limit that processes share, in a database of the user.

use std::sync::Arc;

use connectors::TableBudget;
use destination_postgres::PostgresConfig;
use protocol::ConnectorConfig;
use secrecy::SecretString;
use source_stripe::SharedBudget;
use util_postgres::shared_rate::SharedRate;

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

/// Where the limit is shared, if it is: by the flag, the environment, or the destination's own database.
pub(crate) fn shared_budget(
    args: &ShareArgs,
    environment: &Environment,
    destination: &DestinationSettings,
) -> Result<Option<Arc<dyn SharedBudget>>, Failure> {
    let given = args.shared_limit_url.clone();
    let given = given.or_else(|| environment.get(VARIABLE).map(|url| SecretString::from(url.to_owned())));
    let budget = match given {
        Some(url) => {
            let budget = TableBudget::connect(&url, SCHEMA);
            budget.map_err(|error| Failure::usage(format!("--shared-limit-url: {error}")))?
        }
        None if args.share_limit => TableBudget::new(beside_the_data(&destination.connector)?),
        None => return Ok(None),
    };
    Ok(Some(Arc::new(budget)))
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
