//! What must come out, worked out from the scripts alone: no time, no places, no faults.

use engine::RunState;
use engine::memory::MemoryTerms;
use engine::task_state::TaskState;
use plan::Plan;
use spec::{Bytes, TaskId, Workflow};

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
        let mut grown = vec![0; self.workflow.n_tasks()];
        let mut fates = vec![Fate::Excluded; self.workflow.n_tasks()];
        for generation in 0..=self.history.generation {
            for task in plan::rank::topological_order(self.workflow) {
                let i = task.index();
                if !self.is_selected(task) || fates[i] == Fate::Published {
                    continue;
                }
                let mut parents = self.workflow.parents(task);
                let is_ready = parents.all(|parent| fates[parent.index()] == Fate::Published);
                let is_given_up = self.history.failed_by_place.contains(&(generation, task));
                let tried = if is_given_up {
                    self.given_up(generation, task)
                } else if is_ready {
                    self.try_it(task, left[i], grown[i])
                } else {
                    self.skip_it(generation, task, grown[i])
                };
                fates[i] = tried.fate;
                left[i] = left[i].saturating_sub(tried.failures);
                grown[i] += tried.shortages;
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

    fn grants(&self) -> Option<Grants<'_>> {
        let (workflow, terms) = (self.workflow, &self.options.memory);
        self.state.plan().map(|plan| Grants { workflow, terms, plan })
    }

    fn is_last_shortage(&self, task: TaskId, shortages: u32, now: u32) -> bool {
        self.grants().is_some_and(|grants| grants.is_last_shortage(task, shortages, now))
    }

    fn recorded(&self, generation: u32, task: TaskId) -> (u32, u32) {
        let of = |counts: &std::collections::BTreeMap<(u32, TaskId), u32>| {
            counts.get(&(generation, task)).copied().unwrap_or(0)
        };
        (of(&self.history.failures), of(&self.history.shortages))
    }

    fn given_up(&self, generation: u32, task: TaskId) -> Tried {
        let (failures, shortages) = self.recorded(generation, task);
        Tried { fate: Fate::Failed, failures, shortages }
    }

    /// A task whose parents are published, and how often it fails in this generation: `left`
    /// failures wait for it, once it has the memory to meet them.
    fn try_it(&self, task: TaskId, left: u32, grown: u32) -> Tried {
        if (self.was_reused)(task) {
            return Tried { fate: Fate::Published, failures: 0, shortages: 0 };
        }
        let needs = self.truth.script(task).map_or(Bytes(0), |script| script.needs);
        let is_short = |shortages| {
            let granted = self.grants().map_or(Bytes(0), |grants| grants.memory(task, shortages));
            granted.0 > 0 && granted < needs
        };
        let mut shortages = 0;
        while is_short(grown + shortages) {
            shortages += 1;
            if self.is_last_shortage(task, grown + shortages - 1, shortages - 1) {
                return Tried { fate: Fate::Failed, failures: 0, shortages };
            }
        }
        let tries = u32::from(self.workflow.retries(task).count) + 1;
        let (fate, failures) =
            if left < tries { (Fate::Published, left) } else { (Fate::Failed, tries) };
        Tried { fate, failures, shortages }
    }

    /// A task whose parents are not published. It never runs, unless a parent that it travels with
    /// committed, and that came to nothing later: then it counts what was recorded.
    fn skip_it(&self, generation: u32, task: TaskId, grown: u32) -> Tried {
        let (failures, shortages) = self.recorded(generation, task);
        let tries = u32::from(self.workflow.retries(task).count) + 1;
        let has_failed = failures == tries
            || shortages > 0 && self.is_last_shortage(task, grown + shortages - 1, shortages - 1);
        Tried { fate: if has_failed { Fate::Failed } else { Fate::Skipped }, failures, shortages }
    }
}

/// What becomes of a task in one generation.
struct Tried {
    fate: Fate,
    failures: u32,
    shortages: u32,
}

/// What attempts are granted of memory, worked out a second time.
pub(super) struct Grants<'a> {
    pub(super) workflow: &'a Workflow,
    pub(super) terms: &'a MemoryTerms,
    pub(super) plan: &'a Plan,
}

impl Grants<'_> {
    /// What an attempt is granted after so many that ran out of memory.
    pub(super) fn memory(&self, task: TaskId, shortages: u32) -> Bytes {
        let template = self.workflow.template(task);
        let asked = self.workflow.resources(task).memory;
        let learned = self.terms.learned.get(&template.name).filter(|_| asked.0 > 0);
        if shortages == 0 && learned.is_none() {
            return asked;
        }
        let start = u128::from(learned.map_or(asked, |learned| learned.start).0);
        let grown = start * (template.memory.factor as u128).pow(shortages.min(40));
        let max = template.memory.max.map_or(u64::MAX, |max| max.0);
        Bytes(grown.min(u128::from(max.min(self.largest_node(task)))) as u64)
    }

    /// Every node has the cpus for every task. Who travels alone can go anywhere.
    fn largest_node(&self, task: TaskId) -> u64 {
        if self.terms.nodes.is_empty() {
            return u64::MAX;
        }
        let of = |zone: usize| self.terms.nodes[zone].iter().map(|node| node.memory.0).max();
        let shard = self.plan.shard_of_tasks(self.workflow.n_tasks())[task.index()];
        let zone = self.plan.zone_of(shard).filter(|_| self.plan.tasks_of(shard).len() > 1);
        let zones = 0..self.terms.nodes.len();
        let most = zone.map_or_else(|| zones.filter_map(of).max(), |zone| of(zone.index()));
        most.unwrap_or(u64::MAX)
    }

    /// Whether it is final to run out of memory after so many times, `now` of them since the task
    /// was last asked for anew.
    pub(super) fn is_last_shortage(&self, task: TaskId, shortages: u32, now: u32) -> bool {
        let template = self.workflow.template(task);
        let can_grow = self.memory(task, shortages + 1) > self.memory(task, shortages);
        !template.idempotent || now >= u32::from(template.memory.retries) || !can_grow
    }
}
