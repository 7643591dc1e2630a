//! The checks of `conformance` find what is wrong, and where.

use engine::Role;
use engine::conformance::{Conformance, Outcome, RULES, Report};
use serde_json::{Map, Value, json};

/// A source and a destination in Python, with a defect if one is named in their configuration.
const ODD: &str = include_str!("odd_connector.py");

/// Defects, each with the check that finds it. Those that do not hide each other are in one connector.
type Defects = &'static [(&'static str, &'static str)];

const OF_SOURCES: &[Defects] = &[
    &[],
    &[
        ("words on stdout", "unknown command"),
        ("check always succeeds", "check fails"),
        ("another catalog each time", "discover again"),
        ("no start", "statuses"),
        ("versions in words", "records"),
        ("reads everything", "selected streams alone"),
        ("state ahead", "resume from a state"),
        ("state of one form", "--state of streams alone"),
    ],
    &[
        ("silent refusal", "malformed --config"),
        ("never completes", "statuses"),
        ("records without key", "records"),
    ],
    &[("forgets its state", "resume from the last state")],
    &[("no states", "resume from a state")],
    &[("spec without a schema", "spec")],
    &[("two streams of one name", "discover")],
    &[("speaks as an engine", "read")],
    &[("exits with 1", "read")],
];

const OF_DESTINATIONS: &[Defects] = &[
    &[],
    &[
        ("swallows states", "handed back in order"),
        ("last write wins", "older rows change nothing"),
        ("ignores garbage", "a line that is no message"),
    ],
    &[
        ("turns the order", "handed back in order"),
        ("stops at a bad record", "a stream fails alone"),
        ("loses rows", "rows arrive"),
    ],
    &[
        ("says something at first", "empty input"),
        ("keeps no tombstones", "deletes"),
        ("hands back before it stores", "states come after durable rows"),
    ],
];

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("no object: {value}") };
    object
}

/// The interpreter itself, not a script that looks for it: it is started hundreds of times.
fn interpreter() -> String {
    let words = ["-c", "import sys; print(sys.executable)"];
    let output = std::process::Command::new("python3").args(words).output().expect("python3 is needed");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn report(role: Role, defects: Defects, interpreter: &str) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let (program, file) = (folder.path().join("odd.py"), folder.path().join("rows.db"));
    std::fs::write(&program, ODD).unwrap();
    let names: Vec<&str> = defects.iter().map(|(defect, _)| *defect).collect();
    let config = |works: bool| object(json!({"works": works, "file": file}));
    let python = |role: &str, words: &[&str]| -> Vec<String> {
        let program = program.display().to_string();
        let names = names.join(",");
        let first = [interpreter, "-ES", &program, role, &names];
        first.iter().chain(words).map(|word| (*word).to_owned()).collect()
    };
    let suite = Conformance {
        role,
        command: python(&role.to_string(), &[]),
        config: config(true),
        bad_config: Some(config(false)),
        catalog: None,
        rows: Some(python("rows", &[&file.display().to_string()])),
    };
    suite.run().await
}

async fn finds(role: Role, connectors: &[Defects]) {
    let interpreter = interpreter();
    let reports = connectors.iter().map(|defects| report(role, defects, &interpreter));
    let reports = futures::future::join_all(reports).await;
    let asked: Vec<&str> = RULES.iter().filter(|rule| rule.is_of(role)).map(|rule| rule.name).collect();
    for (report, defects) in reports.iter().zip(connectors) {
        let made: Vec<&str> = report.checks().iter().map(|check| check.rule.name).collect();
        assert!(asked.iter().all(|name| made.contains(name)) && asked.len() == made.len(), "{made:?}");
        if defects.is_empty() {
            let whole = report.checks().iter().all(|check| check.outcome == Outcome::Passed);
            assert!(whole && report.passed(), "{}", report.table());
        }
        for (defect, name) in *defects {
            let found = report
                .checks()
                .iter()
                .any(|check| check.rule.name == *name && matches!(check.outcome, Outcome::Failed(_)));
            assert!(found && !report.passed(), "{defect} is not found by `{name}`:\n{}", report.table());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn defects_of_sources_are_found() {
    finds(Role::Source, OF_SOURCES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn defects_of_destinations_are_found() {
    finds(Role::Destination, OF_DESTINATIONS).await;
}

#[test]
fn the_contract_has_the_sections_and_names_every_check() {
    let text = include_str!("../../../../docs/connector-spec.md");
    for rule in RULES {
        let anchor = rule.section.link().split_once('#').unwrap().1;
        let is_heading = |line: &str| {
            line.strip_prefix("## ").is_some_and(|title| title.to_lowercase().replace(' ', "-") == anchor)
        };
        assert!(text.lines().any(is_heading), "{anchor}");
        assert!(
            text.contains(&format!("| {} |", rule.name)),
            "`{}` is not in the table of checks",
            rule.name
        );
    }
}
