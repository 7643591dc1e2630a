//! Which program a connector's name means.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Role;

/// Commands by the names of their programs (`source-shop`), words separated by white space.
pub type CommandMap = BTreeMap<String, String>;

/// Where programs are looked for, in this order: the map, `node_modules` in the working folder and above, the folders of `PATH`,
/// npm.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// Commands that were named.
    pub commands: CommandMap,
    /// Where the search for `node_modules` begins; `None` leaves it out.
    pub working_folder: Option<PathBuf>,
    /// The folders of `PATH`; none where programs are not to be found there.
    pub folders: Vec<PathBuf>,
    /// Whether `npx @stripe/sync-<role>-<name>` is tried at last.
    pub npm: bool,
    /// Whether `airbyte:<command>` may name any command, and not only programs that are found as `source-<name>`. It must not where
    /// others say what to run.
    pub any_command: bool,
}

/// A command that a name means, the program first.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Of a connector of ours.
    Ours(Vec<String>),
    /// Of a source of Airbyte.
    Airbyte(Vec<String>),
    /// It is not to be run, for this reason.
    Refused(String),
}

/// What commands and names of Airbyte's sources begin with.
const AIRBYTE: &str = "airbyte:";

impl Search {
    /// The command that a name means; `None` where there is none.
    pub(super) fn command(&self, role: Role, name: &str) -> Option<Found> {
        if let Some(command) = name.strip_prefix(AIRBYTE) {
            return Some(self.airbyte(role, command));
        }
        // A type is written with underscores (`google_sheets`), a program with hyphens; either may be meant.
        let names: Vec<String> = {
            let hyphenated = name.replace('_', "-");
            let all = [name.to_owned(), hyphenated];
            if all[0] == all[1] { all[..1].to_vec() } else { all.to_vec() }
        };
        let programs: Vec<String> = names.iter().map(|name| format!("{role}-{name}")).collect();
        if let Some(command) = programs.iter().find_map(|program| self.commands.get(program)) {
            return Some(match command.trim_start().strip_prefix(AIRBYTE) {
                Some(command) => Found::Airbyte(words(command)),
                None => Found::Ours(words(command)),
            });
        }
        let npm = || self.npm.then(|| ["npx", "--yes", &package(role, name)].map(str::to_owned).to_vec());
        programs.iter().find_map(|program| self.find(program)).or_else(npm).map(Found::Ours)
    }

    fn airbyte(&self, role: Role, command: &str) -> Found {
        if role == Role::Destination {
            return Found::Refused("of Airbyte's connectors, sources can be used only".to_owned());
        }
        if command.trim().is_empty() {
            return Found::Refused(format!(
                "`{AIRBYTE}` is followed by the words of a command, as in `{AIRBYTE}source-faker`"
            ));
        }
        if self.any_command {
            return Found::Airbyte(words(command));
        }
        // What every other name may run, this may, too.
        let program = command.trim();
        let found = if program.starts_with("source-") { self.find(program) } else { None };
        found.map_or_else(
            || {
                Found::Refused(format!(
                    "`{AIRBYTE}{program}` may not be run here: only programs `source-…` that are found, and commands of \
                     --connectors-from-command-map, such as {{\"source-shop\": \"{AIRBYTE}{program}\"}} for the type `shop`"
                ))
            },
            Found::Airbyte,
        )
    }

    fn find(&self, program: &str) -> Option<Vec<String>> {
        if program.contains('/') {
            return None;
        }
        let above = self.working_folder.iter().flat_map(|folder| folder.ancestors());
        let modules: Vec<PathBuf> = above.map(|folder| folder.join("node_modules")).collect();
        let linked =
            || modules.iter().map(|modules| modules.join(".bin").join(program)).find(|path| is_program(path));
        let packaged = || {
            modules
                .iter()
                .find_map(|modules| of_package(&modules.join("@stripe").join(format!("sync-{program}"))))
        };
        let on_path = || self.folders.iter().map(|folder| folder.join(program)).find(|path| is_program(path));
        linked()
            .or_else(packaged)
            .or_else(on_path)
            .map(|path| by_node(vec![path.to_string_lossy().into_owned()]))
    }
}

/// The words of a command; a script of JavaScript is run by node.
fn words(command: &str) -> Vec<String> {
    by_node(command.split_whitespace().map(str::to_owned).collect())
}

fn by_node(mut words: Vec<String>) -> Vec<String> {
    if words.first().is_some_and(|program| Path::new(program).extension() == Some(OsStr::new("js"))) {
        words.insert(0, "node".to_owned());
    }
    words
}

/// The npm package of a connector: names with a slash, or that begin with a dot, are used as they are.
fn package(role: Role, name: &str) -> String {
    let given = name.starts_with('.') || name.contains('/');
    if given { name.to_owned() } else { format!("@stripe/sync-{role}-{name}") }
}

/// The program that a package's `package.json` names.
fn of_package(folder: &Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(folder.join("package.json")).ok()?;
    let manifest: Value = serde_json::from_str(&text).ok()?;
    let program = match manifest.get("bin")? {
        Value::String(path) => path.clone(),
        Value::Object(programs) => programs.values().next()?.as_str()?.to_owned(),
        _ => return None,
    };
    Some(folder.join(program)).filter(|path| path.is_file())
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn ours(found: Option<Found>) -> Vec<String> {
        match found.unwrap() {
            Found::Ours(words) => words,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn sources_of_airbyte_are_any_command_only_where_that_is_wanted() {
        let folder = tempfile::tempdir().unwrap();
        program(&folder.path().join("source-faker"));
        program(&folder.path().join("rm"));
        let commands =
            CommandMap::from([("source-shop".to_owned(), "airbyte:docker run -i shop".to_owned())]);
        let mut search = Search { commands, folders: vec![folder.path().to_owned()], ..Search::default() };
        let airbyte =
            |words: &[&str]| Some(Found::Airbyte(words.iter().map(|word| (*word).to_owned()).collect()));
        let found = folder.path().join("source-faker");
        assert_eq!(search.command(Role::Source, "shop"), airbyte(&["docker", "run", "-i", "shop"]));
        assert_eq!(search.command(Role::Source, "airbyte:source-faker"), airbyte(&[found.to_str().unwrap()]));
        for name in ["airbyte:rm", "airbyte:rm -rf x", "airbyte:source-faker x", "airbyte:source-none"] {
            assert!(matches!(search.command(Role::Source, name), Some(Found::Refused(_))), "{name}");
        }
        search.any_command = true;
        assert!(matches!(search.command(Role::Source, "airbyte: "), Some(Found::Refused(_))));
        assert_eq!(search.command(Role::Source, "airbyte:python3 x.py"), airbyte(&["python3", "x.py"]));
        assert!(matches!(search.command(Role::Destination, "airbyte:x"), Some(Found::Refused(_))));
    }

    #[test]
    fn the_map_comes_before_modules_and_those_before_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let (path, work) = (folder.path().join("bin"), folder.path().join("a/b"));
        program(&path.join("source-shop"));
        let mut search =
            Search { working_folder: Some(work), folders: vec![path.clone()], ..Search::default() };
        let found = |search: &Search| ours(search.command(Role::Source, "shop"));
        assert_eq!(found(&search), [path.join("source-shop").to_str().unwrap()]);
        assert_eq!(search.command(Role::Destination, "shop"), None);

        let package = folder.path().join("node_modules/@stripe/sync-source-shop");
        std::fs::create_dir_all(package.join("dist")).unwrap();
        std::fs::write(package.join("dist/bin.js"), "").unwrap();
        std::fs::write(package.join("package.json"), r#"{"bin": {"source-shop": "dist/bin.js"}}"#).unwrap();
        assert_eq!(found(&search), ["node", package.join("dist/bin.js").to_str().unwrap()]);

        let linked = folder.path().join("a/node_modules/.bin/source-shop");
        program(&linked);
        assert_eq!(found(&search), [linked.to_str().unwrap()]);

        search.commands.insert("source-shop".to_owned(), "python3  shop.py --fast".to_owned());
        assert_eq!(found(&search), ["python3", "shop.py", "--fast"]);
    }

    #[test]
    fn hyphens_stand_for_underscores() {
        let commands = CommandMap::from([("destination-google-sheets".to_owned(), "sheets.js".to_owned())]);
        let search = Search { commands, ..Search::default() };
        assert_eq!(ours(search.command(Role::Destination, "google_sheets")), ["node", "sheets.js"]);
    }

    #[test]
    fn npm_is_asked_last_and_only_if_wanted() {
        let search = Search { npm: true, ..Search::default() };
        assert_eq!(ours(search.command(Role::Source, "shop")), ["npx", "--yes", "@stripe/sync-source-shop"]);
        assert_eq!(ours(search.command(Role::Source, "./shop"))[2], "./shop");
        assert_eq!(Search::default().command(Role::Source, "shop"), None);
    }
}
