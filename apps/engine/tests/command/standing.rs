//! A sync says by its exit code when the copy is not current.

use stripe_simulator::{Fault, FaultRule};

use crate::account::Account;

#[test]
fn a_copy_whose_changes_cannot_be_seen_is_no_success() {
    let account = Account::start(|account| account.fault(FaultRule::always("/v1/events", Fault::Forbidden)));
    let program = account.program().variable("STRIPE_EVENTS_LAG", "0");
    let words = ["sync", "--plain", "--sqlite", "a.db", "--streams", "customer,plan"];
    let first = program.run(&words).expect(0);
    assert!(first.stderr.contains("events cannot be read"), "{}", first.stderr);
    account.assert_copied_to(&program.path("a.db"), &["customer"]);
    // Events of a second are read once it is over.
    std::thread::sleep(std::time::Duration::from_millis(2_100));
    let second = program.run(&words).expect(1);
    assert!(second.stderr.contains("customer is not current"), "{}", second.stderr);
    assert!(second.stderr.contains("rak_event_read"), "{}", second.stderr);
    // Whoever wants no events says so.
    program.run(&[&words[..], &["--no-events"]].concat()).expect(0);
}
