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

#[test]
fn two_people_do_not_overwrite_each_other() {
    let shop = Shop::open();
    let program = &shop.program;
    shop.create(&["--skip-check"]).expect(0);
    let update = |words: &[&str]| program.run(&[&["pipelines", "update", "shop"], words].concat());
    // Both looked at the first version; the second to change it is told.
    let version = program.run(&["pipelines", "get", "shop"]).expect(0).json()["version"].to_string();
    let changed = update(&["--name", "Mine", "--if-match", &version]).expect(0).json();
    let refused = update(&["--name", "Yours", "--if-match", &version]).expect(1);
    let now = &changed["version"];
    assert!(refused.stderr.contains(&format!("it is at version {now}, not {version}")), "{}", refused.stderr);
    assert!(refused.stderr.contains("Nothing was changed."), "{}", refused.stderr);
    assert_eq!(program.run(&["pipelines", "get", "shop"]).expect(0).json()["name"], "Mine");
    // Also as headers have it, and where single fields are read and put in.
    let tag = format!("\"{version}\"");
    update(&["--if-match", &tag, "--source.stripe.rate-limit", "5"]).expect(1);
    update(&["--if-match", "*", "--source.stripe.rate-limit", "5"]).expect(0);
    let named = update(&["--name", "Ours", "--source.stripe.rate-limit", "6"]).expect(0).json();
    assert_eq!((&named["name"], &named["source"]["stripe"]["rate_limit"]), (&json!("Ours"), &json!(6)));
    let wrong = update(&["--name", "x", "--if-match", "a\nb"]).expect(2);
    assert!(wrong.stderr.contains("is no ETag"), "{}", wrong.stderr);
}

#[test]
fn master_keys_are_listed_without_themselves() {
    const FORMER: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const CURRENT: &str = "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f";
    let shop = Shop::open();
    let program = &shop.program;
    let keys = |name: &str, text: String| {
        std::fs::write(program.path(name), text).unwrap();
        program.path(name).display().to_string()
    };
    let (before, between) =
        (keys("before", FORMER.to_owned()), keys("between", format!("{CURRENT},{FORMER}")));
    let after = keys("after", CURRENT.to_owned());
    let show = |file: &str, words: &[&str]| {
        let shown = program.run(&[&["keys", "show", "--master-key-file", file], words].concat()).expect(0);
        assert!(
            !shown.stdout.contains(&FORMER[..16]) && !shown.stdout.contains(&CURRENT[..16]),
            "{}",
            shown.stdout
        );
        shown
    };
    shop.create(&["--skip-check", "--master-key-file", &before]).expect(0);
    // The SHA-256 of the keys begins so.
    let (former, current) = ("630dcd2966c43366", "89c7460452eddff1");
    assert_eq!(show(&before, &[]).json(), json!({"id": former, "state": "current", "pipelines": 1}));
    let words = show(&between, &["--plain"]).stdout;
    assert_eq!(
        words,
        format!("{current}  current  seals 0 pipelines\n{former}  former   seals 1 pipeline\n")
    );
    let unknown = show(&after, &["--json"]).lines();
    assert_eq!(unknown[1], json!({"id": former, "state": "unknown", "pipelines": 1}));
    program.run(&["keys", "check", "--master-key-file", &after]).expect(1);
    program.run(&["keys", "rotate", "--master-key-file", &between]).expect(0);
    assert_eq!(show(&after, &[]).json(), json!({"id": current, "state": "current", "pipelines": 1}));
}
