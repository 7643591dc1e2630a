//! How Stripe behaves where no OpenAPI document says so.

/// Tables whose deleted objects are still answered, as `{id, object, deleted: true}`.
pub(crate) fn answers_deleted(table: &str) -> bool {
    matches!(
        table,
        "customer" | "terminal_configuration" | "terminal_location" | "terminal_reader" | "recipient" | "sku"
    )
}

/// Rows that a list leaves out, as a rule on a property: what `stripe_openapi::knowledge` says in words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HiddenRows {
    pub(crate) table: &'static str,
    /// The property that decides.
    pub(crate) column: &'static str,
    /// Raw JSON values that hide the row; empty: any value but null hides it.
    pub(crate) values: &'static [&'static str],
    /// The list parameter that, when given, decides in place of this rule.
    pub(crate) unless: Option<&'static str>,
    /// First API version without this rule.
    pub(crate) until: Option<&'static str>,
}

pub(crate) const HIDDEN_ROWS: &[HiddenRows] = &[
    HiddenRows {
        table: "subscription",
        column: "status",
        values: &["\"canceled\""],
        unless: Some("status"),
        until: None,
    },
    HiddenRows {
        table: "tax_registration",
        column: "status",
        values: &["\"expired\""],
        unless: Some("status"),
        until: None,
    },
    HiddenRows {
        table: "v2_core_account",
        column: "closed",
        values: &["true"],
        unless: Some("closed"),
        until: None,
    },
    HiddenRows {
        table: "customer",
        column: "test_clock",
        values: &[],
        unless: Some("test_clock"),
        until: None,
    },
    HiddenRows {
        table: "subscription",
        column: "test_clock",
        values: &[],
        unless: Some("test_clock"),
        until: None,
    },
    HiddenRows { table: "quote", column: "test_clock", values: &[], unless: Some("test_clock"), until: None },
    HiddenRows { table: "review", column: "open", values: &["false"], unless: None, until: None },
    HiddenRows { table: "tax_id", column: "customer", values: &[], unless: None, until: None },
    HiddenRows {
        table: "payment_method",
        column: "customer",
        values: &[],
        unless: Some("customer"),
        until: Some("2025-12-15.clover"),
    },
];

/// Filter values that stand for several property values: table, parameter, value, what it stands for
/// (nothing: every row).
pub(crate) const WIDE_VALUES: &[(&str, &str, &str, &[&str])] = &[
    ("subscription", "status", "all", &[]),
    ("subscription", "status", "ended", &["canceled", "incomplete_expired"]),
    ("tax_registration", "status", "all", &[]),
];

/// Whether a nested list carries `total_count`.
pub(crate) fn counts_total(property: &str) -> bool {
    matches!(
        property,
        "items"
            | "lines"
            | "refunds"
            | "reversals"
            | "external_accounts"
            | "sources"
            | "subscriptions"
            | "tax_ids"
    )
}

/// The table that a property refers to by id, where its name alone does not tell.
pub(crate) fn reference_table(table: &str, column: &str) -> Option<&'static str> {
    let issuing = table.starts_with("issuing_");
    Some(match column {
        "latest_invoice" | "from_invoice" => "invoice",
        "default_payment_method" => "payment_method",
        "latest_charge" | "source_transaction" | "destination_payment" | "originating_transaction" => {
            "charge"
        }
        "source" if table == "balance_transaction" => "charge",
        "schedule" => "subscription_schedule",
        "test_clock" => "test_helpers_test_clock",
        "card" if issuing => "issuing_card",
        "cardholder" => "issuing_cardholder",
        "authorization" if issuing => "issuing_authorization",
        "transaction" if issuing => "issuing_transaction",
        "dispute" if issuing => "issuing_dispute",
        "personalization_design" => "issuing_personalization_design",
        "physical_bundle" => "issuing_physical_bundle",
        "default_price" => "price",
        "verification_session" => "identity_verification_session",
        "last_verification_report" => "identity_verification_report",
        "financial_account" if table.starts_with("treasury_") => "treasury_financial_account",
        "location" if table.starts_with("terminal_") => "terminal_location",
        "value_list" => "radar_value_list",
        "fee" => "application_fee",
        "destination" if table == "transfer" => "account",
        "credit_grant" => "billing_credit_grant",
        "configuration" if table == "billing_portal_session" => "billing_portal_configuration",
        _ => return None,
    })
}

/// Share of nulls for a nullable reference, in percent.
pub(crate) fn null_share(table: &str, column: &str) -> u8 {
    match column {
        "test_clock" if matches!(table, "customer" | "subscription" | "quote") => 99,
        "test_clock" => 100,
        // The list holds the account's own; those of customers, which are most, are hidden rows.
        "customer" if table == "tax_id" => 10,
        "customer" if matches!(table, "charge" | "payment_intent" | "payment_method" | "setup_intent") => 4,
        "customer" | "charge" | "invoice" | "file" | "product" | "coupon" | "card" | "cardholder" => 0,
        _ => 30,
    }
}
