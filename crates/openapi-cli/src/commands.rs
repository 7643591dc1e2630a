//! From what was read to commands of clap.

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command};

use crate::document::{Api, BODY, Body, Field, Group, Operation};

/// The flags that every generated command of a program has besides those of its operation, without their dashes: those that the
/// program has everywhere, and those of `group`, the command that holds the generated ones.
pub fn own_flags(program: &Command, group: &str) -> Vec<String> {
    let everywhere = program.get_arguments().filter(|flag| flag.is_global_set());
    let here = program.find_subcommand(group).into_iter().flat_map(Command::get_arguments);
    let named = everywhere.chain(here).filter_map(Arg::get_long);
    // Made by clap, later.
    named.chain(["help", "version"]).map(str::to_owned).collect()
}

impl Api {
    /// A command for each group, each with a command for each of its operations.
    pub fn commands(&self) -> Vec<Command> {
        self.groups.iter().map(group).collect()
    }
}

fn group(group: &Group) -> Command {
    let command = Command::new(group.name.clone())
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands(group.operations.iter().map(operation));
    match &group.about {
        Some(about) => command.about(without_stop(about)),
        None => command,
    }
}

fn operation(operation: &Operation) -> Command {
    let mut command = Command::new(operation.name.clone());
    let summary = operation.summary.as_deref().or(operation.description.as_deref());
    if let Some(summary) = summary {
        command = command.about(without_stop(summary));
    }
    if let Some(description) = &operation.description
        && let Some(summary) = &operation.summary
    {
        command = command.long_about(format!("{}\n\n{description}", without_stop(summary)));
    }
    command = command.args(operation.fields.iter().map(|field| argument(field, operation.body)));
    if let Some(body) = operation.body {
        command = command.arg(whole_body(body, &operation.fields));
    }
    command
}

fn argument(field: &Field, body: Option<Body>) -> Arg {
    let mut argument =
        Arg::new(field.name.clone()).value_name(field.kind.placeholder()).required(field.required);
    if field.positional {
        argument = argument.value_name(field.name.clone());
    } else {
        argument = argument.long(field.name.clone());
        if field.kind.is_array() && !field.is_in_body() {
            argument = argument.action(ArgAction::Append);
        }
    }
    if field.required_in_body && body.is_some() {
        argument = argument.required_unless_present(BODY);
    }
    if !field.kind.values.is_empty() {
        argument = argument.value_parser(PossibleValuesParser::new(field.kind.values.clone()));
    }
    if field.kind.types.iter().any(|name| name == "number" || name == "integer") {
        argument = argument.allow_negative_numbers(true);
    }
    match &field.help {
        Some(help) => argument.help(without_stop(help)),
        None => argument,
    }
}

/// The flag for a body as a whole.
fn whole_body(body: Body, fields: &[Field]) -> Arg {
    let argument = Arg::new(BODY).long(BODY);
    let argument = if body.lines {
        let beside = if body.by_fields { "; flags make the first line" } else { "" };
        let usual = if body.json { "" } else { " [default: -]" };
        argument
            .value_name("NDJSON|-")
            .help(format!("The body, line by line; - streams it from stdin{beside}{usual}"))
    } else if body.json {
        let flags = fields.iter().filter(|field| field.is_in_body_only()).map(|field| field.name.clone());
        argument
            .value_name("JSON|-")
            .help("The body as a whole; - reads it from stdin")
            .conflicts_with_all(flags.collect::<Vec<_>>())
    } else {
        argument.value_name("TEXT|-").help("The body; - reads it from stdin")
    };
    argument.allow_hyphen_values(true).required(body.required && !body.by_fields && !body.lines)
}

/// The words as help texts have them: without the full stop of a sentence.
fn without_stop(text: &str) -> String {
    text.strip_suffix('.').unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_s_own_flags_are_those_that_its_generated_commands_have() {
        let flag = |name: &'static str| Arg::new(name).long(name);
        let program = Command::new("program")
            .arg(flag("everywhere").global(true))
            .arg(flag("first"))
            .subcommand(Command::new("api").arg(flag("here")))
            .subcommand(Command::new("other").arg(flag("there")));
        assert_eq!(own_flags(&program, "api"), ["everywhere", "here", "help", "version"]);
    }
}
