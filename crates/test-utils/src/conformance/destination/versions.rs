//! What may replace what.

use super::DestinationFixture;
use super::place::{Place, payload, stream, upsert};

/// Writes versions of one row in turn, each in a write of its own, and expects the last named one.
async fn one_by_one<F: DestinationFixture>(
    fixture: &F,
    versions: &[&str],
    expected: &str,
) -> anyhow::Result<()> {
    let customer = stream("customer");
    let place = Place::new(fixture, std::slice::from_ref(&customer)).await?;
    for version in versions {
        place.write_well(vec![upsert(&customer, version)]).await?;
    }
    place.expect(&customer, &[expected]).await
}

/// Writes versions of one row in one batch.
async fn at_once<F: DestinationFixture>(
    fixture: &F,
    versions: &[&str],
    expected: &str,
) -> anyhow::Result<()> {
    let customer = stream("customer");
    let place = Place::new(fixture, std::slice::from_ref(&customer)).await?;
    place.write_well(versions.iter().map(|version| upsert(&customer, version)).collect()).await?;
    place.expect(&customer, &[expected]).await
}

pub(super) async fn newer_and_equal_versions_replace<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let (first, newer, equal) =
        (payload("a", 10, "first"), payload("a", 11, "newer"), payload("a", 11, "equal"));
    one_by_one(fixture, &[&first, &newer], &newer).await?;
    one_by_one(fixture, &[&first, &newer, &equal], &equal).await
}

pub(super) async fn older_versions_are_skipped<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    let (newer, older) = (payload("a", 11, "newer"), payload("a", 10, "older"));
    one_by_one(fixture, &[&newer, &older], &newer).await
}

pub(super) async fn duplicates_in_a_batch_end_in_the_newest<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let [old, new, tie] =
        [(1, "old"), (2, "new"), (2, "tie")].map(|(version, note)| payload("a", version, note));
    at_once(fixture, &[&old, &new], &new).await?;
    at_once(fixture, &[&new, &old], &new).await?;
    at_once(fixture, &[&old, &new, &tie, &old], &tie).await
}

pub(super) async fn versions_are_compared_exactly<F: DestinationFixture>(fixture: &F) -> anyhow::Result<()> {
    // As 64-bit floats the first two are equal.
    let pairs = [
        (9_007_199_254_740_993, 9_007_199_254_740_992),
        (i64::MAX, i64::MAX - 1),
        (-5, -10),
        (100, 99),
        (1_700_000_000, 999_999_999),
        (253_402_300_800, 253_402_300_799),
    ];
    for (newer, older) in pairs {
        let (newer, older) = (payload("a", newer, "newer"), payload("a", older, "older"));
        one_by_one(fixture, &[&newer, &older], &newer).await?;
        one_by_one(fixture, &[&older, &newer], &newer).await?;
        at_once(fixture, &[&newer, &older], &newer).await?;
    }
    Ok(())
}

pub(super) async fn repeating_a_write_changes_nothing<F: DestinationFixture>(
    fixture: &F,
) -> anyhow::Result<()> {
    let row = payload("a", 10, "same");
    one_by_one(fixture, &[&row, &row], &row).await?;
    at_once(fixture, &[&row, &row], &row).await
}
