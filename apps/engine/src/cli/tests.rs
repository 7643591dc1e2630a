//! From words and variables to settings.

use clap::{CommandFactory, Parser};
use engine::process::Search;
use engine::program::connect;
use protocol::{ConnectorConfig, StreamSelection};
use serde_json::{Map, Value, json};

use super::args::{Cli, Command, SyncArgs};
use super::documents::{ParamsDocument, PipelineDocument};
use super::environment::Environment;
use super::failure::Failure;
use super::settings::{
    DestinationSettings, Given, Position, RunSettings, SourceSettings, resolve_destination, resolve_run,
    resolve_selection, resolve_source,
};

/// What a `sync` works with, resolved from everything it was given.
struct Case {
    words: Vec<&'static str>,
    process: Vec<(&'static str, &'static str)>,
    dotenv: &'static str,
    document: Option<Value>,
    params: Option<Value>,
}

fn sync(words: &[&'static str]) -> Case {
    Case { words: words.to_vec(), process: Vec::new(), dotenv: "", document: None, params: None }
}

impl Case {
    fn process(self, process: &[(&'static str, &'static str)]) -> Case {
        Case { process: process.to_vec(), ..self }
    }

    fn dotenv(self, dotenv: &'static str) -> Case {
        Case { dotenv, ..self }
    }

    fn document(self, document: Value) -> Case {
        Case { document: Some(document), ..self }
    }

    fn params(self, params: Value) -> Case {
        Case { params: Some(params), ..self }
    }

    fn args(&self) -> SyncArgs {
        let words = ["sync-engine", "sync"].iter().chain(&self.words);
        match Cli::try_parse_from(words).unwrap().command {
            Command::Sync(args) => args,
            other => panic!("{other:?}"),
        }
    }

    fn with<T>(&self, resolve: impl FnOnce(&SyncArgs, &Given<'_>) -> T) -> T {
        let process = self.process.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment = Environment::new(process, Some(self.dotenv)).unwrap();
        let document: Option<PipelineDocument> =
            self.document.clone().map(|document| serde_json::from_value(document).unwrap());
        let engine = connect(None, &environment, Search::default(), None).unwrap().engine;
        let given =
            Given { environment: &environment, document: document.as_ref(), registry: engine.registry() };
        resolve(&self.args(), &given)
    }

    fn source(&self) -> Result<SourceSettings, Failure> {
        self.with(|args, given| resolve_source(&args.pipeline.source, None, None, given, "2026-10-28.endive"))
    }

    fn destination(&self) -> Result<DestinationSettings, Failure> {
        self.with(|args, given| resolve_destination(&args.pipeline.destination, None, given))
    }

    fn run(&self) -> Result<RunSettings, Failure> {
        let params: Option<ParamsDocument> =
            self.params.clone().map(|params| serde_json::from_value(params).unwrap());
        self.with(|args, given| {
            let streams = resolve_selection(&args.selection, params.as_ref(), given.document);
            resolve_run(&args.run, streams, params.as_ref())
        })
    }
}

fn config(connector: &ConnectorConfig) -> Map<String, Value> {
    connector.config.clone()
}

fn usage<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
    match result.unwrap_err() {
        Failure::Usage(text) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_words_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn a_flag_comes_before_the_environment_and_so_on_down() {
    let key = |case: Case| config(&case.source().unwrap().connector)["api_key"].clone();
    let document = json!({"source": {"type": "stripe", "stripe": {"api_key": "document"}}});
    let all = |words: &[&'static str]| {
        sync(words)
            .process(&[("STRIPE_API_KEY", "process")])
            .dotenv("STRIPE_API_KEY=dotenv")
            .document(document.clone())
    };
    assert_eq!(key(all(&["--stripe-api-key", "flag"])), "flag");
    assert_eq!(key(all(&[])), "process");
    assert_eq!(key(all(&[]).process(&[])), "dotenv");
    assert_eq!(key(all(&[]).process(&[]).dotenv("")), "document");
}

#[test]
fn accounts_are_all_or_listed() {
    let accounts = |case: Case| config(&case.source().unwrap().connector)["accounts"].clone();
    let given =
        |words: &[&'static str]| sync(words).process(&[("STRIPE_API_KEY", "k"), ("STRIPE_ACCOUNTS", "all")]);
    assert_eq!(accounts(given(&[])), "all");
    assert_eq!(accounts(given(&["--accounts", "all"])), "all");
    assert_eq!(accounts(given(&["--accounts", "acct_1, acct_2"])), json!(["acct_1", "acct_2"]));
    let listed = sync(&[]).process(&[("STRIPE_API_KEY", "k"), ("STRIPE_ACCOUNTS", r#"["acct_1"]"#)]);
    assert_eq!(accounts(listed), json!(["acct_1"]));
    let other = sync(&["--accounts", "all", "--source", "shop"]).source();
    assert!(usage(other).contains("--accounts is for the source `stripe`"));
}

#[test]
fn fields_of_one_connector_come_from_different_places() {
    let source = sync(&["--stripe-rate-limit", "7"])
        .process(&[("STRIPE_API_KEY", "k"), ("STRIPE_ACCOUNT_CREATED", "1600000000"), ("STRIPE_OTHER", "x")])
        .document(json!({"source": {"type": "stripe", "stripe": {"api_version": "2020-08-27"}}}))
        .source()
        .unwrap();
    let expected = json!({
        "rate_limit": 7, "api_key": "k", "account_created": 1_600_000_000, "api_version": "2020-08-27",
    });
    assert_eq!(Value::Object(config(&source.connector)), expected, "and variables of others are left alone");
    assert_eq!(source.name, "Stripe (API version 2020-08-27)");
}

#[test]
fn the_newest_version_is_the_default() {
    let source = sync(&["--stripe-api-key", "k"]).source().unwrap();
    assert_eq!(config(&source.connector)["api_version"], "2026-10-28.endive");
}

#[test]
fn a_missing_key_is_told_with_every_place() {
    insta::assert_snapshot!(usage(sync(&[]).source()));
}

#[test]
fn a_missing_database_is_told_with_every_place() {
    let document = json!({"destination": {"type": "postgres"}});
    insta::assert_snapshot!(usage(sync(&[]).document(document).destination()));
}

#[test]
fn without_a_destination_there_is_a_file() {
    let destination = sync(&[]).destination().unwrap();
    assert_eq!(Value::Object(config(&destination.connector)), json!({"path": "./stripe.db"}));
    assert!(destination.because.as_ref().unwrap().contains("No destination was given"));
    assert_eq!(destination.place(), "the SQLite file ./stripe.db");
    assert_eq!(
        destination.query_hint("charge").unwrap(),
        "sqlite3 ./stripe.db 'select count(*) from \"charge\"'"
    );
}

#[test]
fn the_destination_follows_from_what_is_given() {
    let kind = |case: Case| case.destination().unwrap().connector.connector;
    let database = [("DATABASE_URL", "postgres://u:p@h:5433/d")];
    assert_eq!(kind(sync(&["--sqlite", "a.db"]).process(&database)), "sqlite", "a flag wins");
    assert_eq!(kind(sync(&[]).process(&database)), "postgres");
    assert_eq!(kind(sync(&[]).process(&[("DESTINATION", "sqlite")])), "sqlite");
    assert_eq!(kind(sync(&[]).process(&[("SQLITE_PATH", "x.db")])), "sqlite");
    assert_eq!(kind(sync(&[]).dotenv("DATABASE_URL=postgres://h/d")), "postgres");
    let process_first = sync(&[]).process(&[("SQLITE_PATH", "x.db")]).dotenv("DATABASE_URL=postgres://h/d");
    assert_eq!(kind(process_first), "sqlite", "the environment comes before .env");
    let document = json!({"destination": {"type": "sqlite", "sqlite": {"path": "y.db"}}});
    assert_eq!(kind(sync(&[]).document(document.clone())), "sqlite");
    assert_eq!(kind(sync(&[]).document(document).process(&database)), "postgres");
}

#[test]
fn a_spreadsheet_is_named_in_many_ways() {
    let address = "https://docs.google.com/spreadsheets/d/1AbC/edit";
    let by_flag = sync(&["--spreadsheet", address]).destination().unwrap();
    assert_eq!(by_flag.connector.connector, "google_sheets");
    assert_eq!(config(&by_flag.connector)["spreadsheet_id"], address);
    for name in ["google_sheets", "google-sheets", "sheets"] {
        let destination =
            sync(&["--destination", name]).process(&[("GOOGLE_CLIENT_ID", "c")]).destination().unwrap();
        assert_eq!(destination.connector.connector, "google_sheets");
        assert_eq!(config(&destination.connector)["client_id"], "c");
        assert_eq!(destination.place(), "a new Google spreadsheet");
    }
    let by_variable = sync(&[]).process(&[("GOOGLE_SPREADSHEET_ID", "1AbC")]).destination().unwrap();
    assert_eq!(by_variable.place(), "the Google spreadsheet 1AbC");
}

#[test]
fn postgres_is_named_without_its_password() {
    let destination =
        sync(&[]).process(&[("DATABASE_URL", "postgres://u:hunter2@h:5433/d")]).destination().unwrap();
    assert_eq!(destination.place(), "the PostgreSQL database d on h:5433, schema stripe");
    assert_eq!(
        destination.because.as_deref(),
        Some("The destination is set by DATABASE_URL in the environment.")
    );
    assert_eq!(
        destination.query_hint("plan").unwrap(),
        "psql \"$DATABASE_URL\" -c 'select count(*) from \"stripe\".\"plan\"'"
    );
    let by_flag = sync(&["--postgres-url", "postgres://u:hunter2@h/d?x=1"]).destination().unwrap();
    assert!(by_flag.query_hint("plan").unwrap().starts_with("psql postgres://u@h/d -c"));
    let own = [("DATABASE_URL", "postgres://other/d"), ("POSTGRES_URL", "postgres://own/d")];
    let config = config(&sync(&["--schema", "s"]).process(&own).destination().unwrap().connector);
    assert_eq!(Value::Object(config), json!({"schema": "s", "url": "postgres://own/d"}));
}

#[test]
fn a_database_url_for_something_else_is_refused() {
    let text = usage(sync(&[]).process(&[("DATABASE_URL", "mysql://u:secret@h/d")]).destination());
    assert!(text.contains("`mysql`") && !text.contains("secret"), "{text}");
    let destination = sync(&[]).process(&[("DATABASE_URL", "sqlite:local.db")]).destination().unwrap();
    assert_eq!(config(&destination.connector)["path"], "local.db");
}

#[test]
fn a_proxy_for_the_database_comes_from_its_variables() {
    let url = ("DATABASE_URL", "postgres://h/d");
    let proxy = |more: &[(&'static str, &'static str)]| {
        let variables = [&[url], more].concat();
        sync(&[]).process(&variables).destination().map(|settings| settings.connector.config)
    };
    assert!(!proxy(&[]).unwrap().contains_key("proxy"));
    let config = proxy(&[
        ("PG_PROXY_HOST", "proxy.example.com"),
        ("PG_NO_PROXY", "localhost, db.local,"),
        ("PG_CONNECT_TIMEOUT_MS", "2500"),
    ]);
    let config = config.unwrap();
    assert_eq!(config["proxy"], json!({"host": "proxy.example.com", "no_proxy": ["localhost", "db.local"]}));
    assert_eq!(config["connect_timeout_ms"], 2500);
    let config = proxy(&[("PG_PROXY_HOST", "p"), ("PG_PROXY_PORT", "8080")]).unwrap();
    assert_eq!(config["proxy"]["port"], 8080);
    let text = usage(proxy(&[("PG_PROXY_HOST", "p"), ("PG_PROXY_PORT", "http")]));
    assert!(text.contains("PG_PROXY_PORT is not a port: http"), "{text}");
}

#[test]
fn contradictions_are_refused() {
    let text = usage(sync(&["--destination", "sqlite", "--postgres-url", "postgres://h/d"]).destination());
    assert_eq!(text, "--postgres-url is for the destination `postgres`, but the destination is `sqlite`");
    let text = usage(sync(&["--source", "other", "--api-version", "2020-08-27"]).source());
    assert_eq!(text, "--api-version is for the source `stripe`, but the source is `other`");
    let text = usage(sync(&["--since", "2024-02-01", "--until", "2024-01-01"]).run());
    assert!(text.contains("nothing lies between"), "{text}");
    for words in [
        ["--sqlite", "a", "--postgres-url", "b"].as_slice(),
        &["--sqlite", "a", "--schema", "b"],
        &["--json", "--plain"],
        &["--json", "--quiet"],
        &["-v", "-q"],
        &["--no-state", "--sync-id", "a"],
        &["--backfill-limit", "0"],
        &["--stripe-rate-limit", "0"],
        &["--since", "yesterday"],
    ] {
        let words = ["sync-engine", "sync"].iter().chain(words);
        assert!(Cli::try_parse_from(words.clone()).is_err(), "{:?}", words.collect::<Vec<_>>());
    }
}

#[test]
fn each_account_has_a_position_of_its_own() {
    let position = sync(&[]).run().unwrap().position;
    let of = |config: Value| position.sync_id(config.as_object().unwrap());
    assert_eq!(of(json!({"account_id": "acct_1"})).as_deref(), Some("acct_1"));
    assert_eq!(of(json!({})).as_deref(), Some("default"));
    // What was tried out says nothing of what is real.
    let keyed = |key: &str| of(json!({"account_id": "acct_1", "api_key": key}));
    assert_eq!(keyed("sk_live_1").as_deref(), Some("acct_1"));
    assert_eq!(keyed("rk_test_1").as_deref(), Some("acct_1/test"));
}

#[test]
fn a_run_has_parameters_from_flags_and_params() {
    let params = json!({
        "streams": [{"name": "charge"}], "since": "2020-01-01", "time_limit": 60, "soft_time_limit": 30,
        "run_id": "r", "sync_id": "s", "backfill_limit": 5,
    });
    let run = sync(&["--since", "2021-01-01", "--time-limit", "2m"]).params(params.clone()).run().unwrap();
    assert_eq!(run.streams, [StreamSelection { name: "charge".to_owned(), ..StreamSelection::default() }]);
    assert_eq!(run.range.gte.unwrap().to_string(), "2021-01-01T00:00:00.000Z");
    assert_eq!(run.limits.hard.unwrap().as_secs(), 120);
    assert_eq!(run.limits.soft.unwrap().as_secs(), 30);
    assert_eq!(
        (run.run_id.as_deref(), run.position, run.backfill_limit),
        (Some("r"), Position::Named("s".to_owned()), Some(5))
    );
    let flags =
        sync(&["--streams", "customer:email+name,charge", "--no-state"]).params(params).run().unwrap();
    assert_eq!(flags.streams[0].fields.as_ref().unwrap(), &["email", "name"]);
    assert_eq!(flags.position, Position::Nowhere);
    let text = usage(sync(&[]).params(json!({"time_limit": -1})).run());
    assert_eq!(text, "--params: `time_limit` must be a number of seconds above zero");
}

#[test]
fn a_time_range_goes_to_the_streams_that_can_be_narrowed() {
    let offered = serde_json::from_value(json!({"streams": [
        {"name": "a", "primary_key": [["id"]], "newer_than_field": "n"},
        {"name": "b", "primary_key": [["id"]], "newer_than_field": "n",
         "metadata": {"supports_time_range": false}},
    ]}))
    .unwrap();
    let selection = sync(&["--since", "2021-01-01"]).run().unwrap().selection(&offered);
    let ranges: Vec<bool> = selection.iter().map(|stream| stream.time_range.is_some()).collect();
    assert_eq!(ranges, [true, false]);
    assert!(sync(&[]).run().unwrap().selection(&offered).is_empty(), "no selection means everything");
}
