//! What a growth of the graph does to the state of a run.

use std::collections::BTreeSet;
use std::sync::Arc;

use plan::ShardId;
use spec::growth::Growth;
use spec::{Digest, TaskId, Workflow, ZoneId};

use super::{Graph, RunState, ShardRow, TaskRow};
use crate::outcome::Manifest;
use crate::planted::{self, Bug};
use crate::ranges::TaskRanges;
use crate::task_state::TaskState;

impl RunState {
    /// What `task` has added to the graph, as a digest; none if nothing was recorded yet.
    pub(crate) fn growth_of(&self, task: TaskId) -> Option<Digest> {
        self.grown.get(&task).copied()
    }

    /// Adds tasks. The one that adds them is not published, so that nothing after it has started.
    pub(super) fn on_grown(
        &mut self,
        by: TaskId,
        growth: &Growth,
        zones: &[ZoneId],
        reusable: &TaskRanges,
    ) -> Result<(), String> {
        self.check_task(by)?;
        if !matches!(self.tasks[by.index()].state, TaskState::Committed | TaskState::Checking) {
            return Err(format!("{by} has nothing to add to the graph now"));
        }
        if self.grown.insert(by, growth.digest()).is_some() {
            return Err(format!("{by} has added to the graph before"));
        }
        let grown = self.graph.0.grown(by, growth).map_err(|unfit| unfit.to_string())?;
        let first_new = self.tasks.len();
        if grown.n_tasks() - first_new != zones.len() {
            return Err(format!("{} zones for other tasks than {by} adds", zones.len()));
        }
        let mut waiting_longer = waiting_longer(&grown, first_new);
        if planted::is(Bug::ForgetNewParents) {
            waiting_longer.clear();
        }
        if let Some(late) = waiting_longer.iter().find(|&&task| self.has_begun(task)) {
            return Err(format!("{late} has begun, and cannot wait for new tasks"));
        }
        let wanted = self.wanted_of(&grown, first_new);
        let position = self.positions[self.shard_of[by.index()].0 as usize];
        self.plan.as_mut().ok_or("the graph grows without a plan")?.extend(zones);
        self.graph = Graph(Arc::new(grown));
        self.make_room(zones, position);
        if planted::is(Bug::GrowIntoShard) {
            let shard = self.shard_of[by.index()];
            self.shard_of[first_new..].fill(shard);
        }
        for &task in &wanted {
            self.put_state(task, TaskState::Waiting);
        }
        self.reusable.extend_from(first_new as u32, reusable);
        let new = (first_new..self.tasks.len()).map(TaskId::from_index);
        for task in new.chain(waiting_longer) {
            self.tasks[task.index()].unmet = self.count_unmet(task);
        }
        self.find_room_for_learned(first_new);
        Ok(())
    }

    /// Rows for new tasks, nothing of which is wanted yet.
    fn make_room(&mut self, zones: &[ZoneId], position: u32) {
        let n_zones = zones.iter().map(|zone| zone.index() + 1).max().unwrap_or(0);
        if self.grantable.len() < n_zones {
            self.grantable.resize(n_zones, BTreeSet::new());
        }
        for _ in zones {
            self.tasks.push(TaskRow::NEW);
            self.counts[TaskState::Excluded as usize] += 1;
            self.outputs.push(Manifest::new());
            self.shard_of.push(ShardId(self.shards.len() as u32));
            self.shards.push(ShardRow::default());
            // As urgent as what they grew from.
            self.positions.push(position);
        }
    }

    /// Parents in other shards that are not published yet.
    pub(super) fn count_unmet(&self, task: TaskId) -> u32 {
        let shard = self.shard_of[task.index()];
        let is_unmet = |parent: &TaskId| {
            let is_done = |state| matches!(state, TaskState::Published | TaskState::Excluded);
            self.shard_of[parent.index()] != shard && !is_done(self.tasks[parent.index()].state)
        };
        self.graph.0.parents(task).filter(is_unmet).count() as u32
    }

    /// Whether a task may have seen what it reads.
    fn has_begun(&self, task: TaskId) -> bool {
        match self.tasks[task.index()].state {
            TaskState::Excluded | TaskState::Waiting | TaskState::Skipped => false,
            TaskState::Checking
            | TaskState::Ready
            | TaskState::Held
            | TaskState::Leased
            | TaskState::Committed
            | TaskState::Publishing
            | TaskState::Published
            | TaskState::Failed => true,
        }
    }

    /// New tasks that are wanted: all, or those that were asked for by name, and what a wanted
    /// task needs.
    fn wanted_of(&self, grown: &Workflow, first_new: usize) -> Vec<TaskId> {
        let new = || (first_new..grown.n_tasks()).map(TaskId::from_index);
        if self.wants_all {
            return new().collect();
        }
        let is_named = |task: &TaskId| self.wanted.contains(&grown.template(*task).name);
        let is_needed = |task: &TaskId| {
            let mut children = grown.children(*task).filter(|child| child.index() < first_new);
            children.any(|child| self.tasks[child.index()].state != TaskState::Excluded)
        };
        let mut stack: Vec<TaskId> =
            new().filter(|task| is_named(task) || is_needed(task)).collect();
        let mut wanted: BTreeSet<TaskId> = stack.iter().copied().collect();
        while let Some(task) = stack.pop() {
            let parents = grown.parents(task).filter(|parent| parent.index() >= first_new);
            stack.extend(parents.filter(|&parent| wanted.insert(parent)));
        }
        wanted.into_iter().collect()
    }
}

/// Tasks that were there and wait for new ones.
fn waiting_longer(grown: &Workflow, first_new: usize) -> BTreeSet<TaskId> {
    let new = (first_new..grown.n_tasks()).map(TaskId::from_index);
    new.flat_map(|task| grown.children(task)).filter(|task| task.index() < first_new).collect()
}
