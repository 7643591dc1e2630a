//! What was found.

use std::fmt::Write;

use conformance::Breach;
use serde_json::{Value, json};

use super::rules::{ALL, Rule};
use crate::Role;

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The rule holds.
    Passed,
    /// It does not.
    Failed(Breach),
    /// It could not be checked, for this reason.
    Unchecked(String),
}

impl From<Result<(), Breach>> for Outcome {
    fn from(result: Result<(), Breach>) -> Outcome {
        match result {
            Ok(()) => Outcome::Passed,
            Err(breach) => Outcome::Failed(breach),
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was checked.
    pub rule: &'static Rule,
    /// How it ended.
    pub outcome: Outcome,
}

/// All checks of a connector.
#[derive(Debug, Clone)]
pub struct Report {
    role: Role,
    command: Vec<String>,
    checks: Vec<Check>,
}

impl Report {
    pub(super) fn new(role: Role, command: Vec<String>) -> Report {
        Report { role, command, checks: Vec::new() }
    }

    /// Notes how a check ended; answers whether it passed.
    pub(super) fn note(&mut self, rule: &'static Rule, outcome: impl Into<Outcome>) -> bool {
        let outcome = outcome.into();
        let passed = outcome == Outcome::Passed;
        self.checks.push(Check { rule, outcome });
        passed
    }

    /// Notes how a check ended that answers something.
    pub(super) fn note_found<T>(&mut self, rule: &'static Rule, found: Result<T, Breach>) -> Option<T> {
        match found {
            Ok(found) => {
                self.note(rule, Outcome::Passed);
                Some(found)
            }
            Err(breach) => {
                self.note(rule, Outcome::Failed(breach));
                None
            }
        }
    }

    /// Says of all checks that were not made why.
    pub(super) fn leave_the_rest(&mut self, why: &str) {
        for rule in ALL.iter().filter(|rule| rule.is_of(self.role)) {
            if !self.checks.iter().any(|check| check.rule == *rule) {
                self.checks.push(Check { rule, outcome: Outcome::Unchecked(why.to_owned()) });
            }
        }
    }

    /// The checks, in the order in which they were made.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// Whether none failed.
    pub fn passed(&self) -> bool {
        !self.checks.iter().any(|check| matches!(check.outcome, Outcome::Failed(_)))
    }

    /// Passed, failed and unchecked.
    fn counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for check in &self.checks {
            counts[match check.outcome {
                Outcome::Passed => 0,
                Outcome::Failed(_) => 1,
                Outcome::Unchecked(_) => 2,
            }] += 1;
        }
        counts
    }

    /// For people: a line for each check, with what is wrong below it.
    pub fn table(&self) -> String {
        let mut text = format!("{} {}\n\n", self.role, self.command.join(" "));
        for check in &self.checks {
            let name = check.rule.name;
            // Writing to a text cannot fail.
            let _ = match &check.outcome {
                Outcome::Passed => writeln!(text, "  ok      {name}"),
                Outcome::Failed(Breach { expected, came }) => writeln!(
                    text,
                    "  FAILED  {name}\n            expected  {}\n            came      {}\n            see       {}",
                    indented(expected),
                    indented(came),
                    check.rule.section.link()
                ),
                Outcome::Unchecked(why) => writeln!(text, "  -       {name}: not checked, {why}"),
            };
        }
        let [passed, failed, unchecked] = self.counts();
        let _ = write!(text, "\n{passed} passed, {failed} failed, {unchecked} not checked");
        text
    }

    /// For programs: `{role, command, passed, failed, unchecked, checks: [{name, status, section, expected?, came?, why?}]}`.
    pub fn json(&self) -> Value {
        let [passed, failed, unchecked] = self.counts();
        let checks: Vec<Value> = self.checks.iter().map(check_json).collect();
        json!({
            "role": self.role.to_string(),
            "command": self.command,
            "passed": passed,
            "failed": failed,
            "unchecked": unchecked,
            "checks": checks,
        })
    }
}

fn check_json(check: &Check) -> Value {
    let section = check.rule.section.link();
    match &check.outcome {
        Outcome::Passed => json!({"name": check.rule.name, "status": "passed", "section": section}),
        Outcome::Failed(Breach { expected, came }) => json!({
            "name": check.rule.name, "status": "failed", "section": section, "expected": expected, "came": came,
        }),
        Outcome::Unchecked(why) => {
            json!({"name": check.rule.name, "status": "unchecked", "section": section, "why": why})
        }
    }
}

/// Further lines go under the first.
fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n                      ")
}
