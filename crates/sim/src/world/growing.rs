//! Graphs that grow in a virtual run: what is read of a commit, and what follows the graph.

use std::sync::Arc;

use engine::input::GrowthVerdict;
use engine::ranges::TaskRanges;
use spec::TaskId;

use super::World;
use crate::truth::Failure;
use crate::watch::Violation;

impl World<'_> {
    /// What a task adds to the graph; `is_own` if this run made it.
    pub(super) fn read_growth(&self, task: TaskId, is_own: bool) -> GrowthVerdict {
        let Some(design) = &self.truth.growing else {
            return GrowthVerdict::Unfit { why: "it emits no tasks".to_owned() };
        };
        let failures = self.watcher.own_failures(task);
        let failure = self.truth.script(task).and_then(|script| script.failures.get(failures));
        if is_own && failure == Some(&Failure::BadGrowth) {
            return GrowthVerdict::Unfit { why: "what it emits is no workflow".to_owned() };
        }
        let growth = design.growth(&self.workflow, task);
        // Of a growth that is part of the graph already, only what was read counts.
        let grown = self.workflow.grown(task, &growth).ok();
        let first = self.workflow.n_tasks();
        let names: Vec<String> = grown.map_or_else(Vec::new, |after| {
            after.tasks().skip(first).map(|task| after.task_name(task)).collect()
        });
        let n_zones = self.site.zones.len();
        let has_past = |&i: &u32| design.has_past(&names[i as usize]);
        let reusable = (0..names.len() as u32).filter(has_past).map(TaskId);
        GrowthVerdict::Read {
            growth,
            zones: names.iter().map(|name| design.zone(name, n_zones)).collect(),
            reusable: TaskRanges::from_sorted(reusable),
        }
    }

    /// The graph is what the records say. Where some were lost, tasks are gone, and nothing that
    /// lasts can have come of them.
    pub(super) fn follow_the_graph(&mut self) {
        if self.truth.growing.is_none() {
            return;
        }
        self.workflow = Arc::clone(self.watcher.workflow());
        let n = self.workflow.n_tasks();
        let is_left = self.store.iter().skip(n).any(|&number| number != 0);
        self.store.resize(n, 0);
        self.last_start.retain(|task, _| task.index() < n);
        self.truth.follow(&self.workflow);
        self.accounts.follow(n);
        self.moving.follow(n);
        if is_left {
            let what = "something is stored of tasks that no record knows";
            self.hold(Err(Violation::of("G1", what)));
        }
    }
}
