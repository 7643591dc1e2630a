//! Tables against the truth.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use crate::truth::Rows;

/// Fails with the tables that differ and a few ids of each; answers the number of rows compared.
pub fn equal(truth: &BTreeMap<String, Rows>, stored: &BTreeMap<String, Rows>) -> Result<u64> {
    let mut wrong = Vec::new();
    let mut compared = 0;
    for (table, expected) in truth {
        let empty = Rows::new();
        let found = stored.get(table).unwrap_or(&empty);
        let missing: Vec<&String> = expected.keys().filter(|id| !found.contains_key(*id)).collect();
        let extra: Vec<&String> = found.keys().filter(|id| !expected.contains_key(*id)).collect();
        let different: Vec<&String> = expected
            .iter()
            .filter(|(id, hash)| found.get(*id).is_some_and(|other| other != *hash))
            .map(|(id, _)| id)
            .collect();
        for (what, ids) in [("missing", missing), ("extra", extra), ("different", different)] {
            if !ids.is_empty() {
                let some: Vec<&&String> = ids.iter().take(3).collect();
                wrong.push(format!("{table}: {} of {} {what}, e.g. {some:?}", ids.len(), expected.len()));
            }
        }
        compared += expected.len() as u64;
    }
    if !wrong.is_empty() {
        bail!("the tables differ from Stripe:\n  {}", wrong.join("\n  "));
    }
    Ok(compared)
}
