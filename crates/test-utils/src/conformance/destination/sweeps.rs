//! Children that their parent no longer holds.

use anyhow::Context;
use protocol::{Message, Stream, Sweep};
use serde_json::Value;

use super::DestinationFixture;
use super::place::{Place, child, child_stream, delete, upsert};

/// A child of `sub_1`, or of another parent.
fn of(parent: &str, id: &str, version: i64) -> String {
    child(id, version, "child", parent)
}

fn sweep(stream: &Stream, parent: &str, keep: &[&str], version: i64) -> Message {
    let keep = keep.iter().map(|id| (*id).to_owned()).collect();
    let account = "acct_1".to_owned();
    delete(stream, Sweep { parent: parent.to_owned(), account, keep, version }.write().as_str())
}

/// One step of a script about the children of `sub_1`.
#[derive(Debug, Clone, Copy)]
enum Step {
    Upsert(&'static str, i64),
    Delete(&'static str, i64),
    Sweep(&'static [&'static str], i64),
}

use Step::{Delete, Sweep as Keep, Upsert};

/// Takes the steps in one batch and in a write each; both must leave these children.
async fn ends<F: DestinationFixture>(
    fixture: &F,
    steps: &[Step],
    left: &[(&'static str, i64)],
) -> anyhow::Result<()> {
    let stream = child_stream("subscription_item");
    let expected: Vec<String> = left.iter().map(|(id, version)| of("sub_1", id, *version)).collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    for in_one_batch in [true, false] {
        let place = Place::new(fixture, std::slice::from_ref(&stream)).await?;
        let message = |step: &Step| match step {
            Upsert(id, version) => upsert(&stream, &of("sub_1", id, *version)),
            Delete(id, version) => delete(&stream, &of("sub_1", id, *version)),
            Keep(keep, version) => sweep(&stream, "sub_1", keep, *version),
        };
        if in_one_batch {
            place.write_well(steps.iter().map(message).collect()).await?;
        } else {
            for step in steps {
                place.write_well(vec![message(step)]).await?;
            }
        }
        let told = || format!("{steps:?}, {}", if in_one_batch { "in one batch" } else { "one by one" });
        place.expect(&stream, &expected).await.with_context(told)?;
    }
    Ok(())
}

pub(super) async fn what_is_not_kept_goes<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    ends(fixture, &[Upsert("a", 5), Upsert("b", 5), Keep(&["a"], 6)], &[("a", 5)]).await?;
    ends(fixture, &[Upsert("a", 5), Upsert("b", 6), Keep(&["b", "never"], 6)], &[("b", 6)]).await?;
    ends(fixture, &[Upsert("a", 5), Upsert("it's \"b\"", 5), Keep(&["it's \"b\""], 6)], &[("it's \"b\"", 5)])
        .await
}

pub(super) async fn where_nothing_is_kept_all_go<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    ends(fixture, &[Upsert("a", 5), Upsert("b", 6), Keep(&[], 6)], &[]).await?;
    ends(fixture, &[Keep(&[], 6), Upsert("a", 7)], &[("a", 7)]).await
}

pub(super) async fn other_parents_accounts_and_streams_are_left_alone<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let streams = [child_stream("subscription_item"), child_stream("line_item")];
    let place = Place::new(fixture, &streams).await?;
    let other_account = of("sub_1", "c", 5).replace("acct_1", "acct_2");
    let numeric = of("1", "d", 5).replace("\"1\"", "1");
    let rows = [of("sub_1", "a", 5), of("sub_2", "b", 5), other_account, numeric, of("sub_", "e", 5)];
    let messages = rows.iter().flat_map(|row| streams.iter().map(move |stream| upsert(stream, row)));
    place.write_well(messages.collect()).await?;
    place.write_well(vec![sweep(&streams[0], "sub_1", &[], 6)]).await?;
    let all: Vec<&str> = rows.iter().map(String::as_str).collect();
    place.expect(&streams[0], &all[1..]).await?;
    place.expect(&streams[1], &all).await
}

pub(super) async fn a_newer_child_stays<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    ends(fixture, &[Upsert("a", 7), Upsert("b", 6), Keep(&[], 6)], &[("a", 7)]).await
}

pub(super) async fn an_older_page_does_not_bring_a_child_back<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    ends(fixture, &[Upsert("a", 5), Keep(&[], 8), Upsert("a", 7)], &[]).await?;
    ends(fixture, &[Upsert("a", 5), Keep(&[], 8), Keep(&[], 9), Upsert("a", 5)], &[]).await?;
    ends(fixture, &[Upsert("a", 8), Keep(&[], 8), Upsert("a", 7), Upsert("a", 9)], &[("a", 9)]).await
}

pub(super) async fn a_read_of_the_same_second_does<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    ends(fixture, &[Upsert("a", 8), Keep(&[], 8), Upsert("a", 8)], &[("a", 8)]).await?;
    ends(fixture, &[Upsert("a", 5), Keep(&[], 8), Upsert("a", 8)], &[("a", 8)]).await?;
    ends(fixture, &[Upsert("a", 8), Delete("a", 8), Keep(&[], 8), Upsert("a", 8)], &[]).await
}

pub(super) async fn order_with_records_counts<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    ends(
        fixture,
        &[Upsert("a", 5), Upsert("b", 5), Keep(&["b"], 5), Upsert("c", 5), Keep(&["c"], 6), Upsert("b", 7)],
        &[("b", 7), ("c", 5)],
    )
    .await?;
    ends(fixture, &[Upsert("a", 5), Keep(&[], 6), Upsert("a", 6), Keep(&["a"], 6)], &[("a", 6)]).await?;
    // Many parents in turn, as a page of them comes.
    let stream = child_stream("subscription_item");
    let place = Place::new(fixture, std::slice::from_ref(&stream)).await?;
    let (mut messages, mut left) = (Vec::new(), Vec::new());
    for parent in 0..20 {
        let parent = format!("sub_{parent}");
        let [kept, gone, later] =
            ["kept", "gone", "later"].map(|id| of(&parent, &format!("{parent}_{id}"), 5));
        messages.extend([&kept, &gone].map(|row| upsert(&stream, row)));
        messages.push(sweep(&stream, &parent, &[&format!("{parent}_kept")], 5));
        messages.push(upsert(&stream, &later));
        left.extend([kept, later]);
    }
    place.write_well(messages).await?;
    place.expect(&stream, &left.iter().map(String::as_str).collect::<Vec<_>>()).await
}

pub(super) async fn keys_with_the_parent_in_them_are_swept<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let mut stream = child_stream("capability");
    stream.primary_key.insert(1, vec!["_parent_id".to_owned()]);
    let place = Place::new(fixture, std::slice::from_ref(&stream)).await?;
    let rows = [of("acct_7", "card", 5), of("acct_7", "cash", 5), of("acct_8", "cash", 5)];
    place.write_well(rows.iter().map(|row| upsert(&stream, row)).collect()).await?;
    place.write_well(vec![sweep(&stream, "acct_7", &["card"], 6)]).await?;
    place.expect(&stream, &[&rows[0], &rows[2]]).await?;
    place.write_well(vec![upsert(&stream, &rows[1])]).await?;
    place.expect(&stream, &[&rows[0], &rows[2]]).await
}

pub(super) async fn a_malformed_sweep_fails_its_stream<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let stream = child_stream("subscription_item");
    let place = Place::new(fixture, std::slice::from_ref(&stream)).await?;
    let row = of("sub_1", "a", 5);
    let broken = Value::from("no list");
    let data = format!(
        r#"{{"id":"","_parent_id":"sub_1","_keep":{broken},"_updated_at":6,"_account_id":"acct_1"}}"#
    );
    let back = place.write(vec![upsert(&stream, &row)]).await?;
    anyhow::ensure!(super::place::errors(&back).next().is_none(), "the child was refused");
    let back = place.write(vec![delete(&stream, &data)]).await?;
    let told: Vec<&str> = super::place::errors(&back).map(|(_, error)| error).collect();
    anyhow::ensure!(told.iter().any(|error| error.contains("_keep")), "said instead: {told:?}");
    place.expect(&stream, &[&row]).await
}
