//! The generated commands as arguments of a program that says its own command line by derivation.

use std::fmt;
use std::marker::PhantomData;

use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::call::{Call, CallError};
use crate::document::{Api, DocumentError};

/// An API whose operations a program has as commands.
pub trait Described {
    /// The commands of its document. Making them takes a while, so it is called only for who asks for one of them, or for a list
    /// of all there is; an implementation remembers them.
    fn api() -> Result<&'static Api, &'static DocumentError>;
}

/// What a command is given that holds the groups of an API: the words of one of the generated commands.
pub struct Words<D> {
    matches: ArgMatches,
    described: PhantomData<D>,
}

/// Why no request can be made of what was given.
#[derive(Debug, thiserror::Error)]
pub enum WordsError {
    /// The program's own document is wrong.
    #[error(transparent)]
    Document(DocumentError),
    /// The words are.
    #[error(transparent)]
    Call(CallError),
}

impl<D> Words<D> {
    /// The names of the group and of the command, such as `pipeline` and `pipeline-sync`.
    pub fn operation(&self) -> Option<(&str, &str)> {
        let (group, matches) = self.matches.subcommand()?;
        Some((group, matches.subcommand_name()?))
    }
}

impl<D: Described> Words<D> {
    /// The call that the words ask for.
    pub fn call(&self) -> Result<Call, WordsError> {
        let api = D::api().map_err(|error| WordsError::Document(error.clone()))?;
        api.call(&self.matches).map_err(WordsError::Call)
    }
}

impl<D> Clone for Words<D> {
    fn clone(&self) -> Words<D> {
        Words { matches: self.matches.clone(), described: PhantomData }
    }
}

/// Values may be secret, so only the command is shown.
impl<D> fmt::Debug for Words<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Words").field(&self.operation()).finish()
    }
}

impl<D> FromArgMatches for Words<D> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Words<D>, clap::Error> {
        Ok(Words { matches: matches.clone(), described: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Words::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<D: Described> Args for Words<D> {
    fn augment_args(command: Command) -> Command {
        command
            .subcommand_required(true)
            .arg_required_else_help(true)
            .disable_help_subcommand(true)
            .defer(with_commands::<D>)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Words::<D>::augment_args(command)
    }
}

fn with_commands<D: Described>(command: Command) -> Command {
    // A document that is wrong is told when it is called.
    command.subcommands(D::api().into_iter().flat_map(Api::commands))
}
