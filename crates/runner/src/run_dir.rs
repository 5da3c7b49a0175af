//! Where everything lies: the folders of a project and of a run.

use std::path::{Path, PathBuf};

use engine::{AllocationId, AttemptId};

/// The folder of a workflow file; every declared path is relative to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project(PathBuf);

/// The folder of one run, `.foreshard/runs/<id>` in the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir(PathBuf);

impl Project {
    /// The project in this folder, which must be absolute.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self(root)
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// Everything of ours lies below it.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.0.join(".foreshard")
    }

    /// `history.db`: results, digests and measurements of all runs.
    #[must_use]
    pub fn history(&self) -> PathBuf {
        self.state().join("history.db")
    }

    /// One folder per run.
    #[must_use]
    pub fn runs(&self) -> PathBuf {
        self.state().join("runs")
    }

    /// The folder of a run.
    #[must_use]
    pub fn run(&self, id: &str) -> RunDir {
        RunDir(self.runs().join(id))
    }
}

impl RunDir {
    /// The run in this folder, which must be absolute.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The run's name.
    #[must_use]
    pub fn id(&self) -> String {
        self.0.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// What the run was started with.
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        self.0.join("run.json")
    }

    /// What the run found when it began: see [`crate::record::Found`].
    #[must_use]
    pub fn found(&self) -> PathBuf {
        self.0.join("found.json")
    }

    /// `journal.db`: what happened.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.0.join("journal.db")
    }

    /// Commands to the orchestrator, one atomically renamed file each.
    #[must_use]
    pub fn inbox(&self) -> PathBuf {
        self.0.join("inbox")
    }

    /// Orders and progress of one keeper.
    #[must_use]
    pub fn allocation(&self, allocation: AllocationId) -> AllocationDir {
        AllocationDir(self.0.join("allocations").join(allocation.to_string()))
    }

    /// Where the private folders of attempts lie.
    #[must_use]
    pub fn attempts(&self) -> PathBuf {
        self.0.join("attempts")
    }

    /// The private folder of an attempt.
    #[must_use]
    pub fn attempt(&self, attempt: AttemptId) -> PathBuf {
        self.attempts().join(attempt.to_string())
    }

    /// Where the logs of attempts lie.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// Standard output of an attempt; absent if it wrote nothing.
    #[must_use]
    pub fn stdout(&self, attempt: AttemptId) -> PathBuf {
        self.logs().join(format!("{attempt}.out"))
    }

    /// Standard error of an attempt; absent if it wrote nothing.
    #[must_use]
    pub fn stderr(&self, attempt: AttemptId) -> PathBuf {
        self.logs().join(format!("{attempt}.err"))
    }
}

/// The folder of one allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllocationDir(PathBuf);

impl AllocationDir {
    /// The allocation in this folder.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Appended to by the orchestrator, followed by the keeper.
    #[must_use]
    pub fn orders(&self) -> PathBuf {
        self.0.join("orders")
    }

    /// Appended to by the keeper, followed by the orchestrator.
    #[must_use]
    pub fn progress(&self) -> PathBuf {
        self.0.join("progress")
    }

    /// Where the keeper itself complains.
    #[must_use]
    pub fn keeper_log(&self) -> PathBuf {
        self.0.join("keeper.log")
    }

    /// While an attempt runs, a slot's standard output and error.
    #[must_use]
    pub fn slot_log(&self, slot: u32, stream: &str) -> PathBuf {
        self.0.join(format!("slot{slot}.{stream}"))
    }
}
