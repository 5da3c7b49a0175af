//! A copy of an example, and the program that runs it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use engine::Record;
use tempfile::TempDir;

/// An example without what earlier runs of it left.
pub(crate) struct Copy {
    dir: TempDir,
}

/// How the program ended, and what it said.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Copy {
    pub(crate) fn of(example: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(&examples().join(example), dir.path());
        Self { dir }
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Names of what lies in a folder, in order.
    pub(crate) fn list(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_foreshard"));
        command.args(words).current_dir(self.dir.path()).stdin(Stdio::null());
        command.env("FORESHARD_LEDGER", "none");
        command
    }

    pub(crate) fn foreshard(&self, words: &[&str]) -> Ended {
        Ended::of(&mut self.command(words))
    }

    /// Everything that is recorded of the only run.
    pub(crate) fn records(&self) -> Vec<Record> {
        let texts = journal::read(&self.run_dir()).unwrap();
        texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    pub(crate) fn run_dir(&self) -> PathBuf {
        let runs = self.list(".foreshard/runs");
        assert_eq!(runs.len(), 1, "{runs:?}");
        self.path(".foreshard/runs").join(&runs[0])
    }
}

impl Ended {
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// It ended like this; if not, what it said tells why.
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\nstdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    pub(crate) fn says(self, words: &str) -> Self {
        assert!(self.err.contains(words), "no `{words}` in\n{}", self.err);
        self
    }

    /// The tasks of which it said that they were started, reused, and so on.
    pub(crate) fn tasks_that(&self, what: &str) -> BTreeSet<&str> {
        let what = format!(" {what}");
        let told = self.err.lines().filter_map(|line| line.split_once("s] "));
        told.filter_map(|(_, event)| event.split_once(&what)).map(|(task, _)| task).collect()
    }
}

/// All but what runs of it make.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (name, kind) = (entry.file_name(), entry.file_type().unwrap());
        if kind.is_file() {
            std::fs::copy(entry.path(), to.join(&name)).unwrap();
        } else if kind.is_dir() && name != "out" && name != ".foreshard" {
            copy(&entry.path(), &to.join(&name));
        }
    }
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// A site that comes with the examples.
pub(crate) fn site() -> String {
    examples().join("site.yaml").to_str().unwrap().to_owned()
}

/// Whether all of these are there: programs by name, files by path. What is missing is told, and
/// is a failure where everything is required.
pub(crate) fn can_use(needed: &[&str]) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &str| {
        let mut places = std::env::split_paths(&folders).map(|folder| folder.join(name));
        places.any(|path| path.exists())
    };
    let missing: Vec<&&str> = needed.iter().filter(|name| !is_there(name)).collect();
    if missing.is_empty() {
        return true;
    }
    let required = std::env::var_os("FORESHARD_REQUIRE_ALL").is_some_and(|value| value == "1");
    assert!(!required, "{missing:?} must be there");
    eprintln!("skipped: {missing:?} is not there");
    false
}
