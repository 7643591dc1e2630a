//! How many objects of each table an account has, when only the total is given.

use std::collections::BTreeMap;

use stripe_openapi::Catalog;

use crate::events::Generation;

/// Spreads `objects` over every table that can be listed without a parent: many charges, a few
/// coupons, a handful of country specs. Each table gets at least one object if there are enough;
/// only events are none, as nothing has happened yet.
///
/// The sum is exactly `objects`.
pub fn spread(catalog: &Catalog, objects: u64) -> BTreeMap<String, u64> {
    let tables: Vec<(&str, u64, u64)> = catalog
        .listable()
        .filter(|(resource, _)| Generation::of_table(&resource.table).is_none())
        .map(|(resource, _)| {
            let (weight, most) = weight(&resource.table);
            (resource.table.as_str(), weight, most)
        })
        .collect();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut left = objects;
    // Reference data has a natural size; it is given at most a quarter of everything.
    let handful = objects / (4 * tables.len().max(1) as u64);
    for (table, _, most) in tables.iter().filter(|(_, _, most)| *most != u64::MAX) {
        let count = (*most).min(handful.max(1)).min(left);
        counts.insert((*table).to_owned(), count);
        left -= count;
    }
    let open: Vec<(&str, u64)> = tables
        .iter()
        .filter(|(_, _, most)| *most == u64::MAX)
        .map(|(table, weight, _)| (*table, *weight))
        .collect();
    for (table, _) in &open {
        let count = left.min(1);
        counts.insert((*table).to_owned(), count);
        left -= count;
    }
    // What remains goes by weight; cumulative rounding keeps the sum exact.
    let total: u64 = open.iter().map(|(_, weight)| weight).sum();
    let (mut seen, mut given) = (0, 0);
    for (table, weight) in &open {
        seen += weight;
        let upto = (u128::from(left) * u128::from(seen) / u128::from(total.max(1))) as u64;
        *counts.entry((*table).to_owned()).or_default() += upto - given;
        given = upto;
    }
    counts.retain(|_, count| *count > 0);
    counts
}

/// A table's share in parts, and the most objects that a real account would have.
fn weight(table: &str) -> (u64, u64) {
    const UNBOUNDED: u64 = u64::MAX;
    let handful = |count| (0, count);
    match table {
        "country_spec" => handful(25),
        "tax_code" => handful(28),
        "reporting_report_type" => handful(15),
        "exchange_rate" => handful(11),
        "climate_supplier" => handful(4),
        "climate_product" => handful(2),
        "test_helpers_test_clock" => handful(2),
        "webhook_endpoint" | "v2_core_event_destination" => handful(8),
        "apple_pay_domain" | "payment_method_domain" => handful(6),
        "billing_portal_configuration" | "terminal_configuration" => handful(4),
        "payment_method_configuration" | "issuing_physical_bundle" => handful(3),
        "invoice_rendering_template" | "terminal_location" | "billing_feedback_option" => handful(5),
        "billing_meter" | "billing_alert" | "feature" | "tax_registration" => handful(12),
        "tax_rate" | "shipping_rate" => handful(40),
        "account" | "v2_core_account" => handful(45),
        "balance_transaction" => (140, UNBOUNDED),
        "charge" => (130, UNBOUNDED),
        "payment_intent" => (130, UNBOUNDED),
        "invoice" => (110, UNBOUNDED),
        "customer" => (100, UNBOUNDED),
        "payment_method" => (80, UNBOUNDED),
        "invoiceitem" | "invoice_payment" => (50, UNBOUNDED),
        "subscription" => (40, UNBOUNDED),
        "checkout_session" => (30, UNBOUNDED),
        "setup_intent" | "refund" => (15, UNBOUNDED),
        "payout" | "transfer" | "credit_note" | "application_fee" => (8, UNBOUNDED),
        "product" | "price" | "plan" | "coupon" | "promotion_code" | "dispute" | "tax_id" => (5, UNBOUNDED),
        "issuing_authorization" | "issuing_transaction" => (5, UNBOUNDED),
        _ => (2, UNBOUNDED),
    }
}

#[cfg(test)]
mod tests {
    use stripe_openapi::embedded;

    use super::*;

    #[test]
    fn the_sum_is_exact_and_many_tables_get_some() {
        for version in ["2017-08-15", "2020-08-27", embedded::newest_version()] {
            let catalog = embedded::catalog(version).unwrap();
            for objects in [0, 1, 7, 100, 999, 1_000, 10_000, 100_000, 1_000_000] {
                let counts = spread(&catalog, objects);
                assert_eq!(counts.values().sum::<u64>(), objects, "{version} {objects}");
                let events = |table: &str| Generation::of_table(table).is_some();
                let listable = catalog.listable().filter(|(r, _)| !events(&r.table)).count();
                assert!(objects < 1_000 || counts.len() == listable, "{version} {objects}: {}", counts.len());
            }
        }
        assert!(spread(&embedded::catalog(embedded::newest_version()).unwrap(), 100_000).len() >= 70);
    }
}
