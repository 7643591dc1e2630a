//! Tables whose rows exist only under others equal what the account holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use protocol::{Message, Payload, ReadRequest, Source, SourceState, SourceStateMessage, StreamStatus};
use source_stripe::StripeSource;
use stripe_openapi::{Catalog, embedded};
use stripe_simulator::{Fault, FaultRule};

use crate::reading::{Account, Said, newest, simulation};

async fn account_of(tables: &[(&str, u64)]) -> Account {
    account_at(&newest(), tables).await
}

async fn account_at(catalog: &Arc<Catalog>, tables: &[(&str, u64)]) -> Account {
    let builder = simulation(catalog).long_lists(10).pretty(true);
    let builder = tables.iter().fold(builder, |builder, (table, count)| builder.table(table, *count));
    Account::start(catalog, builder).await
}

/// Fails with a few ids where rows and truth differ.
fn assert_same(what: &str, rows: &BTreeMap<String, String>, truth: &BTreeMap<String, String>) {
    let missing: Vec<&String> = truth.keys().filter(|id| !rows.contains_key(*id)).collect();
    let extra: Vec<&String> = rows.keys().filter(|id| !truth.contains_key(*id)).collect();
    let other: Vec<&String> = rows
        .iter()
        .filter(|(id, row)| truth.get(*id).is_some_and(|text| text != *row))
        .map(|(id, _)| id)
        .collect();
    for (kind, ids) in [("missing", missing), ("extra", extra), ("different", other)] {
        let of = truth.len();
        assert!(ids.is_empty(), "{what}: {} of {of} {kind}, e.g. {:?}", ids.len(), &ids[..ids.len().min(3)]);
    }
}

/// The rows of a stream by id, as a destination would hold them, and the parents they name.
fn parents_named(said: &Said, stream: &str) -> BTreeMap<String, String> {
    #[derive(serde::Deserialize)]
    struct Child {
        id: String,
        _parent_id: String,
    }
    let records = said.messages.iter().filter_map(|message| match &message.payload {
        Payload::Record(record) if &*record.stream == stream => Some(&record.data),
        _ => None,
    });
    records
        .map(|data| {
            let child: Child = data.read().unwrap();
            (child.id, child._parent_id)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn children_in_nested_lists_come_with_their_parents_for_nothing() {
    let tables = ["subscription", "invoice", "transfer", "credit_note", "application_fee", "account"];
    let children = [
        "subscription_item",
        "line_item",
        "transfer_reversal",
        "credit_note_line_item",
        "fee_refund",
        "external_account",
    ];
    let account = account_of(&tables.map(|table| (table, 350))).await;
    let alone = account.read(account.streams(&tables).await, None).await;
    let cost = account.control().counters().requests;
    account.control().reset_counters();
    let said = account.read(account.streams(&[tables, children].concat()).await, None).await;
    assert_eq!(account.control().counters().requests, cost, "children cost requests of their own");
    for (table, child) in tables.iter().zip(children) {
        assert_eq!(said.end_of(child), &StreamStatus::Complete, "{child}");
        let mut rows = said.rows_of(child);
        assert!(rows.len() > 50, "{child}: {}", rows.len());
        assert_eq!(said.rows_of(table), alone.rows_of(table), "{table}");
        let truth = account.truth(child);
        rows.retain(|id, text| truth.get(id) != Some(text));
        assert!(rows.is_empty(), "{child}: {rows:?}");
        assert_eq!(said.rows_of(child).len(), truth.len(), "{child}");
        let parents = parents_named(&said, child);
        assert!(parents.values().all(|parent| said.rows_of(table).contains_key(parent)), "{child}");
        assert_eq!(said.state.streams[child].as_str(), said.state.streams[*table].as_str(), "{child}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_stream_alone_reads_its_parents_and_says_nothing_of_them() {
    let account = account_of(&[("subscription", 350)]).await;
    let said = account.read(account.streams(&["subscription_item"]).await, None).await;
    assert_eq!(said.rows_of("subscription_item"), account.truth("subscription_item"));
    assert_eq!(said.rows.len(), 1);
    // Later the parents are wanted too: what is known of the two differs.
    let both = account.streams(&["subscription", "subscription_item"]).await;
    let later = account.read(both, Some(said.state.clone())).await;
    assert_eq!(later.rows_of("subscription"), account.truth("subscription"));
    assert_eq!(later.end_of("subscription_item"), &StreamStatus::Complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_must_be_expanded_are_read_beside_their_parents() {
    let account = account_of(&[("checkout_session", 250), ("payment_link", 120), ("customer", 250)]).await;
    let names = ["checkout_session", "checkout_session_line_item", "customer", "payment_source"];
    let said = account.read(account.streams(&names).await, None).await;
    for name in names {
        assert_same(name, &said.rows_of(name), &account.truth(name));
        assert!(said.rows_of(name).len() > 100, "{name}: {}", said.rows_of(name).len());
    }
    assert!(said.rows_of("customer").values().all(|row| !row.contains("\"sources\"")));
}

#[tokio::test(flavor = "multi_thread")]
async fn children_that_are_listed_under_each_parent() {
    let account =
        account_of(&[("customer", 230), ("account", 120), ("product", 150), ("setup_intent", 150)]).await;
    let names = ["customer_balance_transaction", "person", "capability", "product_feature", "setup_attempt"];
    let said = account.read(account.streams(&names).await, None).await;
    for name in names {
        assert_eq!(said.end_of(name), &StreamStatus::Complete, "{name}");
        assert_same(name, &said.rows_of(name), &account.truth(name));
        assert!(!said.rows_of(name).is_empty(), "{name} has no rows");
    }
    let counters = account.control().counters();
    let per_customer = counters.requests_to("/v1/customers/{customer}/balance_transactions");
    assert_eq!(per_customer, 230, "one request for each parent");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_list_hides_are_read_under_their_parents() {
    let tables = [("customer", 130), ("payment_method", 300)];
    let requests = async |catalog: &Arc<Catalog>| {
        let account = account_at(catalog, &tables).await;
        let said = account.read(account.streams(&["payment_method"]).await, None).await;
        assert_same("payment_method", &said.rows_of("payment_method"), &account.truth("payment_method"));
        account.control().counters().requests_to("/v1/customers/{customer}/payment_methods")
    };
    assert_eq!(requests(&embedded::catalog("2025-11-17.clover").unwrap()).await, 130);
    assert_eq!(requests(&newest()).await, 0, "its list holds all");
}

#[tokio::test(flavor = "multi_thread")]
async fn tax_ids_of_customers_cost_no_request_for_each_customer() {
    let account = account_of(&[("customer", 250), ("tax_id", 200)]).await;
    let said = account.read(account.streams(&["customer", "tax_id"]).await, None).await;
    let rows = said.rows_of("tax_id");
    assert_same("tax_id", &rows, &account.truth("tax_id"));
    let of_account = rows.values().filter(|row| row.contains("\"customer\":null")).count();
    assert!((1..100).contains(&of_account), "{of_account} of {} are the account's own", rows.len());
    assert!(rows.values().all(|row| !row.contains("_parent_id")), "the table has a list of its own");
    let whole = account.control().counters().requests_to("/v1/customers/{customer}/tax_ids");
    assert!(whole < 5, "{whole} requests for lists that were cut");
    assert!(said.rows_of("customer").values().all(|row| !row.contains("\"tax_ids\"")));
}

/// The list of customers is asked once for both: what it costs is what customers alone do, and the account's own tax ids.
#[tokio::test(flavor = "multi_thread")]
async fn customers_and_their_tax_ids_come_from_one_list() {
    let asked = async |names: &[&str]| {
        let account = account_of(&[("customer", 1_500), ("tax_id", 900)]).await;
        let said = account.read(account.streams(names).await, None).await;
        for name in names {
            assert_same(name, &said.rows_of(name), &account.truth(name));
            assert_eq!(said.end_of(name), &StreamStatus::Complete);
        }
        account.control().counters().requests_to("/v1/customers")
    };
    let (both, one) = (asked(&["customer", "tax_id"]).await, asked(&["customer"]).await);
    assert!(both <= one + 1, "{both} requests for both, {one} for customers alone");
    asked(&["payment_source", "tax_id", "customer"]).await;
    assert!(asked(&["tax_id"]).await > 0, "they need no customers beside them");
}

/// What is asked for in addition may be refused, or its parent's list: each stream then has what it may have.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_shared_fails_for_nobody_but_whom_it_is_refused_to() {
    let tables = [("customer", 350), ("tax_id", 200)];
    let names = ["customer", "tax_id"];
    let account = account_of(&tables).await;
    account.control().add_fault(FaultRule::always("/v1/tax_ids", Fault::Forbidden));
    let said = account.read(account.streams(&names).await, None).await;
    assert!(matches!(said.end_of("tax_id"), StreamStatus::Skip { .. }), "{:?}", said.end_of("tax_id"));
    assert_same("customer", &said.rows_of("customer"), &account.truth("customer"));

    let account = account_of(&tables).await;
    account.control().add_fault(FaultRule::always("/v1/customers", Fault::Forbidden));
    let said = account.read(account.streams(&names).await, None).await;
    assert!(matches!(said.end_of("customer"), StreamStatus::Skip { .. }), "{:?}", said.end_of("customer"));
    assert_eq!(said.end_of("tax_id"), &StreamStatus::Complete);
    assert!(said.rows_of("tax_id").values().all(|row| row.contains("\"customer\":null")));

    let account = account_of(&tables).await;
    // As if the key may not see tax ids there: asked for customers alone, Stripe answers.
    let refused = Fault::Refused { status: 403, message: "Not with this.".to_owned(), code: None };
    account.control().add_fault(FaultRule::nth("/v1/customers", &[1], refused));
    let said = account.read(account.streams(&names).await, None).await;
    assert_same("customer", &said.rows_of("customer"), &account.truth("customer"));
    assert_same("tax_id", &said.rows_of("tax_id"), &account.truth("tax_id"));
}

/// Without events nothing but the lists tells of a row that comes under a parent which was read long ago.
#[tokio::test(flavor = "multi_thread")]
async fn hidden_rows_of_old_parents_arrive_where_events_are_not_followed() {
    let account =
        account_at(&embedded::catalog("2025-11-17.clover").unwrap(), &[("customer", 150), ("tax_id", 20)])
            .await;
    let names = ["tax_id", "payment_method"];
    let mut said = account.read(account.streams(&names).await, None).await;
    let oldest = account.control().ids("customer").unwrap().swap_remove(0);
    for name in names {
        account.control().create(name, serde_json::json!({"customer": oldest})).unwrap();
    }
    let state = said.state.clone();
    said.absorb(account.read(account.streams(&names).await, Some(state)).await);
    for name in names {
        assert_same(name, &said.rows_of(name), &account.truth(name));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_listed_under_parents_is_said_of_the_child_stream_only() {
    let account = account_of(&[("customer", 120), ("account", 10)]).await;
    let message = "The provided key 'rk_test_***' does not have the required permissions for this endpoint on account \
                   'acct_1'. Having the 'rak_person_read' permission would allow this request to continue.";
    let refused = Fault::Refused { status: 403, message: message.to_owned(), code: None };
    account.control().add_fault(FaultRule::always("/v1/accounts/*/persons", refused));
    let said = account
        .read(account.streams(&["account", "person", "customer_balance_transaction"]).await, None)
        .await;
    assert!(matches!(said.end_of("person"), StreamStatus::Skip { .. }), "{:?}", said.end_of("person"));
    assert_eq!(said.end_of("account"), &StreamStatus::Complete);
    assert_eq!(said.rows_of("customer_balance_transaction"), account.truth("customer_balance_transaction"));
}

/// Whatever was said before the last state is not lost by a break at any place.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_read_under_parents_goes_on_from_its_state() {
    let account = account_of(&[("customer", 520)]).await;
    interrupt(&account, &["customer_balance_transaction"]).await;
}

/// The states of two streams that are read from one list are each for itself.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_read_of_one_list_for_two_streams_goes_on_from_their_states() {
    let account = account_of(&[("customer", 820), ("tax_id", 500)]).await;
    interrupt(&account, &["customer", "tax_id"]).await;
}

fn stream_of(message: &Message) -> Option<&Arc<str>> {
    match &message.payload {
        Payload::Record(record) => Some(&record.stream),
        Payload::SourceState(SourceStateMessage::Stream { stream, .. }) => Some(stream),
        _ => None,
    }
}

/// Reads, breaking after some records, and reads on: all rows have to be there.
async fn interrupt(account: &Account, streams: &[&str]) {
    let truths: Vec<_> = streams.iter().map(|stream| account.truth(stream)).collect();
    let truth = &truths[truths.len() - 1];
    for records in [1, 20, truth.len() / 2, truth.len() - 1] {
        let mut durable = Said::default();
        let mut state: Option<SourceState> = None;
        let catalog = account.streams(streams).await;
        let request = ReadRequest { catalog: catalog.clone(), state: None, input: None, durable: None };
        let mut messages = StripeSource::default().read(account.config(), request);
        // Only what came before the last state is stored by a destination that breaks here.
        let mut waiting: Vec<Message> = Vec::new();
        let mut seen = 0;
        while seen < records {
            let message = messages.next().await.unwrap().unwrap();
            seen += usize::from(matches!(message.payload, Payload::Record(_)));
            let of = match &message.payload {
                Payload::SourceState(SourceStateMessage::Stream { stream, .. }) => Some(Arc::clone(stream)),
                _ => None,
            };
            waiting.push(message);
            // What is of other streams waits for states of their own.
            if let Some(of) = of {
                let (stored, rest) = waiting.drain(..).partition(|message| stream_of(message) == Some(&of));
                waiting = rest;
                let stored: Vec<Message> = stored;
                stored.into_iter().for_each(|message| durable.take(message));
                state = Some(durable.state.clone());
            }
        }
        drop(messages);
        durable.ends.clear();
        let rest = account.read(catalog, state).await;
        durable.absorb(rest);
        for (stream, truth) in streams.iter().zip(&truths) {
            assert_same(stream, &durable.rows_of(stream), truth);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_versions_have_child_streams_too() {
    for version in ["2020-08-27", embedded::versions().last().unwrap()] {
        let catalog = embedded::catalog(version).unwrap();
        let builder = simulation(&catalog).objects(4_000);
        let account = Account::start(&catalog, builder).await;
        let streams = account.streams(&[]).await;
        let children: Vec<String> = streams
            .streams
            .iter()
            .filter(|stream| {
                stream.stream.metadata.as_ref().is_some_and(|metadata| metadata.contains_key("parents"))
            })
            .map(|stream| stream.stream.name.to_string())
            .collect();
        assert!(children.len() >= 5, "{version}: {children:?}");
        let said = account.read(streams, None).await;
        for child in &children {
            assert_eq!(said.end_of(child), &StreamStatus::Complete, "{version} {child}");
            let (rows, mut truth) = (said.rows_of(child), account.truth(child));
            // The simulation gives these further parents: quotes' previews, withdrawn orders, accounts as payment
            // sources, and transactions whose entries are listed by account.
            let others = ["checkout_session_line_item", "external_account", "treasury_transaction_entry"];
            if others.contains(&child.as_str()) {
                truth.retain(|id, _| rows.contains_key(id));
            }
            assert_same(&format!("{version} {child}"), &rows, &truth);
        }
    }
}
