//! Ids that look like Stripe's and can be read back.
//!
//! An id hides the object's ordinal behind a keyed permutation: no table of ids is needed to find
//! an object, and the order of ids says nothing about the order of creation.

use crate::chance::mix;

const HALF_BITS: u32 = 29;
const HALF_MASK: u64 = (1 << HALF_BITS) - 1;
const CODE_LENGTH: usize = 10;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// How the part after the prefix looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// 24 characters that contain the account's, as in `ch_1PgafuB7WZ01zgkWXYmPNZs8`.
    Long,
    /// 14 characters, as in `cus_QXg1o8vcGmoR32`.
    Short,
    /// A bare code, as in `Z4OV52SU`.
    Code,
    /// 58 characters, as in `cs_test_a1YS1U…`.
    Session,
    /// Names that Stripe gives, as in `US` or `balance.summary.1`.
    Listed(&'static [&'static str]),
}

/// Makes and reads the ids of one table.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) prefix: String,
    pub(crate) style: Style,
    pub(crate) key: u64,
    /// Eight characters that all long ids of the account share.
    pub(crate) account: [u8; 8],
}

impl Identity {
    /// Appends the id of `ordinal`.
    pub(crate) fn write(&self, ordinal: u64, out: &mut Vec<u8>) {
        if let Style::Listed(names) = self.style
            && let Some(name) = usize::try_from(ordinal).ok().and_then(|index| names.get(index))
        {
            return out.extend_from_slice(name.as_bytes());
        }
        let code = self.permute(ordinal);
        out.extend_from_slice(self.prefix.as_bytes());
        match self.style {
            Style::Long => {
                out.push(b'1');
                push_base62(mix(code ^ self.key), 5, out);
                out.extend_from_slice(&self.account);
            }
            Style::Short => push_base62(mix(code ^ self.key), 4, out),
            Style::Session => {
                let mut noise = mix(code ^ self.key);
                for _ in 0..6 {
                    push_base62(noise, 8, out);
                    noise = mix(noise);
                }
            }
            Style::Code | Style::Listed(_) => {}
        }
        push_base62(code, CODE_LENGTH, out);
    }

    /// The id of `ordinal`.
    pub(crate) fn id(&self, ordinal: u64) -> String {
        let mut out = Vec::with_capacity(72);
        self.write(ordinal, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// The ordinal behind `id`, if this table could have made it.
    pub(crate) fn ordinal(&self, id: &str) -> Option<u64> {
        if let Style::Listed(names) = self.style
            && let Some(index) = names.iter().position(|name| *name == id)
        {
            return Some(index as u64);
        }
        let bytes = id.as_bytes();
        let code =
            bytes.get(bytes.len().checked_sub(CODE_LENGTH)?..)?.iter().try_fold(0u64, |code, byte| {
                let digit = ALPHABET.iter().position(|letter| letter == byte)? as u64;
                code.checked_mul(62)?.checked_add(digit)
            })?;
        if code >> (2 * HALF_BITS) != 0 {
            return None;
        }
        let ordinal = self.restore(code);
        (self.id(ordinal) == id).then_some(ordinal)
    }

    fn permute(&self, ordinal: u64) -> u64 {
        let (mut left, mut right) = (ordinal >> HALF_BITS & HALF_MASK, ordinal & HALF_MASK);
        for round in 0..4 {
            (left, right) = (right, left ^ (mix(self.key ^ right ^ (round << 40)) & HALF_MASK));
        }
        left << HALF_BITS | right
    }

    fn restore(&self, code: u64) -> u64 {
        let (mut left, mut right) = (code >> HALF_BITS & HALF_MASK, code & HALF_MASK);
        for round in (0..4).rev() {
            (left, right) = (right ^ (mix(self.key ^ left ^ (round << 40)) & HALF_MASK), left);
        }
        left << HALF_BITS | right
    }
}

/// Appends the lowest `length` base-62 digits of `value`.
pub(crate) fn push_base62(mut value: u64, length: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + length, b'0');
    for slot in out[start..].iter_mut().rev() {
        *slot = ALPHABET[(value % 62) as usize];
        value /= 62;
    }
}

/// Prefix and style of a table's ids: Stripe's own where known, an abbreviation elsewhere.
pub(crate) fn form(table: &str) -> (String, Style) {
    if let Some(names) = listed(table) {
        return (String::new(), Style::Listed(names));
    }
    if let Some((_, prefix, style)) = KNOWN.iter().find(|(name, _, _)| *name == table) {
        return ((*prefix).to_owned(), *style);
    }
    let short: String = table
        .split('_')
        .map(|word| match word {
            "v2" => "",
            word => word.get(..word.len().min(4)).unwrap_or_default(),
        })
        .collect();
    (format!("{short}_"), Style::Long)
}

fn listed(table: &str) -> Option<&'static [&'static str]> {
    Some(match table {
        "country_spec" => &[
            "US", "AT", "AU", "BE", "BR", "CA", "CH", "DE", "DK", "ES", "FI", "FR", "GB", "HK", "IE", "IT",
            "JP", "LU", "MX", "NL", "NO", "NZ", "PT", "SE", "SG",
        ],
        "exchange_rate" => &["usd", "eur", "gbp", "jpy", "chf", "cad", "aud", "sek", "nok", "dkk", "pln"],
        "reporting_report_type" => &[
            "balance.summary.1",
            "balance_change_from_activity.itemized.1",
            "balance_change_from_activity.itemized.2",
            "balance_change_from_activity.itemized.3",
            "balance_change_from_activity.summary.1",
            "payouts.itemized.1",
            "payouts.itemized.2",
            "payouts.itemized.3",
            "payouts.summary.1",
            "payout_reconciliation.itemized.4",
            "payout_reconciliation.summary.1",
            "ending_balance_reconciliation.itemized.1",
            "ending_balance_reconciliation.summary.1",
            "tax.transactions.itemized.2",
            "connected_account_payouts.summary.1",
        ],
        "tax_code" => &[
            "txcd_00000000",
            "txcd_10000000",
            "txcd_10010001",
            "txcd_10101000",
            "txcd_10102000",
            "txcd_10103000",
            "txcd_10103001",
            "txcd_10103100",
            "txcd_10103101",
            "txcd_10201000",
            "txcd_10202000",
            "txcd_10301000",
            "txcd_10302000",
            "txcd_10401000",
            "txcd_10402000",
            "txcd_10501000",
            "txcd_10502000",
            "txcd_20030000",
            "txcd_20060000",
            "txcd_30011000",
            "txcd_30060006",
            "txcd_31000000",
            "txcd_32010000",
            "txcd_33000000",
            "txcd_34000000",
            "txcd_40060003",
            "txcd_92010001",
            "txcd_99999999",
        ],
        "climate_supplier" => {
            &["climsup_charm_industrial", "climsup_heirloom", "climsup_lithos", "climsup_undo"]
        }
        "climate_product" => &["climsku_frontier_offtake_portfolio_2027", "climsku_frontier_portfolio_2028"],
        "capability" => &["card_payments", "transfers"],
        _ => return None,
    })
}

const KNOWN: &[(&str, &str, Style)] = &[
    ("account", "acct_", Style::Long),
    ("account_capability", "cap_", Style::Long),
    ("active_entitlement", "ent_test_", Style::Long),
    ("apple_pay_domain", "apwc_", Style::Long),
    ("application_fee", "fee_", Style::Long),
    ("apps_secret", "appsecret_", Style::Long),
    ("balance_transaction", "txn_", Style::Long),
    ("bank_account", "ba_", Style::Long),
    ("billing_alert", "alrt_", Style::Short),
    ("billing_credit_balance_transaction", "cbtxn_", Style::Long),
    ("billing_credit_grant", "credgr_", Style::Long),
    ("billing_meter", "mtr_", Style::Long),
    ("billing_meter_event_summary", "mtrusg_", Style::Long),
    ("billing_portal_configuration", "bpc_", Style::Long),
    ("card", "card_", Style::Long),
    ("charge", "ch_", Style::Long),
    ("checkout_session", "cs_test_a1", Style::Session),
    ("checkout_session_line_item", "li_", Style::Long),
    ("climate_order", "climorder_", Style::Long),
    ("coupon", "", Style::Code),
    ("credit_note", "cn_", Style::Long),
    ("credit_note_line_item", "cnli_", Style::Long),
    ("customer", "cus_", Style::Short),
    ("customer_balance_transaction", "cbtxn_", Style::Long),
    ("customer_cash_balance_transaction", "ccsbtxn_", Style::Long),
    ("dispute", "dp_", Style::Long),
    ("early_fraud_warning", "issfr_", Style::Long),
    ("event", "evt_", Style::Long),
    ("external_account", "ba_", Style::Long),
    ("feature", "feat_test_", Style::Long),
    ("fee_refund", "fr_", Style::Long),
    ("file", "file_", Style::Long),
    ("file_link", "link_", Style::Long),
    ("financial_connections_account", "fca_", Style::Long),
    ("financial_connections_account_owner", "fcaown_", Style::Long),
    ("financial_connections_transaction", "fctxn_", Style::Long),
    ("forwarding_request", "fwdreq_", Style::Long),
    ("identity_verification_report", "vr_", Style::Long),
    ("identity_verification_session", "vs_", Style::Long),
    ("invoice", "in_", Style::Long),
    ("invoice_payment", "inpay_", Style::Long),
    ("invoice_rendering_template", "inrtem_", Style::Long),
    ("invoiceitem", "ii_", Style::Long),
    ("issuing_authorization", "iauth_", Style::Long),
    ("issuing_card", "ic_", Style::Long),
    ("issuing_cardholder", "ich_", Style::Long),
    ("issuing_dispute", "idp_", Style::Long),
    ("issuing_personalization_design", "ipcd_", Style::Short),
    ("issuing_physical_bundle", "ics_", Style::Short),
    ("issuing_settlement", "ise_", Style::Long),
    ("issuing_token", "intok_", Style::Long),
    ("issuing_transaction", "ipi_", Style::Long),
    ("line_item", "il_", Style::Long),
    ("payment_attempt_record", "par_", Style::Long),
    ("payment_intent", "pi_", Style::Long),
    ("payment_link", "plink_", Style::Long),
    ("payment_method", "pm_", Style::Long),
    ("payment_method_configuration", "pmc_", Style::Long),
    ("payment_method_domain", "pmd_", Style::Long),
    ("payment_record", "pr_", Style::Long),
    ("payment_source", "src_", Style::Long),
    ("payout", "po_", Style::Long),
    ("person", "person_", Style::Long),
    ("plan", "plan_", Style::Short),
    ("price", "price_", Style::Long),
    ("product", "prod_", Style::Short),
    ("product_feature", "prodft_", Style::Short),
    ("promotion_code", "promo_", Style::Long),
    ("quote", "qt_", Style::Long),
    ("radar_value_list", "rsl_", Style::Long),
    ("radar_value_list_item", "rsli_", Style::Long),
    ("refund", "re_", Style::Long),
    ("reporting_report_run", "frr_", Style::Long),
    ("review", "prv_", Style::Long),
    ("scheduled_query_run", "sqr_", Style::Long),
    ("setup_attempt", "setatt_", Style::Long),
    ("setup_intent", "seti_", Style::Long),
    ("shipping_rate", "shr_", Style::Long),
    ("source", "src_", Style::Long),
    ("source_transaction", "srctxn_", Style::Long),
    ("subscription", "sub_", Style::Long),
    ("subscription_item", "si_", Style::Short),
    ("subscription_schedule", "sub_sched_", Style::Long),
    ("tax_calculation_line_item", "tax_li_", Style::Short),
    ("tax_id", "txi_", Style::Long),
    ("tax_rate", "txr_", Style::Long),
    ("tax_registration", "taxreg_", Style::Short),
    ("tax_transaction_line_item", "tax_li_", Style::Short),
    ("terminal_configuration", "tmc_", Style::Short),
    ("terminal_location", "tml_", Style::Short),
    ("terminal_reader", "tmr_", Style::Short),
    ("test_helpers_test_clock", "clock_", Style::Long),
    ("topup", "tu_", Style::Long),
    ("transfer", "tr_", Style::Long),
    ("transfer_reversal", "trr_", Style::Long),
    ("treasury_credit_reversal", "credrev_", Style::Long),
    ("treasury_debit_reversal", "debrev_", Style::Long),
    ("treasury_financial_account", "fa_", Style::Long),
    ("treasury_inbound_transfer", "ibt_", Style::Long),
    ("treasury_outbound_payment", "obp_", Style::Long),
    ("treasury_outbound_transfer", "obt_", Style::Long),
    ("treasury_received_credit", "rc_", Style::Long),
    ("treasury_received_debit", "rd_", Style::Long),
    ("treasury_transaction", "trxn_", Style::Long),
    ("treasury_transaction_entry", "trxne_", Style::Long),
    ("v2_core_account", "acct_", Style::Long),
    ("v2_core_account_person", "person_test_", Style::Long),
    ("v2_core_event", "evt_test_", Style::Long),
    ("v2_core_event_destination", "ed_test_", Style::Long),
    ("webhook_endpoint", "we_", Style::Long),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn identity(table: &str, key: u64) -> Identity {
        let (prefix, style) = form(table);
        Identity { prefix, style, key, account: *b"B7WZ01zg" }
    }

    proptest! {
        #[test]
        fn every_id_reads_back(ordinal in 0u64..1 << 58, key: u64) {
            for table in ["customer", "charge", "coupon", "checkout_session", "country_spec", "unheard_of"] {
                let identity = identity(table, key);
                prop_assert_eq!(identity.ordinal(&identity.id(ordinal)), Some(ordinal));
            }
        }

        #[test]
        fn foreign_ids_are_not_read(text in "[a-z_]{0,6}[A-Za-z0-9]{0,30}", key: u64) {
            let identity = identity("customer", key);
            if let Some(ordinal) = identity.ordinal(&text) {
                prop_assert_eq!(identity.id(ordinal), text);
            }
        }
    }

    #[test]
    fn ids_have_stripes_shape_and_no_order() {
        let customers = identity("customer", 9);
        assert_eq!(customers.id(0).len(), "cus_QXg1o8vcGmoR32".len());
        assert_eq!(identity("charge", 9).id(7).len(), "ch_1PgafuB7WZ01zgkWXYmPNZs8".len());
        assert_eq!(identity("country_spec", 9).id(0), "US");
        let ids: Vec<String> = (0..50).map(|ordinal| customers.id(ordinal)).collect();
        assert!(!ids.is_sorted() && !ids.iter().rev().is_sorted());
    }
}
