//! The realised critical path, in the words of a report.

use serde::Serialize;
use spec::Workflow;

use super::{LISTED_MAX, TaskRef};
use crate::critical_path::{CriticalPath, Release, Step, Waits};
use crate::quantity::{Moment, Seconds};
use crate::timeline::Timeline;

/// The chain of attempts and waits that fills the makespan, in figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Path {
    /// How long its attempts ran.
    pub running_seconds: Seconds,
    /// All waits on it; with the running time, they add up to the makespan.
    pub waits: PathWaits,
    /// How many steps it has.
    pub n_steps: usize,
    /// The last of them, in order.
    pub steps: Vec<PathStep>,
    /// All of them, for pictures.
    #[serde(skip)]
    pub chain: CriticalPath,
}

/// Waits by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PathWaits {
    /// Committing and publishing the outputs of what a step waited for.
    pub publish_seconds: Seconds,
    /// Pausing before a retry.
    pub retry_pause_seconds: Seconds,
    /// Nobody was in charge of the run.
    pub interrupted_seconds: Seconds,
    /// Recording, granting and starting.
    pub overhead_seconds: Seconds,
}

/// An attempt, or a reused result, on the critical path.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PathStep {
    /// Which task.
    pub task: TaskRef,
    /// Which try; none for a reused result.
    pub attempt: Option<u32>,
    /// When it started.
    pub started_at: Moment,
    /// How long it ran.
    pub ran_seconds: Seconds,
    /// What had to happen last before it could start: `run_start`, `dependency`, `slot`, `retry`.
    pub released_by: &'static str,
    /// The task that released it, where there is one.
    pub after: Option<TaskRef>,
    /// Between the end of that and its start.
    pub waits: PathWaits,
}

impl Path {
    /// Of a timeline.
    #[must_use]
    pub fn of(workflow: &Workflow, timeline: &Timeline) -> Self {
        let path = CriticalPath::of(workflow, timeline);
        let hidden = path.steps.len().saturating_sub(LISTED_MAX);
        Self {
            running_seconds: Seconds(path.running()),
            waits: PathWaits::of(&path.waits()),
            n_steps: path.steps.len(),
            steps: path.steps[hidden..].iter().map(|step| PathStep::of(workflow, step)).collect(),
            chain: path,
        }
    }
}

impl PathStep {
    fn of(workflow: &Workflow, step: &Step) -> Self {
        let (released_by, after) = match step.release {
            Release::RunStart => ("run_start", None),
            Release::Dependency(parent) => ("dependency", Some(parent)),
            Release::Slot(neighbour) => ("slot", Some(neighbour)),
            Release::Retry => ("retry", Some(step.task)),
        };
        Self {
            task: TaskRef::of(workflow, step.task),
            attempt: step.attempt,
            started_at: Moment(step.started_at),
            ran_seconds: Seconds(step.ended_at.since(step.started_at)),
            released_by,
            after: after.map(|task| TaskRef::of(workflow, task)),
            waits: PathWaits::of(&step.waits),
        }
    }
}

impl PathWaits {
    fn of(waits: &Waits) -> Self {
        Self {
            publish_seconds: Seconds(waits.publish),
            retry_pause_seconds: Seconds(waits.retry_pause),
            interrupted_seconds: Seconds(waits.interrupted),
            overhead_seconds: Seconds(waits.overhead),
        }
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> Seconds {
        Seconds(
            self.publish_seconds.0
                + self.retry_pause_seconds.0
                + self.interrupted_seconds.0
                + self.overhead_seconds.0,
        )
    }
}
