//! What the properties of generated objects contain.
//!
//! Each property gets a piece of JSON text with `{{…}}` placeholders; [`crate::template`] compiles
//! and renders it. The rules go from the particular (one property of one table) to the general
//! (any text property).

mod bodies;
mod words;

pub(crate) use words::expand as expand_word;

use stripe_openapi::{Column, ColumnType};

/// What the rules may ask about the world around a property.
pub(crate) struct Setting<'a> {
    pub(crate) table: &'a str,
    /// Stripe's name of the object, e.g. `checkout.session`.
    pub(crate) object: &'a str,
    /// The values which the table's lists accept for a parameter of this name.
    pub(crate) values: &'a [String],
    /// The table that the property refers to, if any.
    pub(crate) target: Option<&'a str>,
    /// Share of nulls for a nullable reference, in percent.
    pub(crate) null_percent: u8,
}

/// The JSON template of `column`.
pub(crate) fn property(setting: &Setting<'_>, column: &Column) -> String {
    let name = column.name.as_str();
    match name {
        "object" => return format!("\"{}\"", setting.object),
        "livemode" => return "{{livemode}}".into(),
        "created" if column.column_type == ColumnType::BigInt => return "{{created}}".into(),
        "created" => return "\"{{created_iso}}\"".into(),
        "metadata" => return "{{metadata}}".into(),
        "api_version" => return "\"{{version}}\"".into(),
        _ => {}
    }
    if let Some(target) = setting.target {
        return match setting.null_percent {
            0 => format!("{{{{ref@{name}:{target}}}}}"),
            percent => format!("{{{{ref@{name}?{percent}:{target}}}}}"),
        };
    }
    if column.expandable {
        return match name {
            "account" => "\"{{account}}\"".into(),
            _ if column.nullable => "null".into(),
            _ if name.ends_with('s') => "[]".into(),
            _ => "\"{{token:16}}\"".into(),
        };
    }
    if let Some(body) = bodies::body(setting.table, name)
        && column.column_type == ColumnType::Json
        && (column.nullable || body != "null")
    {
        return body.into();
    }
    match column.column_type {
        ColumnType::Text => text(setting, column),
        ColumnType::Boolean => boolean(name).into(),
        ColumnType::BigInt => integer(name, column.nullable),
        ColumnType::Numeric => "{{int:0-99}}.{{pick:5|25|125|0001}}".into(),
        ColumnType::Timestamp => "\"{{after_iso:86400}}\"".into(),
        ColumnType::Json => json(column),
    }
}

fn text(setting: &Setting<'_>, column: &Column) -> String {
    let name = column.name.as_str();
    if let Some(values) = states(setting.table, name) {
        return format!("\"{{{{pick@{name}:{values}}}}}\"");
    }
    let own: Vec<&str> =
        setting.values.iter().map(String::as_str).filter(|v| !matches!(*v, "all" | "ended" | "")).collect();
    if !own.is_empty() {
        return format!("\"{{{{pick@{name}:{}}}}}\"", own.join("|"));
    }
    let quoted = |inner: &str| format!("\"{inner}\"");
    match name {
        "currency" | "default_currency" | "billing_currency" | "destination_currency" => {
            quoted("{{currency}}")
        }
        "email" | "customer_email" | "receipt_email" | "support_email" => quoted("{{email}}"),
        "phone" | "customer_phone" | "phone_number" => quoted("{{phone}}"),
        "name" | "customer_name" if setting.table == "product" => quoted("{{business}}"),
        "name" | "customer_name" | "account_holder_name" => quoted("{{name}}"),
        "display_name" | "business_name" | "account_name" | "nickname" | "title" => quoted("{{business}}"),
        "description" | "statement_description" | "memo" | "footer" => quoted("{{sentence}}"),
        "country" | "account_country" => quoted("{{country}}"),
        "client_secret" => quoted("{{id}}_secret_{{token:24}}"),
        "invoice_prefix" => quoted("{{hexup:8}}"),
        "number" => quoted("{{hexup:8}}-{{digits:4}}"),
        "last4" | "receipt_number" => quoted("{{digits:4}}"),
        "code" => quoted("{{hexup:10}}"),
        "filename" => quoted("file_{{digits:6}}.csv"),
        "lookup_key" if setting.table == "feature" => quoted("feature-{{token:8}}"),
        "receipt_url" => quoted("https://pay.stripe.com/receipts/payment/{{token:60}}{{token:56}}"),
        "hosted_invoice_url" => {
            quoted("https://invoice.stripe.com/i/{{account}}/test_{{token:60}}{{token:60}}?s=ap")
        }
        "invoice_pdf" => {
            quoted("https://pay.stripe.com/invoice/{{account}}/test_{{token:60}}{{token:60}}/pdf?s=ap")
        }
        "status" => quoted("active"),
        "type" => quoted("{{pick@type:standard|custom}}"),
        "collection_method" => quoted("charge_automatically"),
        "billing_reason" => quoted("{{pick:subscription_cycle|manual|subscription_create}}"),
        "tax_exempt" | "customer_tax_exempt" => quoted("none"),
        "billing_scheme" => quoted("per_unit"),
        "interval" => quoted("{{pick@interval:month|year|week}}"),
        "usage_type" => quoted("licensed"),
        "capture_method" | "confirmation_method" => quoted("automatic"),
        "duration" => quoted("{{pick:once|forever}}"),
        "jurisdiction" => quoted("DE"),
        "tax_behavior" => quoted("unspecified"),
        _ if name.ends_with("_decimal") => quoted("{{int@unit:100-90000}}.{{digits:3}}"),
        _ if name == "url" || name.ends_with("_url") => quoted("https://example.com/{{token:12}}"),
        _ if column.nullable => "null".into(),
        _ => quoted("{{token:10}}"),
    }
}

/// The states of well-known objects, weighted by repetition.
fn states(table: &str, column: &str) -> Option<&'static str> {
    Some(match (table, column) {
        ("account", "type") => "standard|express|custom",
        ("balance_transaction", "type") => "charge|charge|charge|refund|payout|stripe_fee",
        ("balance_transaction", "status") => "available|available|pending",
        ("charge", "status") => "succeeded|succeeded|succeeded|succeeded|pending|failed",
        ("checkout_session", "status") => "complete|complete|complete|expired|open",
        ("credit_note", "status") => "issued|issued|void",
        ("dispute", "status") => "won|lost|needs_response|under_review|warning_closed",
        ("invoice", "status") => "paid|paid|paid|paid|open|draft|void|uncollectible",
        ("payment_intent", "status") => {
            "succeeded|succeeded|succeeded|succeeded|requires_payment_method|canceled|processing"
        }
        ("payment_method" | "payment_source", "type") => "card",
        ("payout", "status") => "paid|paid|paid|in_transit|failed",
        ("price", "type") => "recurring|recurring|one_time",
        ("refund", "status") => "succeeded|succeeded|succeeded|pending|failed",
        ("setup_intent", "status") => "succeeded|succeeded|requires_payment_method|canceled",
        ("subscription", "status") => {
            "active|active|active|active|active|active|trialing|past_due|unpaid|canceled|canceled|incomplete_expired"
        }
        ("subscription_schedule", "status") => "active|active|not_started|completed|canceled|released",
        ("test_helpers_test_clock", "status") => "ready",
        ("treasury_financial_account", "status") => "open|open|closed",
        _ => return None,
    })
}

fn boolean(name: &str) -> &'static str {
    match name {
        "active" | "enabled" | "paid" | "captured" | "valid" | "charges_enabled" | "payouts_enabled"
        | "details_submitted" | "attempted" => "{{pick:true|true|true|true|false}}",
        "open" => "true",
        "closed" => "{{pick@closed:false|false|false|false|true}}",
        "cancel_at_period_end" | "disputed" | "refunded" | "delinquent" | "inclusive" | "pending" => {
            "{{pick:false|false|false|true}}"
        }
        _ => "false",
    }
}

fn integer(name: &str, nullable: bool) -> String {
    let is_time = name.ends_with("_at")
        || name.ends_with("_date")
        || name.ends_with("_end")
        || name.ends_with("_start")
        || matches!(name, "available_on" | "billing_cycle_anchor" | "next_payment_attempt");
    match name {
        "amount_refunded" | "application_fee_amount" | "starting_balance" | "balance" => "0".into(),
        "fee" => "{{int@fee:30-900}}".into(),
        "unit_amount" => "{{int@unit:100-90000}}".into(),
        // Of an invoice item, "time at which the object was created".
        "date" => "{{created}}".into(),
        "period_start" | "current_period_start" | "start_date" => "{{created}}".into(),
        "period_end" | "current_period_end" => "{{after:2592000}}".into(),
        "available_on" | "arrival_date" => "{{after:172800}}".into(),
        _ if name.starts_with("amount")
            || matches!(name, "total" | "subtotal" | "net" | "total_excluding_tax") =>
        {
            "{{amount}}".into()
        }
        _ if is_time && nullable => "{{within?66:7776000}}".into(),
        _ if is_time => "{{within:7776000}}".into(),
        "quantity" | "interval_count" | "next_invoice_sequence" => "{{int:1-9}}".into(),
        "exp_month" => "{{int:1-12}}".into(),
        "exp_year" => "{{int:2027-2034}}".into(),
        "size" => "{{int:1000-9000000}}".into(),
        _ => "{{int:0-9}}".into(),
    }
}

/// An object or an array: the catalog does not say which, the name mostly does.
fn json(column: &Column) -> String {
    let name = column.name.as_str();
    match name {
        "address" => return "{{address}}".into(),
        "billing_details" => {
            return "{\"address\":{{address}},\"email\":\"{{email}}\",\"name\":\"{{name}}\",\"phone\":null}"
                .into();
        }
        "transfer_data" | "payment_settings" | "application" | "coupon" => return "null".into(),
        _ => {}
    }
    let plural = name.ends_with('s')
        && !name.ends_with("ss")
        && !name.ends_with("details")
        && !name.ends_with("settings")
        && !name.ends_with("options")
        && !name.ends_with("requirements")
        && !name.ends_with("status")
        && !name.ends_with("features")
        && !name.ends_with("controls")
        && !name.ends_with("transitions");
    if plural {
        "[]".into()
    } else if column.nullable {
        "null".into()
    } else {
        "{}".into()
    }
}
