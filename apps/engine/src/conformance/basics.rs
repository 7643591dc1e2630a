//! What every connector does: `spec`, `check`, `setup`, and refusing what makes no sense.

use conformance::{Breach, is_config_schema, unfit_configs};
use protocol::{ConfiguredCatalog, ConnectionState, ConnectionStatus, ConnectorSpec, Payload};
use serde_json::{Map, Value};

use super::Conformance;
use super::program::{Program, Said, Words};
use super::report::{Outcome, Report};
use super::rules;
use crate::Role;

/// Checks it; `None` where the program does not say how it is configured.
pub(super) async fn check(asked: &Conformance, program: &Program, report: &mut Report) -> Option<()> {
    let spec = report.note_found(rules::SPEC, spec(program).await)?;
    report.note(rules::UNKNOWN_COMMAND, unknown_command(program).await);
    report.note(rules::NO_COMMAND, refuses(program, &[]).await);
    report.note(rules::MISSING_FLAG, refuses(program, &["check"]).await);
    report.note(rules::MALFORMED_CONFIG, refuses(program, &["check", "--config", "{\"a\": "]).await);
    report.note(rules::MISSING_FILE, refuses(program, &["check", "--config", "/no/such/file.json"]).await);
    report.note(rules::CHECK_SUCCEEDS, check_succeeds(asked, program).await);
    report.note(rules::FLAG_FORMS, flag_forms(asked, program).await);
    report.note(rules::UNFIT_CONFIG, unfit_config(asked, program, &spec).await);
    report.note(rules::CHECK_FAILS, check_fails(asked, program).await);
    if asked.role == Role::Source {
        report.note(rules::SETUP, setup(asked, program, asked.catalog.as_ref()).await);
    }
    Some(())
}

async fn spec(program: &Program) -> Result<ConnectorSpec, Breach> {
    let said = program.run(Words::of(&["spec"]), b"").await?;
    let spec = said.one("spec", |payload| match payload {
        Payload::Spec(spec) => Some(*spec),
        _ => None,
    })?;
    is_config_schema(&spec.config)?;
    Ok(spec)
}

async fn unknown_command(program: &Program) -> Result<(), Breach> {
    let said = program.run(Words::of(&["no-such-command"]), b"").await?;
    let words = said.refused()?;
    let known = words.to_lowercase().contains("unknown command no-such-command");
    Breach::unless(known, "`Unknown command no-such-command` on stderr", || said.ending())
}

/// Whether a command line is refused in words.
async fn refuses(program: &Program, words: &[&str]) -> Result<(), Breach> {
    program.run(Words::of(words), b"").await?.refused().map(drop)
}

fn status(said: &Said) -> Result<ConnectionStatus, Breach> {
    said.one("connection_status", |payload| match payload {
        Payload::ConnectionStatus(status) => Some(status),
        _ => None,
    })
}

fn works(said: &Said) -> Result<(), Breach> {
    let status = status(said)?;
    Breach::unless(
        status.status == ConnectionState::Succeeded,
        "`succeeded` with the given configuration",
        || format!("`failed`: {}", status.message.as_deref().unwrap_or("it does not say why")),
    )
}

async fn check_succeeds(asked: &Conformance, program: &Program) -> Result<(), Breach> {
    works(&program.run(Words::of(&["check"]).with("--config", &asked.config)?, b"").await?)
}

async fn flag_forms(asked: &Conformance, program: &Program) -> Result<(), Breach> {
    let config = Value::Object(asked.config.clone()).to_string();
    let joined = format!("--config={config}");
    for (words, form) in
        [(["check", "--config", &config].as_slice(), "--config JSON"), (&["check", &joined], "--config=JSON")]
    {
        let said = program.run(Words::of(words), b"").await?;
        works(&said)
            .map_err(|breach| Breach { expected: format!("{}, as {form}", breach.expected), ..breach })?;
    }
    Ok(())
}

/// Whether the program says, in one way or the other, that it cannot work with a configuration.
async fn is_refused(program: &Program, config: &Map<String, Value>, told: &str) -> Result<(), Breach> {
    let said = program.run(Words::of(&["check"]).with("--config", config)?, b"").await?;
    if said.succeeded().is_err() {
        return said.refused().map(drop);
    }
    let status = status(&said)?;
    Breach::unless(status.status == ConnectionState::Failed, "a failure of `check`", || {
        format!("it succeeds {told}")
    })?;
    let reason = status.message.unwrap_or_default();
    Breach::unless(!reason.is_empty(), "the reason in `message` of a failed `connection_status`", || {
        "there is none".to_owned()
    })
}

async fn unfit_config(asked: &Conformance, program: &Program, spec: &ConnectorSpec) -> Outcome {
    let unfit = unfit_configs(&spec.config, &asked.config);
    if unfit.is_empty() {
        return Outcome::Unchecked("its schema refuses nothing".to_owned());
    }
    for (told, config) in unfit {
        if let Err(breach) = is_refused(program, &config, &told).await {
            return Outcome::Failed(breach);
        }
    }
    Outcome::Passed
}

async fn check_fails(asked: &Conformance, program: &Program) -> Outcome {
    match &asked.bad_config {
        Some(config) => is_refused(program, config, "with --bad-config").await.into(),
        None => Outcome::Unchecked("no configuration was given that must fail (--bad-config)".to_owned()),
    }
}

/// Runs `setup`, which a program may lack.
pub(super) async fn setup(
    asked: &Conformance,
    program: &Program,
    catalog: Option<&ConfiguredCatalog>,
) -> Result<(), Breach> {
    let none = ConfiguredCatalog::default();
    let words = Words::of(&["setup"]).with("--config", &asked.config)?;
    let said = program.run(words.with("--catalog", catalog.unwrap_or(&none))?, b"").await?;
    if said.succeeded().is_err() {
        let words = said.refused()?.to_lowercase();
        let lacks = words.contains("unknown command") && words.contains("setup");
        return Breach::unless(lacks, "exit code 0, or `Unknown command setup` on stderr", || said.ending());
    }
    match said.payloads()?.iter().find(|payload| !matches!(payload, Payload::Control(_))) {
        None => Ok(()),
        Some(other) => {
            Err(Breach::new("`control` and `log` of `setup`", format!("`{}` is there", other.type_name())))
        }
    }
}
