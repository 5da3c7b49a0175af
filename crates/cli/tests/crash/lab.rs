//! A project in a temporary folder, the program, and what it left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use engine::{Event, Record, RunState};

/// Long enough for any run here on a busy machine; a test that hangs must end some day.
const PATIENCE: Duration = Duration::from_secs(120);

/// A project with one workflow.
pub(crate) struct Lab {
    dir: tempfile::TempDir,
}

/// How the program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
}

impl Lab {
    pub(crate) fn new(workflow: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(dir.path().join("project")).unwrap();
        std::fs::write(dir.path().join("project/workflow.yaml"), workflow).unwrap();
        Self { dir }
    }

    /// A file beside the project.
    pub(crate) fn dir_file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    /// Where tasks tell that they ran, outside the project.
    pub(crate) fn diary(&self) -> PathBuf {
        self.dir.path().join("diary")
    }

    fn command(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_foreshard"));
        command
            .args(arguments)
            .current_dir(self.project())
            .env("DIARY", self.diary())
            .env("FORESHARD_LEDGER", "none")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    pub(crate) fn call(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
        let mut command = self.command(arguments, environment);
        let log = self.dir.path().join("stderr");
        command.stderr(std::fs::File::create(&log).unwrap());
        let mut child = command.spawn().expect("the program starts");
        let status = wait(&mut child);
        Ended { status, stderr: std::fs::read_to_string(log).unwrap_or_default() }
    }

    /// Starts the program and leaves it running.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments, &[]).stderr(Stdio::null()).spawn().expect("the program starts")
    }

    pub(crate) fn run_dir(&self) -> Option<PathBuf> {
        let mut runs: Vec<PathBuf> = std::fs::read_dir(self.project().join(".foreshard/runs"))
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect();
        runs.sort();
        runs.pop()
    }

    /// Every record of the latest run.
    pub(crate) fn records(&self) -> Vec<Record> {
        let Some(run_dir) = self.run_dir() else { return Vec::new() };
        let Ok(records) = journal::read(&run_dir) else { return Vec::new() };
        records.iter().map(|text| serde_json::from_str(text).expect("a record")).collect()
    }

    /// The state that the journal amounts to; the fold refuses any history that cannot be.
    pub(crate) fn replay(&self) -> RunState {
        let source = std::fs::read(self.project().join("workflow.yaml")).unwrap();
        let source = spec::diagnostic::Source::from_bytes("workflow.yaml", source).unwrap();
        let (workflow, _) = spec::workflow_file::parse(&source, &BTreeMap::new());
        RunState::replay(workflow.expect("a sound workflow").into(), &self.records())
            .expect("a history")
    }

    /// Content of everything in the project but our own folder.
    pub(crate) fn tree(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.project(), &self.project(), &mut files);
        files
    }

    /// How often each task told that it ran.
    pub(crate) fn runs_by_task(&self) -> BTreeMap<String, usize> {
        let mut runs = BTreeMap::new();
        for line in std::fs::read_to_string(self.diary()).unwrap_or_default().lines() {
            *runs.entry(line.to_owned()).or_default() += 1;
        }
        runs
    }

    /// Process ids of keepers that were ever started, oldest first.
    pub(crate) fn keepers(&self) -> Vec<i32> {
        let Some(run_dir) = self.run_dir() else { return Vec::new() };
        let Ok(entries) = std::fs::read_dir(run_dir.join("allocations")) else { return Vec::new() };
        let mut dirs: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
        dirs.sort();
        dirs.iter().filter_map(|dir| keeper_pid(&dir.join("progress"))).collect()
    }
}

fn keeper_pid(progress: &Path) -> Option<i32> {
    let text = std::fs::read_to_string(progress).ok()?;
    let first: serde_json::Value = serde_json::from_str(text.lines().next()?.get(9..)?).ok()?;
    i32::try_from(first["hello"]["pid"].as_i64()?).ok()
}

/// Tasks that started again after they were published. There must be none, ever.
pub(crate) fn run_after_publish(records: &[Record]) -> Vec<spec::TaskId> {
    let mut published = std::collections::BTreeSet::new();
    let mut again = Vec::new();
    for record in records {
        match &record.event {
            Event::Published { attempts } => {
                published.extend(attempts.iter().map(|attempt| attempt.task()));
            }
            Event::AttemptCommitted { attempt, outputs, .. } if outputs.is_empty() => {
                published.insert(attempt.task());
            }
            Event::AttemptStarted { attempt, .. } if published.contains(&attempt.task()) => {
                again.push(attempt.task());
            }
            _ => {}
        }
    }
    again
}

pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().expect("our child") {
            return status;
        }
        assert!(Instant::now() < deadline, "the program does not end");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until something holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it never came true that {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn kill(pid: i32) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.ends_with(".foreshard") {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).expect("below the root").to_owned();
            files.insert(name, std::fs::read(&path).expect("a file"));
        }
    }
}
