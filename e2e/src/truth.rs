//! What is true, as the simulated Stripe tells it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use stripe_openapi::Catalog;
use stripe_simulator::{Control, NestedLists};

use crate::canonical::identify;

/// The objects of a table: a hash of what each means, by id.
pub type Rows = BTreeMap<String, u64>;

/// All objects of every table that can be listed, hidden ones and the own account included.
///
/// Nested lists hold all of their items.
pub fn rows(control: &Control, catalog: &Catalog) -> Result<BTreeMap<String, Rows>> {
    let mut tables = BTreeMap::new();
    for (resource, _) in catalog.listable() {
        let mut rows = Rows::new();
        let mut failure = None;
        control.dump(&resource.table, NestedLists::Full, |text| match identify(text) {
            Ok((id, hash)) => {
                rows.insert(id, hash);
            }
            Err(error) => failure = Some(error),
        })?;
        if let Some(failure) = failure {
            return Err(failure).with_context(|| format!("dumping {}", resource.table));
        }
        if resource.table == "account" {
            rows.extend([identify(&control.own_account())?]);
        }
        tables.insert(resource.table.clone(), rows);
    }
    Ok(tables)
}
