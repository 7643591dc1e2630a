//! A copy of the code in which rules can be switched off.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{Edit, Test};
use crate::repository;

/// A test that takes longer does not end.
const LONGEST: Duration = Duration::from_secs(400);

/// The copy of the code, and where it is built. Both stay, so that the next time little is built anew.
#[derive(Debug)]
pub(super) struct Workshop {
    code: PathBuf,
    built: PathBuf,
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    Passed,
    /// With what it said.
    Failed(String),
}

impl Workshop {
    /// Brings the copy to what the repository holds now, uncommitted changes included.
    pub(super) fn open() -> Result<Workshop> {
        let place = repository().join("target").join("rules");
        let workshop = Workshop { code: place.join("code"), built: place.join("built") };
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(repository())
            .output()
            .context("asking git for the files of the repository")?;
        ensure!(listed.status.success(), "git does not list the files of {}", repository().display());
        let listed = String::from_utf8(listed.stdout)?;
        let mut files: Vec<&str> = listed.split_terminator('\0').collect();
        files.retain(|file| repository().join(file).is_file());
        for file in &files {
            let text = fs::read(repository().join(file)).with_context(|| format!("reading {file}"))?;
            let copy = workshop.code.join(file);
            // What is the same stays as it is: its time tells Cargo that nothing has to be built.
            if fs::read(&copy).is_ok_and(|same| same == text) {
                continue;
            }
            if let Some(folder) = copy.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&copy, text).with_context(|| format!("writing {}", copy.display()))?;
        }
        for file in crate::rust_files(&workshop.code) {
            let known = file.strip_prefix(&workshop.code).ok().and_then(Path::to_str);
            if !known.is_some_and(|name| files.contains(&name)) {
                fs::remove_file(&file)?;
            }
        }
        Ok(workshop)
    }

    /// Runs the test. Fails where it cannot be built, or does not exist.
    pub(super) fn run(&self, test: &Test) -> Result<Ended> {
        let binary = self.build(test)?;
        let said = tempfile::NamedTempFile::new()?;
        let mut child = Command::new(binary)
            .args(["--exact", test.path])
            .current_dir(self.code.join(test.folder()))
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(said.reopen()?)
            .stderr(said.reopen()?)
            .spawn()?;
        let until = Instant::now() + LONGEST;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if Instant::now() > until {
                child.kill()?;
                child.wait()?;
                bail!("{} does not end", test.path);
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let said = String::from_utf8_lossy(&fs::read(said.path())?).into_owned();
        ensure!(said.contains("running 1 test\n"), "{} has no test {}", test.package, test.path);
        Ok(if status.success() { Ended::Passed } else { Ended::Failed(said) })
    }

    /// Runs the test with an edit made, and takes it back.
    pub(super) fn run_with(&self, edit: &Edit, test: &Test) -> Result<Ended> {
        let file = self.code.join(edit.file);
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", edit.file))?;
        ensure!(text.matches(edit.from).count() == 1, "{} does not hold once: {}", edit.file, edit.from);
        fs::write(&file, text.replacen(edit.from, edit.to, 1))?;
        let ended = self.run(test);
        // Written anew, so that Cargo sees that it changed again.
        fs::write(&file, text)?;
        ended
    }

    /// Builds the binary that holds the test; answers its path.
    fn build(&self, test: &Test) -> Result<PathBuf> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["test", "--no-run", "--quiet", "--message-format=json", "-p", test.package]);
        match test.binary {
            "lib" => cargo.arg("--lib"),
            binary => cargo.args(["--test", binary]),
        };
        let built = cargo.arg("--target-dir").arg(&self.built).current_dir(&self.code).output()?;
        let messages = String::from_utf8_lossy(&built.stdout);
        let messages =
            messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let (mut binary, mut errors) = (None, Vec::new());
        for message in messages {
            if message["profile"]["test"] == true
                && let Some(path) = message["executable"].as_str()
            {
                binary = Some(PathBuf::from(path));
            }
            if message["message"]["level"] == "error" {
                errors.extend(message["message"]["rendered"].as_str().map(str::to_owned));
            }
        }
        if !built.status.success() {
            bail!("it does not build:\n{}{}", errors.concat(), String::from_utf8_lossy(&built.stderr));
        }
        binary.with_context(|| format!("cargo builds no test binary {} of {}", test.binary, test.package))
    }
}
