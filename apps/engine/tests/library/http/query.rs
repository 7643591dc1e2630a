//! `/internal/query`.

use engine::api::ApiOptions;
use serde_json::json;

use super::served::{Answered, Served};
use crate::script::echo;

#[tokio::test]
async fn sql_is_answered_as_json() {
    let url = test_utils::postgres::shared_database().await;
    let served = Served::with(echo(), ApiOptions { internal_query: true, ..ApiOptions::default() }).await;
    let ask = |body| Answered::of(served.post("/internal/query", &body));
    for name in ["connection_string", "url"] {
        let sql = "select 1 as one, 'x' as text, null as nothing, true as yes, '{\"a\":[1]}'::jsonb as json, \
                   2::bigint as big, 1.50::numeric as exact, array[1, null, 2] as ints, array[2::bigint] as bigs, \
                   array['a b', 'c\"d'] as texts";
        let answered = ask(json!({name: url, "sql": sql})).await;
        assert_eq!(answered.status, 200, "{}", answered.text);
        let row = json!({"one": 1, "text": "x", "nothing": null, "yes": true, "json": {"a": [1]},
                         "big": "2", "exact": "1.50", "ints": [1, null, 2], "bigs": ["2"],
                         "texts": ["a b", "c\"d"]});
        assert_eq!(answered.json(), json!({"rows": [row], "rowCount": 1}));
    }
    let several =
        ask(json!({"url": url, "sql": "create temp table t (a int); insert into t values (1), (2)"})).await;
    assert_eq!(several.json(), json!({"rows": [], "rowCount": 2}));

    let wrong = ask(json!({"url": url, "sql": "selec 1"})).await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.json()["error"].as_str().unwrap().contains("syntax error"), "{}", wrong.text);
    let nowhere = ask(json!({"sql": "select 1"})).await;
    assert_eq!(nowhere.json(), json!({"error": "connection_string or url is required"}));
    let missing = ask(json!({"url": url})).await;
    assert_eq!((missing.status.as_u16(), &missing.json()["error"][0]["path"]), (400, &json!(["sql"])));
}

#[tokio::test]
async fn a_password_is_not_in_the_answer() {
    let served = Served::with(echo(), ApiOptions { internal_query: true, ..ApiOptions::default() }).await;
    let url = "postgres://somebody:veryverysecret@127.0.0.1:1/nothing?connect_timeout=1";
    let answered =
        Answered::of(served.post("/internal/query", &json!({"url": url, "sql": "select 1"}))).await;
    assert_eq!(answered.status, 400);
    assert!(
        answered.text.contains("127.0.0.1") && !answered.text.contains("veryverysecret"),
        "{}",
        answered.text
    );
}
