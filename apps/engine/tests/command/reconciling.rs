//! `reconcile`: the copy against the account.

use serde_json::{Value, json};

use crate::account::Account;
use crate::program::{Ended, Program};

/// The report, which is the last line.
fn report(ended: &Ended) -> Value {
    serde_json::from_str(ended.stdout.lines().last().unwrap()).unwrap()
}

fn stream<'a>(report: &'a Value, name: &str) -> &'a Value {
    let streams = report["streams"].as_array().unwrap();
    streams.iter().find(|stream| stream["stream"] == name).unwrap()
}

fn count(stream: &Value, kind: &str) -> u64 {
    stream[kind]["count"].as_u64().unwrap()
}

/// Changes the copy behind the program's back.
type Execute<'a> = &'a dyn Fn(&str);

fn finds_and_heals(
    account: &Account,
    program: &Program,
    execute: Execute<'_>,
    table: &dyn Fn(&str) -> String,
) {
    program.run(&["sync"]).expect(0);
    let ended = program.run(&["reconcile"]).expect(0);
    assert!(ended.stdout.starts_with("Equal: "), "{}", ended.stdout);
    assert!(ended.stdout.contains("  customer "), "{}", ended.stdout);

    let customers = account.with(|running| running.control().ids("customer")).unwrap();
    let charges = account.with(|running| running.control().ids("charge")).unwrap();
    execute(&format!("DELETE FROM {} WHERE id = '{}'", table("customer"), customers[7]));
    account.with(|running| {
        let control = running.control();
        control.update("customer", &customers[9], json!({"email": "new@example.com"})).unwrap();
        control.create("plan", json!({"created": 1_750_000_000})).unwrap();
        control.update("charge", &charges[3], json!({"description": "changed \u{0} é"})).unwrap();
    });
    let told = program.run(&["reconcile"]).expect(1);
    assert!(told.stdout.starts_with("Not equal: "), "{}", told.stdout);
    assert!(told.stdout.contains(&format!("customer missing: {}", customers[7])), "{}", told.stdout);
    assert!(told.stdout.contains("--repair"), "{}", told.stdout);

    let words = ["reconcile", "--json", "--streams", "customer,charge,plan"];
    let ended = program.run(&words).expect(1);
    let found = report(&ended);
    assert_eq!((&found["equal"], &found["finished"]), (&json!(false), &json!(true)));
    let customer = stream(&found, "customer");
    assert_eq!(
        (&customer["status"], &customer["read"], &customer["stored"]),
        (&json!("compared"), &json!(350), &json!(349))
    );
    assert_eq!(customer["missing"], json!({"count": 1, "repaired": 0, "ids": [customers[7]]}));
    assert_eq!(customer["different"]["ids"], json!([customers[9]]));
    assert_eq!(stream(&found, "charge")["different"]["ids"], json!([charges[3]]));
    assert_eq!(count(stream(&found, "plan"), "missing"), 1);
    for kind in ["extra", "not_listed"] {
        assert_eq!(
            found["streams"].as_array().unwrap().iter().map(|stream| count(stream, kind)).sum::<u64>(),
            0
        );
    }

    let ended = program.run(&["reconcile", "--repair"]).expect(0);
    assert!(ended.stdout.starts_with("Equal: ") && ended.stdout.contains("(repaired)"), "{}", ended.stdout);
    let ended = program.run(&words).expect(0);
    assert_eq!(report(&ended)["equal"], true);

    // What is gone is never written again, and is told.
    account.with(|running| running.control().delete("customer", &customers[11])).unwrap();
    let gone = report(&program.run(&words).expect(1));
    let customer = stream(&gone, "customer");
    assert_eq!((count(customer, "extra"), count(customer, "not_listed")), (1, 0), "{customer}");
    assert_eq!(count(customer, "missing") + count(customer, "different"), 0, "{customer}");
    program.run(&["reconcile", "--repair"]).expect(0);
    assert_eq!(report(&program.run(&words).expect(0))["equal"], true);
}

#[test]
fn a_file_is_compared_and_healed() {
    let account = Account::start(|account| account);
    let program = account.program();
    let file = program.path("stripe.db");
    let execute = |sql: &str| rusqlite::Connection::open(&file).unwrap().execute_batch(sql).unwrap();
    finds_and_heals(&account, &program, &execute, &|name| format!("_raw_{name}"));
}

#[test]
fn a_database_is_compared_and_healed() {
    let account = Account::start(|account| account);
    let url = account.block_on(test_utils::postgres::shared_database());
    let program = account.program().variable("DATABASE_URL", &url);
    let execute = |sql: &str| {
        account.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute(sql).await.unwrap();
        });
    };
    finds_and_heals(&account, &program, &execute, &|name| format!("stripe.\"{name}\""));
}

#[test]
fn a_budget_stops_it_and_the_same_command_goes_on() {
    let account = Account::start(|account| account.table("customer", 1500));
    let program = account.program();
    program.run(&["sync", "--streams", "customer,charge"]).expect(0);
    let words = ["reconcile", "--json", "--streams", "customer,charge", "--max-requests", "8"];
    let mut runs = 0;
    loop {
        runs += 1;
        assert!(runs < 30, "it never ends");
        let ended = program.run(&words);
        let report = report(&ended);
        // Requests that are under way when the budget is used up are counted too.
        assert!(report["requests"].as_u64().unwrap() <= 16, "{report}");
        if report["finished"] == true {
            assert_eq!(ended.code, Some(0), "{report}");
            assert_eq!(
                (&report["equal"], &stream(&report, "customer")["read"]),
                (&json!(true), &json!(1500))
            );
            break;
        }
        assert_eq!(ended.code, Some(1), "{report}");
    }
    assert!(runs > 2, "{runs}");
    let told = program.run(&["reconcile", "--streams", "customer", "--max-requests", "2"]).expect(1);
    assert!(told.stdout.contains("The position is kept. Run the same command again"), "{}", told.stdout);
}

#[test]
fn chosen_fields_and_times_are_compared_as_they_were_synced() {
    let account = Account::start(|account| account);
    let program = account.program();
    let streams = "customer:email,charge";
    program.run(&["sync", "--streams", streams, "--since", "2025-01-01"]).expect(0);
    program.run(&["reconcile", "--streams", streams, "--since", "2025-01-01"]).expect(0);
    let ended = program.run(&["reconcile", "--streams", "charge"]).expect(1);
    assert!(ended.stdout.contains("charge missing: "), "{}", ended.stdout);
    program.run(&["reconcile", "--max-requests", "0"]).expect(2);
    program.run(&["reconcile", "--streams", "charges"]).expect(2);
}
