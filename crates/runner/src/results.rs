//! What earlier runs left: compared when a task becomes ready, remembered when it is published.
//!
//! A thread of its own does both, beside the drive loop. The history is never the truth: when it
//! cannot be read or written, tasks are run again and nothing else is lost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, unbounded};
use engine::input::ReuseVerdict;
use engine::{Manifest, Observation, PublishedFile};
use journal::history::{self, FileState, History, OutputKind};
use spec::{Bytes, Digest, TaskId, Timestamp, Workflow};

use crate::artifact::{DigestCache, Digests, Stamp};
use crate::executor::Observe;
use crate::reuse::{self, Key};
use crate::run_dir::Project;

/// Files are read side by side: a disk answers several faster than one.
pub(crate) const HASH_THREADS: usize = 4;

/// How many new digests are stored at once.
const BATCH: usize = 1_000;

/// What an earlier run left of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskResult {
    /// What it depended on.
    pub key: Key,
    /// What it published.
    pub outputs: Manifest,
    /// The run that made it.
    pub run: String,
}

/// Results of earlier runs, by task name.
#[derive(Clone, Debug, Default)]
pub struct Past(Arc<BTreeMap<String, TaskResult>>);

impl Past {
    /// Reads what the project remembers of this workflow's tasks.
    #[must_use]
    pub fn read(project: &Project, workflow: &Workflow) -> Self {
        if workflow.is_replay() || !project.history().exists() {
            return Self::default();
        }
        let Ok(mut history) = History::open(&project.history()) else { return Self::default() };
        let mut results = BTreeMap::new();
        // What cannot be read is run again.
        let _ = history.results(|result| {
            results.insert(result.task.clone(), from_history(result));
        });
        Self(Arc::new(results))
    }

    /// The result of a task.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&TaskResult> {
        self.0.get(name)
    }

    /// How many tasks of a fan-out are remembered.
    #[must_use]
    pub fn count_of(&self, template: &str) -> usize {
        let prefix = format!("{template}[");
        let from = self.0.range(prefix.clone()..);
        from.take_while(|(name, _)| name.starts_with(&prefix)).count()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// An earlier result that is to be compared with what would be run now.
#[derive(Clone, Debug)]
pub struct Verification {
    /// Which task.
    pub task: TaskId,
    /// As people call it.
    pub name: String,
    /// What its result would depend on; or why nothing can be compared.
    pub key: Result<Key, String>,
}

/// A result to remember: task name, what it depended on, what it published.
pub type NewResult = (String, Key, Manifest);

#[derive(Debug)]
enum Errand {
    Verify(Vec<Verification>),
    Save(Vec<NewResult>, Timestamp),
    Learn(Vec<history::Observation>),
}

/// The thread that compares and remembers.
pub struct Results {
    errands: Option<Sender<Errand>>,
    thread: Option<JoinHandle<()>>,
    observe: Observe,
}

impl Results {
    /// Starts the thread.
    #[must_use]
    pub fn start(project: Project, run: String, past: Past, observe: Observe) -> Self {
        let (errands, received) = unbounded();
        let mut keeper = ResultKeeper { project, run, past, observe: observe.clone() };
        let thread = std::thread::Builder::new()
            .name("results".to_owned())
            .spawn(move || keeper.run(&received))
            .expect("the system has room for one more thread");
        Self { errands: Some(errands), thread: Some(thread), observe }
    }

    /// Compares; the verdicts are observed.
    pub fn verify(&self, verifications: Vec<Verification>) {
        self.send(Errand::Verify(verifications));
    }

    /// Remembers.
    pub fn save(&self, results: Vec<NewResult>, at: Timestamp) {
        if !results.is_empty() {
            self.send(Errand::Save(results, at));
        }
    }

    /// Remembers what attempts took.
    pub(crate) fn learn(&self, seen: Vec<history::Observation>) {
        if !seen.is_empty() {
            self.send(Errand::Learn(seen));
        }
    }

    /// Passes on what was seen elsewhere.
    pub fn observe(&self, observations: Vec<Observation>) {
        (self.observe)(observations);
    }

    /// Waits until everything is remembered.
    pub fn finish(&mut self) {
        self.errands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    fn send(&self, errand: Errand) {
        if let Some(errands) = &self.errands {
            let _ = errands.send(errand);
        }
    }
}

struct ResultKeeper {
    project: Project,
    run: String,
    past: Past,
    observe: Observe,
}

impl ResultKeeper {
    fn run(&mut self, errands: &Receiver<Errand>) {
        let cache = Cache::open(&self.project);
        while let Ok(errand) = errands.recv() {
            match errand {
                Errand::Verify(verifications) => {
                    let verdicts = self.verdicts(verifications, &cache);
                    (self.observe)(verdicts);
                }
                Errand::Save(results, at) => cache.save(&self.run, results, at),
                Errand::Learn(seen) => cache.learn(&seen),
            }
        }
    }

    fn verdicts(&self, verifications: Vec<Verification>, cache: &Cache) -> Vec<Observation> {
        let digests = cache.digests(&self.project);
        let verdict = |verification: Verification| {
            let task = verification.task;
            let verdict = match &digests {
                Ok(digests) => self.verdict(verification, digests),
                Err(error) => ReuseVerdict::Changed { why: error.to_string() },
            };
            Observation::ReuseChecked { task, verdict }
        };
        verifications.into_iter().map(verdict).collect()
    }

    fn verdict(&self, verification: Verification, digests: &Digests<'_>) -> ReuseVerdict {
        let past = self.past.get(&verification.name);
        let compared = verification.key.and_then(|key| {
            let past = past.ok_or("it has not been run before")?;
            reuse::compare(digests, past, &key)?;
            Ok(past)
        });
        match compared {
            Ok(past) => {
                ReuseVerdict::Unchanged { run: past.run.clone(), outputs: past.outputs.clone() }
            }
            Err(why) => ReuseVerdict::Changed { why },
        }
    }
}

/// The project's memory, as far as it can be opened.
pub struct Cache(Option<Mutex<Memory>>);

struct Memory {
    history: History,
    /// Digests that are to be stored: one transaction for many.
    new: Vec<FileState>,
}

impl Cache {
    /// Opens it.
    #[must_use]
    pub fn open(project: &Project) -> Self {
        let history = History::open(&project.history()).ok();
        Self(history.map(|history| Mutex::new(Memory { history, new: Vec::new() })))
    }

    /// Digests files of a project with this memory.
    ///
    /// # Errors
    /// The project's folder cannot be opened.
    pub fn digests(&self, project: &Project) -> std::io::Result<Digests<'_>> {
        Digests::new(project.root(), self, HASH_THREADS)
    }

    fn memory(&self) -> Option<MutexGuard<'_, Memory>> {
        self.0.as_ref().map(|memory| memory.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn learn(&self, seen: &[history::Observation]) {
        if let Some(mut memory) = self.memory() {
            // Forgetting costs an attempt or two, not correctness.
            let _ = memory.history.observe(seen);
        }
    }

    fn save(&self, run: &str, results: Vec<NewResult>, at: Timestamp) {
        let Some(mut memory) = self.memory() else { return };
        let rows: Vec<history::TaskResult> = results
            .into_iter()
            .map(|(name, key, outputs)| to_history(run, name, key, outputs, at))
            .collect();
        // Forgetting costs a run of the task, not its correctness.
        let _ = memory.history.put_results(&rows);
    }
}

impl Memory {
    fn flush(&mut self) {
        let _ = self.history.put_files(&self.new);
        self.new.clear();
    }
}

impl DigestCache for Cache {
    fn lookup(&self, path: &str, stamp: &Stamp) -> Option<Digest> {
        let known = self.memory()?.history.file(path).ok()??;
        let is_same = known.size == stamp.size
            && known.ctime_ns == stamp.ctime_ns
            && known.ino == stamp.inode;
        is_same.then_some(Digest(known.digest))
    }

    fn store(&self, path: &str, stamp: &Stamp, digest: &Digest) {
        let Some(mut memory) = self.memory() else { return };
        let path = path.to_owned();
        let (size, ctime_ns, ino) = (stamp.size, stamp.ctime_ns, stamp.inode);
        memory.new.push(FileState { path, size, ctime_ns, ino, digest: digest.0 });
        if memory.new.len() >= BATCH {
            memory.flush();
        }
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        if let Some(mut memory) = self.memory() {
            memory.flush();
        }
    }
}

fn from_history(result: history::TaskResult) -> TaskResult {
    let inputs = result.inputs.into_iter().map(|input| (input.path, Digest(input.digest)));
    let (command, env) = (Digest(result.command), Digest(result.environment));
    let key = Key { command, env, inputs: inputs.collect() };
    let outputs = result.outputs.into_iter().map(|output| PublishedFile {
        path: output.path,
        size: Bytes(output.size),
        digest: Digest(output.digest),
        is_directory: output.kind == OutputKind::Directory,
    });
    TaskResult { key, outputs: outputs.collect(), run: result.run }
}

fn to_history(
    run: &str,
    task: String,
    key: Key,
    outputs: Manifest,
    at: Timestamp,
) -> history::TaskResult {
    let input = |(path, digest): (String, Digest)| history::Input { path, digest: digest.0 };
    let output = |file: PublishedFile| history::Output {
        path: file.path,
        kind: if file.is_directory { OutputKind::Directory } else { OutputKind::File },
        size: file.size.0,
        digest: file.digest.0,
        mode: 0,
    };
    history::TaskResult {
        task,
        command: key.command.0,
        environment: key.env.0,
        inputs: key.inputs.into_iter().map(input).collect(),
        outputs: outputs.into_iter().map(output).collect(),
        run: run.to_owned(),
        at_unix_ms: at.0 / 1_000,
    }
}
