//! The words of a connector's command line. Pure, but for the files that they name.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{ConfiguredCatalog, SourceState};

/// Which end of a pipeline the program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Source,
    Destination,
}

/// What the program is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Spec,
    Check,
    Discover,
    Read,
    Write,
    Setup,
    Teardown,
}

impl Command {
    const ALL: [(Command, &'static str, &'static str); 7] = [
        (Command::Spec, "spec", "Say how it is configured"),
        (Command::Check, "check", "Say whether the configuration works"),
        (Command::Discover, "discover", "Say which streams there are"),
        (Command::Read, "read", "Read the streams of a catalog"),
        (Command::Write, "write", "Write the messages on stdin"),
        (Command::Setup, "setup", "Prepare what is needed"),
        (Command::Teardown, "teardown", "Remove what setup made"),
    ];

    fn is_of(self, role: Role) -> bool {
        match self {
            Command::Discover | Command::Read => role == Role::Source,
            Command::Write => role == Role::Destination,
            _ => true,
        }
    }

    /// The flags, and whether they must be given.
    fn flags(self) -> &'static [(&'static str, bool)] {
        match self {
            Command::Spec => &[],
            Command::Check | Command::Discover | Command::Teardown => &[("config", true)],
            Command::Setup | Command::Write => &[("config", true), ("catalog", true)],
            Command::Read => &[("config", true), ("catalog", true), ("state", false)],
        }
    }
}

/// What was said.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) command: Command,
    pub(super) config: Option<Map<String, Value>>,
    pub(super) catalog: Option<ConfiguredCatalog>,
    pub(super) state: Option<SourceState>,
}

/// What to answer where nothing is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Was asked for.
    Help(String),
    /// Says what is wrong.
    Refusal(String),
}

impl Answer {
    /// Says it: help on stdout, what is wrong on stderr.
    pub(super) fn give(self) -> ExitCode {
        // Nobody is left to tell if this fails.
        match self {
            Answer::Help(text) => {
                let _ = io::stdout().write_all(text.as_bytes());
                ExitCode::SUCCESS
            }
            Answer::Refusal(text) => {
                let _ = writeln!(io::stderr(), "{text}");
                ExitCode::FAILURE
            }
        }
    }
}

impl Words {
    pub(super) fn read(
        role: Role,
        connector: &str,
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Words, Answer> {
        let matches =
            grammar(role, connector).try_get_matches_from(arguments).map_err(|error| answer(&error))?;
        let Some((name, matches)) = matches.subcommand() else {
            return Err(Answer::Refusal("No command specified.".to_owned()));
        };
        let found = Command::ALL.into_iter().find(|(_, known, _)| *known == name);
        let Some((command, _, _)) = found else { return Err(unknown(name)) };
        Ok(Words {
            command,
            config: document(command, matches, "config")?,
            catalog: document(command, matches, "catalog")?,
            state: document(command, matches, "state")?.map(state),
        })
    }
}

fn grammar(role: Role, connector: &str) -> clap::Command {
    let (name, about) = match role {
        Role::Source => (format!("source-{connector}"), "A source of the sync protocol"),
        Role::Destination => (format!("destination-{connector}"), "A destination of the sync protocol"),
    };
    let offered = Command::ALL.into_iter().filter(|(command, _, _)| command.is_of(role));
    let commands = offered.map(|(command, name, about)| {
        let flags = command.flags().iter().map(|(flag, required)| {
            Arg::new(*flag)
                .long(*flag)
                .value_name("JSON|FILE")
                .required(*required)
                .help("JSON, or a file of JSON")
        });
        clap::Command::new(name).about(about).args(flags)
    });
    clap::Command::new("connector")
        .display_name(name.clone())
        .bin_name(name)
        .about(about)
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true)
        .subcommands(commands)
}

/// The words by which engines tell these cases apart; everything else is clap's.
fn answer(error: &clap::Error) -> Answer {
    let context = |kind: ContextKind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Answer::Help(error.render().to_string()),
        ErrorKind::InvalidSubcommand => unknown(&context(ContextKind::InvalidSubcommand).unwrap_or_default()),
        ErrorKind::MissingRequiredArgument => {
            let missing = context(ContextKind::InvalidArg).unwrap_or_default();
            let names = missing.split(" <").next().unwrap_or_default().to_owned();
            Answer::Refusal(format!("Missing required argument: {names}"))
        }
        _ => Answer::Refusal(error.render().to_string().trim_end().to_owned()),
    }
}

fn unknown(command: &str) -> Answer {
    Answer::Refusal(format!("Unknown command {command}"))
}

fn document<T: DeserializeOwned>(
    command: Command,
    matches: &ArgMatches,
    flag: &str,
) -> Result<Option<T>, Answer> {
    if !command.flags().iter().any(|(known, _)| *known == flag) {
        return Ok(None);
    }
    let Some(given) = matches.get_one::<String>(flag) else { return Ok(None) };
    let refused = |problem: String| Answer::Refusal(format!("--{flag}: {problem}"));
    let trimmed = given.trim();
    let (place, text) = if trimmed.starts_with(['{', '[']) {
        ("the JSON".to_owned(), trimmed.to_owned())
    } else {
        let text = std::fs::read_to_string(given);
        (given.clone(), text.map_err(|error| refused(format!("{given} cannot be read: {error}")))?)
    };
    serde_json::from_str(&text).map(Some).map_err(|error| refused(format!("{place} is malformed: {error}")))
}

/// A state is one of a source, or only the part that tells of its streams.
fn state(given: Map<String, Value>) -> SourceState {
    let whole = given.contains_key("streams");
    let read = if whole {
        serde_json::from_value(Value::Object(given))
    } else {
        serde_json::from_value(serde_json::json!({"streams": given, "global": {}}))
    };
    // Any object is a state: what is in it is for the source to judge.
    read.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(role: Role, words: &[&str]) -> Result<Words, Answer> {
        Words::read(role, "x", std::iter::once("x").chain(words.iter().copied()).map(OsString::from))
    }

    fn refused(role: Role, words: &[&str]) -> String {
        match read(role, words).unwrap_err() {
            Answer::Refusal(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_are_json_or_files_in_both_forms() {
        for words in [&["check", "--config", r#" {"a": 1}"#][..], &["check", r#"--config={"a": 1}"#]] {
            let read = read(Role::Source, words).unwrap();
            assert_eq!((read.command, read.config.unwrap()["a"].as_i64()), (Command::Check, Some(1)));
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), r#"{"b": 2}"#).unwrap();
        let read = read(Role::Destination, &["teardown", "--config", file.path().to_str().unwrap()]).unwrap();
        assert_eq!(read.config.unwrap()["b"], 2);
    }

    #[test]
    fn a_state_may_be_whole_or_of_streams_only() {
        let state = |text: &str| {
            let words = ["read", "--config", "{}", "--catalog", r#"{"streams": []}"#, "--state", text];
            serde_json::to_value(read(Role::Source, &words).unwrap().state.unwrap()).unwrap()
        };
        let whole = serde_json::json!({"streams": {"a": 1}, "global": {"g": 2}});
        assert_eq!(state(&whole.to_string()), whole);
        assert_eq!(state(r#"{"a": 1}"#), serde_json::json!({"streams": {"a": 1}, "global": {}}));
    }

    #[test]
    fn what_is_wrong_is_said_in_the_words_that_engines_know() {
        assert_eq!(refused(Role::Source, &[]), "No command specified.");
        assert_eq!(refused(Role::Source, &["write"]), "Unknown command write");
        assert_eq!(refused(Role::Destination, &["discover"]), "Unknown command discover");
        assert_eq!(refused(Role::Source, &["check"]), "Missing required argument: --config");
        assert_eq!(
            refused(Role::Destination, &["write", "--config", "{}"]),
            "Missing required argument: --catalog"
        );
        let text = refused(Role::Source, &["check", "--config", "{"]);
        assert!(text.starts_with("--config: the JSON is malformed: EOF"), "{text}");
        let text = refused(Role::Source, &["check", "--config", "no/such"]);
        assert!(text.starts_with("--config: no/such cannot be read"), "{text}");
        assert!(matches!(read(Role::Source, &["--help"]).unwrap_err(), Answer::Help(_)));
    }
}
