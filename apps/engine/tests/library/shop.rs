//! A source with objects in memory, which can be changed, hidden and asked for one by one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use protocol::{
    CatalogMessage, ConnectionStatus, LookUpRequest, Message, MessageStream, Payload, RawJson, ReadRequest,
    Record, RequestCount, Source, StreamStatus, TimeRange, Timestamp,
};
use serde_json::{Map, Value, json};

/// Objects on one page, each of which costs a request.
pub(crate) const PAGE: usize = 100;

/// What the shop holds and does.
#[derive(Default)]
pub(crate) struct Stock {
    /// By stream and id: when it was created, and what it says.
    pub(crate) objects: BTreeMap<(String, String), (i64, Value)>,
    /// Ids that no list shows.
    pub(crate) hidden: Vec<String>,
    /// Ids of which nothing is known any more.
    pub(crate) unknown: Vec<String>,
    /// Streams that are refused, with the status to say.
    pub(crate) refused: BTreeMap<String, Value>,
    pub(crate) requests: u64,
    pub(crate) looked_up: Vec<String>,
    /// What is written into the version of a record, if not the time of the reading.
    pub(crate) version: Option<i64>,
}

#[derive(Clone, Default)]
pub(crate) struct Shop {
    pub(crate) stock: Arc<Mutex<Stock>>,
    pub(crate) cannot_look_up: bool,
    /// Counts what is asked of this one, which may be one of several with the same stock.
    pub(crate) own_requests: Option<Arc<AtomicU64>>,
}

impl Shop {
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Stock) -> T) -> T {
        work(&mut self.stock.lock().unwrap())
    }

    pub(crate) fn put(&self, stream: &str, id: &str, created: i64, content: Value) {
        self.with(|stock| stock.objects.insert((stream.to_owned(), id.to_owned()), (created, content)));
    }

    pub(crate) fn remove(&self, stream: &str, id: &str) {
        self.with(|stock| stock.objects.remove(&(stream.to_owned(), id.to_owned()))).unwrap();
    }

    pub(crate) fn requests(&self) -> u64 {
        self.with(|stock| stock.requests)
    }

    /// Counts a request.
    fn ask(&self) {
        self.with(|stock| stock.requests += 1);
        if let Some(own) = &self.own_requests {
            own.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn record(&self, stream: &str, id: &str, deleted: bool) -> Message {
        let (created, content, version) = self.with(|stock| {
            let found = stock.objects.get(&(stream.to_owned(), id.to_owned()));
            let (created, content) = found.cloned().unwrap_or((0, Value::Null));
            (created, content, stock.version.unwrap_or_else(|| Timestamp::now().unix_seconds()))
        });
        let data = if deleted {
            json!({"id": id, "_updated_at": version, "_account_id": "acct_1"})
        } else {
            json!({"id": id, "created": created, "content": content, "_updated_at": version, "_account_id": "acct_1"})
        };
        let data = RawJson::from_value(&data).unwrap();
        Payload::Record(Record { stream: stream.into(), data, deleted, emitted_at: Timestamp::UNIX_EPOCH })
            .into()
    }
}

fn lies_in(range: Option<TimeRange>, created: i64) -> bool {
    let range = range.unwrap_or_default();
    range.gte.is_none_or(|gte| gte.unix_seconds_up() <= created)
        && range.lt.is_none_or(|lt| created < lt.unix_seconds_up())
}

impl Source for Shop {
    type Config = Map<String, Value>;

    fn name(&self) -> &'static str {
        "shop"
    }

    fn check(&self, _: Self::Config) -> MessageStream {
        protocol::once(async { Ok(Message::connection_status(ConnectionStatus::succeeded())) })
    }

    fn discover(&self, _: Self::Config) -> MessageStream {
        let stream = |name: &str, supports: bool, more: Value| {
            let mut metadata = json!({"supports_time_range": supports});
            metadata.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
            json!({
                "name": name, "primary_key": [["id"], ["_account_id"]], "newer_than_field": "_updated_at",
                "json_schema": {"type": "object", "properties": {
                    "id": {"type": "string"}, "created": {"type": "integer"}, "content": {"type": "object"},
                    "_account_id": {"type": "string"}, "_updated_at": {"type": "integer"}}},
                "metadata": metadata,
            })
        };
        let streams = json!({"streams": [
            stream("order", true, json!({})),
            stream("rate", false, json!({})),
            stream("item", true, json!({"parents": ["order"]})),
        ]});
        let catalog: CatalogMessage = serde_json::from_value(streams).unwrap();
        protocol::once(async { Ok(Payload::Catalog(catalog).into()) })
    }

    fn read(&self, _: Self::Config, request: ReadRequest) -> MessageStream {
        assert!(request.state.is_none(), "everything is read");
        let shop = self.clone();
        Box::pin(async_stream::stream! {
            for configured in request.catalog.streams {
                let name = configured.stream.name;
                if let Some(status) = shop.with(|stock| stock.refused.get(&*name).cloned()) {
                    yield Ok(Message::stream_status(&name, serde_json::from_value(status).unwrap()));
                    continue;
                }
                let ids: Vec<String> = shop.with(|stock| {
                    let listed = stock.objects.iter().filter(|((stream, id), (created, _))| {
                        **stream == *name && lies_in(configured.time_range, *created) && !stock.hidden.contains(id)
                    });
                    listed.map(|((_, id), _)| id.clone()).collect()
                });
                for page in ids.chunks(PAGE).chain(ids.is_empty().then_some([].as_slice())) {
                    shop.ask();
                    for id in page {
                        yield Ok(shop.record(&name, id, false));
                    }
                }
                yield Ok(Message::stream_status(&name, StreamStatus::Complete));
            }
        })
    }

    fn counted(&self) -> Option<(Shop, RequestCount)> {
        let own = Arc::new(AtomicU64::new(0));
        let shop = Shop { own_requests: Some(Arc::clone(&own)), ..self.clone() };
        Some((shop, Arc::new(move || own.load(Ordering::SeqCst))))
    }

    fn look_up(&self, _: Self::Config, request: LookUpRequest) -> Option<MessageStream> {
        if self.cannot_look_up {
            return None;
        }
        let shop = self.clone();
        Some(Box::pin(async_stream::stream! {
            let name = request.stream.stream.name.to_string();
            for object in request.objects {
                assert_eq!(object.account.as_deref(), Some("acct_1"));
                let key = (name.clone(), object.id.clone());
                shop.ask();
                let (exists, unknown) = shop.with(|stock| {
                    stock.looked_up.push(object.id.clone());
                    (stock.objects.contains_key(&key), stock.unknown.contains(&object.id))
                });
                if !unknown {
                    yield Ok(shop.record(&name, &object.id, !exists));
                }
            }
        }))
    }
}
