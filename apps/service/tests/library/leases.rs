//! One at a time, whoever asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use service::guard::Guard;
use service::standing::Stage;
use service::steps::{Bounds, StepFailure};
use service::store::StoreError;

use crate::served::{Kept, Place, Served, account};

fn open() -> Guard {
    Guard { any_address: true, ..Guard::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_store_is_opened_by_many_at_once() {
    for _ in 0..5 {
        let place = Place::new(Kept::Postgres).await;
        let opening = (0..12).map(|_| place.store());
        let stores = futures::future::join_all(opening).await;
        assert!(stores.last().unwrap().all().await.unwrap().is_empty());
    }
}

async fn ten_workers(kept: Kept) {
    let account = account().await;
    let place = Place::new(kept).await;
    let mut workers = Vec::new();
    for _ in 0..10 {
        workers.push(place.steps().await.0);
    }
    let served = Served::with(place, None, false, open()).await;
    served.post("/pipelines", &served.pipeline(&account, "pipe_ten", false)).await;
    let (working, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut tasks = tokio::task::JoinSet::new();
    for steps in workers {
        let (working, most) = (Arc::clone(&working), Arc::clone(&most));
        tasks.spawn(async move {
            let mut done = 0;
            for _ in 0..20 {
                let stage = match steps.store().get("pipe_ten").await.unwrap().unwrap().standing.set_up {
                    None => Stage::Setup,
                    Some(_) => Stage::Backfill,
                };
                // Counted from within: whoever has the lease is told of the records.
                let (inside, highest) = (Arc::clone(&working), Arc::clone(&most));
                let entered = Arc::new(AtomicUsize::new(0));
                let once = Arc::clone(&entered);
                let beat = Arc::new(move |_| {
                    if once.swap(1, Ordering::SeqCst) == 0 {
                        highest.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    }
                });
                let bounds = Bounds { beat, ..Bounds::default() };
                match steps.run("pipe_ten", stage, &bounds).await {
                    Ok(_) => done += 1,
                    Err(StepFailure::Busy) => tokio::time::sleep(Duration::from_millis(30)).await,
                    Err(error) => panic!("{error}"),
                }
                if entered.load(Ordering::SeqCst) == 1 {
                    working.fetch_sub(1, Ordering::SeqCst);
                }
            }
            done
        });
    }
    let done: usize = tasks.join_all().await.into_iter().sum();
    assert!(done >= 2, "{done}");
    assert_eq!(most.load(Ordering::SeqCst), 1, "two at once");
    served.until_equal("pipe_ten", &account.control()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_workers_never_sync_at_once_in_a_file() {
    ten_workers(Kept::File).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_workers_never_sync_at_once_in_postgres() {
    ten_workers(Kept::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_the_lease_writes_nothing_more() {
    let account = account().await;
    let served = Served::with(Place::new(Kept::File).await, None, false, open()).await;
    served.post("/pipelines", &served.pipeline(&account, "pipe_fence", false)).await;
    let store = &served.store;
    let first = store.lease("pipe_fence", "a", Stage::Backfill, false).await.unwrap().unwrap();
    assert!(store.lease("pipe_fence", "b", Stage::Backfill, false).await.unwrap().is_none());
    store.release(&first).await.unwrap();
    let second = store.lease("pipe_fence", "b", Stage::Follow, false).await.unwrap().unwrap();
    assert!(second.fence > first.fence);
    let standing = store.get("pipe_fence").await.unwrap().unwrap().standing;
    assert!(matches!(store.save(&first, &standing, None).await, Err(StoreError::Unmet)));
    assert!(matches!(store.renew(&first).await, Err(StoreError::Unmet)));
    store.save(&second, &standing, None).await.unwrap();
    // Whoever is asked for it hears so, and nobody but the asker gets it then.
    assert!(!store.renew(&second).await.unwrap());
    store.ask_for("pipe_fence").await.unwrap();
    assert!(store.renew(&second).await.unwrap());
    store.release(&second).await.unwrap();
    assert!(store.lease("pipe_fence", "c", Stage::Follow, false).await.unwrap().is_none());
    assert!(store.lease("pipe_fence", "d", Stage::Manual, true).await.unwrap().is_some());
}
