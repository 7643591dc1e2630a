//! House rules that a compiler does not hold: file sizes, words, module names, manifests.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use e2e::{repository, rust_files};

/// A file that is longer than this is not read in one sitting.
const MOST_BYTES: u64 = 25_000;

/// Names that say nothing about the domain.
const EMPTY_NAMES: &[&str] =
    &["utils", "util", "common", "types", "helpers", "helper", "misc", "shared", "lib2"];

/// Marks of unfinished work. Written apart so that this file does not find itself.
const UNFINISHED: &[&[&str]] = &[
    &["to", "do!("],
    &["unimpl", "emented!("],
    &["d", "bg!("],
    &["#[ign", "ore"],
    &["FIX", "ME"],
    &["XX", "X "],
    &["allow(dead", "_code"],
    &["allow(unu", "sed"],
];

fn relative(file: &Path) -> String {
    file.strip_prefix(repository()).unwrap_or(file).display().to_string()
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_small() {
    let mut wrong = Vec::new();
    for file in rust_files(&repository()) {
        let length = fs::metadata(&file).unwrap().len();
        if length > MOST_BYTES {
            wrong.push(format!("{} has {length} bytes: split it by meaning", relative(&file)));
        }
    }
    report(&wrong);
}

#[test]
fn nothing_is_left_unfinished() {
    let mut wrong = Vec::new();
    for file in rust_files(&repository()) {
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            for mark in UNFINISHED {
                let mark = mark.concat();
                if line.contains(&mark) {
                    wrong.push(format!("{}:{}: {mark}", relative(&file), number + 1));
                }
            }
        }
    }
    report(&wrong);
}

#[test]
fn modules_are_words_of_the_domain() {
    let mut wrong = Vec::new();
    for file in rust_files(&repository()) {
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        let folder = file.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        for name in [stem, folder] {
            if EMPTY_NAMES.contains(&name.as_str()) {
                wrong.push(format!("{}: `{name}` says nothing", relative(&file)));
            }
        }
    }
    report(&wrong);
}

#[test]
fn manifests_take_versions_and_lints_from_the_workspace() {
    let mut wrong = Vec::new();
    for file in e2e::files_named(&repository(), "Cargo.toml") {
        // The fuzz targets are a workspace of their own.
        let own = ["Cargo.toml", "fuzz/Cargo.toml"].map(|path| repository().join(path));
        if own.contains(&file) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        // What is forbidden cannot be allowed again, and this crate is for the one `unsafe` that there is.
        let is_unsafe = file.ends_with("crates/allocator/Cargo.toml");
        if !is_unsafe && !text.contains("[lints]\nworkspace = true") {
            wrong.push(format!("{} does not take the workspace's lints", relative(&file)));
        }
        let mut in_dependencies = false;
        for line in text.lines() {
            if line.starts_with('[') {
                in_dependencies = line.contains("dependencies");
            } else if in_dependencies && line.contains('=') && !line.contains("workspace = true") {
                wrong.push(format!("{}: `{line}` chooses a version of its own", relative(&file)));
            }
        }
    }
    report(&wrong);
}

#[test]
fn every_crate_says_what_it_is_for() {
    let mut wrong = Vec::new();
    for file in e2e::files_named(&repository(), "lib.rs") {
        if !fs::read_to_string(&file).unwrap().starts_with("//! ") {
            wrong.push(format!("{} begins without a doc comment", relative(&file)));
        }
    }
    report(&wrong);
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut wrong = Vec::new();
    for file in e2e::files_ending(&repository(), "md") {
        let text = fs::read_to_string(&file).unwrap();
        for (at, _) in text.match_indices("](") {
            let rest = &text[at + 2..];
            let target = rest[..rest.find(')').unwrap_or(0)].split('#').next().unwrap_or_default();
            let local = !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:");
            if local && !file.parent().unwrap().join(target).exists() {
                wrong.push(format!("{} links to {target}, which does not exist", relative(&file)));
            }
        }
    }
    report(&wrong);
}
