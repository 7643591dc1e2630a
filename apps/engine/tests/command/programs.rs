//! Connectors that are programs, from the command line.

use crate::account::Account;
use crate::program::sync_engine;

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
    let program = sync_engine().variable("STRIPE_API_KEY", "sk_test_x");
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

/// A source of Airbyte in a few lines of shell.
const AIRBYTE: &str = "case $1 in\n\
    spec) echo '{\"type\":\"SPEC\",\"spec\":{\"connectionSpecification\":{\"properties\":{\"token\":{\"type\":\"string\",\"airbyte_secret\":true}},\"required\":[\"token\"]}}}';;\n\
    check) echo '{\"type\":\"CONNECTION_STATUS\",\"connectionStatus\":{\"status\":\"SUCCEEDED\"}}';;\n\
    discover) echo '{\"type\":\"CATALOG\",\"catalog\":{\"streams\":[{\"name\":\"users\",\"json_schema\":{\"properties\":{\"name\":{\"type\":\"string\"}}},\"supported_sync_modes\":[\"full_refresh\"]}]}}';;\n\
    read) grep -q veryverysecret \"$3\" && echo '{\"type\":\"RECORD\",\"record\":{\"stream\":\"users\",\"data\":{\"name\":\"Mary\"},\"emitted_at\":1}}'; echo 'I sent veryverysecret' >&2; echo 'veryverysecret';;\n\
    esac\n";

#[test]
fn a_source_of_airbyte_is_named_by_its_command() {
    let program =
        sync_engine().file("users.sh", AIRBYTE).variable("AIRBYTE_SH_USERS_SH_TOKEN", "veryverysecret");
    let words = ["sync", "--source", "airbyte:sh users.sh", "--sqlite", "users.db", "-vv", "--plain"];
    let ended = program.run(&words).expect(0);
    assert!(ended.stdout.contains("1 row"), "{}", ended.stdout);
    let file = rusqlite::Connection::open(program.path("users.db")).unwrap();
    let name: String = file.query_row("SELECT name FROM users", [], |row| row.get(0)).unwrap();
    assert_eq!(name, "Mary");
    let refused = sync_engine()
        .file("users.sh", AIRBYTE)
        .run(&["discover", "--source", "airbyte:sh users.sh"])
        .expect(2);
    assert!(refused.stderr.contains("needs `token`. It was looked for as"), "{}", refused.stderr);
}
