//! Which events the selected streams need.

use std::collections::BTreeSet;

use stripe_openapi::knowledge::events::can_be_subscribed;
use stripe_openapi::{Catalog, Resource};

use crate::children;

/// The types of the events that tell of changes in the streams `names`, and the streams of which none tells.
///
/// Rows that exist only under those of others change with their parents, so their parents' events are needed too.
/// Stripe's `*` would leave out events that "require explicit selection", and bring others that nobody needs.
pub(crate) fn events<'n>(
    catalog: &Catalog,
    names: impl IntoIterator<Item = &'n str>,
) -> (BTreeSet<String>, Vec<&'n str>) {
    let mut wanted = BTreeSet::new();
    let mut untold = Vec::new();
    for (name, resource) in names.into_iter().filter_map(|name| Some((name, catalog.resource(name)?))) {
        let mut told = false;
        for event in tellers(catalog, resource).into_iter().flat_map(|teller| &teller.events) {
            if can_be_subscribed(&event.name) {
                wanted.insert(event.name.clone());
                told = true;
            }
        }
        if !told {
            untold.push(name);
        }
    }
    (wanted, untold)
}

/// The resources whose events tell of `resource`.
fn tellers<'c>(catalog: &'c Catalog, resource: &'c Resource) -> Vec<&'c Resource> {
    let mut tellers = vec![resource];
    if resource.list.is_none() {
        tellers.extend(children::parents_of(catalog, resource).into_iter().map(|parent| parent.resource));
    }
    tellers
}

#[cfg(test)]
mod tests {
    use stripe_openapi::embedded;

    use super::*;

    fn newest(names: &[&'static str]) -> (Vec<String>, Vec<&'static str>) {
        let catalog = embedded::catalog(embedded::newest_version()).unwrap();
        let (events, untold) = events(&catalog, names.iter().copied());
        (events.into_iter().collect(), untold)
    }

    #[test]
    fn a_stream_needs_its_own_events_and_a_child_its_parents_too() {
        let (events, untold) = newest(&["customer", "tax_code", "no_such"]);
        assert_eq!(events, ["customer.created", "customer.deleted", "customer.updated"]);
        assert_eq!(untold, ["tax_code"]);
        let (events, untold) = newest(&["subscription_item"]);
        assert!(events.contains(&"customer.subscription.updated".to_owned()), "{events:?}");
        assert!(untold.is_empty());
    }

    #[test]
    fn nobody_is_asked_to_decide() {
        let (events, _) = newest(&["issuing_authorization"]);
        assert_eq!(events, ["issuing_authorization.created", "issuing_authorization.updated"]);
        let (events, untold) = newest(&["v2_core_account"]);
        assert!(events.iter().all(|event| !event.starts_with("v2.")), "{events:?}");
        assert_eq!(untold, ["v2_core_account"]);
    }
}
