//! A simulated account to read from, and what a file must hold afterwards.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use stripe_simulator::{Running, Simulator, SimulatorBuilder};
use tokio::runtime::Runtime;

use crate::program::{KEY, Program, sync_engine};

/// A simulated account that serves until it is dropped.
pub(crate) struct Account {
    runtime: Runtime,
    pub(crate) running: Running,
}

impl Account {
    /// A few hundred objects, changed by `describe`.
    pub(crate) fn start(describe: impl FnOnce(SimulatorBuilder) -> SimulatorBuilder) -> Account {
        let runtime = Runtime::new().unwrap();
        let catalog = stripe_openapi::embedded::catalog("2020-08-27").unwrap();
        let builder = Simulator::builder(catalog)
            .table("customer", 350)
            .table("charge", 120)
            .table("plan", 3)
            .api_key(KEY);
        let running = runtime.block_on(describe(builder).start()).unwrap();
        Account { runtime, running }
    }

    /// A program that knows where the account is, and its key, by the environment.
    pub(crate) fn program(&self) -> Program {
        sync_engine()
            .variable("STRIPE_API_KEY", KEY)
            .variable("STRIPE_BASE_URL", &self.running.url())
            .variable("STRIPE_API_VERSION", "2020-08-27")
            .variable("STRIPE_RATE_LIMIT", "1000")
            .variable("STRIPE_ENDPOINT_RATE_LIMIT", "1000")
    }

    /// Runs something that needs the account's runtime.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&Running) -> T) -> T {
        let _entered = self.runtime.enter();
        work(&self.running)
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Fails unless the file has the ids that these tables of the account have.
    #[track_caller]
    pub(crate) fn assert_copied_to(&self, file: &Path, tables: &[&str]) {
        for table in tables {
            let mut ids = self.with(|running| running.control().ids(table)).unwrap();
            ids.sort();
            assert_eq!(rows(file, table), ids, "{table}");
        }
    }
}

/// The ids in a table, sorted.
pub(crate) fn rows(file: &Path, table: &str) -> Vec<String> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = connection.prepare(&format!("SELECT id FROM \"{table}\" ORDER BY id")).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// The numbers of rows that a summary names, by stream.
pub(crate) fn summarised(stdout: &str) -> BTreeMap<String, u64> {
    let line = |line: &str| {
        let mut words = line.strip_prefix("  ")?.split_whitespace();
        let (name, number) = (words.next()?, words.next()?.replace(',', ""));
        Some((name.to_owned(), number.parse().ok()?))
    };
    stdout.lines().filter_map(line).collect()
}
