//! Lists: which answer less than everything, and what to ask so that they answer all.

/// Stripe puts at most this many items into a list that is nested in another object.
pub const NESTED_LIST_LIMIT: usize = 10;

/// The largest `limit` of a v1 list.
pub const V1_PAGE_LIMIT: usize = 100;

/// The largest `limit` of a v2 list.
pub const V2_PAGE_LIMIT: usize = 20;

/// A list that hides rows unless it is asked for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HiddenRows {
    /// Table of the list.
    pub table: &'static str,
    /// Path of the list.
    pub path: &'static str,
    /// Which rows a plain request does not answer, in words.
    pub hidden: &'static str,
    /// How to see them.
    pub remedy: Remedy,
    /// First API version whose list answers them unasked; none: no version's does.
    pub shown_since: Option<&'static str>,
}

/// How rows that a plain list request hides can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Send this query parameter with every request: the answer then holds all rows.
    Send(&'static str, &'static str),
    /// List a second time with this query parameter: that answer holds the hidden rows only.
    ListAgain(&'static str, &'static str),
    /// List again for the id of each row of `table`, given as this query parameter.
    ListAgainForEach {
        /// The query parameter.
        parameter: &'static str,
        /// Table whose ids are its values.
        table: &'static str,
    },
    /// The rows are in the child lists under this parent table.
    ListUnder(&'static str),
    /// Read this path: its answer is the one hidden row.
    Retrieve(&'static str),
    /// No list answers them; they can only be read one by one by an id known from elsewhere.
    Nothing,
}

/// Every list that hides rows (fidelity C1 and C2).
pub const HIDDEN_ROWS: [HiddenRows; 11] = [
    HiddenRows {
        table: "account",
        path: "/v1/accounts",
        hidden: "the account that the key belongs to; the list holds connected accounts only",
        remedy: Remedy::Retrieve("/v1/account"),
        shown_since: None,
    },
    HiddenRows {
        table: "customer",
        path: "/v1/customers",
        hidden: "customers attached to a test clock",
        remedy: Remedy::ListAgainForEach { parameter: "test_clock", table: "test_helpers_test_clock" },
        shown_since: None,
    },
    HiddenRows {
        table: "payment_method",
        path: "/v1/payment_methods",
        // The reference calls it "a list of PaymentMethods for Treasury flows" before, "of all PaymentMethods" since.
        hidden: "payment methods attached to a customer",
        remedy: Remedy::ListUnder("customer"),
        shown_since: Some("2025-12-15.clover"),
    },
    HiddenRows {
        table: "quote",
        path: "/v1/quotes",
        hidden: "quotes attached to a test clock",
        remedy: Remedy::ListAgainForEach { parameter: "test_clock", table: "test_helpers_test_clock" },
        shown_since: None,
    },
    HiddenRows {
        table: "review",
        path: "/v1/reviews",
        hidden: "reviews that are no longer open",
        remedy: Remedy::Nothing,
        shown_since: None,
    },
    HiddenRows {
        table: "subscription",
        path: "/v1/subscriptions",
        hidden: "canceled subscriptions",
        remedy: Remedy::Send("status", "all"),
        shown_since: None,
    },
    HiddenRows {
        table: "subscription",
        path: "/v1/subscriptions",
        hidden: "subscriptions attached to a test clock",
        remedy: Remedy::ListAgainForEach { parameter: "test_clock", table: "test_helpers_test_clock" },
        shown_since: None,
    },
    HiddenRows {
        table: "tax_id",
        path: "/v1/tax_ids",
        hidden: "tax ids of customers; the list holds those of the account itself",
        remedy: Remedy::ListUnder("customer"),
        shown_since: None,
    },
    HiddenRows {
        table: "tax_location",
        path: "/v1/tax/locations",
        hidden: "everything: the list is refused without a type, of which there is one",
        remedy: Remedy::Send("type", "performance"),
        shown_since: None,
    },
    HiddenRows {
        table: "tax_registration",
        path: "/v1/tax/registrations",
        hidden: "registrations that have expired",
        remedy: Remedy::Send("status", "all"),
        shown_since: None,
    },
    HiddenRows {
        table: "v2_core_account",
        path: "/v2/core/accounts",
        hidden: "closed accounts",
        remedy: Remedy::ListAgain("closed", "true"),
        shown_since: None,
    },
];

/// A list that its document offers without a parent although Stripe refuses it so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UndocumentedParent {
    /// Path of the list.
    pub path: &'static str,
    /// The query parameter that must name the parent.
    pub parameter: &'static str,
    /// Resource id of the parent.
    pub parent: &'static str,
}

/// Lists that need a parent although the document does not say so.
pub const UNDOCUMENTED_PARENTS: [UndocumentedParent; 1] = [UndocumentedParent {
    path: "/v1/billing/credit_balance_transactions",
    parameter: "customer",
    parent: "customer",
}];

/// Lists that compute a preview: their items are stored nowhere in the account.
pub const PREVIEW_LISTS: [&str; 2] = ["/v1/credit_notes/preview/lines", "/v1/invoices/upcoming/lines"];

/// Paths below this are the lists under `/v1/accounts/{account}` for the key's own account only.
pub const OWN_ACCOUNT_PREFIX: &str = "/v1/account/";

/// Second paths of a list, kept by Stripe under an older name: used only where there is no other.
pub const OLD_LIST_PATHS: [&str; 7] = [
    "/v1/accounts/{account}/people",
    "/v1/balance/history",
    "/v1/linked_accounts",
    "/v1/linked_accounts/{account}/owners",
    "/v1/payments",
    "/v1/point_of_sale/locations",
    "/v1/point_of_sale/readers",
];

/// A nested list that objects do not have unless the request expands it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NestedOnRequest {
    /// Table of the object that holds the list.
    pub table: &'static str,
    /// The property.
    pub property: &'static str,
    /// First API version that leaves it out; earlier ones always have it. Empty: it was never there unasked.
    pub since: &'static str,
}

/// Nested lists that must be expanded to be seen (`expand[]=data.<property>` in a list).
pub const NESTED_ON_REQUEST: [NestedOnRequest; 8] = [
    NestedOnRequest { table: "charge", property: "refunds", since: "2022-11-15" },
    NestedOnRequest { table: "checkout_session", property: "line_items", since: "" },
    NestedOnRequest { table: "customer", property: "sources", since: "2020-08-27" },
    NestedOnRequest { table: "customer", property: "subscriptions", since: "2020-08-27" },
    NestedOnRequest { table: "customer", property: "tax_ids", since: "2020-08-27" },
    NestedOnRequest { table: "invoice", property: "payments", since: "" },
    NestedOnRequest { table: "payment_link", property: "line_items", since: "" },
    NestedOnRequest { table: "quote", property: "line_items", since: "" },
];

/// What is hidden by the list of `table` at `api_version`, and how to see it.
pub fn hidden_rows(table: &str, api_version: &str) -> impl Iterator<Item = &'static HiddenRows> {
    HIDDEN_ROWS.iter().filter(move |entry| {
        entry.table == table && entry.shown_since.is_none_or(|since| api_version < since)
    })
}

/// The query parameters to send with every request to the list at `path`, with their values.
///
/// Check [`crate::ListEndpoint::takes`] first: an early version may not know the parameter.
pub fn always_sent(path: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    HIDDEN_ROWS.iter().filter(move |entry| entry.path == path).filter_map(|entry| match entry.remedy {
        Remedy::Send(name, value) => Some((name, value)),
        _ => None,
    })
}

/// Whether `property` of `table` is absent at `api_version` unless the request expands it.
pub fn is_nested_on_request(table: &str, property: &str, api_version: &str) -> bool {
    let entry = NESTED_ON_REQUEST.iter().find(|entry| entry.table == table && entry.property == property);
    entry.is_some_and(|entry| entry.since <= api_version)
}

/// The query parameter that names the parent, and the parent's resource id, of a list that needs one unsaid.
pub(crate) fn parent_by_query(path: &str) -> Option<(&'static str, &'static str)> {
    UNDOCUMENTED_PARENTS.iter().find(|entry| entry.path == path).map(|entry| (entry.parameter, entry.parent))
}

/// Whether the list holds nothing to copy that another list does not hold.
pub(crate) fn is_no_copy(path: &str) -> bool {
    PREVIEW_LISTS.contains(&path) || path.starts_with(OWN_ACCOUNT_PREFIX)
}

/// Whether the path is an older name of another list.
pub(crate) fn is_old_path(path: &str) -> bool {
    OLD_LIST_PATHS.contains(&path)
}
