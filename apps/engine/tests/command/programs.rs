//! Connectors that are programs, from the command line.

use crate::account::Account;
use crate::program::Program;

/// A destination in a few lines of shell: it keeps what it gets, and hands it back.
const KEEPER: &str = "#!/bin/sh\n\
    case $1 in\n\
    spec) echo '{\"type\":\"spec\",\"spec\":{\"config\":{\"type\":\"object\",\"properties\":{}}}}';;\n\
    check) echo '{\"type\":\"connection_status\",\"connection_status\":{\"status\":\"succeeded\"}}';;\n\
    write) tee kept;;\n\
    *) echo \"Unknown command $1\" >&2; exit 1;;\n\
    esac\n";

#[test]
fn a_program_is_found_by_the_map() {
    let account = Account::start(|account| account);
    let program = account.program().file("keeper.sh", KEEPER);
    let map = r#"{"destination-keeper": "sh keeper.sh"}"#;
    let words =
        ["--connectors-from-command-map", map, "sync", "--destination", "keeper", "--streams", "plan"];
    let ended = program.run(&words).expect(0);
    assert!(ended.stdout.contains("3 rows"), "{}", ended.stdout);
    let kept = std::fs::read_to_string(program.path("kept")).unwrap();
    assert_eq!(kept.lines().filter(|line| line.contains("\"type\":\"record\"")).count(), 3);
}

#[test]
fn what_is_not_found_is_told_with_where_it_was_looked_for() {
    let program = Program::new().variable("STRIPE_API_KEY", "sk_test_x");
    let words = ["sync", "--destination", "keeper"];
    let refused = program.run(&words).expect(2);
    assert!(refused.stderr.contains("no program `destination-keeper`"), "{}", refused.stderr);
    let refused = program.run(&["--connectors-from-command-map", "no/such.json", "streams"]).expect(2);
    assert!(
        refused.stderr.contains("--connectors-from-command-map: no/such.json cannot be read"),
        "{}",
        refused.stderr
    );
}
