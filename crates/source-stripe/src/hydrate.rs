//! Fields that Stripe answers only if it is asked: `STREAM.FIELD`. Pure.

use protocol::ConnectorError;
use stripe_openapi::Catalog;

/// Stripe expands four levels, of which a list takes one for `data`.
const MOST_LEVELS: usize = 3;

/// Refuses fields that no list can be asked for.
pub(crate) fn check(hydrate: &[String], catalog: &Catalog) -> Result<(), ConnectorError> {
    let version = &catalog.api_version;
    for wanted in hydrate {
        let wrong = |what: &str| ConnectorError::config(format!("hydrate: {wanted}: {what}"));
        let Some((table, field)) = wanted.split_once('.') else {
            return Err(wrong("give it as STREAM.FIELD, e.g. charge.balance_transaction"));
        };
        let resource = catalog.resource(table).filter(|resource| resource.list.is_some());
        let resource =
            resource.ok_or_else(|| wrong(&format!("API version {version} has no list called {table}")))?;
        if field.split('.').count() > MOST_LEVELS {
            return Err(wrong(&format!(
                "Stripe expands at most {MOST_LEVELS} levels of the objects in a list"
            )));
        }
        let first = field.split('.').next().unwrap_or_default();
        let holds = resource.nested_list(first).is_some()
            || resource.columns.iter().any(|column| column.name == first);
        if !holds {
            return Err(wrong(&format!("{table} has no field {first} in API version {version}")));
        }
    }
    Ok(())
}

/// The fields of `table` among those that are asked for.
pub(crate) fn fields_of<'h>(hydrate: &'h [String], table: &str) -> impl Iterator<Item = &'h str> {
    hydrate.iter().filter_map(move |wanted| wanted.strip_prefix(table)?.strip_prefix('.'))
}

#[cfg(test)]
mod tests {
    use stripe_openapi::embedded;

    use super::*;

    fn check(wanted: &str) -> Result<(), String> {
        let catalog = embedded::catalog(embedded::newest_version()).unwrap();
        super::check(&[wanted.to_owned()], &catalog).map_err(|error| error.to_string())
    }

    #[test]
    fn fields_belong_to_their_table() {
        let hydrate = ["charge.balance_transaction", "charge.customer.default_source", "invoice.payments"];
        let hydrate = hydrate.map(str::to_owned);
        let of = |table: &str| fields_of(&hydrate, table).collect::<Vec<_>>();
        assert_eq!(of("charge"), ["balance_transaction", "customer.default_source"]);
        assert_eq!(of("invoice"), ["payments"]);
        assert!(of("char").is_empty());
    }

    #[test]
    fn what_cannot_be_asked_for_is_refused() {
        assert_eq!(check("charge.balance_transaction"), Ok(()));
        assert_eq!(check("invoice.payments"), Ok(()));
        for (wanted, expected) in [
            ("charge", "STREAM.FIELD"),
            ("chargee.customer", "no list called chargee"),
            ("charge.colour", "no field colour"),
            ("charge.customer.a.b.c", "at most 3 levels"),
        ] {
            let error = check(wanted).unwrap_err();
            assert!(error.contains(expected) && error.contains(wanted), "{error}");
        }
    }
}
