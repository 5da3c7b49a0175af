//! One recording, run in a folder of its own, and what must be true afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use engine::outcome::Outcome;
use engine::{AttemptId, Event, Record};
use spec::wfformat::{ReplayOptions, parse};
use spec::{TaskId, Workflow};
use tempfile::TempDir;

use crate::recording::Recording;

/// Clocks are set now and then, and the program rounds to microseconds.
const CLOCK_SECONDS: f64 = 1e-3;

pub(crate) struct Trial {
    name: String,
    dir: TempDir,
    recording: Recording,
    /// For the numbers that tasks have in the journal, and nothing else.
    workflow: Workflow,
    scale: f64,
}

impl Trial {
    pub(crate) fn new(name: &str, text: &str, scale: f64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("recording.json"), text).unwrap();
        let (workflow, diagnostics) = parse(text, &ReplayOptions { scale, scale_memory: None });
        let workflow = workflow.unwrap_or_else(|| panic!("{name}: {diagnostics:#?}"));
        Self { name: name.to_owned(), dir, recording: Recording::of(text), workflow, scale }
    }

    /// On so many cpus.
    pub(crate) fn play(&self, jobs: u32) {
        let (scale, jobs) = (self.scale.to_string(), jobs.to_string());
        self.foreshard(&["run", "recording.json", "--scale", &scale, "--jobs", &jobs, "--quiet"]);
        self.check_order(&self.records());
        self.check_files();
        self.check_export(&self.foreshard(&["export"]));
    }

    /// Calls the program, which must succeed; what it prints.
    fn foreshard(&self, words: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_foreshard"));
        command.args(words).current_dir(self.dir.path()).stdin(Stdio::null());
        let output = command.env("FORESHARD_LEDGER", "none").output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{}: {words:?}\n{err}", self.name);
        String::from_utf8(output.stdout).unwrap()
    }

    fn records(&self) -> Vec<Record> {
        let run = only_entry(&self.dir.path().join(".foreshard/runs"));
        let texts = journal::read(&run).unwrap();
        texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    fn id(&self, task: TaskId) -> &str {
        self.workflow.replay().expect("a replay").task_id(task)
    }

    /// Every task starts once, after all of its parents are published, and is published once.
    fn check_order(&self, records: &[Record]) {
        let name = &self.name;
        let (mut started, mut published) = (BTreeSet::new(), BTreeSet::new());
        for record in records {
            match &record.event {
                Event::AttemptStarted { attempt, .. } => {
                    let id = self.id(attempt.task());
                    assert!(started.insert(id), "{name}: {id} is started twice");
                    let parents = self.recording.tasks[id].parents.iter();
                    let early: Vec<_> = parents.filter(|&p| !published.contains(&**p)).collect();
                    assert!(early.is_empty(), "{name}: {id} is started before {early:?}");
                }
                Event::AttemptFailed { .. } | Event::AttemptLost { .. } => {
                    panic!("{name}: {:?}", record.event)
                }
                _ => {}
            }
            for attempt in published_by(&record.event) {
                let id = self.id(attempt.task());
                assert!(published.insert(id), "{name}: {id} is published twice");
            }
        }
        let all: BTreeSet<&str> = self.recording.tasks.keys().map(String::as_str).collect();
        assert!(started == all, "{name}: {} of {} tasks started", started.len(), all.len());
        assert!(published == all, "{name}: {} of {} tasks published", published.len(), all.len());
        let last = &records.last().unwrap().event;
        assert_eq!(*last, Event::RunFinished { outcome: Outcome::Succeeded }, "{name}");
    }

    /// What tasks read and write is there in the right sizes, and nothing else is.
    fn check_files(&self) {
        let folder = only_entry(&self.dir.path().join("replay"));
        let mut found = BTreeMap::new();
        collect(&folder, &folder, &mut found);
        let mut expected = self.recording.scaled_sizes(self.scale);
        let used = self.recording.files_of_tasks();
        expected.retain(|id, _| used.contains(id.as_str()));
        self.check_same("files", &found, &expected);
    }

    fn check_export(&self, text: &str) {
        let exported = Recording::of(text);
        assert_eq!(exported.version, "1.5", "{}", self.name);
        self.check_same("exported tasks", &exported.tasks, &self.recording.tasks);
        let sizes = self.recording.scaled_sizes(self.scale);
        self.check_same("exported sizes", &exported.sizes, &sizes);
        assert!(exported.seconds.keys().eq(self.recording.tasks.keys()), "{}", self.name);
        for (id, &took) in &exported.seconds {
            let recorded = self.recording.seconds.get(id).copied().unwrap_or(0.0).max(0.001);
            let least = recorded * self.scale - CLOCK_SECONDS;
            assert!(took >= least, "{}: {id} took {took} s, not {least}", self.name);
        }
        let (again, diagnostics) = parse(text, &ReplayOptions::default());
        assert!(again.is_some(), "{}: {diagnostics:#?}", self.name);
    }

    fn check_same<V: PartialEq + Debug>(
        &self,
        what: &str,
        found: &BTreeMap<String, V>,
        expected: &BTreeMap<String, V>,
    ) {
        let ids: BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
        for id in ids {
            assert_eq!(found.get(id), expected.get(id), "{}: {what}: {id}", self.name);
        }
    }
}

/// The commit of a task without outputs is all there is to publish.
fn published_by(event: &Event) -> &[AttemptId] {
    match event {
        Event::AttemptCommitted { attempt, outputs, .. } if outputs.is_empty() => {
            std::slice::from_ref(attempt)
        }
        Event::Published { attempts } => attempts,
        _ => &[],
    }
}

fn only_entry(folder: &Path) -> PathBuf {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.swap_remove(0)
}

/// Sizes by the ids that paths stand for.
fn collect(root: &Path, folder: &Path, sizes: &mut BTreeMap<String, u64>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            collect(root, &entry.path(), sizes);
        } else {
            let path = entry.path();
            let path = path.strip_prefix(root).unwrap().to_str().unwrap();
            let size = entry.metadata().unwrap().len();
            assert!(sizes.insert(id_of(path), size).is_none(), "{path} is there twice");
        }
    }
}

/// `+` stands for `/`, `%XX` for another byte, and `%/` for a break in a long id.
fn id_of(path: &str) -> String {
    let path = path.replace("%/", "").replace('+', "/");
    let mut pieces = path.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (code, rest) = piece.split_at(2);
        bytes.push(u8::from_str_radix(code, 16).unwrap());
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).unwrap()
}
