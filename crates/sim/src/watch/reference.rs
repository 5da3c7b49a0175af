//! What must come out, worked out from the scripts alone: no time, no places, no faults.

use engine::RunState;
use engine::task_state::TaskState;
use spec::{TaskId, Workflow};

use super::deep::History;
use crate::truth::Truth;
use crate::world::Options;

/// How a task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Excluded,
    Published,
    Failed,
    Skipped,
}

impl Fate {
    pub(super) fn is(self, state: TaskState) -> bool {
        state
            == match self {
                Self::Excluded => TaskState::Excluded,
                Self::Published => TaskState::Published,
                Self::Failed => TaskState::Failed,
                Self::Skipped => TaskState::Skipped,
            }
    }
}

/// Knows what every task would do.
pub(super) struct Oracle<'a> {
    pub(super) workflow: &'a Workflow,
    pub(super) truth: &'a Truth,
    pub(super) options: &'a Options,
    pub(super) history: &'a History,
    pub(super) state: &'a RunState,
    pub(super) was_reused: &'a dyn Fn(TaskId) -> bool,
}

impl Oracle<'_> {
    /// The fate of each task of a run that was not cut short, after all generations. Tasks that
    /// their place failed for good are taken from the run: nobody can work those out.
    pub(super) fn fates(&self) -> Vec<Fate> {
        let left = |task| {
            let script = self.truth.script(task);
            script.map_or(0, |script| script.failures.len() + script.publish_failures) as u32
        };
        let mut left: Vec<u32> = self.workflow.tasks().map(left).collect();
        let mut fates = vec![Fate::Excluded; self.workflow.n_tasks()];
        for generation in 0..=self.history.generation {
            for task in plan::rank::topological_order(self.workflow) {
                if !self.is_selected(task) || fates[task.index()] == Fate::Published {
                    continue;
                }
                let mut parents = self.workflow.parents(task);
                let is_ready = parents.all(|parent| fates[parent.index()] == Fate::Published);
                let is_given_up = self.history.failed_by_place.contains(&(generation, task));
                let (fate, failures) = if is_given_up {
                    (Fate::Failed, self.recorded(generation, task))
                } else if is_ready {
                    self.try_it(task, left[task.index()])
                } else {
                    self.skip_it(generation, task)
                };
                fates[task.index()] = fate;
                left[task.index()] = left[task.index()].saturating_sub(failures);
            }
        }
        fates
    }

    /// Whether a task's earlier result stands, and so do those of all parents that it travels with.
    pub(super) fn can_reuse(&self, task: TaskId) -> bool {
        let shard = self.state.shard_of(task);
        let mut inside =
            self.workflow.parents(task).filter(|&parent| self.state.shard_of(parent) == shard);
        self.options.reusable.contains(task)
            && self.truth.script(task).is_some_and(|script| script.is_unchanged)
            && inside.all(|parent| (self.was_reused)(parent))
    }

    fn is_selected(&self, task: TaskId) -> bool {
        self.options.selected.as_ref().is_none_or(|selected| selected.contains(task))
    }

    fn recorded(&self, generation: u32, task: TaskId) -> u32 {
        self.history.failures.get(&(generation, task)).copied().unwrap_or(0)
    }

    /// A task whose parents are published, and how often it fails in this generation.
    fn try_it(&self, task: TaskId, left: u32) -> (Fate, u32) {
        let tries = u32::from(self.workflow.retries(task).count) + 1;
        if (self.was_reused)(task) {
            (Fate::Published, 0)
        } else if left < tries {
            (Fate::Published, left)
        } else {
            (Fate::Failed, tries)
        }
    }

    /// A task whose parents are not published. It never runs, unless a parent that it travels with
    /// committed, and that came to nothing later: then it counts what was recorded.
    fn skip_it(&self, generation: u32, task: TaskId) -> (Fate, u32) {
        let failures = self.recorded(generation, task);
        let tries = u32::from(self.workflow.retries(task).count) + 1;
        (if failures == tries { Fate::Failed } else { Fate::Skipped }, failures)
    }
}
