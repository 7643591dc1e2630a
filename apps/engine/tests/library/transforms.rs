//! Rules for records before they leave the source's side.

use destination_sqlite::SqliteDestination;
use engine::{Engine, PipelineRead, PipelineSync, Reconcile, Registry};
use protocol::{ConnectorConfig, Payload, PipelineConfig};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

use crate::script::heard;
use crate::shop::Shop;

struct Place {
    shop: Shop,
    engine: Engine,
    folder: tempfile::TempDir,
    transforms: Value,
}

impl Place {
    fn new(transforms: Value) -> Place {
        let shop = Shop::default();
        for (id, status) in [("or_1", "open"), ("or_2", "open"), ("or_3", "void")] {
            put(&shop, id, status);
        }
        let engine =
            Engine::new(Registry::new().with_source(shop.clone()).with_destination(SqliteDestination));
        Place { shop, engine, folder: tempfile::tempdir().unwrap(), transforms }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("a.db")
    }

    fn pipeline(&self) -> PipelineConfig {
        let config = json!({"path": self.path()}).as_object().cloned().unwrap();
        PipelineConfig {
            source: ConnectorConfig::new("shop", Map::new()),
            destination: ConnectorConfig::new("sqlite", config),
            streams: Some(vec![serde_json::from_value(json!({"name": "order"})).unwrap()]),
            transforms: Some(serde_json::from_value(self.transforms.clone()).unwrap()),
        }
    }

    async fn sync(&self) {
        let (_, error) = heard(self.engine.pipeline_sync(PipelineSync::new(self.pipeline()))).await;
        assert!(error.is_none(), "{error:?}");
    }

    /// Ids and what is stored of each.
    fn rows(&self) -> Vec<(String, Value)> {
        let file = rusqlite::Connection::open(self.path()).unwrap();
        let mut select = file.prepare("SELECT id, _raw_data FROM \"order\" ORDER BY id").unwrap();
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).unwrap();
        rows.map(Result::unwrap).map(|(id, text)| (id, serde_json::from_str(&text).unwrap())).collect()
    }

    async fn differences(&self, repair: bool) -> [u64; 4] {
        let request = Reconcile { repair, ..Reconcile::new(self.pipeline()) };
        let report = self.engine.reconcile(request, |_| ()).await.unwrap();
        report.streams[0].differences().map(|(_, differences)| differences.count)
    }
}

fn put(shop: &Shop, id: &str, status: &str) {
    shop.put("order", id, 1_600_000_000, json!({"status": status, "email": "ada@example.com"}));
}

fn rules() -> Value {
    json!({"hash_key": "pepper", "streams": {"order": {
        "where": [{"field": "content.status", "in": ["open"]}],
        "hash": ["content.email"],
        "rename": {"content": "contents"},
    }}})
}

/// Of "ada@example.com" under "pepper".
const DIGEST: &str = "73c43507a0192e95887a051ea55e31d1744e34bf152ba65977f3e52fd1f683a5";

#[tokio::test]
async fn a_copy_follows_the_rules_and_equals_its_source_by_them() {
    let place = Place::new(rules());
    place.sync().await;
    let rows = place.rows();
    let ids: Vec<&str> = rows.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["or_1", "or_2"]);
    assert_eq!(rows[0].1["contents"], json!({"status": "open", "email": DIGEST}));
    assert_eq!(rows[0].1.get("content"), None);
    assert_eq!(place.differences(false).await, [0; 4]);

    // What is not wanted any more goes, and what is wanted now comes.
    put(&place.shop, "or_1", "void");
    put(&place.shop, "or_3", "open");
    let found = place.differences(false).await;
    assert_eq!(found.iter().sum::<u64>(), 2, "{found:?}");
    // A version is a second, and only what is newer replaces.
    place.shop.with(|stock| stock.version = Some(4_000_000_000));
    place.sync().await;
    let ids: Vec<String> = place.rows().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["or_2", "or_3"]);
    assert_eq!(place.differences(false).await, [0; 4]);
}

#[tokio::test]
async fn a_repair_keeps_to_the_rules() {
    let place = Place::new(json!({"streams": {}}));
    place.sync().await;
    let place = Place { transforms: rules(), ..place };
    assert_ne!(place.differences(true).await, [0; 4]);
    assert_eq!(place.differences(false).await, [0; 4]);
    assert_eq!(place.rows().len(), 2);
    assert_eq!(place.rows()[1].1["contents"]["email"], DIGEST);
}

#[tokio::test]
async fn what_is_read_has_left_the_source_s_side() {
    let place = Place::new(rules());
    let (messages, error) = heard(place.engine.pipeline_read(PipelineRead::new(place.pipeline()))).await;
    assert!(error.is_none(), "{error:?}");
    let records: Vec<(bool, &str)> = messages
        .iter()
        .filter_map(|message| match &message.payload {
            Payload::Record(record) => Some((record.deleted, record.data.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(records.iter().filter(|(deleted, _)| *deleted).count(), 1);
    assert!(records.iter().all(|(_, data)| !data.contains("example.com")), "{records:?}");
    assert_eq!(records.iter().filter(|(_, data)| data.contains(DIGEST)).count(), 2);
}

#[tokio::test]
async fn rules_that_do_not_fit_stop_everything() {
    let place = Place::new(json!({"streams": {"order": {"redact": ["contnet"]}}}));
    let (messages, error) = heard(place.engine.pipeline_sync(PipelineSync::new(place.pipeline()))).await;
    let error = error.unwrap().to_string();
    assert_eq!(
        error,
        "`transforms`, stream `order`: there is no field `contnet`, which `redact` names; did you mean content?"
    );
    assert_eq!(messages.len(), 1, "only the eof");
    assert!(!place.path().exists() || place.rows().is_empty());
}
