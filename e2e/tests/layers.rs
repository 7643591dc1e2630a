//! The arrows between crates, as ARCHITECTURE.md draws them.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// For each crate, what it may depend on in the product. Everything absent is forbidden.
const ALLOWED: &[(&str, &[&str])] = &[
    ("allocator", &[]),
    ("protocol", &[]),
    ("stripe-openapi", &[]),
    ("util-postgres", &[]),
    ("logger", &["protocol"]),
    ("terminal", &["protocol", "logger"]),
    ("http-api", &["protocol", "logger"]),
    ("openapi-cli", &[]),
    ("state-postgres", &["protocol", "util-postgres"]),
    ("source-stripe", &["protocol", "stripe-openapi"]),
    ("destination-sqlite", &["protocol"]),
    ("destination-google-sheets", &["protocol"]),
    ("destination-postgres", &["protocol", "util-postgres", "state-postgres"]),
    ("stripe-simulator", &["stripe-openapi"]),
    ("conformance", &["protocol"]),
    ("test-utils", &["protocol", "conformance"]),
    // What one begins with must not need the rest.
    ("source-notes", &["protocol"]),
    (
        "engine",
        &[
            "protocol",
            // The rules that `conformance` holds programs to.
            "conformance",
            // What the environment says to connectors.
            "connectors",
            "logger",
            "http-api",
            // The commands of `api`.
            "openapi-cli",
            // What programs for people share.
            "terminal",
            "allocator",
            "stripe-openapi",
            "source-stripe",
            "destination-sqlite",
            "destination-postgres",
            "destination-google-sheets",
            // The rate limit that processes share.
            "util-postgres",
            // Of the product only `demo` knows the simulator; see `only_demo_knows_the_simulator`.
            "stripe-simulator",
        ],
    ),
    (
        "connectors",
        &[
            "protocol",
            "logger",
            "allocator",
            "source-stripe",
            "destination-sqlite",
            "destination-postgres",
            "destination-google-sheets",
            // The rate limit that processes share.
            "util-postgres",
        ],
    ),
    (
        "service",
        &[
            "protocol",
            "engine",
            "connectors",
            "logger",
            "http-api",
            "openapi-cli",
            "terminal",
            "allocator",
            // The newest version, where a pipeline names none.
            "stripe-openapi",
            "source-stripe",
            "destination-sqlite",
            "destination-postgres",
            "destination-google-sheets",
            // The store, and the rate that pipelines share.
            "util-postgres",
        ],
    ),
    ("e2e", &["stripe-openapi", "stripe-simulator", "test-utils"]),
    (
        "bench",
        &["protocol", "stripe-openapi", "destination-postgres", "stripe-simulator", "test-utils", "e2e"],
    ),
];

/// Libraries that belong to one layer: nobody else may take a second way to the same thing.
const OWNED: &[(&str, &[&str])] = &[
    ("rusqlite", &["destination-sqlite", "engine", "service", "e2e", "bench"]),
    (
        "tokio-postgres",
        &["util-postgres", "state-postgres", "destination-postgres", "service", "test-utils", "e2e", "bench"],
    ),
    (
        "clap",
        &[
            "protocol",
            "openapi-cli",
            "engine",
            "service",
            "stripe-simulator",
            "stripe-openapi",
            "e2e",
            "bench",
        ],
    ),
    ("dotenvy", &["terminal", "service"]),
    ("indicatif", &["terminal"]),
    (
        "reqwest",
        &[
            "source-stripe",
            "destination-google-sheets",
            "stripe-openapi",
            "stripe-simulator",
            "engine",
            "service",
            "e2e",
        ],
    ),
];

fn workspace() -> Vec<Package> {
    let manifest = e2e::repository().join("Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().unwrap();
    metadata.packages
}

fn product_dependencies(package: &Package) -> Vec<String> {
    let normal = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
    normal.map(|dependency| dependency.name.clone()).collect()
}

#[test]
fn every_arrow_is_allowed() {
    let packages = workspace();
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let names: Vec<String> = packages.iter().map(|package| package.name.to_string()).collect();
    let mut wrong = Vec::new();
    for package in &packages {
        let name = package.name.as_str();
        let Some(may) = allowed.get(name) else {
            wrong
                .push(format!("{name} has no place in the layers: add it to ALLOWED and to ARCHITECTURE.md"));
            continue;
        };
        for dependency in product_dependencies(package) {
            if names.contains(&dependency) && !may.contains(&dependency.as_str()) {
                wrong.push(format!("{name} must not depend on {dependency}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_tests_know_the_test_crates() {
    for package in workspace().iter().filter(|package| !["e2e", "bench"].contains(&package.name.as_str())) {
        let dependencies = product_dependencies(package);
        assert!(!dependencies.contains(&"test-utils".to_owned()), "{} ships test-utils", package.name);
        assert!(!dependencies.contains(&"e2e".to_owned()), "{} ships e2e", package.name);
    }
}

#[test]
fn one_way_to_do_each_thing() {
    let mut wrong = Vec::new();
    for package in workspace() {
        for dependency in product_dependencies(&package) {
            let owner = OWNED.iter().find(|(library, _)| *library == dependency);
            if let Some((library, owners)) = owner
                && !owners.contains(&package.name.as_str())
            {
                wrong.push(format!("{} uses {library}, which belongs to {owners:?}", package.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_demo_knows_the_simulator() {
    let source = e2e::repository().join("apps/engine/src");
    let mut knowing = Vec::new();
    for file in e2e::rust_files(&source) {
        if std::fs::read_to_string(&file).unwrap().contains("stripe_simulator") {
            knowing.push(file.strip_prefix(&source).unwrap().to_owned());
        }
    }
    assert!(!knowing.is_empty(), "`demo` has gone: remove the arrow from engine to stripe-simulator");
    for file in knowing {
        assert!(file.to_string_lossy().contains("demo"), "{} knows the simulator", file.display());
    }
}

#[test]
fn only_apps_know_the_environment() {
    let mut wrong = Vec::new();
    for package in workspace() {
        let root = package.manifest_path.parent().unwrap();
        // The tests' own crates find programs on the machine; binaries beside a library are apps.
        if root.as_str().contains("/apps/") || ["test-utils", "e2e", "bench"].contains(&package.name.as_str())
        {
            continue;
        }
        for file in e2e::rust_files(&root.join("src").into_std_path_buf()) {
            let is_binary =
                file.ends_with("main.rs") || file.components().any(|part| part.as_os_str() == "bin");
            let text = std::fs::read_to_string(&file).unwrap();
            for forbidden in ["std::env::var", "env::vars", "std::process::exit"] {
                if !is_binary && text.contains(forbidden) {
                    wrong.push(format!("{} uses {forbidden}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
