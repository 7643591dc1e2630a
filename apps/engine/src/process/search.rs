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
}

impl Search {
    /// The words of the command, the program first.
    pub(super) fn command(&self, role: Role, name: &str) -> Option<Vec<String>> {
        // A type is written with underscores (`google_sheets`), a program with hyphens; either may be meant.
        let names: Vec<String> = {
            let hyphenated = name.replace('_', "-");
            let all = [name.to_owned(), hyphenated];
            if all[0] == all[1] { all[..1].to_vec() } else { all.to_vec() }
        };
        let programs: Vec<String> = names.iter().map(|name| format!("{role}-{name}")).collect();
        let mapped =
            programs.iter().find_map(|program| self.commands.get(program)).map(|command| words(command));
        mapped
            .or_else(|| programs.iter().find_map(|program| self.find(program)))
            .or_else(|| self.npm.then(|| ["npx", "--yes", &package(role, name)].map(str::to_owned).to_vec()))
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

    #[test]
    fn the_map_comes_before_modules_and_those_before_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let (path, work) = (folder.path().join("bin"), folder.path().join("a/b"));
        program(&path.join("source-shop"));
        let mut search =
            Search { working_folder: Some(work), folders: vec![path.clone()], ..Search::default() };
        let found = |search: &Search| search.command(Role::Source, "shop").unwrap();
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
        assert_eq!(search.command(Role::Destination, "google_sheets").unwrap(), ["node", "sheets.js"]);
    }

    #[test]
    fn npm_is_asked_last_and_only_if_wanted() {
        let search = Search { npm: true, ..Search::default() };
        assert_eq!(
            search.command(Role::Source, "shop").unwrap(),
            ["npx", "--yes", "@stripe/sync-source-shop"]
        );
        assert_eq!(search.command(Role::Source, "./shop").unwrap()[2], "./shop");
        assert_eq!(Search::default().command(Role::Source, "shop"), None);
    }
}
