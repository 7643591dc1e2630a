//! The repository's own files, for the tests that hold its rules.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn repository() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// All Rust files below `folder`, build output left out.
pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
    files_ending(folder, "rs")
}

/// All files below `folder` whose extension is `extension`, build output left out.
pub fn files_ending(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(folder, &|path| path.extension().is_some_and(|ending| ending == extension), &mut found);
    found
}

/// All files below `folder` that are called `name`, build output left out.
pub fn files_named(folder: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(folder, &|path| path.file_name().is_some_and(|file| file == name), &mut found);
    found
}

fn collect(folder: &Path, wanted: &dyn Fn(&Path) -> bool, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(&path, wanted, found);
            }
        } else if wanted(&path) {
            found.push(path);
        }
    }
}
