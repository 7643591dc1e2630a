//! What a pipeline goes through.

use service::pipeline::DesiredStatus;
use service::standing::{Stage, Status};
use service::temporal::{Client, ClientError};

use crate::replay;
use crate::server::Server;
use crate::world::{Worker, World, failure, quick};

/// Waits until the workflow has ended, and says how.
async fn ended(client: &Client, id: &str) -> String {
    for _ in 0..3_000 {
        let described = client.describe(id).await.unwrap().expect("it was started");
        if !described.running {
            return described.execution;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the workflow {id} never ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_first_setup_to_the_teardown() {
    let server = Server::start().await;
    let client = server.client().await;
    let world = World::new(3);
    let worker = Worker::start(&client, world.clone());
    client.start("pipe_life", quick()).await.unwrap();
    client.start("pipe_life", quick()).await.expect("it runs already, and that is all right");

    world
        .until("it is backfilled, and followed", |facts| {
            facts.backfilled && facts.steps.iter().any(|(stage, _)| *stage == Stage::Follow)
        })
        .await;
    assert_eq!((world.count(Stage::Setup), world.count(Stage::Backfill)), (1, 3));
    let runs = world
        .facts()
        .steps
        .iter()
        .filter(|(stage, _)| *stage == Stage::Backfill)
        .cloned()
        .collect::<Vec<_>>();
    assert!(
        runs[0].1.is_some() && runs.iter().all(|run| *run == runs[0]),
        "one backfill is one run: {runs:?}"
    );

    world.facts().waiting = 7;
    for _ in 0..1_000 {
        client.nudge("pipe_life");
    }
    world.until("what was delivered is applied", |facts| facts.applied == 7).await;

    world.facts().desired = DesiredStatus::Paused;
    world.facts().waiting = 2;
    client.signal_paused("pipe_life", true).await.unwrap();
    while client.status("pipe_life").await.unwrap().status != Status::Paused {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    client.signal_input("pipe_life").await.unwrap();
    assert_eq!(world.facts().applied, 7, "a pipeline that rests applies nothing");

    world.facts().desired = DesiredStatus::Active;
    client.signal_paused("pipe_life", false).await.unwrap();
    world.until("what waited meanwhile is applied", |facts| facts.applied == 9).await;

    // A comparison: one of its streams fails, and the pipeline lives on. That is no reason for another backfill.
    {
        let mut facts = world.facts();
        facts.chunks = 1;
        facts.reconcile_due = true;
        facts.failed_streams.push_back("customers".to_owned());
    }
    client.signal_input("pipe_life").await.unwrap();
    while client.status("pipe_life").await.unwrap().failed_streams != ["customers"] {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!((world.count(Stage::Reconcile), world.count(Stage::Backfill)), (1, 3));

    // What fails in passing comes back by itself, beyond the retries of the step.
    world.facts().failures.extend((0..3).map(|_| (Stage::Deliver, failure(false))));
    world.facts().waiting = 1;
    client.signal_input("pipe_life").await.unwrap();
    world.until("deliveries are applied after failures", |facts| facts.applied == 10).await;

    // What lasts waits for somebody to change something.
    world.facts().failures.push_back((Stage::Deliver, failure(true)));
    world.facts().waiting = 1;
    client.signal_input("pipe_life").await.unwrap();
    let trouble = loop {
        if let Some(trouble) = client.status("pipe_life").await.unwrap().troubles.get("deliver") {
            break trouble.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert!(trouble.lasting && trouble.attempts == 1 && trouble.message.contains("database"), "{trouble:?}");
    client.signal_paused("pipe_life", false).await.unwrap();
    world.until("it is tried again once something changed", |facts| facts.applied == 11).await;

    // The teardown fails at first, and is tried again.
    world.facts().failures.extend((0..3).map(|_| (Stage::Teardown, failure(false))));
    client.cancel("pipe_life").await.unwrap();
    assert_eq!(ended(&client, "pipe_life").await, "Canceled");
    assert!(world.facts().gone && !world.facts().overlapped, "{:?}", world.facts());
    let history = replay::keep(&client, "pipe_life", "life").await;
    let signals = history.matches("WorkflowExecutionSignaledEventAttributes").count();
    assert!((7..20).contains(&signals), "{signals} signals; a thousand deliveries are one or two");
    replay::keep(&client, "backfill-pipe_life", "backfill").await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_stops_a_running_backfill_and_deleted_pipelines_end() {
    let server = Server::start().await;
    let client = server.client().await;
    let world = World::new(2);
    world.facts().hold = true;
    let worker = Worker::start(&client, world.clone());
    client.start("pipe_pause", quick()).await.unwrap();
    world.until("the backfill runs", |facts| facts.hold && facts.working == 1 && facts.set_up).await;

    world.facts().desired = DesiredStatus::Paused;
    client.signal_paused("pipe_pause", true).await.unwrap();
    world.until("the backfill stops", |facts| facts.working == 0).await;
    while client.status("pipe_pause").await.unwrap().status != Status::Paused {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let stopped = world.facts().steps.clone();

    {
        let mut facts = world.facts();
        facts.hold = false;
        facts.desired = DesiredStatus::Active;
    }
    client.signal_paused("pipe_pause", false).await.unwrap();
    world.until("it goes on", |facts| facts.backfilled).await;
    let steps = world.facts().steps.clone();
    let run = |steps: &[(Stage, Option<String>)]| {
        steps.iter().rfind(|(stage, _)| *stage == Stage::Backfill).cloned()
    };
    assert_eq!(run(&steps), run(&stopped), "the same run goes on after a pause");

    // Deleted in the store: the workflow finds out by itself, signalled or not.
    world.facts().desired = DesiredStatus::Deleted;
    client.signal_paused("pipe_pause", true).await.unwrap();
    assert_eq!(ended(&client, "pipe_pause").await, "Completed");
    assert!(world.facts().gone && !world.facts().overlapped, "{:?}", world.facts());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_in_the_middle_of_a_backfill_tears_down_after_it() {
    let server = Server::start().await;
    let client = server.client().await;
    let world = World::new(2);
    world.facts().hold = true;
    let worker = Worker::start(&client, world.clone());
    client.start("pipe_cancel", quick()).await.unwrap();
    world.until("the backfill runs", |facts| facts.working == 1 && facts.set_up).await;
    client.cancel("pipe_cancel").await.unwrap();
    // Who serves may tell it again.
    assert!(matches!(client.cancel("pipe_cancel").await, Ok(()) | Err(ClientError::NotFound(_))));
    assert_eq!(ended(&client, "pipe_cancel").await, "Canceled");
    let last = world.facts().steps.last().cloned();
    assert_eq!(last.map(|(stage, _)| stage), Some(Stage::Teardown));
    assert!(world.facts().gone && !world.facts().overlapped, "{:?}", world.facts());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_clients_are_understood() {
    let server = Server::start().await;
    let client = server.client().await;
    let world = World::new(1);
    let worker = Worker::start(&client, world.clone());
    let workflow = ["--workflow-id", "pipe_foreign"];
    // As upstream's service does: the id alone, and whole messages as signals.
    let start = ["workflow", "start", "--type", "pipelineWorkflow", "--task-queue", "sync-engine", "--input"];
    server.command(&[&start[..], &["\"pipe_foreign\""], &workflow[..]].concat());
    world.until("it is backfilled", |facts| facts.backfilled).await;
    world.facts().waiting = 1;
    let message = r#"{"type": "source_input", "source_input": {"id": "evt_1"}}"#;
    let signal = ["workflow", "signal", "--name", "source_input", "--input"];
    server.command(&[&signal[..], &[message], &workflow[..]].concat());
    world.until("the signal is understood", |facts| facts.applied == 1).await;
    let query = ["workflow", "query", "--type", "status", "--output", "json"];
    let status = server.command(&[&query[..], &workflow[..]].concat());
    assert!(status.contains("\"ready\"") && status.contains("\"backfillCount\""), "{status}");
    server.command(&[&["workflow", "cancel"][..], &workflow[..]].concat());
    assert_eq!(ended(&client, "pipe_foreign").await, "Canceled");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stops_hands_its_step_over() {
    let server = Server::start().await;
    let client = server.client().await;
    let world = World::new(1);
    world.facts().hold = true;
    let first = Worker::start(&client, world.clone());
    client.start("pipe_over", quick()).await.unwrap();
    world.until("the backfill runs", |facts| facts.working == 1 && facts.set_up).await;
    first.stop().await;
    assert_eq!(world.facts().working, 0, "the step came to its end");
    world.facts().hold = false;
    let second = Worker::start(&client, world.clone());
    world.until("another worker finishes it", |facts| facts.backfilled).await;
    assert!(!world.facts().overlapped);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_that_change_nothing_do_not_turn_in_circles() {
    let server = Server::start().await;
    let client = server.client().await;
    let world = World::new(1);
    let worker = Worker::start(&client, world.clone());
    client.start("pipe_futile", quick()).await.unwrap();
    world.until("it is backfilled", |facts| facts.backfilled).await;
    {
        let mut facts = world.facts();
        facts.futile = true;
        facts.waiting = 1;
    }
    client.signal_input("pipe_futile").await.unwrap();
    world
        .until("deliveries are tried", |facts| facts.steps.iter().any(|(stage, _)| *stage == Stage::Deliver))
        .await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let tries = world.count(Stage::Deliver);
    assert!(tries < 10, "{tries} tries in two seconds");
    world.facts().futile = false;
    world.until("they are still applied", |facts| facts.applied == 1).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_is_found_again() {
    let mut server = Server::start().await;
    let client = server.client().await;
    let world = World::new(1);
    let worker = Worker::start(&client, world.clone());
    client.start("pipe_server", quick()).await.unwrap();
    // What is done after the backfill shows that the server knows of its end: a step whose end it did not hear is done again.
    world
        .until("events are followed", |facts| facts.steps.iter().any(|(stage, _)| *stage == Stage::Follow))
        .await;
    server.kill();
    world.facts().waiting = 1;
    server.restart().await;
    // The same connection, and the same worker.
    client.signal_input("pipe_server").await.unwrap();
    world.until("what was delivered meanwhile is applied", |facts| facts.applied == 1).await;
    assert_eq!((world.count(Stage::Setup), world.count(Stage::Backfill)), (1, 1));
    worker.stop().await;
}
