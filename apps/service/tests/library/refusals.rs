//! What is wrong is told, with its place.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::served::{Kept, Place, Served, account};
use service::guard::Guard;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_with_its_place() {
    let account = account().await;
    let served = Served::start(Kept::File).await;
    let good = served.pipeline(&account, "pipe_good", false);
    let with = |path: &str, value: Value| {
        let mut wrong = good.clone();
        *wrong.pointer_mut(path).unwrap() = value;
        wrong
    };
    for (wrong, place) in [
        (with("/id", json!("a/../b")), json!(["id"])),
        (with("/id", json!("x")), json!(["id"])),
        (with("/source/type", json!("nothing")), json!(["source", "type"])),
        (with("/source/stripe/rate_limit", json!(0)), json!(["source", "stripe"])),
        (with("/destination", json!(7)), json!(["destination"])),
        (with("/streams", json!([{"name": 1}])), json!(["streams", 0, "name"])),
        (json!({"destination": good["destination"]}), json!(["source"])),
    ] {
        let (status, answer) = served.ask(Method::POST, "/pipelines?skip_check=true", Some(&wrong)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        assert_eq!(answer["error"][0]["path"], place, "{answer}");
    }
    for (method, path) in [
        (Method::GET, "/pipelines?limit=0"),
        (Method::GET, "/pipelines?limit=x"),
        (Method::POST, "/pipelines?skip_check=maybe"),
        (Method::GET, "/pipelines?starting_after=pipe_none"),
    ] {
        let (status, answer) = served.ask(method, path, Some(&good)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {answer}");
    }
    // `false` is no `true`: the check is made, and refuses.
    let mut unreachable = good.clone();
    unreachable["source"]["stripe"]["api_key"] = "sk_test_wrong".into();
    let (status, answer) = served.ask(Method::POST, "/pipelines?skip_check=false", Some(&unreachable)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(answer["error"].as_str().unwrap().starts_with("Source check failed (stripe): "), "{answer}");

    served.post("/pipelines", &good).await;
    let (status, answer) = served.ask(Method::POST, "/pipelines", Some(&good)).await;
    assert_eq!(
        (status, &answer["error"]),
        (StatusCode::CONFLICT, &json!("Pipeline pipe_good already exists"))
    );
    for path in
        ["/pipelines/nothing", "/pipelines/..%2F..%2Fetc", "/pipelines/a%00b", "/pipelines/%ff%fe/sync"]
    {
        let (status, answer) = served.ask(Method::GET, path, None).await;
        assert!(
            status == StatusCode::NOT_FOUND || status == StatusCode::BAD_REQUEST,
            "{path}: {status} {answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_the_source_does_not_know_are_refused() {
    let account = account().await;
    let served = Served::idle().await;
    let good = served.pipeline(&account, "pipe_names", false);
    let with = |name: &str, value: Value| {
        let mut wrong = good.clone();
        wrong[name] = value;
        wrong
    };
    let streams = json!([{"name": "customer"}, {"name": "price"}, {"name": "invoices"}]);
    let rules = json!({"streams": {"customer": {"redact": ["emial"]}, "chrage": {}}});
    let refused = async |method: Method, path: &str, body: &Value, places: &[(Value, &str)]| {
        let (status, answer) = served.ask(method, path, Some(body)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {answer}");
        let told = answer["error"].as_array().unwrap();
        assert_eq!(told.len(), places.len(), "{answer}");
        for (place, hint) in places {
            let issue = told.iter().find(|issue| issue["path"] == *place);
            let said = issue.unwrap_or_else(|| panic!("{place}: {answer}"))["message"].as_str().unwrap();
            assert!(said.contains(hint), "{said}");
        }
    };
    let unknown = [(json!(["streams", 2, "name"]), "no stream `invoices` (did you mean invoice")];
    let unfit = [
        (json!(["transforms", "streams", "customer"]), "did you mean email"),
        (json!(["transforms", "streams", "chrage"]), "did you mean charge"),
    ];
    for path in ["/pipelines", "/pipelines?skip_check=true", "/pipelines/check"] {
        refused(Method::POST, path, &with("streams", streams.clone()), &unknown).await;
        refused(Method::POST, path, &with("transforms", rules.clone()), &unfit).await;
    }
    served.post("/pipelines?skip_check=true", &good).await;
    let path = "/pipelines/pipe_names";
    refused(Method::PATCH, path, &json!({"streams": streams}), &unknown).await;
    refused(Method::PATCH, path, &json!({"transforms": rules}), &unfit).await;
    assert_eq!(served.get(path).await["streams"], good["streams"]);
    // A version of the API that is not built in is not asked for: its streams are not known yet.
    let mut elsewhere = with("streams", streams);
    elsewhere["source"]["stripe"]["api_version"] = "2099-01-01.none".into();
    elsewhere["id"] = "pipe_elsewhere".into();
    served.post("/pipelines?skip_check=true", &elsewhere).await;
    // What was wrong before does not keep anybody from changing something else.
    let (status, answer) =
        served.ask(Method::PATCH, "/pipelines/pipe_elsewhere", Some(&json!({"name": "x"}))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let mut known = elsewhere["source"].clone();
    known["stripe"]["api_version"] = stripe_openapi::embedded::newest_version().into();
    refused(Method::PATCH, "/pipelines/pipe_elsewhere", &json!({"source": known}), &unknown).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_cross_are_refused() {
    let account = account().await;
    let served = Served::idle().await;
    let answer =
        served.request(Method::POST, "/pipelines").json(&served.pipeline(&account, "pipe_tag", false));
    let created = answer.send().await.unwrap();
    let tag = created.headers()["etag"].to_str().unwrap().to_owned();
    let patch = |tag: &str, name: &str| {
        let request = served.request(Method::PATCH, "/pipelines/pipe_tag").header("if-match", tag);
        request.json(&json!({"name": name})).send()
    };
    let first = patch(&tag, "a").await.unwrap();
    assert_eq!(first.status(), StatusCode::OK);
    let next = first.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(patch(&tag, "b").await.unwrap().status(), StatusCode::PRECONDITION_FAILED);
    assert_eq!(patch(&next, "c").await.unwrap().status(), StatusCode::OK);
    assert_eq!(served.get("/pipelines/pipe_tag").await["name"], "c");
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_twice_with_a_key_does_once() {
    let account = account().await;
    let served = Served::idle().await;
    let mut pipeline = served.pipeline(&account, "pipe_x", false);
    pipeline.as_object_mut().unwrap().remove("id");
    let ask = |pipeline: &Value| {
        served.request(Method::POST, "/pipelines").header("idempotency-key", "k1").json(pipeline).send()
    };
    let first = ask(&pipeline).await.unwrap();
    let tag = first.headers()["etag"].clone();
    let first: Value = first.json().await.unwrap();
    let again = ask(&pipeline).await.unwrap();
    assert_eq!(again.headers().get("etag"), Some(&tag));
    assert_eq!(
        (again.status(), again.headers()["idempotent-replayed"].to_str().unwrap()),
        (StatusCode::CREATED, "true")
    );
    assert_eq!(again.json::<Value>().await.unwrap(), first);
    pipeline["name"] = "other".into();
    assert_eq!(ask(&pipeline).await.unwrap().status(), StatusCode::BAD_REQUEST);
    assert_eq!(served.get("/pipelines").await["data"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages() {
    let account = account().await;
    let served = Served::idle().await;
    for number in 0..5 {
        let pipeline = served.pipeline(&account, &format!("pipe_{number}"), false);
        served.post("/pipelines?skip_check=true", &pipeline).await;
    }
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = served.get(&format!("/pipelines?limit=2{after}")).await;
        let ids = page["data"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned());
        seen.extend(ids);
        if page["has_more"] == false {
            break;
        }
        after = format!("&starting_after={}", seen.last().unwrap());
    }
    seen.sort();
    assert_eq!(seen, ["pipe_0", "pipe_1", "pipe_2", "pipe_3", "pipe_4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_private_is_not_to_be_named() {
    let account = account().await;
    let place = Place::new(Kept::File).await;
    let folder = place.folder.path().join("databases");
    let served = Served::with(place, None, false, Guard { folder: Some(folder), ..Guard::default() }).await;
    let (status, answer) =
        served.ask(Method::POST, "/pipelines", Some(&served.pipeline(&account, "pipe_in", false))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let places: Vec<&Value> =
        answer["error"].as_array().unwrap().iter().map(|issue| &issue["path"]).collect();
    assert_eq!(places, [&json!(["source", "stripe", "base_url"]), &json!(["destination", "sqlite", "path"])]);
}
