//! From flags to what the API is sent.

use engine::api::parts;
use http_api::{Issues, Step};
use serde_json::{Map, Value, json};
use terminal::documents;
use terminal::failure::Failure;

use crate::cli::args::DescribedArgs;
use crate::cli::opening;
use crate::cli::shorthand::{Shorthand, Side, merged, named};

/// What `--x-pipeline` may hold.
const MEMBERS: [&str; 5] = ["name", "source", "destination", "streams", "transforms"];

/// The members of a pipeline that flags name. Flags of single fields go over `stored`, where that is of their type.
pub(super) fn described(
    args: &DescribedArgs,
    flags: &[Shorthand],
    stored: Option<&Value>,
) -> Result<Map<String, Value>, Failure> {
    let mut members: Map<String, Value> = match &args.x_pipeline {
        Some(given) => documents::read_any("--x-pipeline", given)?,
        None => Map::new(),
    };
    if let Some(unknown) = members.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
        return Err(Failure::usage(format!(
            "--x-pipeline has an unknown member `{unknown}`; there are {}",
            MEMBERS.join(", ")
        )));
    }
    for (side, flag) in [(Side::Source, &args.source), (Side::Destination, &args.destination)] {
        let name = side.as_str();
        let own =
            flag.as_deref().map(|given| documents::read_any(&format!("--{name}"), given)).transpose()?;
        let given = own.or_else(|| members.remove(name));
        let same = |stored: &&Value| stored[name]["type"].as_str() == named(flags, side);
        let beneath = || stored.filter(same).map(|stored| stored[name].clone());
        let given = if named(flags, side).is_some() { given.or_else(beneath) } else { given };
        if let Some(connector) = merged(flags, side, given, &opening::connectors(side))? {
            members.insert(name.to_owned(), connector);
        }
    }
    if let Some(given) = &args.streams {
        members.insert("streams".to_owned(), streams(given)?);
    }
    if let Some(name) = &args.name {
        members.insert("name".to_owned(), name.as_str().into());
    }
    Ok(members)
}

/// What a sync is to take otherwise than it is stored: single fields, and streams.
pub(super) fn overrides(
    flags: &[Shorthand],
    chosen: Option<&str>,
    stored: Option<&Value>,
) -> Result<Map<String, Value>, Failure> {
    let args = DescribedArgs { streams: chosen.map(str::to_owned), ..DescribedArgs::default() };
    let members = described(&args, flags, stored)?;
    for side in Side::ALL {
        if named(flags, side).is_some() {
            check_override(side, &members, stored)?;
        }
    }
    Ok(members)
}

/// Refuses an override that the connector does not understand. Secrets of `stored` are hidden from us, so where that alone
/// is not understood, only the API can tell.
fn check_override(side: Side, members: &Map<String, Value>, stored: Option<&Value>) -> Result<(), Failure> {
    let name = side.as_str();
    let wrong = |connector: Option<&Value>| {
        let mut issues = Issues::default();
        let members = connector.map(|value| (name.to_owned(), value.clone())).into_iter().collect();
        parts(opening::validator(), &members, &[], &mut issues);
        issues.0
    };
    let issues = wrong(members.get(name));
    if issues.is_empty() || !wrong(stored.map(|stored| &stored[name])).is_empty() {
        return Ok(());
    }
    let told = issues.iter().map(|issue| {
        let place: Vec<String> = issue.path.iter().map(step).collect();
        format!("\n  {}: {}", place.join("."), issue.message)
    });
    Err(Failure::usage(format!("Invalid {name} config override:{}", told.collect::<String>())))
}

fn step(step: &Step) -> String {
    let value = serde_json::to_value(step).unwrap_or_default();
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Streams as the API wants them: from names separated by commas, each perhaps with the fields to keep (`customer:email+name`),
/// or from a JSON array of names or selections.
fn streams(given: &str) -> Result<Value, Failure> {
    let wrong = |why: &str| Failure::usage(format!("--streams: {why}"));
    if given.trim_start().starts_with('[') {
        let items: Vec<Value> = serde_json::from_str(given).map_err(|error| wrong(&error.to_string()))?;
        let selection = |item: Value| match item {
            Value::String(name) => Ok(json!({"name": name})),
            Value::Object(_) => Ok(item),
            _ => Err(wrong("the array holds names, or objects with a `name`")),
        };
        return items.into_iter().map(selection).collect();
    }
    let selection = |text: &str| {
        let (name, fields) = match text.trim().split_once(':') {
            Some((name, fields)) => (name.trim(), Some(fields.split('+').map(str::trim).collect::<Vec<_>>())),
            None => (text.trim(), None),
        };
        if name.is_empty() || fields.iter().flatten().any(|field| field.is_empty()) {
            return Err(wrong("names are separated by commas, fields are written like customer:email+name"));
        }
        Ok(match fields {
            Some(fields) => json!({"name": name, "fields": fields}),
            None => json!({"name": name}),
        })
    };
    given.split(',').map(selection).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::shorthand::extract;

    fn flags(words: &[&str]) -> Vec<Shorthand> {
        extract(words.iter().map(Into::into).collect()).unwrap().0
    }

    fn refused<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
        let failure = result.unwrap_err();
        assert!(matches!(failure, Failure::Usage(_)), "{failure:?}");
        failure.text().unwrap().to_owned()
    }

    #[test]
    fn a_pipeline_is_made_of_all_that_is_given() {
        let args = DescribedArgs {
            name: Some("The shop".to_owned()),
            destination: Some(r#"{"type": "sqlite", "sqlite": {"path": "a.db"}}"#.to_owned()),
            streams: Some("customer:email+name, charge".to_owned()),
            x_pipeline: Some(
                r#"{"source": {"type": "stripe", "stripe": {"api_key": "k"}}, "streams": [{"name": "x"}]}"#
                    .to_owned(),
            ),
            ..DescribedArgs::default()
        };
        let members = described(&args, &flags(&["--source.stripe.rate-limit", "5"]), None).unwrap();
        let expected = json!({
            "source": {"type": "stripe", "stripe": {"api_key": "k", "rate_limit": 5}},
            "destination": {"type": "sqlite", "sqlite": {"path": "a.db"}},
            "streams": [{"name": "customer", "fields": ["email", "name"]}, {"name": "charge"}],
            "name": "The shop",
        });
        assert_eq!(Value::Object(members), expected);
    }

    #[test]
    fn single_fields_go_over_what_is_stored_of_the_same_type() {
        let stored = json!({
            "source": {"type": "stripe", "stripe": {"api_key": "[set sha256:1a2b3c4d]", "rate_limit": 20}},
            "destination": {"type": "sqlite", "sqlite": {"path": "a.db"}},
        });
        let words = ["--source.stripe.rate-limit", "5", "--destination.postgres.url", "postgres://h/d"];
        let members = described(&DescribedArgs::default(), &flags(&words), Some(&stored)).unwrap();
        let expected = json!({
            "source": {"type": "stripe", "stripe": {"api_key": "[set sha256:1a2b3c4d]", "rate_limit": 5}},
            "destination": {"type": "postgres", "postgres": {"url": "postgres://h/d"}},
        });
        assert_eq!(Value::Object(members), expected);
        assert!(described(&DescribedArgs::default(), &[], Some(&stored)).unwrap().is_empty());
    }

    #[test]
    fn overrides_are_understood_or_refused() {
        let stored = json!({"source": {"type": "stripe", "stripe": {"api_key": "sk_test_1", "api_version": "2026-10-28.endive"}}});
        let given = |words: &[&str]| overrides(&flags(words), None, Some(&stored));
        assert_eq!(given(&["--source.stripe.rate-limit", "5"]).unwrap()["source"]["stripe"]["rate_limit"], 5);
        let text = refused(given(&["--source.stripe.rate-limit", "many"]));
        assert!(text.starts_with("Invalid source config override:\n  source.stripe: "), "{text}");
    }

    #[test]
    fn streams_are_names_or_json() {
        assert_eq!(streams("a, b").unwrap(), json!([{"name": "a"}, {"name": "b"}]));
        let given = r#"["a", {"name": "b", "backfill_limit": 5}]"#;
        assert_eq!(streams(given).unwrap(), json!([{"name": "a"}, {"name": "b", "backfill_limit": 5}]));
        for wrong in ["", "a,,b", "a:", "[1]", "[", ":x"] {
            assert!(refused(streams(wrong)).starts_with("--streams: "), "{wrong}");
        }
    }

    #[test]
    fn unknown_members_are_told() {
        let args =
            DescribedArgs { x_pipeline: Some(r#"{"sorce": {}}"#.to_owned()), ..DescribedArgs::default() };
        assert!(
            refused(described(&args, &[], None)).contains("unknown member `sorce`; there are name, source")
        );
    }
}
