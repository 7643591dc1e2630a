//! `check` with keys that may not read everything.

use stripe_simulator::{Fault, FaultRule};

use crate::account::Account;

#[test]
fn check_tells_which_streams_a_restricted_key_may_read() {
    let account = Account::start(|account| account.fault(FaultRule::always("/v1/charges", Fault::Forbidden)));
    let program = account.program();
    let words = ["check", "--sqlite", "a.db", "--streams", "customer,charge"];
    let checked = program.run(&words).expect(0);
    assert!(checked.stdout.contains("customer  ok\n"), "{}", checked.stdout);
    assert!(checked.stdout.contains("charge    lacks permission rak_charge_read\n"), "{}", checked.stdout);
    assert!(checked.stdout.contains("1 of 2 streams can be synced"), "{}", checked.stdout);
    let messages = program.run(&["check", "--json", "--sqlite", "a.db", "--streams", "charge"]).expect(1);
    let skipped = messages.messages().iter().any(|message| {
        matches!(&message.payload, protocol::Payload::StreamStatus(status)
            if matches!(status.status, protocol::StreamStatus::Skip { .. }))
    });
    assert!(skipped, "{}", messages.stdout);
    // The rest is synced.
    program.run(&["sync", "--sqlite", "a.db", "--streams", "customer,charge"]).expect(0);
    account.assert_copied_to(&program.path("a.db"), &["customer"]);
}

#[test]
fn a_limit_cannot_be_shared_without_a_database() {
    let account = Account::start(|account| account);
    let program = account.program();
    let refused = program.run(&["sync", "--sqlite", "a.db", "--share-limit"]).expect(2);
    assert!(refused.stderr.contains("--shared-limit-url postgres://"), "{}", refused.stderr);
    let refused = program.run(&["sync", "--sqlite", "a.db", "--shared-limit-url", "mysql://x"]).expect(2);
    assert!(refused.stderr.contains("--shared-limit-url: "), "{}", refused.stderr);
    // One that is not there is no reason to read nothing.
    let nowhere = "postgres://somebody:veryverysecret@127.0.0.1:1/nothing";
    let ended = program
        .run(&["sync", "--sqlite", "a.db", "--streams", "plan", "--shared-limit-url", nowhere])
        .expect(0);
    assert!(ended.stderr.contains("going on alone at"), "{}", ended.stderr);
    account.assert_copied_to(&program.path("a.db"), &["plan"]);
}
