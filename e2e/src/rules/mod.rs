//! The rules of fidelity: each has a test, and the test fails once the rule is switched off.
//!
//! The tables say which test keeps which rule, and by which edit of the code the rule is switched off. The quick test
//! (`tests/rules.rs`) holds them against the code; `prove rules` ([`proving`]) makes the edits and runs the tests.

mod complete;
mod considerate;
mod current;
mod document;
mod provable;
pub mod proving;
mod sheets;
mod workshop;

pub use document::document;

/// All rules there are, by their ids.
pub const IDS: [&str; 30] = [
    "C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "C10", "C11", "C12", "U1", "U2", "U3", "U4", "U5",
    "U6", "U7", "U8", "U9", "U10", "P1", "P2", "P3", "P4", "K1", "K2", "K3", "K4",
];

/// One side of a rule, and what shows that it is kept.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// E.g. `C1`; a rule with several sides has several entries.
    pub id: &'static str,
    /// What is done, in a sentence.
    pub says: &'static str,
    /// The test that keeps it.
    pub test: Test,
    /// How it is switched off.
    pub switched_off: Edit,
}

/// A test of the workspace.
#[derive(Debug, Clone, Copy)]
pub struct Test {
    /// The package.
    pub package: &'static str,
    /// `lib`, or the name of an integration test.
    pub binary: &'static str,
    /// The path within the binary.
    pub path: &'static str,
    /// What a failure must name, where the test is a suite of many cases.
    pub case: Option<&'static str>,
}

/// A change of one place in one file.
#[derive(Debug, Clone, Copy)]
pub struct Edit {
    /// Relative to the repository.
    pub file: &'static str,
    /// What is there, exactly once.
    pub from: &'static str,
    /// What takes its place.
    pub to: &'static str,
}

/// All entries, those of one package together, so that each is built as seldom as possible.
pub fn all() -> Vec<Rule> {
    let tables = [complete::RULES, current::RULES, provable::RULES, considerate::RULES, sheets::RULES];
    let mut rules = tables.concat();
    let first = |package: &str| rules.iter().position(|rule| rule.test.package == package);
    let places: Vec<Option<usize>> = rules.iter().map(|rule| first(rule.test.package)).collect();
    let mut order: Vec<usize> = (0..rules.len()).collect();
    order.sort_by_key(|index| (places[*index], *index));
    rules = order.into_iter().map(|index| rules[index]).collect();
    rules
}

impl Test {
    /// The folder of the package, relative to the repository.
    pub fn folder(&self) -> String {
        match self.package {
            "engine" => "apps/engine".to_owned(),
            "e2e" => "e2e".to_owned(),
            package => format!("crates/{package}"),
        }
    }

    /// The name of the test's function.
    pub fn function(&self) -> &'static str {
        self.path.rsplit("::").next().unwrap_or(self.path)
    }

    /// The files in which the function may be, relative to the repository.
    pub fn files(&self) -> Vec<String> {
        let mut modules: Vec<&str> = self.path.split("::").collect();
        modules.pop();
        let folder = self.folder();
        if self.binary != "lib" {
            let modules = modules.join("/");
            let tests = format!("{folder}/tests/{}", self.binary);
            return vec![format!("{tests}/{modules}.rs"), format!("{tests}/main.rs"), format!("{tests}.rs")];
        }
        if modules.last() == Some(&"tests") {
            modules.pop();
        }
        let module = format!("{folder}/src/{}", modules.join("/"));
        vec![format!("{module}.rs"), format!("{module}_tests.rs"), format!("{module}/tests.rs")]
    }
}

/// A test within a package's own code.
const fn within(package: &'static str, path: &'static str) -> Test {
    Test { package, binary: "lib", path, case: None }
}

/// An integration test.
const fn test(package: &'static str, binary: &'static str, path: &'static str) -> Test {
    Test { package, binary, path, case: None }
}

/// A case of the suite that all destinations pass, with SQLite.
const fn with_sqlite(case: &'static str) -> Test {
    Test { package: "destination-sqlite", binary: "conformance", path: "conforms", case: Some(case) }
}

/// A case of the suite that all destinations pass, with PostgreSQL.
const fn with_postgres(case: &'static str) -> Test {
    Test {
        package: "destination-postgres",
        binary: "postgres",
        path: "conformance::conforms",
        case: Some(case),
    }
}

const fn edit(file: &'static str, from: &'static str, to: &'static str) -> Edit {
    Edit { file, from, to }
}
