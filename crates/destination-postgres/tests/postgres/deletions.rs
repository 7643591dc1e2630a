//! Deletions and what they leave.

use protocol::ConfiguredCatalog;

use crate::harness::{Place, catalog, deletion, place, plain_stream, record, stream_errors, stripe_stream};

async fn things() -> (Place, ConfiguredCatalog) {
    let (place, catalog) = (place().await, catalog([plain_stream("thing")]));
    place.setup(&catalog).await.unwrap();
    (place, catalog)
}

fn thing(updated: i64) -> protocol::Message {
    record("thing", &format!(r#"{{"id":"1","updated":{updated}}}"#))
}

fn gone(updated: i64) -> protocol::Message {
    deletion("thing", &format!(r#"{{"id":"1","deleted":true,"updated":{updated}}}"#))
}

const ROWS: &str = "SELECT _raw_data->>'updated' FROM stripe.thing";
const TOMBSTONES: &str = "SELECT concat_ws(' ', stream, key, updated_at) FROM stripe._sync_tombstones";

#[tokio::test]
async fn a_deleted_row_is_not_resurrected() {
    let (place, catalog) = things().await;
    place.write(&catalog, vec![thing(10)]).await;
    place.write(&catalog, vec![gone(20)]).await;
    assert_eq!(place.query(ROWS).await, [""; 0]);
    assert_eq!(place.query(TOMBSTONES).await, ["thing [\"1\"] 20"]);
    for stale in [10, 19, 20] {
        place.write(&catalog, vec![thing(stale)]).await;
        assert_eq!(place.query(ROWS).await, [""; 0], "{stale}");
    }
    place.write(&catalog, vec![thing(21)]).await;
    assert_eq!(place.query(ROWS).await, ["21"]);
    assert_eq!(place.query(TOMBSTONES).await, [""; 0]);
}

#[tokio::test]
async fn a_deletion_older_than_the_row_is_ignored() {
    let (place, catalog) = things().await;
    place.write(&catalog, vec![thing(10)]).await;
    place.write(&catalog, vec![gone(9)]).await;
    assert_eq!(place.query(ROWS).await, ["10"]);
    assert_eq!(place.query(TOMBSTONES).await, [""; 0]);
    place.write(&catalog, vec![gone(10)]).await;
    assert_eq!(place.query(ROWS).await, [""; 0]);
}

#[tokio::test]
async fn a_deletion_may_come_first_and_again() {
    let (place, catalog) = things().await;
    place.write(&catalog, vec![gone(30)]).await;
    place.write(&catalog, vec![gone(20)]).await;
    assert_eq!(place.query(TOMBSTONES).await, ["thing [\"1\"] 30"]);
    place.write(&catalog, vec![thing(25)]).await;
    assert_eq!(place.query(ROWS).await, [""; 0]);
}

#[tokio::test]
async fn a_deletion_without_a_version_always_deletes() {
    let (place, catalog) = things().await;
    place.write(&catalog, vec![thing(4_000_000_000)]).await;
    place.write(&catalog, vec![deletion("thing", r#"{"id":"1"}"#)]).await;
    assert_eq!(place.query(ROWS).await, [""; 0]);
    let now = "SELECT abs(updated_at - extract(epoch FROM now())) < 60 FROM stripe._sync_tombstones";
    assert_eq!(place.query(now).await, ["true"]);
}

#[tokio::test]
async fn order_inside_a_batch_counts() {
    let (place, catalog) = things().await;
    place.write(&catalog, vec![thing(10), gone(11), thing(12)]).await;
    assert_eq!(place.query(ROWS).await, ["12"]);
    place.write(&catalog, vec![gone(13), thing(13)]).await;
    assert_eq!(place.query(ROWS).await, [""; 0]);
    place.write(&catalog, vec![thing(14), gone(14)]).await;
    assert_eq!(place.query(ROWS).await, [""; 0]);
    assert_eq!(place.query(TOMBSTONES).await, ["thing [\"1\"] 14"]);
}

#[tokio::test]
async fn keys_of_several_fields_stay_apart() {
    let place = place().await;
    let catalog = catalog([stripe_stream("charge")]);
    place.setup(&catalog).await.unwrap();
    let row = |account: &str| format!(r#"{{"id":"ch_1","_account_id":"{account}","_updated_at":1}}"#);
    place.write(&catalog, vec![record("charge", &row("acct_1")), record("charge", &row("acct_2"))]).await;
    place.write(&catalog, vec![deletion("charge", &row("acct_1"))]).await;
    assert_eq!(place.query("SELECT _account_id FROM stripe.charge").await, ["acct_2"]);
}

/// A page that was read before the deletion is being written while the deletion is committed by
/// another process: whoever comes first, the row must not stay.
#[tokio::test]
async fn a_deletion_by_another_writer_at_the_same_time_wins() {
    let (place, catalog) = things().await;
    for round in 0..20 {
        let id = format!("r{round}");
        let stale: Vec<_> = (0..200)
            .map(|n| {
                record(
                    "thing",
                    &format!(
                        r#"{{"id":"{}","updated":5}}"#,
                        if n == 100 { id.clone() } else { format!("{round}-{n}") }
                    ),
                )
            })
            .collect();
        let delete = vec![deletion("thing", &format!(r#"{{"id":"{id}","updated":6}}"#))];
        let (one, two) = tokio::join!(place.write(&catalog, stale), place.write(&catalog, delete));
        assert_eq!(stream_errors(&one), stream_errors(&two));
        assert_eq!(place.query(&format!("SELECT id FROM stripe.thing WHERE id = '{id}'")).await, [""; 0]);
    }
}
