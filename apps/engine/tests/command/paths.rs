//! What is true of a sync by every way to it: an engine over HTTP, and the command line in one process.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stripe_simulator::{Fault, FaultRule, When};

use crate::account::Account;
use crate::program::{KEY, Program};
use crate::server::Server;

/// An account, and the two ways to read it.
struct Ways {
    account: Account,
    program: Program,
    server: Server,
}

impl Ways {
    fn to(account: Account) -> Ways {
        let program = account.program();
        let server = Server::start(&program, &[]);
        Ways { account, program, server }
    }

    /// A body for `/pipeline_read` and its command.
    fn body(&self, streams: &Value, source: &Value) -> Value {
        let mut stripe = json!({
            "api_key": KEY, "base_url": self.account.running.url(), "api_version": "2020-08-27", "rate_limit": 1000,
            "endpoint_rate_limit": 1000,
        });
        stripe.as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
        json!({"pipeline": {
            "source": {"type": "stripe", "stripe": stripe},
            "destination": {"type": "sqlite", "sqlite": {"path": self.program.path("unused.db")}},
            "streams": streams,
        }})
    }

    /// Reads by both ways, one after the other; `see` looks at each.
    fn read(&self, body: &Value, see: impl Fn(&str, &Read)) {
        let lines = |text: &str| -> Vec<Value> {
            let lines = text.lines().filter(|line| !line.is_empty());
            lines.map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        let counted = || self.account.with(|running| running.control().all_counters());
        let reset = || self.account.with(|running| running.control().reset_counters());
        reset();
        let request = self.server.post("/pipeline_read", body);
        let text = self.account.block_on(async { request.send().await.unwrap().text().await.unwrap() });
        see("over HTTP", &Read { messages: lines(&text), customers: counted().requests_to("/v1/customers") });
        reset();
        let mut words = ["api", "pipeline", "pipeline-read"].map(str::to_owned).to_vec();
        for (name, value) in body.as_object().unwrap() {
            words.extend([format!("--{}", name.replace('_', "-")), value.to_string()]);
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ended = self.program.run(&words).expect(0);
        let customers = counted().requests_to("/v1/customers");
        see("by the command", &Read { messages: lines(&ended.stdout), customers });
    }
}

/// What one read said, and how often it asked for customers.
struct Read {
    messages: Vec<Value>,
    customers: u64,
}

impl Read {
    /// What messages of this type say of the stream.
    fn of_type(&self, name: &str, stream: &str) -> Vec<&Value> {
        let parts = self.messages.iter().filter(|message| message["type"] == name);
        parts.map(|message| &message[name]).filter(|said| said["stream"] == stream).collect()
    }

    /// The ids of the stream's records; fails where one is said twice.
    fn ids(&self, stream: &str) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        for record in self.of_type("record", stream) {
            let id = record["data"]["id"].as_str().unwrap().to_owned();
            assert!(ids.insert(id), "twice: {record}");
        }
        ids
    }

    /// The last state of the stream.
    fn state(&self, stream: &str) -> Option<&Value> {
        self.of_type("source_state", stream).pop().map(|state| &state["data"])
    }

    fn last_status(&self, stream: &str) -> &Value {
        self.of_type("stream_status", stream).pop().unwrap()
    }

    fn has_more(&self) -> bool {
        let last = self.messages.last().unwrap();
        assert_eq!(last["type"], "eof", "{last}");
        last["eof"]["has_more"] == true
    }
}

fn streams(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"name": name})).collect()
}

/// The state of a sync that knows this of one stream.
fn state_of(stream: &str, data: &Value) -> Value {
    let mut state = serde_json::to_value(protocol::SyncState::empty()).unwrap();
    state["source"]["streams"][stream] = data.clone();
    state
}

#[test]
fn every_object_is_said_once_and_a_finished_state_asks_for_nothing() {
    let ways = Ways::to(Account::start(|account| account));
    let mut body = ways.body(&streams(&["customer", "charge"]), &json!({"account_created": 1_300_000_000}));
    let truth = |table: &str| -> BTreeSet<String> {
        ways.account.with(|running| running.control().ids(table)).unwrap().into_iter().collect()
    };
    let finished = std::cell::RefCell::new(Value::Null);
    ways.read(&body, |way, read| {
        assert_eq!(read.ids("customer"), truth("customer"), "{way}");
        assert_eq!(read.ids("charge"), truth("charge"), "{way}");
        assert!(!read.has_more(), "{way}");
        let state = read.state("customer").unwrap();
        assert_eq!(state["remaining"], json!([]), "{way}");
        *finished.borrow_mut() = state.clone();
    });
    // Nothing is left of what the state accounts for; of the seconds since there is one page at most.
    body["state"] = state_of("customer", &finished.borrow());
    body["pipeline"]["streams"] = streams(&["customer"]);
    ways.read(&body, |way, read| {
        assert!(read.ids("customer").len() < 350 && read.customers <= 2, "{way}: {}", read.customers);
    });
}

#[test]
fn what_is_left_by_a_state_is_read_and_nothing_else() {
    let ways = Ways::to(Account::start(|account| account));
    let mut body = ways.body(&streams(&["customer"]), &json!({"account_created": 1_300_000_000}));
    let created: Vec<i64> = ways.account.with(|running| {
        let mut created = Vec::new();
        let mut note = |text: &[u8]| {
            let object: Value = serde_json::from_slice(text).unwrap();
            created.push(object["created"].as_i64().unwrap());
        };
        running.control().dump("customer", stripe_simulator::NestedLists::Full, &mut note).unwrap();
        created.sort_unstable();
        created
    });
    let at = |seconds: i64| protocol::Timestamp::from_unix_seconds(seconds).to_string();
    let (gte, lt) = (created[100], created[200]);
    let now = ways.account.with(|running| running.control().now());
    let data = json!({
        "accounted_range": {"gte": at(1_300_000_000), "lt": at(now)},
        "remaining": [{"gte": at(gte), "lt": at(lt), "cursor": null}],
    });
    body["state"] = state_of("customer", &data);
    let wanted = created.iter().filter(|second| (gte..lt).contains(*second)).count();
    let later = created.iter().filter(|second| **second >= now - 60).count();
    ways.read(&body, |way, read| {
        let ids = read.ids("customer").len();
        assert!((wanted..=wanted + later).contains(&ids), "{way}: {ids} of {wanted}");
    });
}

#[test]
fn a_limit_of_rows_is_kept_and_states_are_said() {
    let ways = Ways::to(Account::start(|account| account));
    let limited = json!([{"name": "customer", "backfill_limit": 5}]);
    ways.read(&ways.body(&limited, &json!({})), |way, read| {
        assert_eq!(read.ids("customer").len(), 5, "{way}");
        assert!(read.state("customer").is_some(), "{way}");
    });
    ways.read(&ways.body(&streams(&["customer"]), &json!({"backfill_limit": 5})), |way, read| {
        assert_eq!(read.ids("customer").len(), 5, "{way}");
    });
}

#[test]
fn a_list_that_is_refused_fails_alone_and_one_that_fails_once_is_read() {
    let unauthorised = Fault::Refused {
        status: 401,
        message: "Invalid API Key provided: sk_test_***".to_owned(),
        code: None,
    };
    let account = Account::start(|account| account.fault(FaultRule::always("/v1/customers", unauthorised)));
    let ways = Ways::to(account);
    ways.read(&ways.body(&streams(&["customer", "plan"]), &json!({})), |way, read| {
        let status = read.last_status("customer");
        assert_eq!(status["status"], "error", "{way}: {status}");
        assert!(status["error"].as_str().unwrap().contains("Invalid API Key"), "{way}: {status}");
        assert!(read.ids("customer").is_empty() && read.state("customer").is_none(), "{way}");
        assert_eq!(
            (read.ids("plan").len(), read.last_status("plan")["status"].as_str()),
            (3, Some("complete")),
            "{way}"
        );
    });
    let once =
        FaultRule { path: "/v1/customers".to_owned(), when: When::Every(2), fault: Fault::Status(500) };
    let ways = Ways::to(Account::start(|account| account.fault(once)));
    ways.read(&ways.body(&streams(&["customer"]), &json!({})), |way, read| {
        assert_eq!(read.ids("customer").len(), 350, "{way}");
    });
}

/// Pages that take far longer than the request may.
#[test]
fn a_limit_of_time_is_kept_while_stripe_does_not_answer() {
    let ways = Ways::to(Account::start(|account| account.latency(60_000, 0)));
    let mut body = ways
        .body(&streams(&["customer"]), &json!({"account_id": "acct_1", "account_created": 1_300_000_000}));
    body["time_limit"] = json!(1);
    ways.read(&body, |way, read| {
        assert!(read.has_more(), "{way}");
        assert!(read.customers <= 4, "{way}: {}", read.customers);
    });
}
