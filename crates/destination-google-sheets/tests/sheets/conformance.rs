//! The suite that every destination must pass.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use destination_google_sheets::{SheetsDestination, SheetsOptions};
use protocol::{AnyDestination, Stream};
use serde_json::{Value, json};
use test_utils::conformance::Config;
use test_utils::conformance::destination::{DestinationFixture, Exactness, Rows, run_all};
use test_utils::sheets::{CLIENT_ID, CLIENT_SECRET, Cell, REFRESH_TOKEN, SheetsServer};

/// More than any case asks for: what quotas do is another test's.
const QUOTA: u32 = 1_000_000;

struct Sheets {
    server: SheetsServer,
    destination: Arc<SheetsDestination>,
}

impl Sheets {
    fn config(&self, id: &str) -> Config {
        let url = self.server.url();
        let config = json!({
            "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN,
            "spreadsheet_id": id, "base_url": url, "drive_url": url, "token_url": format!("{url}/token"),
            "requests_per_minute": QUOTA,
        });
        config.as_object().unwrap().clone()
    }
}

fn id(config: &Config) -> &str {
    config["spreadsheet_id"].as_str().unwrap()
}

impl DestinationFixture for Sheets {
    fn destination(&self) -> Arc<dyn AnyDestination> {
        Arc::clone(&self.destination) as Arc<dyn AnyDestination>
    }

    fn exactness(&self) -> Exactness {
        Exactness::Cells
    }

    fn can_be_inspected(&self) -> bool {
        false
    }

    async fn fresh(&self) -> anyhow::Result<Config> {
        Ok(self.config(&self.server.create("Copy")))
    }

    async fn unusable(&self) -> anyhow::Result<Vec<Config>> {
        let mut wrong = self.config(&self.server.create("Copy"));
        wrong.insert("refresh_token".to_owned(), "unknown".into());
        let closed = self.server.create("Closed");
        self.server.edit(&closed, |spreadsheet| spreadsheet.editable = false);
        Ok(vec![wrong, self.config("unknown"), self.config(&closed)])
    }

    /// The tab is the one that the hidden tab names: titles are not always those of streams.
    async fn rows(&self, config: &Config, stream: &Stream) -> anyhow::Result<Option<Rows>> {
        let spreadsheet = self.server.spreadsheet(id(config));
        let books = spreadsheet.sheet("_sync_engine").map(|books| books.cells.clone()).unwrap_or_default();
        let is_ours = |row: &&Vec<Cell>| {
            let text = |at: usize| row.get(at).map(Cell::shown).unwrap_or_default();
            text(0) == "stream" && text(1) == *stream.name
        };
        let Some(entry) = books.iter().find(is_ours) else { return Ok(None) };
        let entry: Value = serde_json::from_str(&entry[3].shown())?;
        let Some(sheet) = spreadsheet.sheets.iter().find(|sheet| entry["sheet"] == sheet.id) else {
            return Ok(None);
        };
        let headers = sheet.headers();
        let mut rows = Rows::new();
        for cells in sheet.data() {
            let shown = headers.iter().zip(cells).filter(|(_, cell)| **cell != Cell::Empty);
            let row: BTreeMap<&String, String> = shown.map(|(name, cell)| (name, cell.shown())).collect();
            let key = |field: &str| row.get(&field.to_owned()).cloned().unwrap_or_default();
            let key: Vec<String> = stream.key_fields().into_iter().map(key).collect();
            anyhow::ensure!(
                rows.insert(key.clone(), serde_json::to_string(&row)?).is_none(),
                "{key:?} is there twice"
            );
        }
        Ok(Some(rows))
    }

    async fn make_foreign_table(&self, config: &Config) -> anyhow::Result<()> {
        self.server.edit(id(config), |spreadsheet| {
            let mut sheet = spreadsheet.sheets[0].clone();
            (sheet.id, sheet.title, sheet.hidden) = (77_777, "theirs".to_owned(), false);
            sheet.cells = vec![vec![Cell::Number(7.0)]];
            spreadsheet.sheets.push(sheet);
        });
        Ok(())
    }

    async fn foreign_table_is_whole(&self, config: &Config) -> anyhow::Result<bool> {
        let spreadsheet = self.server.spreadsheet(id(config));
        Ok(spreadsheet.sheet("theirs").is_some_and(|sheet| *sheet.cell(0, 0) == Cell::Number(7.0)))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    let server = SheetsServer::start().await.unwrap();
    server.set_quota(Duration::from_millis(1), QUOTA as usize);
    let options = SheetsOptions { minute: Duration::from_secs(1), ..SheetsOptions::default() };
    let fixture = Sheets { server, destination: Arc::new(SheetsDestination::new(options)) };
    run_all(&fixture).await.assert_passed();
}
