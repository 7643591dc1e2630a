//! Switches rules off and looks whether their tests fail.

use std::fmt;

use anyhow::Result;

use super::workshop::{Ended, Workshop};
use super::{Rule, all};

/// What was seen of one entry.
#[derive(Debug)]
pub struct Seen {
    /// The entry.
    pub rule: Rule,
    /// What is wrong with the test as the code is; `None`: it passes.
    pub unchanged: Option<String>,
    /// What is wrong with the test once the rule is switched off; `None`: it fails, as it should.
    pub switched_off: Option<String>,
}

impl Seen {
    /// Whether the test keeps the rule.
    pub fn is_kept(&self) -> bool {
        self.unchanged.is_none() && self.switched_off.is_none()
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rule { id, test, .. } = &self.rule;
        let of = |wrong: &Option<String>, right: &str| match wrong {
            None => right.to_owned(),
            Some(wrong) => format!("NO: {wrong}"),
        };
        let case = test.case.map_or(String::new(), |case| format!(" ({case})"));
        write!(
            formatter,
            "{id:<4} {}::{}{case} | {} | {}",
            test.package,
            test.path,
            of(&self.unchanged, "passes"),
            of(&self.switched_off, "fails when switched off")
        )
    }
}

/// Proves the entries of the rules `ids`, or all; `told` hears of each as it was seen.
pub fn prove(ids: &[String], mut told: impl FnMut(&Seen)) -> Result<Vec<Seen>> {
    let workshop = Workshop::open()?;
    let mut rules = all();
    rules.retain(|rule| ids.is_empty() || ids.iter().any(|id| id == rule.id));
    let mut seen = Vec::new();
    // Of a package first all tests as it is: it is built once for them.
    for of_package in rules.chunk_by(|a, b| a.test.package == b.test.package) {
        let unchanged: Vec<Option<String>> =
            of_package.iter().map(|rule| must_pass(workshop.run(&rule.test))).collect();
        for (rule, unchanged) in of_package.iter().zip(unchanged) {
            let ended = workshop.run_with(&rule.switched_off, &rule.test);
            let rule = Seen { rule: *rule, unchanged, switched_off: must_fail(rule, ended) };
            told(&rule);
            seen.push(rule);
        }
    }
    Ok(seen)
}

fn must_pass(ended: Result<Ended>) -> Option<String> {
    match ended {
        Ok(Ended::Passed) => None,
        Ok(Ended::Failed(said)) => Some(format!("it fails\n{said}")),
        Err(error) => Some(format!("{error:#}")),
    }
}

fn must_fail(rule: &Rule, ended: Result<Ended>) -> Option<String> {
    match ended {
        Ok(Ended::Passed) => Some("it still passes".to_owned()),
        Ok(Ended::Failed(said)) => match rule.test.case {
            Some(case) if !said.contains(case) => Some(format!("it fails, but does not name {case}\n{said}")),
            _ => None,
        },
        Err(error) => Some(format!("{error:#}")),
    }
}
