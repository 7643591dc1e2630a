//! PostgreSQL as the destination.

use crate::account::{Account, summarised};
use crate::program::sync_engine;

fn database(account: &Account) -> String {
    account.block_on(test_utils::postgres::shared_database())
}

#[test]
fn a_variable_is_enough_to_write_into_a_database() {
    let account = Account::start(|account| account);
    let url = database(&account);
    let program = account.program().variable("DATABASE_URL", &url);
    let ended = program.run(&["sync", "--streams", "customer,plan"]).expect(0);
    assert!(
        ended.stderr.contains("The destination is set by DATABASE_URL in the environment."),
        "{}",
        ended.stderr
    );
    assert_eq!(summarised(&ended.stdout)["customer"], 350);
    assert!(ended.stdout.contains("schema stripe"), "{}", ended.stdout);
    let again = program.run(&["sync", "--streams", "customer,plan"]).expect(0);
    assert!(
        !summarised(&again.stdout).contains_key("plan") || again.stdout.contains("Done"),
        "{}",
        again.stdout
    );
    let checked = program.run(&["check"]).expect(0);
    assert!(checked.stdout.contains("ok      the PostgreSQL database"), "{}", checked.stdout);
    program.run(&["teardown", "--yes"]).expect(0);
}

#[test]
fn a_password_is_never_shown() {
    let account = Account::start(|account| account);
    let url = "postgres://somebody:veryverysecret@127.0.0.1:1/nothing";
    // Connecting is tried several times, so they wait together.
    std::thread::scope(|scope| {
        for words in [["sync", "-vv"].as_slice(), &["check"], &["setup", "--json"], &["teardown", "--yes"]] {
            let program = account.program().variable("POSTGRES_URL", url);
            scope.spawn(move || {
                let ended = program.run(words).expect(1);
                assert!((ended.stdout + &ended.stderr).contains("127.0.0.1"), "{words:?}");
            });
        }
    });
    let contradiction = sync_engine().run(&["sync", "--destination", "sqlite", "--postgres-url", url]);
    contradiction.expect(2);
}
