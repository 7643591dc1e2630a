//! Children: tables that exist only under a parent, and where their rows come from.

/// Where the rows of a child table come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From this nested list of the parent's own rows: a request is needed only where it is cut.
    Nested(&'static str),
    /// From this list under each parent: one request or more for each parent.
    List(&'static str),
}

/// A table that is filled from the rows of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChildStream {
    /// The child table.
    pub table: &'static str,
    /// The parent table.
    pub parent: &'static str,
    /// How to get the rows of one parent.
    pub origin: Origin,
}

const fn nested(table: &'static str, parent: &'static str, property: &'static str) -> ChildStream {
    ChildStream { table, parent, origin: Origin::Nested(property) }
}

const fn listed(table: &'static str, parent: &'static str, path: &'static str) -> ChildStream {
    ChildStream { table, parent, origin: Origin::List(path) }
}

/// Every child table that can be filled from its parents alone (fidelity C4), sorted by table and parent.
pub const CHILD_STREAMS: [ChildStream; 35] = [
    listed("active_entitlement", "customer", "/v1/entitlements/active_entitlements"),
    listed("billing_credit_balance_transaction", "customer", "/v1/billing/credit_balance_transactions"),
    listed("capability", "account", "/v1/accounts/{account}/capabilities"),
    nested("checkout_session_line_item", "checkout_session", "line_items"),
    nested("checkout_session_line_item", "payment_link", "line_items"),
    nested("checkout_session_line_item", "quote", "line_items"),
    nested("credit_note_line_item", "credit_note", "lines"),
    listed("customer_balance_transaction", "customer", "/v1/customers/{customer}/balance_transactions"),
    listed(
        "customer_cash_balance_transaction",
        "customer",
        "/v1/customers/{customer}/cash_balance_transactions",
    ),
    nested("external_account", "account", "external_accounts"),
    nested("fee_refund", "application_fee", "refunds"),
    listed(
        "financial_connections_transaction",
        "financial_connections_account",
        "/v1/financial_connections/transactions",
    ),
    listed("issuing_token", "issuing_card", "/v1/issuing/tokens"),
    nested("line_item", "invoice", "lines"),
    listed("payment_attempt_record", "payment_record", "/v1/payment_attempt_records"),
    listed(
        "payment_intent_amount_details_line_item",
        "payment_intent",
        "/v1/payment_intents/{intent}/amount_details_line_items",
    ),
    listed("payment_method", "customer", "/v1/customers/{customer}/payment_methods"),
    nested("payment_source", "customer", "sources"),
    listed("person", "account", "/v1/accounts/{account}/persons"),
    listed("product_feature", "product", "/v1/products/{product}/features"),
    nested("radar_value_list_item", "radar_value_list", "list_items"),
    listed("setup_attempt", "setup_intent", "/v1/setup_attempts"),
    nested("subscription_item", "subscription", "items"),
    nested("tax_id", "customer", "tax_ids"),
    nested("transfer_reversal", "transfer", "reversals"),
    listed("treasury_credit_reversal", "treasury_financial_account", "/v1/treasury/credit_reversals"),
    listed("treasury_debit_reversal", "treasury_financial_account", "/v1/treasury/debit_reversals"),
    listed("treasury_inbound_transfer", "treasury_financial_account", "/v1/treasury/inbound_transfers"),
    listed("treasury_outbound_payment", "treasury_financial_account", "/v1/treasury/outbound_payments"),
    listed("treasury_outbound_transfer", "treasury_financial_account", "/v1/treasury/outbound_transfers"),
    listed("treasury_received_credit", "treasury_financial_account", "/v1/treasury/received_credits"),
    listed("treasury_received_debit", "treasury_financial_account", "/v1/treasury/received_debits"),
    listed("treasury_transaction", "treasury_financial_account", "/v1/treasury/transactions"),
    listed("treasury_transaction_entry", "treasury_financial_account", "/v1/treasury/transaction_entries"),
    listed("v2_core_account_person", "v2_core_account", "/v2/core/accounts/{account_id}/persons"),
];

/// Where the rows of `table` come from; a table may have several parents.
pub fn origins(table: &str) -> impl Iterator<Item = &'static ChildStream> {
    CHILD_STREAMS.iter().filter(move |child| child.table == table)
}

/// The tables that the rows of `parent` fill.
pub fn children_of(parent: &str) -> impl Iterator<Item = &'static ChildStream> {
    CHILD_STREAMS.iter().filter(move |child| child.parent == parent)
}

/// Whether rows of `table` at `api_version` can have an id that rows under another parent have too: they are
/// told apart by their parent.
pub fn shares_ids(table: &str, api_version: &str) -> bool {
    match table {
        // Named for what they are, e.g. `card_payments`.
        "capability" => true,
        // Lines of a subscription had the subscription's id, on every invoice.
        "line_item" => api_version < "2019-12-03",
        _ => false,
    }
}
