//! `streams`: what there is to sync, for people.

use protocol::{CatalogMessage, Stream, counted};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::Opened;
use crate::cli::args::StreamsArgs;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::session::{Mode, Session};

pub(super) async fn run(args: StreamsArgs, session: &Session) -> Result<(), Failure> {
    let mut source_args = args.source.source;
    let opened = Opened::open(session, &source_args, args.source.config.as_deref())?;
    let mut source = opened.source(session, &source_args, None);
    if source.is_err() && source_args.source.as_deref().unwrap_or("stripe") == "stripe" {
        // What an API version offers is known without asking anybody.
        source_args.stripe_api_key.get_or_insert_with(|| SecretString::from("sk_test_none".to_owned()));
        source = opened.source(session, &source_args, None);
    }
    let mut source = source?.connector;
    if source.connector == "stripe" {
        source.config.entry("account_id").or_insert_with(|| Value::from("acct_unknown"));
    }
    let interrupt = Interrupt::listen(session.screen.clone())?;
    let catalog = interrupt.unless(opened.engine.discover(&source)).await?;
    let chosen = choose(&catalog, &args.names)?;
    if session.mode == Mode::Json {
        session
            .output
            .line(&Value::Array(chosen.iter().map(|stream| described(stream)).collect()).to_string());
    } else if args.names.is_empty() {
        session.output.line(&table(&chosen));
    } else {
        session.output.line(&chosen.iter().map(|stream| columns_of(stream)).collect::<Vec<_>>().join("\n\n"));
    }
    Ok(())
}

fn choose<'a>(catalog: &'a CatalogMessage, names: &[String]) -> Result<Vec<&'a Stream>, Failure> {
    let selections: Vec<protocol::StreamSelection> = names
        .iter()
        .map(|name| protocol::StreamSelection { name: name.clone(), ..Default::default() })
        .collect();
    let configured = engine::configure(catalog, &selections)?;
    let wanted: Vec<&str> = configured.names().collect();
    let mut streams: Vec<&Stream> =
        catalog.streams.iter().filter(|stream| names.is_empty() || wanted.contains(&&*stream.name)).collect();
    streams.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(streams)
}

/// The columns of a stream: name, type, and whether it may be null.
fn columns(stream: &Stream) -> Vec<(&str, String, bool)> {
    let properties = stream.json_schema.as_ref().and_then(|schema| schema.get("properties")?.as_object());
    properties
        .into_iter()
        .flatten()
        .map(|(name, schema)| {
            let (kind, nullable) = kind_of(schema);
            (name.as_str(), kind, nullable)
        })
        .collect()
}

fn kind_of(schema: &Value) -> (String, bool) {
    let object = schema.as_object();
    let text = |schema: Option<&Map<String, Value>>, key: &str| {
        schema.and_then(|schema| schema.get(key)?.as_str()).map(str::to_owned)
    };
    if let Some(branches) = object.and_then(|object| object.get("oneOf")?.as_array()) {
        let of = |branch: &Value| text(branch.as_object(), "type").unwrap_or_default();
        let nullable = branches.iter().any(|branch| of(branch) == "null");
        let first = branches.iter().find(|branch| of(branch) != "null");
        return (first.map_or_else(|| "any".to_owned(), |branch| kind_of(branch).0), nullable);
    }
    let kind = match (text(object, "type").as_deref(), text(object, "format").as_deref()) {
        (Some("string"), Some("date-time")) => "time".to_owned(),
        (Some("object"), _) => "json".to_owned(),
        (Some(kind), _) => kind.to_owned(),
        (None, _) => "any".to_owned(),
    };
    (kind, false)
}

fn flag(stream: &Stream, name: &str) -> Option<bool> {
    stream.metadata.as_ref()?.get(name)?.as_bool()
}

/// What a stream costs besides the pages of its list.
fn cost(stream: &Stream) -> Option<&str> {
    stream.metadata.as_ref()?.get("cost")?.as_str()
}

fn described(stream: &Stream) -> Value {
    let columns: Vec<Value> = columns(stream)
        .into_iter()
        .map(|(name, kind, nullable)| json!({"name": name, "type": kind, "nullable": nullable}))
        .collect();
    json!({
        "name": stream.name,
        "primary_key": stream.primary_key,
        "supports_time_range": flag(stream, "supports_time_range"),
        "supports_realtime_sync": flag(stream, "supports_realtime_sync"),
        "selected_by_default": flag(stream, "selected_by_default").unwrap_or(true),
        "cost": cost(stream),
        "columns": columns,
    })
}

fn table(streams: &[&Stream]) -> String {
    let width = streams.iter().map(|stream| stream.name.len()).max().unwrap_or(0).max(6);
    let mut lines =
        vec![format!("{:<width$}  {:>7}  {:<10}  {}", "STREAM", "COLUMNS", "TIME RANGE", "EVENTS")];
    let yes = |flag: Option<bool>| match flag {
        Some(true) => "yes",
        Some(false) => "no",
        None => "-",
    };
    for stream in streams {
        let by_time = yes(flag(stream, "supports_time_range"));
        let live = yes(flag(stream, "supports_realtime_sync"));
        let only = if flag(stream, "selected_by_default") == Some(false) { "only if named: " } else { "" };
        let cost = cost(stream).map(|cost| format!("{only}{cost}")).unwrap_or_default();
        let line = format!(
            "{:<width$}  {:>7}  {by_time:<10}  {live:<6}  {cost}",
            stream.name,
            columns(stream).len()
        );
        lines.push(line.trim_end().to_owned());
    }
    lines.push(format!(
        "\n{}. TIME RANGE: --since and --until narrow it. EVENTS: Stripe tells of changes.",
        counted(streams.len(), "stream")
    ));
    lines.join("\n")
}

fn columns_of(stream: &Stream) -> String {
    let columns = columns(stream);
    let width = columns.iter().map(|(name, _, _)| name.len()).max().unwrap_or(0);
    let key = stream.key_fields().join(", ");
    let mut lines = vec![format!("{} (key: {key})", stream.name)];
    for (name, kind, nullable) in columns {
        let null = if nullable { ", may be null" } else { "" };
        lines.push(format!("  {name:<width$}  {kind}{null}"));
    }
    lines.join("\n")
}
