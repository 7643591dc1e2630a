//! The log of a pipeline: how long it is kept.

use protocol::{LogLevel, Timestamp};
use serde_json::json;
use service::store::Entry;

use crate::served::{Kept, Place, Served};
use service::guard::Guard;

const DAY: i64 = 24 * 3600 * 1000;

fn entry(at: i64) -> Entry {
    let (message, at) = (format!("said at {at}"), Timestamp::from_unix_millis(at));
    Entry { sequence: 0, run_id: Some("run_1".to_owned()), at, level: LogLevel::Info, message, data: None }
}

async fn kept(kept: Kept) {
    let guard = Guard { any_address: true, ..Guard::default() };
    let served = Served::with(Place::new(kept).await, None, false, guard).await;
    for id in ["pipe_old", "pipe_new"] {
        let pipeline = json!({"id": id,
            "source": {"type": "stripe", "stripe": {"api_key": "sk_test_1"}},
            "destination": {"type": "sqlite", "sqlite": {"path": served.file(id)}}});
        served.post("/pipelines?skip_check=true", &pipeline).await;
    }
    // A made-up time, so that this is the same on every day.
    let now = 1_000 * DAY;
    let days = |days: &[i64]| days.iter().map(|days| entry(now - days * DAY)).collect::<Vec<_>>();
    served.store.log("pipe_old", &days(&[90, 31, 29, 1])).await.unwrap();
    served.store.log("pipe_new", &days(&[2, 0])).await.unwrap();
    assert_eq!(served.store.forget_old_entries(now - 30 * DAY).await.unwrap(), 2);
    let left = served.store.entries("pipe_old", None, None, 10).await.unwrap();
    assert_eq!(left.iter().map(|entry| (now - entry.at.unix_millis()) / DAY).collect::<Vec<_>>(), [29, 1]);
    assert_eq!(served.store.entries("pipe_new", Some("run_1"), None, 10).await.unwrap().len(), 2);
    assert_eq!(served.store.forget_old_entries(now - 30 * DAY).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_entries_are_forgotten_in_a_file() {
    kept(Kept::File).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_entries_are_forgotten_in_postgres() {
    kept(Kept::Postgres).await;
}

/// However much is said at once, the newest ten thousand are left.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_cut_by_count() {
    let served = Served::with(Place::new(Kept::File).await, None, false, Guard::default()).await;
    let pipeline = json!({"id": "pipe_loud", "source": {"type": "stripe", "stripe": {"api_key": "sk_test_1"}},
        "destination": {"type": "sqlite", "sqlite": {"path": served.file("pipe_loud")}}});
    served.post("/pipelines?skip_check=true", &pipeline).await;
    let flood: Vec<Entry> = (0..10_050).map(entry).collect();
    served.store.log("pipe_loud", &flood).await.unwrap();
    let left = served.store.entries("pipe_loud", None, Some(0), 20_000).await.unwrap();
    assert_eq!((left.len(), left[0].at.unix_millis()), (10_000, 50));
}
