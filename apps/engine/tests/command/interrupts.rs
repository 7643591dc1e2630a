//! Signals and limits.

use std::io::{BufReader, Read};
use std::time::Duration;

use crate::account::{Account, rows};
use crate::program::{signal, wait_for};

/// An account whose customers take several seconds: each page waits.
fn slow() -> Account {
    Account::start(|account| account.table("customer", 3000).latency(150, 0))
}

fn words() -> [&'static str; 5] {
    ["sync", "-v", "--streams", "customer", "--plain"]
}

#[test]
fn a_signal_saves_what_was_read_and_the_same_command_goes_on() {
    for name in ["INT", "TERM"] {
        let account = slow();
        let program = account.program().variable("STRIPE_RATE_LIMIT", "5");
        let mut child = program.start(&words());
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        wait_for(&mut stderr, "Copying");
        // Rows appear in the file while it goes on.
        let file = program.path("stripe.db");
        while !file.exists() || count(&file) < 200 {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            std::thread::sleep(Duration::from_millis(50));
        }
        signal(&child, name);
        wait_for(&mut stderr, "Stopping: what was read is being saved");
        let output = child.wait_with_output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(130), "{stdout}");
        assert!(stdout.contains("Run the same command again to continue"), "{stdout}");
        let saved = rows(&file, "customer").len();
        assert!((200..3000).contains(&saved), "{saved}");

        let resumed =
            account.program().variable("SQLITE_PATH", file.to_str().unwrap()).run(&words()).expect(0);
        account.assert_copied_to(&file, &["customer"]);
        let read = crate::account::summarised(&resumed.stdout)["customer"];
        assert!(read <= 3000 - saved as u64 + 100, "read {read} more after {saved}");
    }
}

/// How many customers the file has by now.
pub(crate) fn count(file: &std::path::Path) -> usize {
    let connection = rusqlite::Connection::open_with_flags(file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
    let counted = connection.and_then(|connection| {
        connection.query_row("SELECT count(*) FROM customer", [], |row| row.get::<_, i64>(0))
    });
    // Before the table is there, nothing is.
    usize::try_from(counted.unwrap_or(0)).unwrap()
}

#[test]
fn a_second_signal_aborts_at_once() {
    let account = slow();
    let program = account.program();
    let file = program.path("stripe.db");
    let mut child = program.start(&["sync", "--streams", "customer", "--json"]);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    wait_for(&mut stdout, "\"start\"");
    // Nobody can write while this is held, so stopping cleanly takes long.
    let blocker = rusqlite::Connection::open(&file).unwrap();
    blocker.busy_timeout(Duration::from_secs(10)).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let requests = || account.with(|running| running.control().counters().requests);
    let before = requests();
    while requests() < before + 2 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    signal(&child, "INT");
    wait_for(&mut stderr, "Stopping");
    signal(&child, "INT");
    wait_for(&mut stderr, "Aborted");
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(blocker);
    account.program().variable("SQLITE_PATH", file.to_str().unwrap()).run(&words()).expect(0);
    account.assert_copied_to(&file, &["customer"]);
}

#[test]
fn a_time_limit_ends_well_and_the_next_run_goes_on() {
    let account = slow();
    let program = account.program().variable("STRIPE_RATE_LIMIT", "5");
    let ended = program.run(&["sync", "--streams", "customer", "--time-limit", "2s"]).expect(0);
    assert!(ended.stdout.starts_with("Stopped at the time limit"), "{}", ended.stdout);
    assert!(rows(&program.path("stripe.db"), "customer").len() < 3000);
    let file = program.path("stripe.db");
    account.program().variable("SQLITE_PATH", file.to_str().unwrap()).run(&words()).expect(0);
    account.assert_copied_to(&file, &["customer"]);
}
