//! Comparing a destination with its source.

use destination_postgres::PostgresDestination;
use destination_sqlite::SqliteDestination;
use engine::echo::EchoDestination;
use engine::{
    Engine, Outcome, PipelineSync, Reconcile, ReconcileReport, Registry, Setup, Side, StreamReport,
};
use futures::StreamExt;
use protocol::{ConnectorConfig, PipelineConfig, StreamSelection, Timestamp};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::script::heard;
use crate::shop::Shop;

/// A shop and a copy of it.
pub(crate) struct Place {
    pub(crate) shop: Shop,
    pub(crate) engine: Engine,
    destination: ConnectorConfig,
    copy: Copy,
}

enum Copy {
    File(tempfile::TempDir),
    Database(String),
}

impl Place {
    fn of(shop: Shop, destination: ConnectorConfig, copy: Copy) -> Place {
        let registry = Registry::new()
            .with_source(shop.clone())
            .with_destination(SqliteDestination)
            .with_destination(PostgresDestination)
            .with_destination(EchoDestination);
        Place { shop, engine: Engine::new(registry), destination, copy }
    }

    pub(crate) fn file(shop: Shop) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db").display().to_string();
        let config = json!({"path": path}).as_object().cloned().unwrap();
        Place::of(shop, ConnectorConfig::new("sqlite", config), Copy::File(folder))
    }

    async fn database(shop: Shop) -> Place {
        let url = test_utils::postgres::shared_database().await;
        let config = json!({"url": url, "schema": "shop"}).as_object().cloned().unwrap();
        Place::of(shop, ConnectorConfig::new("postgres", config), Copy::Database(url))
    }

    pub(crate) fn pipeline(&self, streams: &[&str]) -> PipelineConfig {
        let selection =
            |name: &&str| StreamSelection { name: (*name).to_owned(), ..StreamSelection::default() };
        PipelineConfig {
            source: ConnectorConfig::new("shop", Map::new()),
            destination: self.destination.clone(),
            streams: Some(streams.iter().map(selection).collect()),
            transforms: None,
        }
    }

    pub(crate) async fn sync(&self, streams: &[&str]) {
        let pipeline = self.pipeline(streams);
        let setup = Setup { pipeline: pipeline.clone(), side: Side::Both, discovered: None };
        let mut messages = self.engine.pipeline_setup(setup);
        while let Some(message) = messages.next().await {
            message.unwrap();
        }
        let (_, error) = heard(self.engine.pipeline_sync(PipelineSync::new(pipeline))).await;
        assert!(error.is_none(), "{error:?}");
    }

    pub(crate) fn request(&self, streams: &[&str]) -> Reconcile {
        Reconcile { sync_id: Some("acct_1".to_owned()), ..Reconcile::new(self.pipeline(streams)) }
    }

    async fn reconcile(&self, request: Reconcile) -> ReconcileReport {
        self.engine.reconcile(request, |_| ()).await.unwrap()
    }

    /// Changes the copy behind the engine's back.
    pub(crate) async fn execute(&self, sql: &str) {
        match &self.copy {
            Copy::File(folder) => {
                let connection = rusqlite::Connection::open(folder.path().join("a.db")).unwrap();
                connection.execute_batch(&sql.replace("shop.\"", "\"_raw_")).unwrap();
            }
            Copy::Database(url) => {
                let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
                tokio::spawn(connection);
                client.batch_execute(sql).await.unwrap();
            }
        }
    }

    pub(crate) async fn kept(&self) -> Option<protocol::SourceState> {
        let store = self.engine.state_store(&self.destination, "acct_1/reconcile").await.unwrap().unwrap();
        store.load().await.unwrap()
    }
}

/// A hundred days, a few objects a day.
pub(crate) fn shop(orders: i64) -> Shop {
    let shop = Shop::default();
    for at in 0..orders {
        let content = json!({"n": at, "big": 9_007_199_254_740_993_i64, "rate": "0.10", "text": "é\u{0}\n"});
        shop.put("order", &format!("or_{at:05}"), 1_600_000_000 + at / 3 * 1000, content);
    }
    for at in 0..7 {
        shop.put("rate", &format!("rate_{at}"), 0, json!({"at": at}));
        shop.put("item", &format!("item_{at}"), 1_600_000_000, json!({"at": at}));
    }
    shop
}

fn found(stream: &StreamReport) -> [Vec<&str>; 4] {
    stream.differences().map(|(kind, differences)| {
        assert_eq!(differences.ids.len() as u64, differences.count.min(5), "{kind}");
        let mut ids: Vec<&str> = differences.ids.iter().map(String::as_str).collect();
        ids.sort_unstable();
        ids
    })
}

const NOTHING: [Vec<&str>; 4] = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];

async fn finds_and_heals(place: Place) {
    let shop = &place.shop;
    let all = ["order", "rate", "item"];
    place.sync(&all).await;
    let report = place.reconcile(place.request(&all)).await;
    assert!(report.equal && report.finished, "{report:?}");
    for (stream, rows) in report.streams.iter().zip([400, 7, 7]) {
        assert_eq!((&stream.outcome, stream.read, stream.stored), (&Outcome::Compared, rows, rows));
        assert_eq!(found(stream), NOTHING);
    }
    assert_eq!(place.kept().await, None);

    place.execute("DELETE FROM shop.\"order\" WHERE id IN ('or_00000', 'or_00399')").await;
    let spoil = match place.copy {
        Copy::File(_) => {
            "UPDATE shop.\"order\" SET _raw_data = replace(_raw_data, '0.10', '0.11') WHERE id = 'or_00100'"
        }
        Copy::Database(_) => {
            "UPDATE shop.\"order\" SET _raw_data = jsonb_set(_raw_data, '{content,rate}', '\"0.11\"') WHERE id = 'or_00100'"
        }
    };
    place.execute(spoil).await;
    shop.put("order", "or_00200", 1_600_066_000, json!({"n": "new"}));
    shop.put("order", "or_new", 1_600_000_500, json!({}));
    for id in ["or_00050", "or_00051"] {
        shop.remove("order", id);
    }
    shop.remove("rate", "rate_3");
    shop.remove("item", "item_5");
    shop.with(|stock| {
        stock.hidden.extend(["or_00060".to_owned(), "or_00061".to_owned()]);
        stock.unknown.push("or_00051".to_owned());
    });
    shop.put("order", "or_00061", 1_600_020_000, json!({"n": "hidden and new"}));
    let expected = |order: &StreamReport| {
        assert_eq!(
            found(order),
            [
                vec!["or_00000", "or_00399", "or_new"],
                vec!["or_00050"],
                vec!["or_00061", "or_00100", "or_00200"],
                vec!["or_00051"]
            ]
        );
    };
    let report = place.reconcile(place.request(&all)).await;
    assert!(!report.equal && report.finished);
    let [order, rate, item] = report.streams.as_slice() else { panic!("{report:?}") };
    expected(order);
    assert_eq!((&rate.extra.ids, &item.extra.ids), (&vec!["rate_3".to_owned()], &vec!["item_5".to_owned()]));
    let mut asked = shop.with(|stock| std::mem::take(&mut stock.looked_up));
    asked.sort();
    assert_eq!(asked, ["item_5", "or_00050", "or_00051", "or_00060", "or_00061", "rate_3"]);

    let report = place.reconcile(Reconcile { repair: true, ..place.request(&all) }).await;
    expected(&report.streams[0]);
    for stream in &report.streams {
        let [missing, extra, different, not_listed] =
            stream.differences().map(|(_, differences)| differences.open());
        assert_eq!((missing, extra, different), (0, 0, 0), "{stream:?}");
        assert_eq!(not_listed, u64::from(stream.stream == "order"));
    }
    shop.with(|stock| stock.unknown.clear());
    let report = place.reconcile(Reconcile { repair: true, ..place.request(&all) }).await;
    assert!(report.equal, "what is proven to be gone now is repaired as well: {report:?}");
    let report = place.reconcile(place.request(&all)).await;
    assert!(report.equal && report.streams.iter().all(|stream| found(stream) == NOTHING), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_compared_and_healed() {
    finds_and_heals(Place::file(shop(400))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_compared_and_healed() {
    finds_and_heals(Place::database(shop(400)).await).await;
}

/// Runs with a budget until all is compared; answers the report and how many runs it took.
async fn in_steps(place: &Place, most: u64, repair: bool) -> (ReconcileReport, usize) {
    for runs in 1..200 {
        let before = place.shop.requests();
        let request = Reconcile { max_requests: Some(most), repair, ..place.request(&["order", "rate"]) };
        let report = place.reconcile(request).await;
        let spent = place.shop.requests() - before;
        assert_eq!(report.requests, spent);
        assert!(spent <= most + 1, "{spent} of {most}");
        assert_eq!(place.kept().await.is_none(), report.finished);
        if report.finished {
            return (report, runs);
        }
        assert!(!report.equal);
    }
    panic!("it never ends");
}

async fn a_budget_is_kept(place: Place) {
    place.sync(&["order", "rate"]).await;
    place.execute("DELETE FROM shop.\"order\" WHERE id IN ('or_00003', 'or_01234', 'or_02999')").await;
    let (report, runs) = in_steps(&place, 8, false).await;
    assert!((4..20).contains(&runs), "{runs} runs");
    let order = &report.streams[0];
    assert_eq!((order.read, order.stored), (3000, 2997));
    assert_eq!(found(order)[0], ["or_00003", "or_01234", "or_02999"]);
    // What the copy lacks is not known beforehand: a part is then narrowed until it fits.
    place.execute("DELETE FROM shop.\"order\"").await;
    let (report, _) = in_steps(&place, 8, false).await;
    assert_eq!((report.streams[0].read, report.streams[0].missing.count), (3000, 3000));
    let (report, _) = in_steps(&place, 8, true).await;
    assert_eq!(report.streams[0].missing.open(), 0);
    let report = place.reconcile(place.request(&["order", "rate"])).await;
    assert!(report.equal, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_kept_with_a_file() {
    a_budget_is_kept(Place::file(shop(3000))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_kept_with_a_database() {
    a_budget_is_kept(Place::database(shop(3000)).await).await;
}

/// One that compares at the same time spends a budget of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_not_spent_by_others() {
    let place = Place::file(shop(900));
    place.sync(&["order"]).await;
    let request =
        |sync_id: &str| Reconcile { sync_id: Some(sync_id.to_owned()), ..place.request(&["order"]) };
    let alone = place.reconcile(request("a")).await.requests;
    let bounded = |sync_id| Reconcile { max_requests: Some(40), ..request(sync_id) };
    let (one, other) = futures::join!(place.reconcile(bounded("b")), place.reconcile(bounded("c")));
    assert_eq!([one.requests, other.requests], [alone; 2]);
    assert!(one.finished && other.finished, "{one:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_in_one_go_within_the_budget_is_said() {
    let place = Place::file(Shop::default());
    for at in 0..250 {
        place.shop.put("rate", &format!("rate_{at}"), 0, json!({}));
    }
    place.sync(&["rate"]).await;
    let request = |most| Reconcile { max_requests: Some(most), ..place.request(&["rate"]) };
    let report = place.reconcile(request(2)).await;
    let Outcome::Unfinished { reason } = &report.streams[0].outcome else { panic!("{report:?}") };
    assert_eq!(reason, "it takes about 3 requests in one go, more than the budget");
    assert!(place.reconcile(request(3)).await.equal);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_created_since_is_compared() {
    let place = Place::file(shop(400));
    place.sync(&["order", "item"]).await;
    place.shop.remove("order", "or_00001");
    place.shop.remove("order", "or_00398");
    place.shop.remove("item", "item_1");
    let since = Some(Timestamp::from_unix_seconds(1_600_100_000));
    let report = place.reconcile(Reconcile { since, ..place.request(&["order", "item"]) }).await;
    assert_eq!(found(&report.streams[0])[1], ["or_00398"]);
    assert_eq!(report.streams[0].stored, 100);
    assert_eq!(found(&report.streams[1]), NOTHING, "children of older parents are not judged");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_look_up_nothing_is_called_extra() {
    let place = Place::file(Shop { cannot_look_up: true, ..shop(40) });
    place.sync(&["order"]).await;
    place.shop.remove("order", "or_00001");
    let report = place.reconcile(Reconcile { repair: true, ..place.request(&["order"]) }).await;
    assert!(!report.equal);
    assert_eq!(found(&report.streams[0])[3], ["or_00001"]);
    assert_eq!(found(&report.streams[0])[1], [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_wins_against_newer_versions_and_forgotten_deletions() {
    let place = Place::file(shop(10));
    place.sync(&["order"]).await;
    // Objects that tell their own version, which is older than a deletion that is remembered.
    place.shop.with(|stock| stock.version = Some(1_600_000_000));
    let sql = "DELETE FROM _raw_order WHERE id = 'or_00001'; \
               INSERT INTO _sync_tombstones VALUES ('order', '[\"or_00001\",\"acct_1\"]', unixepoch() - 5, ''); \
               UPDATE _raw_order SET _raw_data = replace(_raw_data, '0.10', '7') WHERE id = 'or_00002'";
    place.execute(sql).await;
    let report = place.reconcile(Reconcile { repair: true, ..place.request(&["order"]) }).await;
    assert!(report.equal, "{report:?}");
    assert_eq!((report.streams[0].missing.repaired, report.streams[0].different.repaired), (1, 1));
    assert!(place.reconcile(place.request(&["order"])).await.equal);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_cannot_be_read_are_not_equal() {
    let place = Place::file(shop(10));
    place.sync(&["order", "item"]).await;
    place.shop.with(|stock| {
        let status = |status: &str, name: &str, text: &str| json!({"status": status, name: text});
        stock.refused.insert("order".to_owned(), status("error", "error", "something is off"));
        stock.refused.insert("rate".to_owned(), status("skip", "reason", "not for this key"));
        stock.refused.insert("item".to_owned(), status("skip", "reason", "not for this key"));
    });
    let report = place.reconcile(place.request(&["order", "rate", "item"])).await;
    let outcomes: Vec<Value> =
        report.streams.iter().map(|stream| serde_json::to_value(&stream.outcome).unwrap()).collect();
    assert_eq!(
        outcomes,
        [
            json!({"status": "failed", "reason": "something is off"}),
            json!({"status": "skipped", "reason": "not for this key"}),
            json!({"status": "skipped", "reason": "not for this key"}),
        ]
    );
    let equal: Vec<bool> = report.streams.iter().map(StreamReport::is_equal).collect();
    assert_eq!(equal, [false, true, false], "only where nothing is stored, there is nothing to prove");
    assert!(!report.equal);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_comparison_and_a_destination_that_cannot_be_read_back() {
    let place = Place::file(shop(10));
    place.sync(&["order"]).await;
    let stop = CancellationToken::new();
    stop.cancel();
    let report = place.reconcile(Reconcile { stop, ..place.request(&["order"]) }).await;
    assert!(!report.finished && !report.equal);

    let echo = Place::of(shop(1), ConnectorConfig::new("test", Map::new()), Copy::Database(String::new()));
    let error = echo.engine.reconcile(echo.request(&["order"]), |_| ()).await.unwrap_err();
    assert_eq!(error.kind(), protocol::ErrorKind::Config);
    assert!(error.to_string().contains("cannot be read back"), "{error}");
}
