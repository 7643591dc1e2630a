//! No secret in any answer, in the log, or in the data directory.

use reqwest::Method;
use serde_json::json;

use crate::served::{KEY, Kept, Served, account};

/// What is planted.
const PLANTED: [&str; 4] = [KEY, "whsec_plantedendpoint", "plantedpassword", "plantedhashkey"];

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_nowhere_to_be_found() {
    let account = account().await;
    let mut served = Served::start(Kept::File).await;
    let mut pipeline = served.pipeline(&account, "pipe_secret", false);
    pipeline["source"]["stripe"]["webhook_secret"] = PLANTED[1].into();
    pipeline["transforms"] = json!({"hash_key": PLANTED[3], "streams": {"customer": {"hash": ["email"]}}});
    let (_, created) = served.ask(Method::POST, "/pipelines", Some(&pipeline)).await;
    let mut other = served.pipeline(&account, "pipe_other", false);
    other["destination"] = json!({"type": "postgres",
        "postgres": {"url": format!("postgres://u:{}@127.0.0.1:1/x", PLANTED[2])}});
    served.post("/pipelines?skip_check=true", &other).await;
    served.until("pipe_other", |now| now.get("error").is_some()).await;
    served.until("pipe_secret", |now| now["status"] == "ready").await;
    let mut told = vec![created.to_string()];
    for path in ["/pipelines", "/pipelines/pipe_secret", "/pipelines/pipe_other", "/audit", "/metrics"] {
        told.push(served.ask(Method::GET, path, None).await.1.to_string());
    }
    for id in ["pipe_secret", "pipe_other"] {
        for path in ["logs", "check"] {
            let method = if path == "logs" { Method::GET } else { Method::POST };
            told.push(served.ask(method, &format!("/pipelines/{id}/{path}"), None).await.1.to_string());
        }
    }
    // What was shown, sent back, changes nothing.
    let shown = served.get("/pipelines/pipe_secret").await;
    let back = json!({"source": shown["source"], "destination": shown["destination"]});
    let (_, after) = served.ask(Method::PATCH, "/pipelines/pipe_secret", Some(&back)).await;
    told.push(after.to_string());
    let kept = served.store.get("pipe_secret").await.unwrap().unwrap().pipeline;
    assert_eq!(kept.source.config["api_key"], KEY);
    assert_eq!(kept.source.config["webhook_secret"], PLANTED[1]);
    served.stop().await;
    for text in &told {
        for secret in PLANTED {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    let mut searched = 0;
    for entry in std::fs::read_dir(served.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        // The copies hold Stripe's data, which is not ours to hide.
        if path.file_name().unwrap().to_str().unwrap().starts_with("service.db") {
            let bytes = std::fs::read(&path).unwrap();
            searched += 1;
            for secret in PLANTED {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{secret} in {}", path.display());
            }
        }
    }
    assert!(searched > 0);
}
