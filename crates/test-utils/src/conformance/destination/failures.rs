//! A stream that cannot be written.

use anyhow::{Context, ensure};
use protocol::{Message, Payload, SourceStateMessage, Stream};

use super::DestinationFixture;
use super::place::{Place, errors, global_state, payload, raw, state, stream, upsert};

/// Writes a bad record of `customer` among good ones of `charge`. Answers the error.
async fn fails_alone<F: DestinationFixture>(fixture: &F, bad: &str) -> anyhow::Result<String> {
    let (customer, charge) = (stream("customer"), stream("charge"));
    let place = Place::new(fixture, &[customer.clone(), charge.clone()]).await?;
    place_fails_alone(&place, &customer, &charge, bad).await
}

async fn place_fails_alone<F: DestinationFixture>(
    place: &Place<'_, F>,
    customer: &Stream,
    charge: &Stream,
    bad: &str,
) -> anyhow::Result<String> {
    let charges: Vec<String> = (0..12).map(|at| payload(&format!("ch_{at}"), 1, "a")).collect();
    let mut messages: Vec<Message> = charges[..6].iter().map(|row| upsert(charge, row)).collect();
    messages.extend([upsert(customer, bad), state(customer, r#""after the bad record""#)]);
    messages.extend(charges[6..].iter().map(|row| upsert(charge, row)));
    messages.extend((0..12).map(|at| upsert(customer, &payload(&format!("cus_{at}"), 1, "a"))));
    messages.extend([state(customer, r#""later""#), state(charge, r#""end""#), global_state("{}")]);
    let back = place.write_as(messages, Some("sync")).await.context("the whole write failed")?;

    let failed: Vec<(&str, &str)> = errors(&back).collect();
    ensure!(failed.len() == 1, "one stream should fail, once: {failed:?}");
    let (stream, error) = failed[0];
    ensure!(*stream == *customer.name, "stream `{stream}` failed instead: {error}");
    let states: Vec<&Payload> = back
        .iter()
        .map(|message| &message.payload)
        .filter(|payload| matches!(payload, Payload::SourceState(_)))
        .collect();
    let end = SourceStateMessage::Stream { stream: charge.name.clone(), data: raw(r#""end""#) };
    ensure!(states == [&Payload::SourceState(end)], "only the good stream's state holds: {states:?}");
    let charges: Vec<&str> = charges.iter().map(String::as_str).collect();
    place.expect(charge, &charges).await?;
    let handed_back = back.iter().filter(
        |message| matches!(&message.payload, Payload::Record(record) if record.stream == customer.name),
    );
    ensure!(handed_back.count() == 0, "records of the failed stream came back");
    Ok(error.to_owned())
}

pub(super) async fn a_record_without_a_version_fails_its_stream<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    for bad in [
        r#"{"id":"cus_bad","_account_id":"acct_1"}"#,
        r#"{"id":"cus_bad","_account_id":"acct_1","_updated_at":null}"#,
        r#"{"id":"cus_bad","_account_id":"acct_1","_updated_at":"soon"}"#,
    ] {
        let error = fails_alone(fixture, bad).await.context(bad)?;
        for part in ["customer", "_updated_at", "cus_bad"] {
            ensure!(error.contains(part), "`{error}` does not name `{part}`");
        }
    }
    Ok(())
}

pub(super) async fn a_record_without_a_key_fails_its_stream<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    for (bad, parts) in [
        (r#"{"id":"cus_bad","_updated_at":1}"#, ["customer", "_account_id", "cus_bad"]),
        (r#"{"id":"cus_bad","_account_id":null,"_updated_at":1}"#, ["customer", "_account_id", "cus_bad"]),
        (r#"{"_account_id":"acct_bad","_updated_at":1}"#, ["customer", "`id`", "acct_bad"]),
    ] {
        let error = fails_alone(fixture, bad).await.context(bad)?;
        for part in parts {
            ensure!(error.contains(part), "`{error}` does not name `{part}`");
        }
    }
    Ok(())
}

pub(super) async fn an_unknown_stream_fails_alone<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    let (unknown, charge) = (stream("never_configured"), stream("charge"));
    let place = Place::new(fixture, std::slice::from_ref(&charge)).await?;
    let error = place_fails_alone(&place, &unknown, &charge, &payload("x_1", 1, "a")).await?;
    ensure!(error.contains("never_configured"), "`{error}` does not name the stream");
    Ok(())
}
