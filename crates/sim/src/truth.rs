//! What tasks really do: how long they run, what they leave, how they fail.
//!
//! Known to the world alone; the engine learns it as it happens.

use std::collections::BTreeMap;

use spec::{Bytes, Duration, FileId, TaskId, Workflow};

use crate::chance::{Purpose, Stream};
use crate::growing::Design;

/// The truth about every task.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// By task: how long it runs at speed 1.
    pub runtimes: Vec<Duration>,
    /// By file: its size; files beyond the end are empty.
    pub sizes: Vec<Bytes>,
    /// Tasks that do not just succeed.
    pub scripts: BTreeMap<TaskId, Script>,
    /// What tasks add to the graph, and what the new ones do.
    pub growing: Option<Design>,
}

/// What a task does when it is run, beyond taking its time.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// The memory without which it cannot even fail in another way.
    pub needs: Bytes,
    /// How it fails, the first time, the second time, …; then it succeeds.
    pub failures: Vec<Failure>,
    /// How often its outputs cannot be given their final names, once it has succeeded.
    pub publish_failures: usize,
    /// Whether it ignores being asked to end.
    pub is_stubborn: bool,
    /// Whether its earlier result, if there is one, still stands.
    pub is_unchanged: bool,
}

/// A task's own failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Ends with a code.
    Exit,
    /// Ends by a signal.
    Signal,
    /// Does not end; only for tasks with a time limit.
    Hang,
    /// Goes beyond a limit that is not one of memory.
    OverLimit,
    /// Cannot be started.
    CannotStart,
    /// Ends well and leaves too little; only for tasks with outputs.
    BadOutput,
    /// Ends well, and what it adds to the graph cannot be added; only for tasks that add to it.
    BadGrowth,
}

/// What a task without an estimate takes.
const RUNTIME_UNKNOWN: Duration = Duration::from_secs(1);

impl Truth {
    /// Runtimes around the estimates of a workflow: each is the estimate times a lognormal factor
    /// with this deviation and median 1, times `scale`. Sizes are those of a recording, if the
    /// workflow is one.
    #[must_use]
    pub fn around_estimates(workflow: &Workflow, scale: f64, sigma: f64, seed: u64) -> Self {
        let runtime = |task: TaskId| {
            let mut stream = Stream::new(seed, Purpose::Runtime, u64::from(task.0));
            let estimate = workflow.estimate(task).unwrap_or(RUNTIME_UNKNOWN);
            estimate.mul_f64(scale * stream.lognormal(sigma))
        };
        let runtimes = workflow.tasks().map(runtime).collect();
        let sizes = workflow.replay().map_or_else(Vec::new, |replay| {
            workflow.files().ids().map(|file| replay.size(file)).collect()
        });
        Self { runtimes, sizes, ..Self::default() }
    }

    /// Forgets the tasks that a graph does not have, and learns those that it has by now.
    pub(crate) fn follow(&mut self, workflow: &Workflow) {
        let Some(design) = &self.growing else { return };
        let n = workflow.n_tasks();
        self.runtimes.truncate(n);
        self.scripts.retain(|task, _| task.index() < n);
        for task in (self.runtimes.len()..n).map(TaskId::from_index) {
            let name = workflow.task_name(task);
            self.runtimes.push(design.runtime(&name));
            self.scripts.insert(task, design.script(&name, workflow.grows(task)));
        }
    }

    pub(crate) fn script(&self, task: TaskId) -> Option<&Script> {
        self.scripts.get(&task)
    }

    /// The size of a file.
    #[must_use]
    pub fn size(&self, file: FileId) -> Bytes {
        self.sizes.get(file.index()).copied().unwrap_or_default()
    }
}
