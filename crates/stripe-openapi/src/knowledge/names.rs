//! What things are called: resources, tables, and paths that no longer count.

/// Table names that differ from the resource id with dots turned to underscores.
pub const TABLE_ALIASES: [(&str, &str); 4] = [
    ("entitlements.active_entitlement", "active_entitlement"),
    ("entitlements.feature", "feature"),
    ("item", "checkout_session_line_item"),
    ("radar.early_fraud_warning", "early_fraud_warning"),
];

/// Resource ids of the documents before 2018-07-27, when they were named by Stripe's own code rather
/// than by the `object` that their objects carry; the latter is the name used ever since.
pub const EARLY_RESOURCE_IDS: [(&str, &str); 12] = [
    ("invoice_item", "invoiceitem"),
    ("invoice_line_item", "line_item"),
    ("issuing_authorization", "issuing.authorization"),
    ("issuing_card", "issuing.card"),
    ("issuing_cardholder", "issuing.cardholder"),
    ("issuing_dispute", "issuing.dispute"),
    ("issuing_transaction", "issuing.transaction"),
    ("notification_event", "event"),
    ("platform_earning", "application_fee"),
    ("reporting_report_run", "reporting.report_run"),
    ("reporting_report_type", "reporting.report_type"),
    ("transfer_recipient", "recipient"),
];

/// Lists of mixed items, by their property or last path segment: the resource that later documents give
/// to their items.
pub const MIXED_LISTS: [(&str, &str); 2] =
    [("external_accounts", "external_account"), ("sources", "payment_source")];

/// Deprecated paths that not every document marks as such.
pub const REMOVED_PATHS: [&str; 14] = [
    "/v1/bitcoin/receivers",
    "/v1/bitcoin/receivers/{id}",
    "/v1/bitcoin/receivers/{receiver}/transactions",
    "/v1/bitcoin/transactions",
    "/v1/customers/{customer}/bank_accounts",
    "/v1/customers/{customer}/bank_accounts/{id}",
    "/v1/customers/{customer}/cards",
    "/v1/customers/{customer}/cards/{id}",
    "/v1/exchange_rates",
    "/v1/exchange_rates/{rate_id}",
    "/v1/issuer_fraud_records",
    "/v1/issuer_fraud_records/{issuer_fraud_record}",
    "/v1/recipients",
    "/v1/recipients/{id}",
];

fn look_up<'a>(pairs: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(from, _)| *from == name).map(|(_, to)| *to)
}

/// The table of a resource, e.g. `checkout_session` for `checkout.session`.
pub fn table(resource_id: &str) -> String {
    let alias = look_up(&TABLE_ALIASES, resource_id).map(str::to_owned);
    alias.unwrap_or_else(|| resource_id.to_lowercase().replace('.', "_"))
}

/// The name under which a resource is known in every version.
pub(crate) fn stable_resource_id(resource_id: &str) -> &str {
    look_up(&EARLY_RESOURCE_IDS, resource_id).unwrap_or(resource_id)
}

/// The resource of the items of a mixed list.
pub(crate) fn mixed_list(name: &str) -> Option<&'static str> {
    look_up(&MIXED_LISTS, name)
}

/// Whether the path is deprecated although its document may not say so.
pub(crate) fn is_removed_path(path: &str) -> bool {
    REMOVED_PATHS.contains(&path)
}
