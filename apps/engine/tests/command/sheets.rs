//! Google Sheets as the destination.

use test_utils::sheets::{CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, SheetsServer};

use crate::account::{Account, summarised};
use crate::program::Program;

fn program(account: &Account, server: &SheetsServer) -> Program {
    let url = server.url();
    account
        .program()
        .variable("GOOGLE_CLIENT_ID", CLIENT_ID)
        .variable("GOOGLE_CLIENT_SECRET", CLIENT_SECRET)
        .variable("GOOGLE_REFRESH_TOKEN", REFRESH_TOKEN)
        .variable("GOOGLE_SHEETS_BASE_URL", &url)
        .variable("GOOGLE_SHEETS_DRIVE_URL", &url)
        .variable("GOOGLE_SHEETS_TOKEN_URL", &format!("{url}/token"))
}

/// The ids in a tab, sorted.
fn ids(server: &SheetsServer, spreadsheet: &str, tab: &str) -> Vec<String> {
    let spreadsheet = server.spreadsheet(spreadsheet);
    let sheet = spreadsheet.sheet(tab).unwrap();
    assert_eq!(sheet.headers()[0], "id");
    let mut ids: Vec<String> = sheet.data().map(|row| row[0].shown()).collect();
    ids.sort();
    ids
}

#[test]
fn an_account_is_copied_into_a_spreadsheet_and_kept_current() {
    let account = Account::start(|account| account);
    let server = account.block_on(SheetsServer::start()).unwrap();
    let id = server.create("Copy");
    let program = program(&account, &server).variable("GOOGLE_SPREADSHEET_ID", &id);
    let words = ["sync", "--streams", "customer,charge,plan"];
    let equal = |when: &str| {
        for table in ["customer", "charge", "plan"] {
            let mut expected = account.with(|running| running.control().ids(table)).unwrap();
            expected.sort();
            assert_eq!(ids(&server, &id, table), expected, "{table} {when}");
        }
    };
    let ended = program.run(&words).expect(0);
    assert_eq!(summarised(&ended.stdout)["customer"], 350, "{}", ended.stdout);
    assert!(ended.stdout.contains(&format!("the Google spreadsheet {id}")), "{}", ended.stdout);
    equal("at first");

    // Between two runs the account changes, and the user sorts one tab, deletes rows of another, and a column of a third.
    std::thread::sleep(std::time::Duration::from_secs(1));
    account.with(|running| running.control().create_many("charge", 5)).unwrap();
    server.edit(&id, |spreadsheet| {
        spreadsheet.sheet_mut("charge").unwrap().cells[1..].reverse();
        spreadsheet.sheet_mut("customer").unwrap().cells.drain(10..20);
        let plans = spreadsheet.sheet_mut("plan").unwrap();
        let at = plans.headers().iter().position(|name| name == "currency").unwrap();
        plans.cells.iter_mut().for_each(|cells| drop(cells.remove(at)));
    });
    let again = program.run(&words).expect(0);
    let told = summarised(&again.stdout);
    assert!(told["charge"] < 120 && told["customer"] == 350 && told["plan"] == 3, "{}", again.stdout);
    equal("after the second run");
    let spreadsheet = server.spreadsheet(&id);
    let plans = spreadsheet.sheet("plan").unwrap();
    let at = plans.headers().iter().position(|name| name == "currency").unwrap();
    assert!(plans.data().all(|row| !row[at].shown().is_empty()), "the column is filled again");

    program.run(&["teardown", "--yes"]).expect(0);
    let left: Vec<String> = server.spreadsheet(&id).sheets.into_iter().map(|sheet| sheet.title).collect();
    assert_eq!(left, ["Sheet1"]);
}

#[test]
fn a_machine_of_google_s_needs_no_key() {
    let account = Account::start(|account| account);
    let server = account.block_on(SheetsServer::start()).unwrap();
    let url = server.url();
    let id = server.create("Copy");
    let host = url.strip_prefix("http://").unwrap();
    let machine = |host: &str| {
        let program =
            account.program().variable("GOOGLE_SHEETS_BASE_URL", &url).variable("GOOGLE_SPREADSHEET_ID", &id);
        program.variable("HOME", "/nowhere").variable("GCE_METADATA_HOST", host)
    };
    machine(host).run(&["sync", "--streams", "plan"]).expect(0);
    assert_eq!(ids(&server, &id, "plan").len(), 3);
    assert!(server.tokens_given() > 0);
    // It runs as nobody who may write.
    server.revoke();
    let refused = machine(host).run(&["sync", "--streams", "plan"]).expect(1);
    assert!(refused.stderr.contains("the service account of this machine"), "{}", refused.stderr);
}

#[test]
fn a_spreadsheet_is_made_where_none_is_named() {
    let account = Account::start(|account| account);
    let server = account.block_on(SheetsServer::start()).unwrap();
    let program = program(&account, &server);
    let ended = program.run(&["sync", "--destination", "google-sheets", "--streams", "plan"]).expect(0);
    let made = server.ids();
    assert_eq!(made.len(), 1, "{}", ended.stderr);
    assert_eq!(ids(&server, &made[0], "plan").len(), 3);
    let told = format!("Made the Google spreadsheet {}; name it the next time", made[0]);
    assert!(ended.stderr.contains(&told), "{}", ended.stderr);
    assert!(ended.stdout.contains(&format!("in the Google spreadsheet {}.", made[0])), "{}", ended.stdout);
    let next = format!("Run the same command with --spreadsheet {} to read only what is new.", made[0]);
    assert!(ended.stdout.contains(&next), "{}", ended.stdout);
    let again = program.run(&["sync", "--spreadsheet", &made[0], "--streams", "plan"]).expect(0);
    assert!(again.stdout.contains("Run the same command again"), "{}", again.stdout);
    assert_eq!(server.ids(), made);
}
