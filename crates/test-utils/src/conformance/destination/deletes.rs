//! Deleting, and what may undo it.

use anyhow::Context;
use protocol::{Message, Stream};

use super::DestinationFixture;
use super::place::{Place, delete, payload, stream, upsert};

/// One step of a script about the row `a`.
#[derive(Debug, Clone, Copy)]
enum Step {
    Upsert(i64),
    Delete(i64),
    /// A delete that does not say when.
    DeleteNow,
}

use Step::{Delete, DeleteNow, Upsert};

fn message(stream: &Stream, step: Step) -> Message {
    match step {
        Upsert(version) => upsert(stream, &payload("a", version, "row")),
        Delete(version) => delete(stream, &payload("a", version, "deleted")),
        DeleteNow => delete(stream, r#"{"id":"a","_account_id":"acct_1","deleted":true}"#),
    }
}

/// Takes the steps in one batch and in a write each; both must leave the row with this version, or none.
async fn ends<F: DestinationFixture>(
    fixture: &F,
    steps: &[Step],
    version: Option<i64>,
) -> anyhow::Result<()> {
    let customer = stream("customer");
    let bystander = payload("b", 1, "bystander");
    let row = version.map(|version| payload("a", version, "row"));
    let mut expected: Vec<&str> = vec![&bystander];
    expected.extend(row.as_deref());
    for in_one_batch in [true, false] {
        let place = Place::new(fixture, std::slice::from_ref(&customer)).await?;
        place.write_well(vec![upsert(&customer, &bystander)]).await?;
        let messages: Vec<Message> = steps.iter().map(|step| message(&customer, *step)).collect();
        if in_one_batch {
            place.write_well(messages).await?;
        } else {
            for message in messages {
                place.write_well(vec![message]).await?;
            }
        }
        let told = || format!("{steps:?}, {}", if in_one_batch { "in one batch" } else { "one by one" });
        place.expect(&customer, &expected).await.with_context(told)?;
    }
    Ok(())
}

pub(super) async fn a_delete_removes_the_row<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    ends(fixture, &[Upsert(5), Delete(6)], None).await?;
    ends(fixture, &[Upsert(5), Delete(5)], None).await
}

pub(super) async fn an_unknown_key_can_be_deleted<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    ends(fixture, &[Delete(6)], None).await?;
    ends(fixture, &[DeleteNow], None).await?;
    ends(fixture, &[Delete(6), Delete(5)], None).await
}

pub(super) async fn an_older_write_does_not_undo_a_delete<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    ends(fixture, &[Upsert(5), Delete(6), Upsert(5)], None).await?;
    ends(fixture, &[Upsert(5), Delete(6), Upsert(6)], None).await?;
    ends(fixture, &[Delete(6), Upsert(5)], None).await?;
    ends(fixture, &[Delete(6), Delete(3), Upsert(5)], None).await
}

pub(super) async fn a_newer_write_does<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    ends(fixture, &[Upsert(5), Delete(6), Upsert(7)], Some(7)).await?;
    ends(fixture, &[Delete(6), Upsert(7), Upsert(6)], Some(7)).await?;
    ends(fixture, &[Delete(6), Upsert(7), Delete(8), Upsert(7)], None).await
}

pub(super) async fn an_older_delete_is_ignored<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    ends(fixture, &[Upsert(5), Delete(4)], Some(5)).await?;
    ends(fixture, &[Upsert(5), Delete(4), Upsert(4)], Some(5)).await
}

pub(super) async fn a_delete_without_a_version_always_deletes<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    // In the year 2096, so that it is newer than any clock of a test.
    let future = 4_000_000_000;
    ends(fixture, &[Upsert(5), DeleteNow], None).await?;
    ends(fixture, &[Upsert(future), DeleteNow], None).await?;
    ends(fixture, &[Upsert(5), DeleteNow, Upsert(6)], None).await?;
    ends(fixture, &[Upsert(5), DeleteNow, Upsert(future)], Some(future)).await?;
    ends(fixture, &[Upsert(future + 1), DeleteNow, Upsert(future)], Some(future)).await
}

pub(super) async fn order_within_a_batch_counts<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    ends(fixture, &[Upsert(5), Delete(6)], None).await?;
    ends(fixture, &[Delete(5), Upsert(6)], Some(6)).await?;
    ends(fixture, &[Upsert(4), Delete(5), Upsert(6), Delete(7), Upsert(8)], Some(8)).await
}
