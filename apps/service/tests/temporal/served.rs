//! A pipeline from its creation to its end: the program that serves, two that work, the server of Temporal, and PostgreSQL.

use std::path::Path;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use service::store::Store;
use service::vault::{MasterKeys, Vault};

use crate::program::{MASTER_KEY, Process};
use crate::server::Server;
use crate::shop::{KEY, PASSWORD, Shop, account};

const ID: &str = "pipe_life";

fn status(pipeline: &Value) -> &str {
    pipeline["status"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_lives_on_temporal() {
    let (server, account) = (Server::start().await, account().await);
    let control = account.control();
    let (kept, copy) =
        (test_utils::postgres::shared_database().await, test_utils::postgres::shared_database().await);
    let folder = tempfile::tempdir().unwrap();
    let start = |name: &str, words: &[&str]| Process::start(name, words, &server, &kept, folder.path());
    let mut serving = start("serve", &["serve", "--port", "0"]);
    let mut workers = [start("worker-1", &["worker"]), start("worker-2", &["worker"])];
    let shop = Shop::new(&serving.listens(), &copy);
    let ask = |method, body: Value| {
        let shop = &shop;
        async move { shop.ask(method, &format!("/pipelines/{ID}"), Some(&body)).await }
    };

    // Created, and backfilled.
    let (answered, created) = shop.ask(Method::POST, "/pipelines", Some(&shop.pipeline(&account, ID))).await;
    assert_eq!((answered, status(&created)), (StatusCode::CREATED, "setup"), "{created}");
    let ready = shop.until(ID, |now| status(now) == "ready").await;
    assert_eq!(ready["progress"]["streams_done"], 4);
    shop.until_equal(ID, &control).await;
    for worker in &mut workers {
        worker.says("task queue sync-engine");
    }

    // Changes come by webhook: events are followed once an hour only.
    control.stir(1, 40).unwrap();
    shop.until_equal(ID, &control).await;

    // While it rests nothing is written, and nothing is lost.
    ask(Method::PATCH, json!({"desired_status": "paused"})).await;
    shop.until(ID, |now| status(now) == "paused").await;
    control.stir(2, 40).unwrap();
    shop.until(ID, |now| now["waiting_deliveries"].as_u64() > Some(0)).await;
    assert!(shop.difference(&control).await.is_some());
    ask(Method::PATCH, json!({"desired_status": "active"})).await;
    shop.until_equal(ID, &control).await;
    shop.until(ID, |now| now["waiting_deliveries"] == 0).await;

    // Another stream is read from its beginning; a worker less is no matter.
    let [first, second] = workers;
    let said = [first.said(), String::new()];
    assert!(first.stop().success(), "{}", said[0]);
    let streams = ["customer", "product", "price", "charge", "coupon"].map(|name| json!({"name": name}));
    let (answered, now) = ask(Method::PATCH, json!({"name": "Shop", "streams": streams})).await;
    assert_eq!((answered, &now["name"]), (StatusCode::OK, &json!("Shop")));
    shop.until(ID, |now| status(now) == "ready" && now["progress"]["streams"] == 5).await;

    // It goes, with its tables and its endpoint.
    let store = Store::postgres(&SecretString::from(kept.clone()), vault()).await.unwrap();
    let endpoint = store.get(ID).await.unwrap().unwrap().pipeline.source.config["webhook_secret"].clone();
    let endpoints = control.count("webhook_endpoint").unwrap();
    assert_eq!(ask(Method::DELETE, json!({})).await, (StatusCode::OK, json!({"id": ID, "deleted": true})));
    assert_eq!(ask(Method::GET, json!({})).await.0, StatusCode::NOT_FOUND);
    let client = server.client().await;
    while client.describe(ID).await.unwrap().is_some_and(|described| described.running) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(store.get(ID).await.unwrap().is_none());
    assert_eq!(control.count("webhook_endpoint").unwrap(), endpoints - 1);
    assert!(shop.difference(&control).await.is_some_and(|why| why.contains("does not exist")));

    // What it knew is in no history, in nothing that Temporal keeps, and in no log.
    let histories = histories(&server);
    assert!(histories.len() >= 3, "{} histories", histories.len());
    assert!(second.stop().success() && serving.stop().success());
    let endpoint = endpoint.as_str().unwrap().to_owned();
    assert!(endpoint.starts_with("whsec_"), "the endpoint's secret was kept");
    let secrets = [KEY, PASSWORD, MASTER_KEY, &endpoint];
    let mut searched = 0;
    for (name, text) in histories.iter().map(|(name, text)| (name.as_str(), text.as_bytes().to_vec())) {
        searched += absent(name, &text, &secrets);
    }
    for path in [folder.path(), server.folder()] {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                searched += absent(path.to_str().unwrap(), &std::fs::read(&path).unwrap(), &secrets);
            }
        }
    }
    assert!(searched > histories.len() + 3, "{searched} searched");
}

/// Waits until the pipeline is forgotten.
async fn forgotten(store: &Store) {
    for _ in 0..1_200 {
        if store.get(ID).await.unwrap().is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it was never forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_while_temporal_is_away_is_told_later() {
    let (mut server, account) = (Server::start().await, account().await);
    let (kept, copy) =
        (test_utils::postgres::shared_database().await, test_utils::postgres::shared_database().await);
    let store = Store::postgres(&SecretString::from(kept.clone()), vault()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    // Created before there is a connection.
    server.kill();
    let mut serving = Process::start("serve", &["serve", "--port", "0"], &server, &kept, folder.path());
    let worker = Process::start("worker", &["worker"], &server, &kept, folder.path());
    let shop = Shop::new(&serving.listens(), &copy);
    let (answered, created) = shop.ask(Method::POST, "/pipelines", Some(&shop.pipeline(&account, ID))).await;
    assert_eq!((answered, status(&created)), (StatusCode::CREATED, "setup"), "{created}");
    server.restart().await;
    shop.until(ID, |now| status(now) == "ready").await;
    // Somebody ends the workflow, and the service starts again: it tells of every pipeline.
    server.command(&["workflow", "terminate", "--workflow-id", ID]);
    assert!(serving.stop().success());
    account.control().stir(3, 20).unwrap();
    // Events of the last second are left for the next look, which is an hour away.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let mut serving = Process::start("serve", &["serve", "--port", "0"], &server, &kept, folder.path());
    let shop = Shop::new(&serving.listens(), &copy);
    shop.until_equal(ID, &account.control()).await;
    // Deleted while the server is away: what is asked waits for it some seconds, and is told when it is back.
    server.kill();
    let (answered, _) = shop.ask(Method::DELETE, &format!("/pipelines/{ID}"), None).await;
    assert_eq!(answered, StatusCode::OK);
    server.restart().await;
    forgotten(&store).await;
    assert!(worker.stop().success() && serving.stop().success());
}

fn vault() -> Vault {
    Vault::new(MasterKeys::parse(MASTER_KEY, "the test").unwrap())
}

/// The histories of all runs of all workflows, as Temporal's own command line shows them.
fn histories(server: &Server) -> Vec<(String, String)> {
    let listed = server.command(&["workflow", "list", "--output", "json"]);
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let runs = listed.iter().map(|run| {
        let part = |name: &str| run["execution"][name].as_str().unwrap().to_owned();
        (part("workflowId"), part("runId"))
    });
    runs.map(|(id, run)| {
        let show = ["workflow", "show", "--workflow-id", &id, "--run-id", &run, "--output", "json"];
        (format!("{id} {run}"), server.command(&show))
    })
    .collect()
}

/// Fails where one of the secrets is in there, as it is or in base64, at any of the three offsets.
fn absent(name: &str, bytes: &[u8], secrets: &[&str]) -> usize {
    use base64::Engine;
    for secret in secrets {
        let mut written = vec![(*secret).to_owned()];
        for offset in 0..3 {
            let shifted = [vec![0; offset], secret.as_bytes().to_vec()].concat();
            let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(shifted);
            // What stands at the edges depends on what is beside it.
            written.push(text[4..text.len() - 4].to_owned());
        }
        for text in written {
            let found = bytes.windows(text.len()).any(|window| window == text.as_bytes());
            assert!(!found, "a secret ({text}) is in {}", Path::new(name).display());
        }
    }
    1
}
