//! Finding PostgreSQL's programs, and the user to run them as.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const MISSING: &str = "PostgreSQL's server programs (initdb, postgres) were not found. Install them \
    (Debian and Ubuntu: `apt install postgresql`, Fedora: `dnf install postgresql-server`, macOS: \
    `brew install postgresql@18`), or name the directory that holds them in SYNC_ENGINE_PG_BIN.";

/// The directory of `initdb` and `postgres`: the one named by `SYNC_ENGINE_PG_BIN`, else the newest
/// under `/usr/lib/postgresql`, else where `PATH` finds them.
pub(super) fn directory() -> PathBuf {
    let complete =
        |directory: &Path| ["initdb", "postgres"].iter().all(|program| directory.join(program).is_file());
    if let Some(named) = std::env::var_os("SYNC_ENGINE_PG_BIN") {
        let named = PathBuf::from(named);
        assert!(
            complete(&named),
            "SYNC_ENGINE_PG_BIN names {}, which lacks them. {MISSING}",
            named.display()
        );
        return named;
    }
    let majors = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<(u32, PathBuf)> = majors
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    installed.sort();
    let installed = installed.into_iter().rev().map(|(_, directory)| directory);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = installed.chain(std::env::split_paths(&path)).find(|directory| complete(directory));
    found.unwrap_or_else(|| panic!("{MISSING}"))
}

/// Whom to run the server as.
#[derive(Clone, Copy)]
pub(super) enum Account {
    /// The user who runs the tests.
    Own,
    /// The user `postgres`, because the server refuses to run as root.
    Postgres { user: u32, group: u32 },
}

impl Account {
    pub(super) fn choose() -> Account {
        if id(&["-u"]) != Some(0) {
            return Account::Own;
        }
        match (id(&["-u", "postgres"]), id(&["-g", "postgres"])) {
            (Some(user), Some(group)) => Account::Postgres { user, group },
            _ => panic!(
                "the tests run as root, PostgreSQL does not, and there is no user `postgres` to run it as"
            ),
        }
    }

    pub(super) fn command(self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        if let Account::Postgres { user, group } = self {
            command.uid(user).gid(group);
        }
        command
    }

    /// Gives `path` to this account.
    pub(super) fn own(self, path: &Path) {
        if let Account::Postgres { user, group } = self {
            std::os::unix::fs::chown(path, Some(user), Some(group))
                .unwrap_or_else(|error| panic!("cannot give {} to postgres: {error}", path.display()));
        }
    }
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().expect("the program `id` runs");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().parse().ok())?
}
