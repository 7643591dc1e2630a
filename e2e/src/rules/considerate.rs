//! Stripe's limits, the user's keys and the account's features are respected.

use super::{Rule, edit, test, within};

const SOURCE: &str = "source-stripe";

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "K1",
        says: "At most 80% of Stripe's limit is used unless told otherwise.",
        test: within(
            SOURCE,
            "config::tests::a_minimal_configuration_reads_a_sandbox_at_four_fifths_of_its_limit",
        ),
        switched_off: edit(
            "crates/source-stripe/src/config.rs",
            "const SHARE: f64 = 0.8;",
            "const SHARE: f64 = 1.0;",
        ),
    },
    Rule {
        id: "K1",
        says: "Nothing is sent before a `Retry-After` has passed.",
        test: within(
            SOURCE,
            "limit::limiter::tests::after_a_429_nothing_is_sent_before_retry_after_and_then_much_less",
        ),
        switched_off: edit(
            "crates/source-stripe/src/limit/bucket.rs",
            "if retry_after.is_some() {",
            "if retry_after.is_some() && false {",
        ),
    },
    Rule {
        id: "K1",
        says: "After a 429 the rate falls.",
        test: within(SOURCE, "limit::limiter::tests::refusals_of_one_volley_count_once"),
        switched_off: edit("crates/source-stripe/src/limit/bucket.rs", "            self.rate = low;\n", ""),
    },
    Rule {
        id: "K1",
        says: "`Stripe-Should-Retry` counts more than the status.",
        test: within(SOURCE, "retry::tests::stripe_s_word_counts_more_than_the_status"),
        switched_off: edit(
            "crates/source-stripe/src/retry.rs",
            "Failure::Status { should_retry: Some(said), .. } => said,",
            "Failure::Status { should_retry: Some(_), status } => status == 429 || status >= 500,",
        ),
    },
    Rule {
        id: "K2",
        says: "Streams that the key may not read are skipped with the permission named; the rest goes on.",
        test: test(
            SOURCE,
            "backfill",
            "refusals::streams_that_a_restricted_key_may_not_read_are_skipped_by_name",
        ),
        switched_off: edit(
            "crates/source-stripe/src/verdict.rs",
            ".filter(|_| api.status == 403)",
            ".filter(|_| api.status == 0)",
        ),
    },
    Rule {
        id: "K3",
        says: "Known refusals skip the stream with the reason.",
        test: test(SOURCE, "backfill", "refusals::known_refusals_skip_and_unknown_ones_fail"),
        switched_off: edit(
            "crates/source-stripe/src/verdict.rs",
            "refusals::find(stream, message).filter(|_| refused)",
            "refusals::find(stream, message).filter(|_| refused && false)",
        ),
    },
    Rule {
        id: "K3",
        says: "Unknown errors fail the stream.",
        test: test(SOURCE, "backfill", "refusals::known_refusals_skip_and_unknown_ones_fail"),
        switched_off: edit(
            "crates/source-stripe/src/verdict.rs",
            "None => StreamStatus::Error { error: text },",
            "None => StreamStatus::Skip { reason: text },",
        ),
    },
    Rule {
        id: "K4",
        says: "All accounts that are connected are read, each in its own name.",
        test: test(SOURCE, "connect", "reading::all_accounts_are_told_apart_in_the_same_tables"),
        switched_off: edit(
            "crates/source-stripe/src/client.rs",
            "Some(Behalf { header, account }) => request.header(header, account),",
            "Some(_) => request,",
        ),
    },
    Rule {
        id: "K4",
        says: "Keys of organisations name each account by `Stripe-Context`.",
        test: test(SOURCE, "connect", "reading::organisations_name_each_account"),
        switched_off: edit(
            "crates/source-stripe/src/client.rs",
            "HeaderName::from_static(\"stripe-context\")",
            "HeaderName::from_static(\"stripe-account\")",
        ),
    },
    Rule {
        id: "K4",
        says: "Rows of several accounts are told apart: `_account_id` is part of the key.",
        test: within(SOURCE, "discover::tests::children_tell_their_parents_and_what_they_cost"),
        switched_off: edit(
            "crates/source-stripe/src/discover.rs",
            "primary_key: vec![vec![\"id\".to_owned()], vec![\"_account_id\".to_owned()]],",
            "primary_key: vec![vec![\"id\".to_owned()]],",
        ),
    },
    Rule {
        id: "K4",
        says: "Only the chosen accounts are read.",
        test: test(SOURCE, "connect", "reading::only_the_chosen_accounts_are_read"),
        switched_off: edit(
            "crates/source-stripe/src/accounts/platform.rs",
            "if let Some(mut chosen) = accounts.chosen() {",
            "if let Some(mut chosen) = accounts.chosen().filter(|_| false) {",
        ),
    },
    Rule {
        id: "K4",
        says: "One account and several go on from each other's states.",
        test: test(SOURCE, "connect", "resuming::one_account_and_several_go_on_from_each_other"),
        switched_off: edit(
            "crates/source-stripe/src/accounts/mod.rs",
            "if !states.has_others() {",
            "if states.has_others() || !states.has_others() {",
        ),
    },
    Rule {
        id: "K4",
        says: "Deliveries go to the read of their account, and make new accounts known.",
        test: test(SOURCE, "connect", "following::webhooks_go_to_their_accounts_and_make_new_ones_known"),
        switched_off: edit(
            "crates/source-stripe/src/accounts/post.rs",
            "names.account.or_else(|| account_in(names.context.as_deref()?))",
            "names.account.or_else(|| account_in(names.context.as_deref()?)).filter(|_| false)",
        ),
    },
    Rule {
        id: "K4",
        says: "A key of another account than the one that is read is refused.",
        test: test(SOURCE, "backfill", "complete::a_key_of_another_account_is_refused"),
        switched_off: edit(
            "crates/source-stripe/src/account.rs",
            "(id_of(named) != own.id).then(|| {",
            "(id_of(named) != own.id && false).then(|| {",
        ),
    },
];
