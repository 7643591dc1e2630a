//! Failures that only show when the work begins.

use std::net::TcpListener;

use crate::account::Account;
use crate::program::{KEY, sync_engine};

#[test]
fn a_wrong_key_is_told_without_showing_it() {
    let account = Account::start(|account| account);
    let program = account.program().variable("STRIPE_API_KEY", "sk_test_veryverysecret_but_wrong");
    for words in [["sync"].as_slice(), &["sync", "-vvv"], &["sync", "--json"], &["discover"]] {
        let ended = program.run(words).expect(1);
        assert!(ended.stderr.contains("Invalid API Key"), "{words:?}: {}", ended.stderr);
        let in_messages = ended.stdout.contains("Invalid API Key");
        assert_eq!(in_messages, words.contains(&"--json"), "{}", ended.stdout);
    }
    let checked = program.run(&["check", "--sqlite", "a.db"]).expect(1);
    assert!(checked.stdout.contains("failed  Stripe"), "{}", checked.stdout);
    assert!(checked.stdout.contains("ok      the SQLite file"), "the other side is told of, too");
}

#[test]
fn an_unreachable_host_is_named() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let ended = sync_engine().run(&["sync", "--stripe-api-key", KEY, "--stripe-base-url", &url]).expect(1);
    assert!(ended.stderr.contains(&format!("127.0.0.1:{port}")), "{}", ended.stderr);
}

#[test]
fn an_unknown_stream_is_told_with_its_neighbours_before_anything_is_made() {
    let account = Account::start(|account| account);
    let program = account.program();
    let ended = program.run(&["sync", "--streams", "customers,charge"]).expect(2);
    let text = "error: the source has no stream `customers` (did you mean customer";
    assert!(ended.stderr.contains(text), "{}", ended.stderr);
    assert!(!program.path("stripe.db").exists(), "nothing was made");
}

#[test]
fn a_path_that_cannot_be_written_is_named() {
    let account = Account::start(|account| account);
    let program = account.program().file("plain-file", "");
    for path in ["/proc/stripe.db", "plain-file/stripe.db"] {
        let ended = program.run(&["sync", "--sqlite", path]).expect(2);
        assert!(ended.stderr.contains(path.trim_end_matches("/stripe.db")), "{}", ended.stderr);
    }
}

#[test]
fn a_read_only_database_is_named() {
    let account = Account::start(|account| account);
    let program = account.program();
    program.run(&["sync", "--streams", "plan"]).expect(0);
    // A write version that SQLite does not know makes a file read-only for everybody, also for root.
    let file = program.path("stripe.db");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[18] = 3;
    std::fs::write(&file, bytes).unwrap();
    let ended = program.run(&["sync", "--streams", "plan,charge"]).expect(2);
    let all = ended.stdout + &ended.stderr;
    assert!(all.contains("read-only") || all.contains("readonly"), "{all}");
    assert!(all.contains("stripe.db"), "{all}");
}

#[test]
fn a_file_that_cannot_grow_is_told_and_the_next_run_goes_on() {
    let account = Account::start(|account| account);
    let program = account.program();
    program.run(&["setup"]).expect(0);
    // What a full disk or a quota does, without a disk: files end at so many blocks.
    let small = account.program().after("trap '' XFSZ; ulimit -f 400");
    let file = program.path("stripe.db");
    let ended = small.run(&["sync", "--sqlite", file.to_str().unwrap()]).expect(1);
    let all = ended.stdout + &ended.stderr;
    assert!(all.contains("stripe.db") && all.contains("run again"), "{all}");
    program.run(&["sync"]).expect(0);
    account.assert_copied_to(&file, &["customer", "charge", "plan"]);
}
