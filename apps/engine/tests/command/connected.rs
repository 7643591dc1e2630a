//! Several accounts behind one key, in the same tables.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::account::Account;

/// A platform and three accounts that are connected to it.
fn platform() -> Account {
    Account::start(|builder| builder.connected(3, &[("customer", 120), ("charge", 10)]))
}

/// The ids of the customers of the platform and of each of its accounts.
fn truth(platform: &Account) -> BTreeMap<String, Vec<String>> {
    platform.with(|running| {
        let control = running.control();
        let accounts = [vec![control.account_id()], control.ids("account").unwrap()].concat();
        let customers = |account: &String| {
            let mut ids = control.account(account).unwrap().ids("customer").unwrap();
            ids.sort();
            ids
        };
        accounts.iter().map(|account| (account.clone(), customers(account))).collect()
    })
}

fn rows(file: &Path) -> BTreeMap<String, Vec<String>> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = connection.prepare("SELECT _account_id, id FROM customer ORDER BY 1, 2").unwrap();
    let mut rows = BTreeMap::<String, Vec<String>>::new();
    for row in statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap() {
        let (account, id) = row.unwrap();
        rows.entry(account).or_default().push(id);
    }
    rows
}

#[test]
fn a_file_tells_accounts_apart() {
    let platform = platform();
    let truth = truth(&platform);
    let program = platform.program();
    let sync = ["sync", "--streams", "customer,charge", "--sqlite", "all.db", "--accounts", "all"];
    program.run(&sync[..5]).expect(0);
    assert_eq!(rows(&program.path("all.db")).len(), 1, "the own account alone");
    let ended = program.run(&sync).expect(0);
    assert_eq!(rows(&program.path("all.db")), truth);
    assert!(ended.stdout.contains("customer"), "{}", ended.stdout);
    // Nothing is left to do, and nothing is lost by reading one account alone.
    platform.with(|running| running.control().reset_counters());
    program.run(&sync[..5]).expect(0);
    program.run(&sync).expect(0);
    assert_eq!(rows(&program.path("all.db")), truth);
    let requests = platform.with(|running| running.control().all_counters().requests_to("/v1/customers"));
    assert!(requests <= 5, "{requests}");
    program.run(&["check", "--accounts", "all", "--sqlite", "all.db"]).expect(0);
    let refused = program.run(&["check", "--accounts", "acct_unknown", "--sqlite", "all.db"]).expect(1);
    assert!((refused.stdout + &refused.stderr).contains("acct_unknown"));
    let wrong = program.run(&["sync", "--accounts", "cus_1"]).expect(2);
    assert!(wrong.stderr.contains("is not the id of an account"), "{}", wrong.stderr);
}

#[test]
fn a_database_tells_accounts_apart() {
    let platform = platform();
    let truth = truth(&platform);
    let url = platform.block_on(test_utils::postgres::shared_database());
    let program = platform.program().variable("DATABASE_URL", &url);
    let sync = ["sync", "--streams", "customer", "--accounts"];
    // One account alone, then one more, then all.
    program.run(&sync[..3]).expect(0);
    let ids: Vec<&str> = truth.keys().map(String::as_str).collect();
    let own = platform.with(|running| running.control().account_id());
    let other = ids.iter().find(|id| **id != own).unwrap();
    program.run(&[&sync[..], &[&format!("{own},{other}")]].concat()).expect(0);
    program.run(&[&sync[..], &["all"]].concat()).expect(0);
    let counted = platform.block_on(async {
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let rows = client
            .query(
                "SELECT _account_id, array_agg(id ORDER BY id COLLATE \"C\") FROM stripe.customer GROUP BY 1",
                &[],
            )
            .await
            .unwrap();
        rows.into_iter().map(|row| (row.get(0), row.get(1))).collect::<BTreeMap<String, Vec<String>>>()
    });
    assert_eq!(counted, truth);
    program.run(&["teardown", "--yes"]).expect(0);
}
