//! Syncs by hand, and what both sides say.

use crate::shop::Shop;

#[test]
fn a_pipeline_is_synced_by_hand_and_goes_on() {
    let shop = Shop::open();
    let program = &shop.program;
    shop.create(&["--skip-check"]).expect(0);
    let check = program.run(&["pipelines", "check", "shop", "--plain"]).expect(0);
    assert!(check.stderr.contains("✓ source/stripe: connected"), "{}", check.stderr);
    assert!(check.stderr.contains("✓ destination/sqlite: connected"), "{}", check.stderr);
    assert_eq!(check.stdout, "");
    program.run(&["pipelines", "setup", "shop"]).expect(0);

    let synced = program.run(&["pipelines", "sync", "shop", "--plain", "--run-id", "first"]).expect(0);
    assert_eq!(synced.stdout, "Final status: succeeded\n");
    assert!(
        synced.stderr.contains("Log: sync-service pipelines logs shop --run-id first"),
        "{}",
        synced.stderr
    );
    assert!(synced.stderr.contains("customer: complete, 230 rows"), "{}", synced.stderr);
    let (truth, copy) = shop.customers();
    assert_eq!(copy, truth);

    // Programs get the messages; the next sync goes on where the last one stopped.
    shop.grow();
    let messages = program.run(&["pipelines", "sync", "shop"]).expect(0).lines();
    assert_eq!(messages.last().unwrap()["type"], "eof");
    let (truth, copy) = shop.customers();
    assert_eq!((copy.len(), copy), (231, truth));

    let batch = program.run(&["pipelines", "sync_batch", "shop", "--loop", "0", "--reset-state"]).expect(0);
    assert_eq!(batch.json()["status"], "succeeded");
    let logs = program.run(&["pipelines", "logs", "shop", "--limit", "5"]).expect(0).lines();
    assert!(logs.len() == 4 && logs[0]["message"] == "Set up by hand", "{logs:?}");
    let logs = program.run(&["pipelines", "logs", "shop", "--run-id", "first"]).expect(0).lines();
    assert_eq!(logs[0]["message"], "Synced by hand: 233 records");
    let words = program.run(&["pipelines", "logs", "shop", "--plain", "--limit", "1"]).expect(0).stdout;
    assert_eq!(words.lines().count(), 1, "{words}");
    program.run(&["pipelines", "simulate-webhook-sync", "shop", "--created-after", "2020-01-01"]).expect(0);
    program.run(&["pipelines", "wait", "shop", "--object", "cus_1"]).expect(0);
    let late = program.run(&["pipelines", "wait", "shop", "--event", "evt_1", "--timeout", "0"]).expect(1);
    assert!(late.stderr.contains("evt_1 is not applied after 0 seconds"), "{}", late.stderr);
}

#[test]
fn a_side_that_fails_fails_the_command() {
    let shop = Shop::open();
    let wrong = ["--source.stripe.api-key", "sk_test_wrong"];
    let refused = shop.create(&wrong).expect(1);
    assert!(refused.stderr.contains("Source check failed (stripe): "), "{}", refused.stderr);
    shop.create(&[&wrong[..], &["--skip-check"]].concat()).expect(0);
    let check = shop.program.run(&["pipelines", "check", "shop", "--plain"]).expect(1);
    assert!(check.stderr.contains("✗ source/stripe: "), "{}", check.stderr);
    assert!(check.stderr.contains("✓ destination/sqlite"), "{}", check.stderr);
    let only = shop.program.run(&["pipelines", "check", "shop", "--only", "destination"]).expect(0);
    assert!(only.lines().iter().all(|message| message["type"] != "source_state"));
    let sync = shop.program.run(&["pipelines", "sync", "shop", "--plain"]).expect(1);
    assert!(!sync.stdout.contains("succeeded"), "{}", sync.stdout);
}
