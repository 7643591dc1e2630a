//! Pipelines as resources, in the data directory.

use serde_json::json;

use crate::program::sync_service;
use crate::shop::Shop;

#[test]
fn a_pipeline_is_created_changed_and_deleted() {
    let shop = Shop::open();
    let program = &shop.program;
    let created = shop.create(&["--name", "The shop"]).expect(0).json();
    assert_eq!((&created["id"], &created["status"]), (&json!("shop"), &json!("setup")));
    assert_eq!(created["source"]["stripe"]["rate_limit"], 1000);
    assert_eq!(created["streams"], json!([{"name": "customer"}, {"name": "plan"}]));
    let again = shop.create(&["--skip-check"]).expect(1);
    assert_eq!(again.stderr, "error: Pipeline shop already exists\n");

    let listed = program.run(&["pipelines", "list"]).expect(0).json();
    assert_eq!((&listed["data"][0]["id"], &listed["has_more"]), (&json!("shop"), &json!(false)));
    let words = program.run(&["pipelines", "list", "--plain"]).expect(0).stdout;
    assert_eq!(words, "shop  setup  stripe → sqlite  The shop\n");

    // Single fields leave the others, and the key that nobody shows, as they are.
    let changed = ["pipelines", "update", "shop", "--source.stripe.rate-limit", "900"];
    let changed = program.run(&changed).expect(0).json();
    assert_eq!(changed["source"]["stripe"]["rate_limit"], 900);
    assert_eq!(changed["source"]["stripe"]["api_key"], created["source"]["stripe"]["api_key"]);
    program.run(&["pipelines", "check", "shop"]).expect(0);

    assert_eq!(program.run(&["pipelines", "pause", "shop", "--plain"]).expect(0).stdout, "Paused shop\n");
    assert_eq!(program.run(&["pipelines", "get", "shop"]).expect(0).json()["status"], "paused");
    assert_eq!(program.run(&["pipelines", "resume", "shop", "--plain"]).expect(0).stdout, "Resumed shop\n");
    let told = program.run(&["pipelines", "retry", "shop", "--plain"]).expect(0).stdout;
    assert_eq!(told, "shop is tried again at once\n");

    assert_eq!(
        program.run(&["pipelines", "delete", "shop"]).expect(0).json(),
        json!({"id": "shop", "deleted": true})
    );
    assert!(
        program
            .run(&["pipelines", "list", "--plain"])
            .expect(0)
            .stdout
            .starts_with("There are no pipelines.")
    );
    let audit = program.run(&["api", "audit", "list"]).expect(0).json();
    assert_eq!(audit["data"][0]["action"], "pipelines.delete");
}

#[test]
fn a_pipeline_is_shown_as_it_would_be() {
    let shop = Shop::open();
    shop.create(&["--skip-check"]).expect(0);
    let get = ["pipelines", "get", "shop"];
    let shown = shop.program.run(&[&get[..], &["--source.stripe.rate-limit=5"]].concat()).expect(0).json();
    assert_eq!(shown["source"]["stripe"]["rate_limit"], 5);
    assert_eq!(
        shop.program.run(&get).expect(0).json()["source"]["stripe"]["rate_limit"],
        1000,
        "not changed"
    );
    let refused = shop.program.run(&[&get[..], &["--source.stripe.rate-limit=many"]].concat()).expect(2);
    assert!(
        refused.stderr.contains("Invalid source config override:\n  source.stripe: "),
        "{}",
        refused.stderr
    );
    let detail = shop.program.run(&[&get[..], &["--plain"]].concat()).expect(0).stdout;
    assert!(detail.contains("streams      customer, plan\n") && detail.contains("[set sha256:"), "{detail}");
}

#[test]
fn tokens_and_keys_are_kept_in_the_store() {
    let program = sync_service();
    let made = program.run(&["tokens", "create", "me", "--scope", "read"]).expect(0).json();
    let id = made["id"].as_str().unwrap();
    assert!(made["token"].as_str().unwrap().starts_with("sst_"));
    let listed = program.run(&["tokens", "list", "--plain"]).expect(0).stdout;
    assert!(listed.contains(id) && !listed.contains("sst_"), "{listed}");
    program.run(&["tokens", "revoke", id]).expect(0);
    program.run(&["tokens", "revoke", id]).expect(1);
    program.run(&["keys", "check"]).expect(0);
    assert_eq!(program.run(&["keys", "rotate"]).expect(0).json(), json!({"rotated": 0}));
}
