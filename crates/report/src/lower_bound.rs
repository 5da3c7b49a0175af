//! The least possible makespan, given how long tasks really took.

use serde::Serialize;
use spec::{Duration, Workflow};

use crate::quantity::Seconds;
use crate::timeline::{End, Timeline};
use crate::work::{Work, cpus_max};

/// The larger of the longest chain of tasks and all work spread over all cpus. No order of the
/// same tasks on the same cpus can be faster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LowerBound {
    /// The larger of the two.
    pub seconds: Seconds,
    /// The longest path through the DAG, by the durations of attempts that succeeded.
    pub longest_path_seconds: Seconds,
    /// Useful work over the most cpus that were ever there at once.
    pub work_seconds: Seconds,
    /// The most cpus that were ever there at once.
    pub cpus: f64,
}

impl LowerBound {
    /// Of what has happened so far.
    #[must_use]
    pub fn of(workflow: &Workflow, timeline: &Timeline, work: &Work) -> Self {
        let cpus = cpus_max(timeline);
        let longest = longest_path(workflow, timeline);
        let spread = work.useful_core_seconds.spread_over(cpus);
        Self {
            seconds: Seconds(longest.max(spread)),
            longest_path_seconds: Seconds(longest),
            work_seconds: Seconds(spread),
            cpus: f64::from(cpus.0) / 1e3,
        }
    }
}

/// The longest path, each task after its parents. Tasks that did not succeed take no time.
fn longest_path(workflow: &Workflow, timeline: &Timeline) -> Duration {
    let mut to = vec![Duration::ZERO; workflow.n_tasks()];
    let mut unmet: Vec<u32> =
        workflow.tasks().map(|task| workflow.parents(task).len() as u32).collect();
    let mut ready: Vec<_> = workflow.tasks().filter(|task| unmet[task.index()] == 0).collect();
    let mut longest = Duration::ZERO;
    while let Some(task) = ready.pop() {
        let own = timeline.attempts_of(task).find(|attempt| attempt.end == End::Succeeded);
        let length = to[task.index()] + own.map_or(Duration::ZERO, |a| timeline.elapsed(a));
        longest = longest.max(length);
        for child in workflow.children(task) {
            to[child.index()] = to[child.index()].max(length);
            unmet[child.index()] -= 1;
            if unmet[child.index()] == 0 {
                ready.push(child);
            }
        }
    }
    longest
}
