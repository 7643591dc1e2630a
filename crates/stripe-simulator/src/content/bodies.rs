//! The larger JSON values of the objects that most accounts have most of.

use std::sync::LazyLock;

const CARD: &str = "{\"amount_authorized\":{{amount}},\"authorization_code\":\"{{digits:6}}\",\"brand\":\"{{pick@brand:visa|mastercard|amex}}\",\"checks\":{\"address_line1_check\":null,\"address_postal_code_check\":\"pass\",\"cvc_check\":\"pass\"},\"country\":\"US\",\"exp_month\":{{int:1-12}},\"exp_year\":{{int:2027-2034}},\"extended_authorization\":{\"status\":\"disabled\"},\"fingerprint\":\"{{token:16}}\",\"funding\":\"{{pick:credit|debit}}\",\"incremental_authorization\":{\"status\":\"unavailable\"},\"installments\":null,\"last4\":\"{{digits:4}}\",\"mandate\":null,\"multicapture\":{\"status\":\"unavailable\"},\"network\":\"{{pick@brand:visa|mastercard|amex}}\",\"network_token\":{\"used\":false},\"network_transaction_id\":\"{{digits:15}}\",\"overcapture\":{\"maximum_amount_capturable\":{{amount}},\"status\":\"unavailable\"},\"regulated_status\":\"unregulated\",\"three_d_secure\":null,\"wallet\":null}";

const WALLET_CARD: &str = "{\"brand\":\"visa\",\"checks\":{\"address_line1_check\":null,\"address_postal_code_check\":\"pass\",\"cvc_check\":\"pass\"},\"country\":\"US\",\"display_brand\":\"visa\",\"exp_month\":{{int:1-12}},\"exp_year\":{{int:2027-2034}},\"fingerprint\":\"{{token:16}}\",\"funding\":\"credit\",\"generated_from\":null,\"last4\":\"{{digits:4}}\",\"networks\":{\"available\":[\"visa\"],\"preferred\":null},\"regulated_status\":\"unregulated\",\"three_d_secure_usage\":{\"supported\":true},\"wallet\":null}";

const PRICE: &str = "{\"id\":{{ref@price:price}},\"object\":\"price\",\"active\":true,\"billing_scheme\":\"per_unit\",\"created\":{{created}},\"currency\":\"{{currency}}\",\"custom_unit_amount\":null,\"livemode\":{{livemode}},\"lookup_key\":null,\"metadata\":{{metadata}},\"nickname\":null,\"product\":{{ref@product:product}},\"recurring\":{\"interval\":\"month\",\"interval_count\":1,\"meter\":null,\"trial_period_days\":null,\"usage_type\":\"licensed\"},\"tax_behavior\":\"unspecified\",\"tiers_mode\":null,\"transform_quantity\":null,\"type\":\"recurring\",\"unit_amount\":{{int@unit:100-90000}},\"unit_amount_decimal\":\"{{int@unit:100-90000}}\"}";

const PLAN: &str = "{\"id\":{{ref@plan:plan}},\"object\":\"plan\",\"active\":true,\"amount\":{{int@unit:100-90000}},\"amount_decimal\":\"{{int@unit:100-90000}}\",\"billing_scheme\":\"per_unit\",\"created\":{{created}},\"currency\":\"{{currency}}\",\"interval\":\"month\",\"interval_count\":1,\"livemode\":{{livemode}},\"metadata\":{},\"meter\":null,\"nickname\":null,\"product\":{{ref@product:product}},\"tiers_mode\":null,\"transform_usage\":null,\"trial_period_days\":null,\"usage_type\":\"licensed\"}";

const PAYMENT_OPTIONS: &str = "{\"acss_debit\":{\"mandate_options\":{\"transaction_type\":\"personal\"},\"verification_method\":\"automatic\"},\"bancontact\":{\"preferred_language\":\"en\"},\"card\":{\"request_three_d_secure\":\"automatic\",\"network\":null,\"mandate_options\":null},\"customer_balance\":{\"bank_transfer\":{\"type\":null},\"funding_type\":\"bank_transfer\"},\"konbini\":{},\"sepa_debit\":{},\"us_bank_account\":{\"financial_connections\":{\"filters\":{\"account_subcategories\":[\"checking\"]},\"permissions\":[\"payment_method\"],\"prefetch\":null},\"verification_method\":\"automatic\"}}";

/// The JSON template of a property, where this table knows it.
pub(super) fn body(table: &str, column: &str) -> Option<&'static str> {
    Some(match (table, column) {
        ("charge", "billing_details") => {
            "{\"address\":{{address}},\"email\":\"{{email}}\",\"name\":\"{{name}}\",\"phone\":null,\"tax_id\":null}"
        }
        ("payment_method", "billing_details") => {
            "{\"address\":{{address}},\"email\":\"{{email}}\",\"name\":\"{{name}}\",\"phone\":\"{{phone}}\",\"tax_id\":null}"
        }
        ("charge", "payment_method_details") => card_details(),
        ("charge", "outcome") => {
            "{\"advice_code\":null,\"network_advice_code\":null,\"network_decline_code\":null,\"network_status\":\"approved_by_network\",\"reason\":null,\"risk_level\":\"normal\",\"risk_score\":{{int:0-60}},\"seller_message\":\"Payment complete.\",\"type\":\"authorized\"}"
        }
        ("charge", "fraud_details") => "{}",
        ("charge", "shipping") | ("payment_intent", "shipping") => {
            "{\"address\":{{address}},\"carrier\":null,\"name\":\"{{name}}\",\"phone\":\"{{phone}}\",\"tracking_number\":null}"
        }
        ("charge", "source") => "null",
        ("customer", "shipping") => "{\"address\":{{address}},\"name\":\"{{name}}\",\"phone\":\"{{phone}}\"}",
        ("customer", "invoice_settings") => {
            "{\"custom_fields\":null,\"default_payment_method\":{{ref:payment_method}},\"footer\":null,\"rendering_options\":null}"
        }
        ("customer", "preferred_locales") => "{{pick:[]|[\"en-US\"]|[\"de-DE\",\"en\"]}}",
        ("customer", "discount") => "null",
        ("payment_method", "card") => WALLET_CARD,
        ("payment_intent", "payment_method_types") => "[\"card\",\"link\"]",
        ("payment_intent", "amount_details") => "{\"tip\":{}}",
        ("payment_intent", "automatic_payment_methods") => {
            "{\"allow_redirects\":\"always\",\"enabled\":true}"
        }
        ("payment_intent", "payment_method_options") => {
            "{\"card\":{\"installments\":null,\"mandate_options\":null,\"network\":null,\"request_three_d_secure\":\"automatic\"},\"link\":{\"persistent_token\":null}}"
        }
        ("subscription_item", "price") | ("line_item", "price") | ("invoiceitem", "price") => PRICE,
        ("subscription_item", "plan")
        | ("line_item", "plan")
        | ("subscription", "plan")
        | ("invoiceitem", "plan") => PLAN,
        ("checkout_session_line_item", "price") => PRICE,
        ("invoice" | "subscription", "payment_settings") => payment_settings(),
        ("invoice", "status_transitions") => {
            "{\"finalized_at\":{{after:3600}},\"marked_uncollectible_at\":null,\"paid_at\":{{after:3700}},\"voided_at\":null}"
        }
        ("invoice", "customer_address") => "{{address}}",
        ("invoice", "customer_shipping") | ("invoice", "shipping_details") => {
            "{\"address\":{{address}},\"name\":\"{{name}}\",\"phone\":\"{{phone}}\"}"
        }
        ("invoice", "custom_fields") => {
            "[{\"name\":\"PO\",\"value\":\"{{digits:8}}\"},{\"name\":\"Kostenstelle\",\"value\":\"Ü-{{digits:4}}\"}]"
        }
        ("invoice", "customer_tax_ids") => "[{\"type\":\"eu_vat\",\"value\":\"DE{{digits:9}}\"}]",
        ("invoice" | "subscription", "automatic_tax") => {
            "{\"disabled_reason\":null,\"enabled\":false,\"liability\":null,\"provider\":null,\"status\":null}"
        }
        ("invoice", "issuer") => "{\"type\":\"self\"}",
        ("invoice", "parent") => {
            "{\"quote_details\":null,\"subscription_details\":{\"metadata\":{},\"subscription\":{{ref:subscription}}},\"type\":\"subscription_details\"}"
        }
        ("invoice", "rendering") => {
            "{\"amount_tax_display\":null,\"pdf\":{\"page_size\":\"letter\"},\"template\":null,\"template_version\":null}"
        }
        ("invoice", "total_taxes") => {
            "[{\"amount\":{{int:0-9000}},\"tax_behavior\":\"exclusive\",\"tax_rate_details\":{\"tax_rate\":{{ref:tax_rate}}},\"taxability_reason\":\"standard_rated\",\"taxable_amount\":{{amount}},\"type\":\"tax_rate_details\"}]"
        }
        ("invoice", "total_tax_amounts") => {
            "[{\"amount\":{{int:0-9000}},\"inclusive\":false,\"tax_rate\":{{ref:tax_rate}},\"taxability_reason\":null,\"taxable_amount\":{{amount}}}]"
        }
        ("line_item", "period") => "{\"end\":{{after:2592000}},\"start\":{{created}}}",
        ("line_item", "pricing") | ("invoiceitem", "pricing") => {
            "{\"price_details\":{\"price\":{{ref@price:price}},\"product\":{{ref@product:product}}},\"type\":\"price_details\",\"unit_amount_decimal\":\"{{int@unit:100-90000}}.{{digits:2}}\"}"
        }
        ("line_item", "parent") => {
            "{\"invoice_item_details\":null,\"subscription_item_details\":{\"invoice_item\":null,\"proration\":false,\"proration_details\":{\"credited_items\":null},\"subscription\":{{ref:subscription}},\"subscription_item\":\"si_{{token:14}}\"},\"type\":\"subscription_item_details\"}"
        }
        ("line_item", "taxes") => {
            "[{\"amount\":{{int:0-900}},\"tax_behavior\":\"exclusive\",\"tax_rate_details\":{\"tax_rate\":{{ref:tax_rate}}},\"taxability_reason\":\"standard_rated\",\"taxable_amount\":{{amount}},\"type\":\"tax_rate_details\"}]"
        }
        ("subscription", "billing_mode") => "{\"flexible\":null,\"type\":\"classic\"}",
        ("subscription", "cancellation_details") => "{\"comment\":null,\"feedback\":null,\"reason\":null}",
        ("subscription", "invoice_settings") => {
            "{\"account_tax_ids\":null,\"custom_fields\":null,\"description\":null,\"footer\":null,\"issuer\":{\"type\":\"self\"}}"
        }
        ("subscription", "trial_settings") => {
            "{\"end_behavior\":{\"missing_payment_method\":\"create_invoice\"}}"
        }
        ("price", "recurring") => {
            "{\"interval\":\"{{pick@interval:month|year|week}}\",\"interval_count\":1,\"meter\":null,\"trial_period_days\":null,\"usage_type\":\"licensed\"}"
        }
        ("balance_transaction", "fee_details") => {
            "[{\"amount\":{{int@fee:30-900}},\"application\":null,\"currency\":\"{{currency}}\",\"description\":\"Stripe processing fees\",\"type\":\"stripe_fee\"}]"
        }
        ("dispute", "evidence") => {
            "{\"access_activity_log\":null,\"billing_address\":null,\"customer_email_address\":\"{{email}}\",\"customer_name\":\"{{name}}\",\"customer_purchase_ip\":\"10.0.{{int:0-255}}.{{int:0-255}}\",\"product_description\":\"{{sentence}}\",\"uncategorized_text\":null}"
        }
        ("dispute", "evidence_details") => {
            "{\"due_by\":{{after:777600}},\"has_evidence\":true,\"past_due\":false,\"submission_count\":0}"
        }
        ("account", "capabilities") => "{\"card_payments\":\"active\",\"transfers\":\"active\"}",
        ("account", "business_profile") => {
            "{\"annual_revenue\":null,\"estimated_worker_count\":null,\"mcc\":\"5734\",\"name\":\"{{business}}\",\"product_description\":\"{{sentence}}\",\"support_address\":{{address}},\"support_email\":\"{{email}}\",\"support_phone\":\"{{phone}}\",\"support_url\":null,\"url\":\"https://example.com\"}"
        }
        ("account", "settings") => {
            "{\"branding\":{\"icon\":null,\"logo\":null,\"primary_color\":\"#635bff\",\"secondary_color\":null},\"dashboard\":{\"display_name\":\"{{business}}\",\"timezone\":\"Etc/UTC\"},\"payouts\":{\"debit_negative_balances\":true,\"schedule\":{\"delay_days\":2,\"interval\":\"daily\"},\"statement_descriptor\":null}}"
        }
        ("account", "requirements" | "future_requirements") => {
            "{\"alternatives\":[],\"current_deadline\":null,\"currently_due\":[],\"disabled_reason\":null,\"errors\":[],\"eventually_due\":[],\"past_due\":[],\"pending_verification\":[]}"
        }
        ("checkout_session", "customer_details") => {
            "{\"address\":{{address}},\"email\":\"{{email}}\",\"name\":\"{{name}}\",\"phone\":null,\"tax_exempt\":\"none\",\"tax_ids\":[]}"
        }
        ("checkout_session", "total_details") => {
            "{\"amount_discount\":0,\"amount_shipping\":0,\"amount_tax\":{{int:0-4000}}}"
        }
        ("webhook_endpoint", "enabled_events") => "[\"*\"]",
        ("country_spec", "supported_payment_currencies") => {
            "[\"usd\",\"eur\",\"gbp\",\"jpy\",\"chf\",\"sek\"]"
        }
        ("promotion_code", "promotion") => "{\"coupon\":{{ref:coupon}},\"type\":\"coupon\"}",
        ("promotion_code", "coupon") => {
            "{\"id\":{{ref:coupon}},\"object\":\"coupon\",\"amount_off\":null,\"created\":{{created}},\"currency\":null,\"duration\":\"once\",\"duration_in_months\":null,\"livemode\":{{livemode}},\"max_redemptions\":null,\"metadata\":{},\"name\":null,\"percent_off\":25.5,\"redeem_by\":null,\"times_redeemed\":0,\"valid\":true}"
        }
        ("subscription_schedule", "phases") => {
            "[{\"add_invoice_items\":[],\"billing_cycle_anchor\":null,\"collection_method\":null,\"currency\":\"{{currency}}\",\"description\":null,\"discounts\":[],\"end_date\":{{after:31536000}},\"items\":[{\"discounts\":[],\"metadata\":{},\"price\":{{ref@price:price}},\"quantity\":{{int:1-9}},\"tax_rates\":[]}],\"metadata\":{},\"proration_behavior\":\"create_prorations\",\"start_date\":{{created}},\"trial_end\":null}]"
        }
        _ => return None,
    })
}

/// A card payment, as `payment_method_details` of a charge.
fn card_details() -> &'static str {
    static DETAILS: LazyLock<String> = LazyLock::new(|| format!("{{\"card\":{CARD},\"type\":\"card\"}}"));
    &DETAILS
}

/// Payment settings of an invoice or a subscription.
fn payment_settings() -> &'static str {
    static SETTINGS: LazyLock<String> = LazyLock::new(|| {
        format!(
            "{{\"default_mandate\":null,\"payment_method_options\":{PAYMENT_OPTIONS},\"payment_method_types\":null,\"save_default_payment_method\":\"off\"}}"
        )
    });
    &SETTINGS
}
