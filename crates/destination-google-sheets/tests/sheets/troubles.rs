//! Requests that fail, and quotas.

use protocol::{ConnectionState, Destination, Message, MessageStream, Payload, Stream, run_to_end};
use serde_json::json;
use test_utils::sheets::{Fault, SERVICE_ACCOUNT, service_account_key};
use tokio::sync::mpsc::UnboundedSender;

use crate::world::{MINUTE, World, customers, expected, page, stream_of, upsert};

#[tokio::test]
async fn lost_answers_and_refusals_lose_and_double_nothing() {
    let world = World::new().await;
    let stream = customers();
    let faults = [Fault::ResetAfter, Fault::UnavailableAfter, Fault::ResetBefore, Fault::TooMany];
    world.server.fail_next_writes(faults.into_iter().chain([Fault::Unavailable]));
    let back = world.write(&[&stream], page(&stream, 50, 10)).await;
    assert_eq!((back.records, back.states.len()), (50, 1), "{back:?}");
    assert_eq!(world.names("customer"), expected(50, 10));
    let tabs: Vec<String> =
        world.server.spreadsheet(&world.id).sheets.into_iter().map(|tab| tab.title).collect();
    assert_eq!(tabs.iter().filter(|title| *title == "customer").count(), 1, "{tabs:?}");

    // The second batch fails in the middle of a run, after the grid was made larger.
    world.server.fail_next_writes([Fault::UnavailableAfter, Fault::ResetAfter, Fault::TooMany]);
    world.write(&[&stream], page(&stream, 300, 11)).await;
    assert_eq!(world.names("customer"), expected(300, 11));
}

#[tokio::test]
async fn no_state_comes_back_for_rows_that_are_not_written() {
    let world = World::new().await;
    let stream = customers();
    world.write(&[&stream], page(&stream, 1, 9)).await;
    world.server.fail_next_writes([Fault::Forbidden]);
    let back = world.write(&[&stream], page(&stream, 5, 10)).await;
    assert!(back.states.is_empty() && back.records == 0, "{back:?}");
    assert!(back.errors[0].contains("add the Google account that signed in as an editor"), "{back:?}");
    assert_eq!(world.stored().await.unwrap().streams["customer"].as_str(), r#"{"at":9}"#);
    assert_eq!(world.names("customer"), expected(1, 9));
}

#[tokio::test]
async fn one_stream_that_google_refuses_does_not_fail_the_others() {
    let world = World::new().await;
    let (good, other) = (customers(), stream_of("other", &json!({"id": {}})));
    world.write(&[&good, &other], Vec::new()).await;
    let mut messages = page(&good, 3, 10);
    messages.push(upsert(&other, &json!({"id": "1", "_updated_at": 1})));
    // Somebody makes the tab smaller than it is known to be: what is written to it is outside of the grid.
    let server = &world.server;
    let shrink = futures::stream::once(async {
        server.edit(&world.id, |spreadsheet| spreadsheet.sheet_mut("other").unwrap().columns = 1);
        None
    });
    let input = futures::StreamExt::filter_map(
        futures::StreamExt::chain(
            shrink,
            futures::stream::iter(messages.into_iter().map(|message| Some(Ok(message)))),
        ),
        |message| async { message },
    );
    let messages: Vec<_> = futures::StreamExt::collect(input).await;
    let messages =
        messages.into_iter().map(|message: Result<_, protocol::ConnectorError>| message.unwrap()).collect();
    let back = world.write(&[&good, &other], messages).await;
    assert!(back.errors.is_empty(), "a grid that is too small is made larger: {back:?}");
    assert_eq!(world.names("customer"), expected(3, 10));
}

#[tokio::test]
async fn a_tab_that_is_protected_fails_its_stream_alone() {
    let world = World::new().await;
    let (good, other) = (customers(), stream_of("other", &json!({"id": {}})));
    world.write(&[&good, &other], Vec::new()).await;
    world.server.edit(&world.id, |spreadsheet| spreadsheet.sheet_mut("other").unwrap().locked = true);
    let mut messages = page(&good, 3, 10);
    messages.push(upsert(&other, &json!({"id": "1", "_updated_at": 1})));
    messages.push(crate::world::state(&other, &json!(1)));
    let back = world.write(&[&good, &other], messages).await;
    assert_eq!((back.records, back.states.len(), back.errors.len()), (3, 1, 1), "{back:?}");
    assert!(back.errors[0].contains("Protect sheets and ranges"), "{back:?}");
    assert_eq!(world.names("customer"), expected(3, 10));
    assert!(!world.stored().await.unwrap().streams.contains_key("other"));
}

#[tokio::test]
async fn the_quota_is_kept_and_spoken_of() {
    let world = World::new().await;
    let stream = customers();
    let config = || world.config_with(json!({"batch_size": 1, "requests_per_minute": 6}));
    world.server.set_quota(MINUTE, 8);
    let back = world.try_write(config(), &[&stream], page(&stream, 20, 10)).await.unwrap();
    assert_eq!(world.names("customer"), expected(20, 10));
    assert!(back.notes.iter().any(|note| note.contains("waiting for Google's quota")), "{:?}", back.notes);
}

#[tokio::test]
async fn tokens_are_renewed() {
    let world = World::new().await;
    let stream = customers();
    world.server.expire_tokens();
    world.write(&[&stream], page(&stream, 2, 10)).await;
    world.server.expire_tokens();
    assert_eq!(world.names("customer"), expected(2, 10));
}

async fn check(world: &World, config: destination_google_sheets::SheetsConfig) -> Result<(), String> {
    let mut messages = world.destination.check(config);
    let message = futures::StreamExt::next(&mut messages).await.unwrap().unwrap();
    let Payload::ConnectionStatus(status) = message.payload else { panic!("{message:?}") };
    match status.status {
        ConnectionState::Succeeded => Ok(()),
        ConnectionState::Failed => Err(status.message.unwrap_or_default()),
    }
}

#[tokio::test]
async fn check_says_what_is_wrong() {
    let world = World::new().await;
    assert_eq!(check(&world, world.config()).await, Ok(()));
    assert_eq!(check(&world, world.config_with(json!({"spreadsheet_id": ""}))).await, Ok(()));
    let address = format!("https://docs.google.com/spreadsheets/d/{}/edit#gid=0", world.id);
    assert_eq!(check(&world, world.config_with(json!({"spreadsheet_id": address}))).await, Ok(()));
    let refused = |more: serde_json::Value| check(&world, world.config_with(more));
    let text = refused(json!({"spreadsheet_id": "unknown"})).await.unwrap_err();
    assert!(text.contains("share the spreadsheet"), "{text}");
    let text = refused(json!({"client_secret": "wrong"})).await.unwrap_err();
    assert!(text.contains("`client_secret`"), "{text}");
    let text = refused(json!({"client_id": null})).await.unwrap_err();
    assert_eq!(text, "client_id required (provide in config or set GOOGLE_CLIENT_ID)");
    let text = refused(json!({"refresh_token": null})).await.unwrap_err();
    assert!(text.contains("no credentials for Google"), "{text}");
    let key = service_account_key(&world.server.url());
    assert_eq!(refused(json!({"refresh_token": null, "service_account_key": key})).await, Ok(()));
    world.server.edit(&world.id, |spreadsheet| spreadsheet.editable = false);
    let text = refused(json!({"service_account_key": key.to_string()})).await.unwrap_err();
    assert!(text.contains(&format!("add {SERVICE_ACCOUNT} as an editor")), "{text}");
    world.server.revoke();
    let text = refused(json!({})).await.unwrap_err();
    assert!(text.contains("revoked or has expired"), "{text}");
}

/// A sync of customers that goes on until the sender is dropped.
fn sync(world: &World, stream: &Stream) -> (UnboundedSender<Message>, MessageStream) {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let input = futures::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|m| (Ok(m), receiver))
    });
    let request = protocol::WriteRequest {
        catalog: crate::world::catalog(&[stream]),
        input: Box::pin(input),
        sync_id: Some("sync".to_owned()),
    };
    let config = world.config_with(json!({"batch_size": 4}));
    (sender, world.destination.write(config, request))
}

/// Waits until the first batch of four is written.
async fn first_batch(stream: &Stream, sender: &UnboundedSender<Message>, back: &mut MessageStream) {
    for message in page(stream, 4, 10) {
        sender.send(message).unwrap();
    }
    // A message behind the batch, so that it is cut.
    sender.send(upsert(stream, &json!({"id": "cus_0", "name": "N0 v11", "_updated_at": 11}))).unwrap();
    let state = |message: Message| matches!(message.payload, Payload::SourceState(_));
    while !state(futures::StreamExt::next(back).await.unwrap().unwrap()) {}
}

#[tokio::test]
async fn what_users_do_during_a_run_is_noticed() {
    let world = World::new().await;
    let stream = customers();
    let (sender, mut back) = sync(&world, &stream);
    first_batch(&stream, &sender, &mut back).await;
    world
        .server
        .edit(&world.id, |spreadsheet| spreadsheet.sheet_mut("customer").unwrap().cells[1..5].reverse());
    tokio::time::sleep(MINUTE / 4).await;
    drop(sender);
    run_to_end(back).await.unwrap();
    let mut names = expected(4, 10);
    names.insert("cus_0".to_owned(), "N0 v11".to_owned());
    assert_eq!(world.names("customer"), names);
}

#[tokio::test]
async fn access_that_ends_during_a_run_is_told_and_nothing_is_claimed() {
    let world = World::new().await;
    let stream = customers();
    let (sender, mut back) = sync(&world, &stream);
    first_batch(&stream, &sender, &mut back).await;
    world.server.revoke();
    world.server.expire_tokens();
    for message in page(&stream, 9, 13) {
        sender.send(message).unwrap();
    }
    drop(sender);
    let mut late = crate::world::Back::default();
    run_to_end(back).await.unwrap().into_iter().for_each(|message| late.take(message));
    assert!(late.errors.iter().any(|error| error.contains("revoked or has expired")), "{late:?}");
    assert!(late.states.is_empty() && late.records == 0, "{late:?}");
    assert_eq!(world.names("customer"), expected(4, 10));
}

/// The older one stops; the rows are those of the newer one, each once.
#[tokio::test]
async fn of_two_syncs_at_once_the_newer_one_writes() {
    let world = World::new().await;
    let stream = customers();
    let (sender, mut back) = sync(&world, &stream);
    first_batch(&stream, &sender, &mut back).await;
    world.write(&[&stream], page(&stream, 6, 12)).await;
    // What is known of rows is old after a sixth of a minute.
    tokio::time::sleep(MINUTE / 4).await;
    for message in page(&stream, 9, 13) {
        sender.send(message).unwrap();
    }
    drop(sender);
    let mut late = crate::world::Back::default();
    for message in run_to_end(back).await.unwrap() {
        late.take(message);
    }
    assert!(late.errors.iter().any(|error| error.contains("another sync began to write")), "{late:?}");
    assert!(late.states.is_empty(), "{late:?}");
    assert_eq!(world.names("customer"), expected(6, 12));
    // Whoever comes after is in nobody's way.
    world.write(&[&stream], page(&stream, 7, 14)).await;
    assert_eq!(world.names("customer"), expected(7, 14));
}
