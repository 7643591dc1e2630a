//! The rules as a page: `docs/fidelity.md`.

use std::fmt::Write;

use super::{IDS, Rule, all};

const HEAD: &str = "# Fidelity

What is promised of the copy, and the test that keeps each promise. Every test here was seen to fail once its rule was
switched off: `cargo run -p e2e --bin prove -- rules` switches each off in a copy of the code, and shows it again.

Written by `prove rules --document`, from the tables in `e2e/src/rules`.
";

const CHAPTERS: [(&str, &str); 4] =
    [("C", "Complete"), ("U", "Current"), ("P", "Provable"), ("K", "Considerate")];

/// The page, in Markdown.
pub fn document() -> String {
    let mut page = HEAD.to_owned();
    let rules = all();
    for (letter, title) in CHAPTERS {
        let _ = write!(page, "\n## {title}\n\n| Rule | What is done | Test |\n|---|---|---|\n");
        for id in IDS.iter().filter(|id| id.starts_with(letter)) {
            for rule in rules.iter().filter(|rule| rule.id == *id) {
                let _ = writeln!(page, "| {id} | {} | {} |", rule.says, tested(rule));
            }
        }
    }
    page
}

fn tested(Rule { test, .. }: &Rule) -> String {
    let place = match test.binary {
        "lib" => test.package.to_owned(),
        binary => format!("{}, {binary}", test.package),
    };
    format!("{place}: `{}`", test.case.unwrap_or(test.path))
}
