//! Continuing as new.

use service::standing::Stage;
use service::temporal::PipelineOptions;

use crate::replay;
use crate::server::Server;
use crate::world::{Worker, World, quick};

#[tokio::test(flavor = "multi_thread")]
async fn histories_stay_short_and_nothing_is_forgotten() {
    let server = Server::start().await;
    let client = server.client().await;
    let world = World::new(7);
    // Two workers share the queue.
    let workers =
        [Worker::start(&client, world.clone()), Worker::start(&server.client().await, world.clone())];
    let options = PipelineOptions { operations_limit: 3, steps_limit: 2, ..quick() };
    client.start("pipe_limits", options).await.unwrap();
    world.until("it is backfilled", |facts| facts.backfilled).await;
    let first = client.describe("pipe_limits").await.unwrap().expect("it runs");

    for expected in 1..=8 {
        world.facts().waiting = 1;
        client.signal_input("pipe_limits").await.unwrap();
        world.until("the delivery is applied", |facts| facts.applied == expected).await;
    }
    let last = client.describe("pipe_limits").await.unwrap().expect("it runs");
    assert!(last.running && last.run_id != first.run_id, "it continued as new: {last:?}");
    let status = client.status("pipe_limits").await.unwrap();
    assert!(status.operations >= 11 && status.backfill_count == 1, "{status:?}");
    assert_eq!(world.count(Stage::Setup), 1);
    assert_eq!(world.count(Stage::Backfill), 7);

    let facts = world.facts().steps.clone();
    for stage in [Stage::Backfill, Stage::Deliver] {
        let mut runs: Vec<_> =
            facts.iter().filter(|(at, _)| *at == stage).map(|(_, run)| run.clone()).collect();
        runs.dedup();
        assert!(matches!(runs.as_slice(), [Some(_)]), "one run over all continuations: {stage:?} {runs:?}");
    }
    assert!(!world.facts().overlapped);
    replay::check(&client, "backfill-pipe_limits").await;
    replay::check(&client, "pipe_limits").await;
    client.cancel("pipe_limits").await.unwrap();
    world.until("it is torn down", |facts| facts.gone).await;
    for worker in workers {
        worker.stop().await;
    }
}
