//! Does a program keep to the contract of connectors, `docs/connector-spec.md`? For programs in any language.
//!
//! * `rules` names what is checked, and the section of the contract that says so;
//! * `program` runs a command of the connector and keeps what it said;
//! * `basics`, `source`, `resuming`, `destination`, `rows` and `ending` are the checks;
//! * `report` is what they find.
//!
//! What is true of messages, however they were heard, is in the crate `conformance`.

mod basics;
mod destination;
mod detect;
mod ending;
mod program;
mod report;
mod resuming;
mod rows;
mod rules;
mod source;

use protocol::ConfiguredCatalog;
use serde_json::{Map, Value};

use crate::Role;

pub use detect::detect;
pub use report::{Check, Outcome, Report};
pub use rules::{ALL as RULES, Rule, Section};

/// What to check, and what the connector needs for it.
#[derive(Debug, Clone)]
pub struct Conformance {
    /// What the connector is.
    pub role: Role,
    /// The words of its command, the program first.
    pub command: Vec<String>,
    /// A configuration that works. A source's must be one whose reads end; a destination writes into it.
    pub config: Map<String, Value>,
    /// A configuration that is well-formed and whose check must fail, such as a wrong password.
    pub bad_config: Option<Map<String, Value>>,
    /// What to read; `None`: every stream that the source discovers.
    pub catalog: Option<ConfiguredCatalog>,
    /// The words of a command that prints the rows of the stream named by its last word, one JSON object per line. `None`:
    /// what is written is not looked at.
    pub rows: Option<Vec<String>>,
}

impl Conformance {
    /// Checks everything, one check after the other.
    pub async fn run(self) -> Report {
        let mut report = Report::new(self.role, self.command.clone());
        let program = program::Program::new(self.command.clone());
        let spec = basics::check(&self, &program, &mut report).await;
        // What cannot say how it is configured is no connector, and each further check would only say so again.
        match (spec, self.role) {
            (None, _) => report.leave_the_rest("it does not say how it is configured"),
            (Some(()), Role::Source) => source::check(&self, &program, &mut report).await,
            (Some(()), Role::Destination) => destination::check(&self, &program, &mut report).await,
        }
        report
    }
}
