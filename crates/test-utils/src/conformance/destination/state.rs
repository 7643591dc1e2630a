//! States that are kept beside the rows. A destination that keeps none passes as it is.

use anyhow::{Context, ensure};
use futures::StreamExt;
use protocol::{Message, SourceState, StateStore};

use super::DestinationFixture;
use super::place::{Place, catalog, global_state, input, payload, raw, state, stream, upsert};

pub(super) async fn nothing_is_stored_at_first<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    let untouched = Place { fixture, config: fixture.fresh().await?, catalog: catalog(&[]) };
    let Some(store) = untouched.states("sync").await? else { return Ok(()) };
    ensure!(
        store.load().await.context("before setup")?.is_none(),
        "a state in a place that was never set up"
    );
    store.clear().await.context("clear before setup")?;
    let place = Place::new(fixture, &[stream("customer")]).await?;
    ensure!(place.stored("sync").await?.is_none(), "a state before anything was written");
    Ok(())
}

pub(super) async fn states_are_stored_under_their_sync<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let (customer, charge) = (stream("customer"), stream("charge"));
    let place = Place::new(fixture, &[customer.clone(), charge.clone()]).await?;
    if place.states("one").await?.is_none() {
        return Ok(());
    }
    let row = payload("id_1", 1, "a");
    let exact = r#"{"cursor":"a","n":12345678901234567890123,"d":1.10}"#;
    let one = vec![
        upsert(&customer, &row),
        state(&customer, r#"{"cursor":"old"}"#),
        upsert(&charge, &row),
        state(&customer, exact),
        state(&charge, "[1]"),
        global_state(r#"{"events":7}"#),
    ];
    place.write_as(one, Some("one")).await?;
    place.write_as(vec![state(&customer, r#"{"cursor":"other"}"#)], Some("two")).await?;
    place.write_as(vec![state(&customer, r#"{"cursor":"unnamed"}"#)], None).await?;

    let mut expected = SourceState { global: raw(r#"{"events":7}"#), ..SourceState::default() };
    expected.streams.insert("customer".to_owned(), raw(exact));
    expected.streams.insert("charge".to_owned(), raw("[1]"));
    same(place.stored("one").await?.as_ref(), Some(&expected))?;
    place.setup().await?;
    same(place.stored("one").await?.as_ref(), Some(&expected)).context("after another setup")?;
    place.write_as(vec![state(&charge, "[2]")], Some("one")).await?;
    expected.streams.insert("charge".to_owned(), raw("[2]"));
    same(place.stored("one").await?.as_ref(), Some(&expected)).context("after another write")?;

    let one: Box<dyn StateStore> = place.states("one").await?.context("the store is gone")?;
    one.clear().await?;
    ensure!(one.load().await?.is_none(), "the state is still there after `clear`");
    let mut other = SourceState::default();
    other.streams.insert("customer".to_owned(), raw(r#"{"cursor":"other"}"#));
    same(place.stored("two").await?.as_ref(), Some(&other)).context("another sync's state")
}

fn same(actual: Option<&SourceState>, expected: Option<&SourceState>) -> anyhow::Result<()> {
    let text = |state: Option<&SourceState>| -> anyhow::Result<String> {
        let text = state.map(serde_json::to_string).transpose()?.unwrap_or_default();
        if text.is_empty() { Ok(text) } else { crate::conformance::json::canonical(&text) }
    };
    let (actual, expected) = (text(actual)?, text(expected)?);
    ensure!(actual == expected, "the stored state is {actual} instead of {expected}");
    Ok(())
}

pub(super) async fn states_of_a_failed_stream_are_not_stored<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let (customer, charge) = (stream("customer"), stream("charge"));
    let place = Place::new(fixture, &[customer.clone(), charge.clone()]).await?;
    if place.states("sync").await?.is_none() {
        return Ok(());
    }
    let bad = r#"{"id":"cus_bad","_account_id":"acct_1"}"#;
    let messages = vec![
        upsert(&customer, bad),
        state(&customer, "1"),
        upsert(&charge, &payload("ch_1", 1, "a")),
        state(&charge, "1"),
        global_state(r#"{"events":1}"#),
    ];
    place.write_as(messages, Some("sync")).await?;
    let mut expected = SourceState::default();
    expected.streams.insert("charge".to_owned(), raw("1"));
    same(place.stored("sync").await?.as_ref(), Some(&expected))
}

pub(super) async fn a_state_without_rows_is_stored<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    let customer = stream("customer");
    let place = Place::new(fixture, std::slice::from_ref(&customer)).await?;
    if place.states("sync").await?.is_none() {
        return Ok(());
    }
    place.write_as(vec![state(&customer, r#"{"done":true}"#)], Some("sync")).await?;
    let mut expected = SourceState::default();
    expected.streams.insert("customer".to_owned(), raw(r#"{"done":true}"#));
    same(place.stored("sync").await?.as_ref(), Some(&expected))
}

/// Stops the write at many points, before and after messages came back, and compares what is left.
pub(super) async fn a_state_is_never_ahead_of_its_rows<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let customer = stream("customer");
    let rows = 40_usize;
    for stop in 0..24 {
        let place = Place::new(fixture, std::slice::from_ref(&customer)).await?;
        let mut messages = Vec::new();
        for at in 1..=rows {
            messages.push(upsert(&customer, &payload(&format!("cus_{at}"), 1, "a")));
            if at % 3 == 0 {
                messages.push(state(&customer, &at.to_string()));
                messages.push(global_state(&format!(r#"{{"rows":{at}}}"#)));
            }
        }
        let mut out = place.open(input(messages), Some("sync"))?;
        let mut seen = Vec::new();
        if stop % 2 == 0 {
            // So many messages come back before nobody listens any more.
            for message in out.by_ref().take(stop * 2).collect::<Vec<_>>().await {
                seen.push(message?);
            }
        }
        // Work that was begun but not waited for is given a few turns.
        for _ in 0..stop {
            if let std::task::Poll::Ready(Some(message)) = futures::poll!(out.next()) {
                seen.push(message?);
            }
            tokio::task::yield_now().await;
        }
        drop(out);
        compare(&place, &seen).await.with_context(|| format!("stopped after {} messages", seen.len()))?;
    }
    Ok(())
}

async fn compare<F: DestinationFixture>(place: &Place<'_, F>, seen: &[Message]) -> anyhow::Result<()> {
    let customer = stream("customer");
    // The state first: rows that arrive meanwhile do no harm.
    let state = place.stored("sync").await?.unwrap_or_default();
    let stored = place.rows(&customer).await?;
    let covered = state.streams.get("customer").map(|state| state.as_str().parse::<usize>()).transpose()?;
    let all = match state.global.members(["rows"])?[0] {
        Some(rows) => rows.get().parse::<usize>()?,
        None => 0,
    };
    for at in 1..=covered.unwrap_or(0).max(all) {
        let key = vec![format!("cus_{at}"), "acct_1".to_owned()];
        ensure!(stored.contains_key(&key), "the state {covered:?} (global {all}) is stored without row {at}");
    }
    let returned = seen.iter().rev().find_map(|message| match &message.payload {
        protocol::Payload::SourceState(protocol::SourceStateMessage::Stream { data, .. }) => {
            Some(data.as_str())
        }
        _ => None,
    });
    if let (Some(returned), true) = (returned, place.states("sync").await?.is_some()) {
        let returned: usize = returned.parse()?;
        ensure!(
            covered.is_some_and(|covered| covered >= returned),
            "state {returned} came back but {covered:?} is stored"
        );
    }
    Ok(())
}
