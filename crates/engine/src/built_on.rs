//! Inside a shard, tasks build on commits that are not published yet: what becomes of them when
//! such a commit comes to nothing.

use std::collections::BTreeSet;

use spec::TaskId;

use crate::cause::LossCause;
use crate::engine::{ByAllocation, Engine};
use crate::id::AttemptId;
use crate::planted::{self, Bug};
use crate::task_state::TaskState;

impl Engine {
    /// Whether what a task of this shard was made from is safe, or may still turn out to be: its
    /// report can come before those of its parents.
    pub(crate) fn stands_on_firm_ground(&self, task: TaskId) -> bool {
        planted::is(Bug::BuildOnSand)
            || self.state.workflow().parents(task).all(|parent| {
                match self.state.task(parent).state {
                    TaskState::Leased
                    | TaskState::Committed
                    | TaskState::Publishing
                    | TaskState::Published
                    | TaskState::Excluded => true,
                    TaskState::Waiting
                    | TaskState::Checking
                    | TaskState::Ready
                    | TaskState::Held
                    | TaskState::Failed
                    | TaskState::Skipped => false,
                }
            })
    }

    /// Gives up commits that were made from an attempt at `task` that is about to end in vain.
    /// Comes before that end, and last made first given up, so that no crash in between can leave
    /// a commit that waits for ever.
    pub(crate) fn give_up_what_built_on(&mut self, task: TaskId) {
        if self.state.committed().is_empty() || planted::is(Bug::KeepCommitOnSand) {
            return;
        }
        let mut below = self.below_in_shard(task);
        below.retain(|&task| self.state.task(task).state == TaskState::Committed);
        for task in below.into_iter().rev() {
            let attempt = AttemptId(task, self.state.committed()[&task].number);
            self.lose_alone(attempt, LossCause::CommitLost, false);
        }
    }

    /// Attempts that may be reading what `task` committed.
    pub(crate) fn running_on(&self, task: TaskId) -> ByAllocation {
        let mut running = ByAllocation::new();
        for task in self.below_in_shard(task) {
            if let Some(live) = self.state.live().get(&task) {
                let attempt = AttemptId(task, live.number);
                running.entry(live.allocation).or_default().push(attempt);
            }
        }
        running
    }

    /// All descendants of `task` inside its shard, parents before children.
    fn below_in_shard(&self, task: TaskId) -> Vec<TaskId> {
        let shard = self.state.shard_of(task);
        let mut below = BTreeSet::new();
        let mut stack = vec![task];
        while let Some(task) = stack.pop() {
            let inside = |child: &TaskId| self.state.shard_of(*child) == shard;
            stack.extend(
                self.state.workflow().children(task).filter(inside).filter(|&c| below.insert(c)),
            );
        }
        if below.is_empty() {
            return Vec::new();
        }
        let plan = self.state.plan().expect("shards come from a plan");
        plan.tasks_of(shard).into_iter().filter(|task| below.contains(task)).collect()
    }
}
