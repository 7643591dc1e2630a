//! The tables of the rules of fidelity hold against the code; `prove rules` shows that the tests do.
#![allow(clippy::unwrap_used)]

use std::fs;

use e2e::repository;
use e2e::rules::{self, IDS};

#[test]
fn every_rule_has_a_test() {
    let rules = rules::all();
    for id in IDS {
        assert!(rules.iter().any(|rule| rule.id == id), "{id} has none");
    }
    for rule in &rules {
        assert!(IDS.contains(&rule.id), "there is no rule {}", rule.id);
    }
}

#[test]
fn every_test_exists() {
    for rule in rules::all() {
        let function = format!("fn {}(", rule.test.function());
        let files = rule.test.files();
        let mut texts = files.iter().filter_map(|file| fs::read_to_string(repository().join(file)).ok());
        assert!(
            texts.any(|text| text.contains(&function)),
            "{}: no `{function}` in any of {files:?}",
            rule.id
        );
    }
}

#[test]
fn every_edit_has_its_place() {
    let mut wrong = Vec::new();
    for rule in rules::all() {
        let edit = rule.switched_off;
        let text = fs::read_to_string(repository().join(edit.file)).unwrap();
        let places = text.matches(edit.from).count();
        if places != 1 {
            wrong.push(format!("{}: {} holds {places} times: {}", rule.id, edit.file, edit.from));
        }
        assert_ne!(edit.from, edit.to, "{}", rule.id);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_page_of_rules_is_up_to_date() {
    let page = fs::read_to_string(repository().join("docs/fidelity.md")).unwrap();
    assert!(page == rules::document(), "write it with `prove rules --document > docs/fidelity.md`");
}
