//! What the files in `packaging` say of the program is true: commands, flags and variables that they name are there.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{CommandFactory, Parser};

use super::args::Cli;

fn file(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../packaging");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn parses(words: &[String]) {
    if let Err(error) = Cli::try_parse_from(words) {
        panic!("{words:?}: {error}");
    }
}

/// The words of the arrays of JSON that follow `key`.
fn arrays(text: &str, key: &str) -> Vec<Vec<String>> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let values = lines.filter_map(|line| line.split_once(key)).map(|(_, value)| value.trim());
    values
        .map(|value| serde_json::from_str(value).unwrap_or_else(|error| panic!("{value}: {error}")))
        .collect()
}

/// Variables that are read without being written beside a flag.
const OTHERS: [&str; 1] = ["SYNC_SERVICE_MASTER_KEY"];

fn variables() -> BTreeSet<String> {
    fn gather(command: &clap::Command, found: &mut BTreeSet<String>) {
        let named = command.get_arguments().filter_map(|arg| arg.get_env());
        found.extend(named.filter_map(|name| name.to_str()).map(str::to_owned));
        command.get_subcommands().for_each(|inner| gather(inner, found));
    }
    let mut found: BTreeSet<String> = OTHERS.map(str::to_owned).into();
    gather(&Cli::command(), &mut found);
    // Those of the orchestrator on Temporal are there where it is built in.
    found.insert("TEMPORAL_ADDRESS".to_owned());
    found
}

#[test]
fn the_unit_starts_what_there_is() {
    let unit = file("sync-service.service");
    let commands: Vec<&str> = unit.lines().filter_map(|line| line.strip_prefix("ExecStart=")).collect();
    assert_eq!(commands.len(), 1);
    let words: Vec<String> = commands[0].split_whitespace().map(str::to_owned).collect();
    assert!(words[0].ends_with("/sync-service"), "{words:?}");
    parses(&words);
    let known = variables();
    for line in unit.lines().filter_map(|line| line.strip_prefix("Environment=")) {
        let name = line.split('=').next().unwrap();
        assert!(known.contains(name), "{name}");
    }
    let list = unit.split("NAME=value per line: ").nth(1).unwrap().lines().next().unwrap();
    for name in list.split(", ").filter(|name| *name != "…") {
        assert!(known.contains(name), "{name}");
    }
}

#[test]
fn the_image_starts_what_there_is() {
    let recipe = file("Dockerfile");
    let program = arrays(&recipe, "ENTRYPOINT ").remove(0);
    assert_eq!(program, ["sync-service"]);
    // The first is that of the health check.
    let commands = arrays(&recipe, "CMD ");
    assert_eq!(commands.len(), 2);
    parses(&commands[0]);
    parses(&[program, commands[1].clone()].concat());
    for line in recipe.lines().filter_map(|line| line.strip_prefix("ENV ")) {
        assert!(variables().contains(line.split('=').next().unwrap()), "{line}");
    }
    for package in ["service", "engine"] {
        let manifest = format!("{}/../{package}/Cargo.toml", env!("CARGO_MANIFEST_DIR"));
        let name = format!("name = \"sync-{package}\"");
        assert!(std::fs::read_to_string(manifest).unwrap().contains(&name));
        assert!(recipe.contains(&format!("-p {package} --bin sync-{package}")), "{package}");
    }
}

#[test]
fn the_composition_starts_what_there_is() {
    let composition = file("compose.yaml");
    let commands = arrays(&composition, "command: ");
    let ours = commands.iter().filter(|words| words[0] != "server");
    for words in ours.clone() {
        parses(&[vec!["sync-service".to_owned()], words.clone()].concat());
    }
    assert_eq!(ours.count(), 2);
    let block = composition.split("environment: &environment\n").nth(1).unwrap();
    let names =
        block.lines().take_while(|line| line.starts_with("    ")).filter_map(|line| line.split_once(": "));
    let names: Vec<&str> = names.map(|(name, _)| name.trim()).filter(|name| !name.starts_with('#')).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    for name in names {
        assert!(variables().contains(name), "{name}");
    }
}
