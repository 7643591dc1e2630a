//! What comes back, and when.

use anyhow::{Context, ensure};
use conformance::comes_back_in_order;
use conformance::script::interleaved;
use futures::{StreamExt, stream as streams};
use protocol::{ConnectorError, ErrorKind, Payload, SourceStateMessage, Stream};

use super::DestinationFixture;
use super::place::{Place, global_state, input, key_of, payload, raw, state, stream, upsert};

fn three_streams() -> [Stream; 3] {
    ["customer", "charge", "invoice"].map(stream)
}

pub(super) async fn every_message_comes_back_in_order<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let streams = three_streams();
    let place = Place::new(fixture, &streams).await?;
    let sent = interleaved(&streams);
    let back = place.write(sent.clone()).await?;
    comes_back_in_order(&sent, &back)?;
    Ok(())
}

pub(super) async fn records_come_back_only_once_durable<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let customer = stream("customer");
    let place = Place::new(fixture, std::slice::from_ref(&customer)).await?;
    let records = (0..30).map(|at| upsert(&customer, &payload(&format!("cus_{at}"), 1, "a"))).collect();
    let mut out = place.open(input(records), None)?;
    while let Some(message) = out.next().await {
        let Payload::Record(record) = message?.payload else { continue };
        let key = key_of(&customer, record.data.as_str())?;
        ensure!(place.rows(&customer).await?.contains_key(&key), "{key:?} came back before it was stored");
    }
    Ok(())
}

pub(super) async fn states_come_back_only_after_their_rows<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let streams = three_streams();
    let place = Place::new(fixture, &streams).await?;
    let sent = interleaved(&streams);
    let mut out = place.open(input(sent.clone()), None)?;
    while let Some(message) = out.next().await {
        let message = message?;
        let Payload::SourceState(SourceStateMessage::Stream { stream, .. }) = &message.payload else {
            continue;
        };
        let before = sent.iter().take_while(|sent| sent.payload != message.payload);
        let stream = streams.iter().find(|one| one.name == *stream).context("a state of a foreign stream")?;
        let stored = place.rows(stream).await?;
        for earlier in before {
            let Payload::Record(record) = &earlier.payload else { continue };
            if record.stream != stream.name {
                continue;
            }
            let key = key_of(stream, record.data.as_str())?;
            ensure!(stored.contains_key(&key), "{:?} came back before {key:?} was stored", message.payload);
        }
    }
    Ok(())
}

pub(super) async fn global_states_come_back_only_after_all_rows<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let streams = three_streams();
    let place = Place::new(fixture, &streams).await?;
    let mut messages = Vec::new();
    for at in 0..30_usize {
        messages.push(upsert(&streams[at % 3], &payload(&format!("id_{at}"), 1, "a")));
        if at % 8 == 7 {
            messages.push(global_state(&format!(r#"{{"rows":{}}}"#, at + 1)));
        }
    }
    messages.push(global_state(r#"{"rows":30}"#));
    let mut out = place.open(input(messages), None)?;
    let mut seen = Vec::new();
    while let Some(message) = out.next().await {
        let Payload::SourceState(SourceStateMessage::Global { data }) = message?.payload else { continue };
        let rows: usize = data.members(["rows"])?[0].context("the suite's own state")?.get().parse()?;
        for at in 0..rows {
            let stored = place.rows(&streams[at % 3]).await?;
            let key = vec![format!("id_{at}"), "acct_1".to_owned()];
            ensure!(
                stored.contains_key(&key),
                "the global state after {rows} rows came back before row {at} was stored"
            );
        }
        seen.push(rows);
    }
    ensure!(seen == [8, 16, 24, 30], "the global states that came back are those after {seen:?} rows");
    Ok(())
}

pub(super) async fn what_came_before_a_broken_input_is_written<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let customer = stream("customer");
    let place = Place::new(fixture, std::slice::from_ref(&customer)).await?;
    let row = payload("cus_1", 1, "a");
    let broken = ConnectorError::new(ErrorKind::Transient, "the source is gone");
    let messages = vec![Ok(upsert(&customer, &row)), Ok(state(&customer, "1")), Err(broken)];
    let mut out = place.open(streams::iter(messages).boxed(), None)?;
    let mut seen = Vec::new();
    let mut failure = None;
    while let Some(message) = out.next().await {
        match message {
            Ok(message) => seen.push(message.payload),
            Err(error) => failure = Some(error.to_string()),
        }
    }
    ensure!(
        failure.is_some_and(|text| text.contains("the source is gone")),
        "the input's failure was swallowed"
    );
    let state =
        Payload::SourceState(SourceStateMessage::Stream { stream: customer.name.clone(), data: raw("1") });
    ensure!(seen.contains(&state), "the state before the failure was withheld");
    place.expect(&customer, &[&row]).await
}

pub(super) async fn many_streams_at_once<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    let streams: Vec<Stream> = (0..30).map(|at| stream(&format!("stream_{at}"))).collect();
    let place = Place::new(fixture, &streams).await?;
    let rows: Vec<String> = (0..12).map(|at| payload(&format!("id_{at}"), 1, "a")).collect();
    let messages = rows.iter().flat_map(|row| streams.iter().map(move |stream| upsert(stream, row)));
    place.write_well(messages.collect()).await?;
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    for stream in &streams {
        place.expect(stream, &rows).await?;
    }
    Ok(())
}
