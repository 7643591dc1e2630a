//! The embedded catalogs say what Stripe's own documents say.

use std::collections::BTreeSet;

use stripe_openapi::{ApiVersion, Catalog, ListStyle, embedded, history};

/// The streams that the TypeScript engine offers at 2026-03-25.dahlia: listable, and told of by events.
const REALTIME: [&str; 53] = [
    "account",
    "application_fee",
    "billing_alert",
    "billing_credit_grant",
    "billing_meter",
    "billing_portal_configuration",
    "charge",
    "checkout_session",
    "climate_order",
    "climate_product",
    "coupon",
    "credit_note",
    "customer",
    "dispute",
    "early_fraud_warning",
    "file",
    "financial_connections_account",
    "identity_verification_session",
    "invoice",
    "invoice_payment",
    "invoiceitem",
    "issuing_authorization",
    "issuing_card",
    "issuing_cardholder",
    "issuing_dispute",
    "issuing_personalization_design",
    "issuing_transaction",
    "payment_intent",
    "payment_link",
    "payment_method",
    "payout",
    "plan",
    "price",
    "product",
    "promotion_code",
    "quote",
    "refund",
    "reporting_report_run",
    "reporting_report_type",
    "review",
    "scheduled_query_run",
    "setup_intent",
    "subscription",
    "subscription_schedule",
    "tax_id",
    "tax_rate",
    "terminal_reader",
    "test_helpers_test_clock",
    "topup",
    "transfer",
    "treasury_financial_account",
    "v2_core_account",
    "v2_core_event_destination",
];

/// The other listable tables at 2026-03-25.dahlia, which no event tells of.
const WITHOUT_EVENTS: [&str; 21] = [
    "apple_pay_domain",
    "balance_transaction",
    "climate_supplier",
    "country_spec",
    "event",
    "feature",
    "file_link",
    "forwarding_request",
    "identity_verification_report",
    "invoice_rendering_template",
    "issuing_physical_bundle",
    "payment_method_configuration",
    "payment_method_domain",
    "radar_value_list",
    "shipping_rate",
    "tax_code",
    "tax_registration",
    "terminal_configuration",
    "terminal_location",
    "v2_core_event",
    "webhook_endpoint",
];

fn catalog(version: &str) -> std::sync::Arc<Catalog> {
    embedded::catalog(version).unwrap_or_else(|| panic!("{version} is not embedded"))
}

fn all() -> impl Iterator<Item = std::sync::Arc<Catalog>> {
    embedded::versions().iter().map(|version| catalog(version))
}

#[test]
fn dahlia_has_the_streams_of_the_reference() {
    let catalog = catalog("2026-03-25.dahlia");
    let tables = |realtime: bool| -> BTreeSet<&str> {
        let listable = catalog.listable().filter(|(resource, _)| resource.supports_realtime() == realtime);
        listable.map(|(resource, _)| resource.table.as_str()).collect()
    };
    assert_eq!(tables(true), BTreeSet::from(REALTIME));
    assert_eq!(tables(false), BTreeSet::from(WITHOUT_EVENTS));
}

#[test]
fn every_version_is_embedded_newest_first_and_well_formed() {
    let versions = embedded::versions();
    assert_eq!(versions.len(), 57);
    assert_eq!((versions[0], versions[56]), ("2026-10-28.endive", "2017-08-15"));
    assert_eq!(embedded::newest_version(), versions[0]);
    assert!(versions.is_sorted_by(|newer, older| newer > older));
    for version in versions {
        version.parse::<ApiVersion>().unwrap();
        assert_eq!(catalog(version).api_version, *version);
    }
    assert!(embedded::catalog("2016-07-06").is_none());
}

#[test]
fn the_main_resources_are_in_every_version() {
    for catalog in all() {
        let version = &catalog.api_version;
        for (table, created) in [
            ("balance_transaction", true),
            ("charge", true),
            ("coupon", true),
            ("customer", true),
            ("invoiceitem", true),
            ("payout", true),
            ("plan", true),
            ("subscription", true),
            ("transfer", true),
            ("application_fee", true),
            ("account", version.as_str() >= "2018-11-08"),
            ("invoice", version.as_str() >= "2019-02-19"),
            ("product", version.as_str() >= "2018-02-05"),
            ("refund", version.as_str() >= "2018-05-21"),
        ] {
            let resource = catalog.resource(table).unwrap_or_else(|| panic!("{version} has no {table}"));
            let list = resource.list.as_ref().unwrap_or_else(|| panic!("{version} cannot list {table}"));
            assert_eq!(list.filters_created(), created, "`created` of {table} at {version}");
            assert!(list.takes("limit") && list.takes("starting_after"), "{table} at {version} has no pages");
            assert!(resource.supports_realtime() || table == "balance_transaction", "{table} at {version}");
            assert!(resource.columns.len() > 5, "{table} at {version} has few columns");
        }
    }
}

#[test]
fn every_catalog_is_consistent() {
    for catalog in all() {
        let version = &catalog.api_version;
        let tables: BTreeSet<&str> =
            catalog.resources.iter().map(|resource| resource.table.as_str()).collect();
        assert_eq!(tables.len(), catalog.resources.len(), "{version} names a table twice");
        for resource in &catalog.resources {
            let table = &resource.table;
            let place = format!("{table} at {version}");
            assert!(resource.columns.is_sorted_by(|one, next| one.name < next.name), "columns of {place}");
            assert!(resource.nested_lists.is_sorted_by(|one, next| one.property < next.property), "{place}");
            assert!(resource.events.is_sorted_by(|one, next| one.name < next.name), "events of {place}");
            for nested in resource.nested_lists.iter().filter_map(|nested| nested.item_table.as_deref()) {
                assert!(tables.contains(nested), "{place} nests the unknown {nested}");
            }
            for child in &resource.child_lists {
                assert!(
                    child.parent_table.as_deref().is_none_or(|parent| tables.contains(parent)),
                    "{place}"
                );
                let in_query = child.list.takes(&child.parent_parameter);
                assert!(child.parent_in_path() != in_query, "{place}: where is {}?", child.parent_parameter);
            }
            if let Some(list) = &resource.list {
                assert!(!list.path.contains('{'), "{place} is listed at {}", list.path);
                assert!(list.parameters.is_sorted_by(|one, next| one.name < next.name), "{place}");
                let v2 = list.path.starts_with("/v2/");
                assert_eq!(list.style, if v2 { ListStyle::V2 } else { ListStyle::V1 }, "{place}");
            }
        }
    }
}

#[test]
fn facts_survive_writing_and_reading() {
    let catalogs: Vec<Catalog> = ["2017-08-15", "2020-08-27", "2023-08-16", "2026-10-28.endive"]
        .into_iter()
        .map(|version| Catalog::clone(&catalog(version)))
        .collect();
    let files = history::write(&catalogs);
    let versions = catalogs.iter().map(|catalog| catalog.api_version.clone()).collect();
    let texts = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let read = history::History::read(versions, texts).unwrap();
    for catalog in catalogs {
        assert_eq!(read.catalog(&catalog.api_version).unwrap(), Some(catalog));
    }
}

#[test]
fn malformed_facts_name_the_file_and_the_line() {
    let error = |text: &str| {
        let versions = vec!["2020-08-27".to_owned()];
        let read = history::History::read(versions, [("charge.facts", text)].into_iter());
        read.and_then(|history| history.catalog("2020-08-27")).unwrap_err().to_string()
    };
    assert_eq!(
        error("resource charge charge\ncolumn amount money\n"),
        "charge.facts, line 2: `money` is no column type"
    );
    assert_eq!(
        error("resource charge charge\nevent x @ 2019-01-01..\n"),
        "charge.facts, line 2: `2019-01-01` is no version of these facts"
    );
    assert_eq!(error("list v1 /v1/charges\n"), "charge.facts, line 1: the first fact must be `resource`");
    assert_eq!(
        error("resource charge charge\nquery /v1/x limit\n"),
        "charge.facts, line 2: no list at `/v1/x`"
    );
    assert_eq!(error(""), "charge.facts, line 1: the file is empty");
}

#[test]
fn deletes_are_told_from_cancellations() {
    let catalog = catalog("2026-10-28.endive");
    let deletes = |table: &str| -> Vec<&str> {
        let events = catalog.resource(table).unwrap().events.iter().filter(|event| event.deletes);
        events.map(|event| event.name.as_str()).collect()
    };
    assert_eq!(deletes("customer"), ["customer.deleted"]);
    assert_eq!(deletes("price"), ["price.deleted"]);
    assert_eq!(deletes("test_helpers_test_clock"), ["test_helpers.test_clock.deleted"]);
    assert_eq!(deletes("external_account"), ["account.external_account.deleted"]);
    assert_eq!(deletes("subscription"), [""; 0]);
    assert!(catalog.resource("subscription").unwrap().events.len() > 5);
}
