//! `conformance`: does a connector keep to the contract?

use engine::Role;
use engine::conformance::{Conformance, detect};
use protocol::ConfiguredCatalog;
use serde_json::{Map, Value};

use crate::cli::args::ConformanceArgs;
use crate::cli::documents;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::session::{Mode, Session};

pub(super) async fn run(args: &ConformanceArgs, session: &Session) -> Result<(), Failure> {
    let (said, command) = role_and_command(&args.words);
    if command.is_empty() {
        return Err(Failure::usage("which connector? Give the words of its command, e.g. python3 shop.py"));
    }
    let object = |flag: &str, given: Option<&str>| -> Result<Option<Map<String, Value>>, Failure> {
        given.map(|given| documents::read(flag, given)).transpose()
    };
    let config = object("--config", args.config.as_deref())?.unwrap_or_default();
    let bad_config = object("--bad-config", args.bad_config.as_deref())?;
    let catalog: Option<ConfiguredCatalog> =
        args.catalog.as_deref().map(|given| documents::read_any("--catalog", given)).transpose()?;
    let rows = args.rows.as_deref().map(|rows| rows.split_whitespace().map(str::to_owned).collect());
    let interrupt = Interrupt::listen(session.screen.clone())?;
    let role = match said {
        Some(role) => role,
        None => {
            let detected = interrupt.unless(async { Ok::<_, Failure>(detect(&command).await) }).await?;
            let detected = detected.map_err(|breach| Failure::usage(breach.came))?;
            detected.ok_or_else(|| Failure::usage(format!(
                "`{}` does not tell by its name or its commands what it is; say `conformance source …` or `conformance \
                 destination …`",
                command.join(" ")
            )))?
        }
    };
    let suite = Conformance { role, command, config, bad_config, catalog, rows };
    let report = interrupt.unless(async { Ok::<_, Failure>(suite.run().await) }).await?;
    match session.mode {
        Mode::Json => {
            let mut report = report.json();
            logger::redact_texts(&mut report);
            session.output.line(&report.to_string());
        }
        _ => session.say(&report.table()),
    }
    match report.passed() {
        true => Ok(()),
        false if session.mode == Mode::Quiet => {
            Err(Failure::failed("the connector does not keep to the contract"))
        }
        false => Err(Failure::Told),
    }
}

/// The role, if it is said, and the words of the command. One word may hold several.
fn role_and_command(words: &[String]) -> (Option<Role>, Vec<String>) {
    let (role, rest) = match words.split_first() {
        Some((word, rest)) if word == "source" => (Some(Role::Source), rest),
        Some((word, rest)) if word == "destination" => (Some(Role::Destination), rest),
        _ => (None, words),
    };
    let command = match rest {
        [one] => one.split_whitespace().map(str::to_owned).collect(),
        several => several.to_vec(),
    };
    (role, command)
}
