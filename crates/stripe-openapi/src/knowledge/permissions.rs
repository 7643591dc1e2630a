//! Permissions of restricted keys: which one a request needs.
//!
//! A key holds a list of names such as `rak_charge_read`. A permission to write includes the one to read the
//! same. Several tables share a permission, and its name is not always theirs: prices are read with
//! `rak_plan_read`.

/// What a request does to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Lists, retrieves.
    Read,
    /// Creates, updates, deletes.
    Write,
}

/// The permission of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// The table.
    pub table: &'static str,
    /// What stands between `rak_` and `_read` or `_write`.
    pub name: &'static str,
    /// Whether Stripe publishes it; the others are named after the resource, as most are, and only Stripe's
    /// refusal tells their true name.
    pub published: bool,
}

/// The permission to ask for the account behind a key (`/v1/account`) and for connected accounts.
pub const OWN_ACCOUNT: &str = "rak_connected_account_read";

/// The permission to open a Stripe CLI session.
pub const CLI_SESSION: &str = "rak_stripecli_session_write";

const fn known(table: &'static str, name: &'static str) -> Permission {
    Permission { table, name, published: true }
}

const fn guessed(table: &'static str, name: &'static str) -> Permission {
    Permission { table, name, published: false }
}

/// Every table whose permission is known or could be guessed (fidelity K2), sorted by table.
pub const PERMISSIONS: [Permission; 137] = [
    known("account", "connected_account"),
    known("active_entitlement", "entitlement"),
    known("apple_pay_domain", "apple_pay_domain"),
    known("application_fee", "application_fee"),
    guessed("apps_install", "apps_install"),
    known("balance_transaction", "balance"),
    guessed("billing_alert", "billing_alert"),
    guessed("billing_credit_balance_transaction", "billing_credit_grant"),
    guessed("billing_credit_grant", "billing_credit_grant"),
    guessed("billing_feedback_option", "billing_feedback_option"),
    known("billing_meter", "billing_meter"),
    known("billing_meter_event_summary", "billing_meter"),
    known("billing_portal_configuration", "customer_portal"),
    known("capability", "connected_account"),
    known("charge", "charge"),
    known("checkout_session", "checkout_session"),
    known("checkout_session_line_item", "checkout_session"),
    guessed("climate_order", "climate_order"),
    guessed("climate_product", "climate_product"),
    guessed("climate_supplier", "climate_supplier"),
    guessed("country_spec", "country_spec"),
    known("coupon", "coupon"),
    known("credit_note", "credit_note"),
    known("credit_note_line_item", "credit_note"),
    known("customer", "customer"),
    known("customer_balance_transaction", "customer"),
    known("customer_cash_balance_transaction", "customer"),
    known("dispute", "dispute"),
    guessed("early_fraud_warning", "early_fraud_warning"),
    known("event", "event"),
    known("external_account", "connected_account"),
    known("feature", "entitlement"),
    known("fee_refund", "application_fee"),
    known("file", "file"),
    known("file_link", "file"),
    guessed("financial_connections_account", "financial_connections_account"),
    guessed("financial_connections_account_owner", "financial_connections_account"),
    guessed("financial_connections_transaction", "financial_connections_account"),
    guessed("forwarding_request", "forwarding_request"),
    guessed("identity_verification_report", "identity_verification_report"),
    guessed("identity_verification_session", "identity_verification_session"),
    known("invoice", "invoice"),
    known("invoice_payment", "invoice"),
    known("invoice_rendering_template", "invoice"),
    known("invoiceitem", "invoice"),
    known("issuing_authorization", "issuing_authorization"),
    known("issuing_card", "issuing_card"),
    known("issuing_cardholder", "issuing_cardholder"),
    known("issuing_dispute", "issuing_dispute"),
    known("issuing_personalization_design", "issuing"),
    known("issuing_physical_bundle", "issuing"),
    known("issuing_settlement", "issuing"),
    known("issuing_token", "issuing_token"),
    known("issuing_transaction", "issuing_transaction"),
    known("line_item", "invoice"),
    known("order", "order"),
    known("payment_attempt_record", "payment_records"),
    known("payment_intent", "payment_intent"),
    known("payment_intent_amount_details_line_item", "payment_intent"),
    known("payment_link", "payment_links"),
    known("payment_method", "payment_method"),
    known("payment_method_configuration", "payment_method_configurations"),
    known("payment_method_domain", "payment_method_domain"),
    known("payment_record", "payment_records"),
    known("payment_source", "source"),
    known("payout", "payout"),
    known("person", "connected_account"),
    known("plan", "plan"),
    known("price", "plan"),
    known("product", "product"),
    guessed("product_catalog_trial_offer", "product_catalog_trial_offer"),
    known("product_feature", "product"),
    known("promotion_code", "promotion_code"),
    known("quote", "quote"),
    guessed("radar_list", "radar_list"),
    guessed("radar_list_item", "radar_list"),
    guessed("radar_value_list", "radar_value_list"),
    guessed("radar_value_list_item", "radar_value_list"),
    known("refund", "charge"),
    known("reporting_report_run", "report_runs_and_report_types"),
    known("reporting_report_type", "report_runs_and_report_types"),
    known("review", "review"),
    guessed("scheduled_query_run", "scheduled_query_run"),
    known("setup_attempt", "setup_intent"),
    known("setup_intent", "setup_intent"),
    known("shipping_rate", "shipping_rate"),
    known("sku", "sku"),
    known("source_transaction", "source"),
    known("subscription", "subscription"),
    known("subscription_item", "subscription"),
    known("subscription_schedule", "subscription"),
    guessed("subscription_schedule_revision", "subscription"),
    known("tax_calculation_line_item", "tax_calculations_and_transactions"),
    guessed("tax_code", "tax_code"),
    known("tax_id", "customer"),
    known("tax_location", "tax_locations"),
    known("tax_rate", "tax_rate"),
    known("tax_registration", "tax_settings"),
    known("tax_transaction_line_item", "tax_calculations_and_transactions"),
    known("terminal_configuration", "terminal_configuration"),
    known("terminal_location", "terminal_location"),
    known("terminal_reader", "terminal_reader"),
    known("test_helpers_test_clock", "billing_clock"),
    guessed("three_d_secure_authentication", "three_d_secure_authentication"),
    known("topup", "top_up"),
    known("transfer", "transfer"),
    known("transfer_reversal", "transfer"),
    guessed("treasury_credit_reversal", "credit_reversal"),
    guessed("treasury_debit_reversal", "debit_reversal"),
    known("treasury_financial_account", "financial_account"),
    known("treasury_inbound_transfer", "inbound_transfer"),
    known("treasury_outbound_payment", "outbound_payment"),
    known("treasury_outbound_transfer", "outbound_transfer"),
    known("treasury_received_credit", "received_credit"),
    known("treasury_received_debit", "received_debit"),
    known("treasury_transaction", "treasury_transaction"),
    known("treasury_transaction_entry", "treasury_transaction"),
    known("usage_record_summary", "usage_record"),
    guessed("v2_commerce_product_catalog_import", "product_catalog_import"),
    guessed("v2_core_account", "connected_account"),
    guessed("v2_core_account_person", "connected_account"),
    known("v2_core_event", "event"),
    guessed("v2_core_event_destination", "event_destination"),
    guessed("v2_core_vault_gb_bank_account", "vault_gb_bank_account"),
    guessed("v2_core_vault_us_bank_account", "vault_us_bank_account"),
    guessed("v2_money_management_adjustment", "adjustment"),
    guessed("v2_money_management_financial_account", "financial_account"),
    guessed("v2_money_management_financial_address", "financial_address"),
    guessed("v2_money_management_inbound_transfer", "inbound_transfer"),
    guessed("v2_money_management_outbound_payment", "outbound_payment"),
    guessed("v2_money_management_outbound_setup_intent", "outbound_setup_intent"),
    guessed("v2_money_management_payout_intent", "payout_intent"),
    guessed("v2_money_management_payout_method", "payout_method"),
    guessed("v2_money_management_received_credit", "received_credit"),
    guessed("v2_money_management_transaction", "transaction"),
    guessed("v2_money_management_transaction_entry", "transaction"),
    known("webhook_endpoint", "webhook"),
];

/// The permission of `table`, if it is one that this version of the code knows.
pub fn of_table(table: &str) -> Option<&'static Permission> {
    PERMISSIONS.binary_search_by_key(&table, |known| known.table).ok().map(|index| &PERMISSIONS[index])
}

/// The name of the permission that a key needs for `access` to the objects of `table`, e.g.
/// `rak_charge_read`. A table that is not in [`PERMISSIONS`] lends its own name.
pub fn needed(table: &str, access: Access) -> String {
    let name = of_table(table).map_or(table, |known| known.name);
    let verb = match access {
        Access::Read => "read",
        Access::Write => "write",
    };
    format!("rak_{name}_{verb}")
}

/// Whether a key that holds the permission `held` may do what needs `needed`.
pub fn includes(held: &str, needed: &str) -> bool {
    let read = |held: &str| {
        let name = held.strip_suffix("_write")?;
        (needed.strip_suffix("_read")? == name).then_some(())
    };
    held == needed || read(held).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stripes() {
        assert_eq!(needed("charge", Access::Read), "rak_charge_read");
        assert_eq!(needed("price", Access::Read), "rak_plan_read");
        assert_eq!(needed("webhook_endpoint", Access::Write), "rak_webhook_write");
        assert_eq!(needed("unheard_of", Access::Read), "rak_unheard_of_read");
        assert_eq!(needed("account", Access::Read), OWN_ACCOUNT);
    }

    #[test]
    fn who_may_write_may_read() {
        assert!(includes("rak_charge_write", "rak_charge_read"));
        assert!(includes("rak_charge_read", "rak_charge_read"));
        assert!(!includes("rak_charge_read", "rak_charge_write"));
        assert!(!includes("rak_charge_write", "rak_dispute_read"));
    }
}
