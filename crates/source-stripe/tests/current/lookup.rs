//! Single objects, asked for by those who compare a copy with Stripe.

use futures::StreamExt;
use protocol::{LookUpRequest, ObjectRef, Payload, Source};
use serde_json::json;
use source_stripe::StripeSource;

use crate::account::{Account, simulation};

/// What is said of each object: its text, or that it is gone.
async fn look_up(account: &Account, stream: &str, objects: &[(&str, Option<&str>)]) -> Vec<(String, bool)> {
    let stream = account.streams.stream(stream).unwrap().clone();
    let object = |(id, parent): &(&str, Option<&str>)| ObjectRef {
        id: (*id).to_owned(),
        account: None,
        parent: parent.map(str::to_owned),
    };
    let request = LookUpRequest { stream, objects: objects.iter().map(object).collect() };
    let mut messages = StripeSource::default().look_up(account.config(), request).unwrap();
    let mut said = Vec::new();
    while let Some(message) = messages.next().await {
        if let Payload::Record(record) = message.unwrap().payload {
            let [id] = record.data.members(["id"]).unwrap();
            said.push((serde_json::from_str(id.unwrap().get()).unwrap(), record.deleted));
        }
    }
    said.sort();
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_exist_are_told_from_those_that_are_gone() {
    let builder = simulation().table("customer", 5).table("invoice", 5).table("account", 3);
    let account = Account::start(builder, &["customer", "line_item", "person", "capability"]).await;
    let customers = account.control().ids("customer").unwrap();
    account.control().delete("customer", &customers[1]).unwrap();
    let asked = [(customers[0].as_str(), None), (customers[1].as_str(), None), ("cus_never", None)];
    let mut expected =
        vec![(customers[0].clone(), false), (customers[1].clone(), true), ("cus_never".to_owned(), true)];
    expected.sort();
    assert_eq!(look_up(&account, "customer", &asked).await, expected);

    // Lines have no path of their own: they are known by the list of their invoice.
    let invoice = account.control().ids("invoice").unwrap()[0].clone();
    let line = account.control().create("line_item", json!({"parent": invoice})).unwrap().id;
    let said = look_up(&account, "line_item", &[(&line, Some(&invoice)), ("il_gone", Some(&invoice))]).await;
    assert!(said.contains(&(line, false)) && said.contains(&("il_gone".to_owned(), true)), "{said:?}");
    assert!(look_up(&account, "line_item", &[("il_gone", None)]).await.is_empty(), "nothing can be told");
}
