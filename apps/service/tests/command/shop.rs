//! A simulated account, and a program that copies it into a file.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use stripe_simulator::{Running, Simulator};
use tokio::runtime::Runtime;

use crate::program::{Ended, KEY, Program, sync_service};

/// A simulated account that serves until it is dropped, and a program.
pub(crate) struct Shop {
    runtime: Runtime,
    running: Running,
    pub(crate) program: Program,
}

impl Shop {
    pub(crate) fn open() -> Shop {
        let runtime = Runtime::new().unwrap();
        let catalog = stripe_openapi::embedded::catalog("2020-08-27").unwrap();
        let builder = Simulator::builder(catalog).table("customer", 230).table("plan", 3).api_key(KEY);
        let running = runtime.block_on(builder.start()).unwrap();
        Shop { runtime, running, program: sync_service() }
    }

    /// The words that create the pipeline `shop`, in the program's folder.
    pub(crate) fn creation(&self) -> Vec<String> {
        let file = self.file();
        let url = self.running.url();
        [
            ["--source.stripe.api-key", KEY],
            ["--source.stripe.apiVersion", "2020-08-27"],
            ["--source.stripe.base_url", &url],
            ["--source.stripe.rate-limit", "1000"],
            ["--source.stripe.endpoint-rate-limit", "1000"],
            ["--destination.sqlite.path", file.to_str().unwrap()],
            ["--streams", "customer,plan"],
        ]
        .into_iter()
        .flatten()
        .map(str::to_owned)
        .collect()
    }

    /// Creates the pipeline `shop`; `more` words go behind.
    pub(crate) fn create(&self, more: &[&str]) -> Ended {
        let words = self.creation();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.program.run(&[&["pipelines", "create", "--id", "shop"], &words[..], more].concat())
    }

    pub(crate) fn file(&self) -> std::path::PathBuf {
        self.program.path("copy.db")
    }

    /// The ids of the account's customers, and of those in the copy.
    pub(crate) fn customers(&self) -> (Vec<String>, Vec<String>) {
        let _entered = self.runtime.enter();
        let mut truth = self.running.control().ids("customer").unwrap();
        truth.sort();
        (truth, rows(&self.file()))
    }

    /// Creates a customer in the account.
    pub(crate) fn grow(&self) {
        let _entered = self.runtime.enter();
        self.running.control().create("customer", serde_json::json!({})).unwrap();
    }
}

fn rows(file: &Path) -> Vec<String> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = connection.prepare("SELECT id FROM customer ORDER BY id").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}
