//! What would become of a task if the workflow were run now: said by a dry run, shown by a report.

use spec::TaskId;

/// What would become of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDecision {
    /// Which.
    pub task: TaskId,
    /// What.
    pub decision: Decision,
    /// What has changed, or why it always runs, for people.
    pub why: String,
}

/// Whether a task would run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// No: the result of this run still stands.
    Reuse {
        /// The run that made it.
        run: String,
    },
    /// Yes.
    Run,
    /// If what it reads comes out different: an input will be made again.
    Perhaps,
}
