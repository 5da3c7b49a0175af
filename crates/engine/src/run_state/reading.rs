//! What readers ask of the state of a run; nothing here changes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use plan::{Plan, ShardId};
use spec::{TaskId, Timestamp, Workflow, ZoneId};

use super::{Allocation, CommittedAttempt, LiveAttempt, RunState, TaskRow};
use crate::cause::FailureCause;
use crate::event::Options;
use crate::forecast::ForecastSummary;
use crate::id::{AllocationId, Epoch};
use crate::outcome::Manifest;
use crate::phase::Phase;
use crate::task_state::TaskState;

impl RunState {
    /// The graph as it is by now.
    #[must_use]
    pub fn workflow(&self) -> &Arc<Workflow> {
        &self.graph.0
    }

    /// The number of the last record.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Which orchestrator in a row owns the run.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The latest forecast of zones; none before the first.
    #[must_use]
    pub fn forecast(&self) -> Option<&ForecastSummary> {
        self.forecast.as_ref()
    }

    /// Where the run stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What the user chose.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The plan in force.
    #[must_use]
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// The small part that every task has.
    #[must_use]
    pub fn task(&self, task: TaskId) -> &TaskRow {
        &self.tasks[task.index()]
    }

    /// How many tasks are in a state.
    #[must_use]
    pub fn count(&self, state: TaskState) -> usize {
        self.counts[state as usize]
    }

    /// How many tasks are wanted in this run.
    #[must_use]
    pub fn n_selected(&self) -> usize {
        self.tasks.len() - self.count(TaskState::Excluded)
    }

    /// How many wanted tasks are left to do.
    #[must_use]
    pub fn n_unfinished(&self) -> usize {
        let done = [TaskState::Published, TaskState::Failed, TaskState::Skipped];
        self.n_selected() - done.map(|state| self.count(state)).iter().sum::<usize>()
    }

    /// Attempts that are granted and have not ended, by task.
    #[must_use]
    pub fn live(&self) -> &BTreeMap<TaskId, LiveAttempt> {
        &self.live
    }

    /// Attempts whose outputs are safe but not visible, by task.
    #[must_use]
    pub fn committed(&self) -> &BTreeMap<TaskId, CommittedAttempt> {
        &self.committed
    }

    /// Capacity held now or before.
    #[must_use]
    pub fn allocations(&self) -> &BTreeMap<AllocationId, Allocation> {
        &self.allocations
    }

    /// Shards that could be granted if the plan gave them a zone, in dispatch order.
    pub fn unplaced(&self) -> impl ExactSizeIterator<Item = ShardId> {
        self.unplaced.iter().map(|&(_, shard)| shard)
    }

    /// Shards that wait in a zone for an allocation with room, in dispatch order.
    pub fn waiting_in(&self, zone: ZoneId) -> impl Iterator<Item = ShardId> {
        self.grantable.get(zone.index()).into_iter().flatten().map(|&(_, shard)| shard)
    }

    /// Whether any shard waits in a zone.
    #[must_use]
    pub fn has_waiting(&self) -> bool {
        self.grantable.iter().any(|shards| !shards.is_empty())
    }

    /// How many allocations a revision of the plan wants in a zone, if any has named it.
    #[must_use]
    pub fn allocations_wanted(&self, zone: ZoneId) -> Option<u32> {
        self.allocations_wanted.get(&zone).copied()
    }

    /// Whether a zone holds more allocations than a revision of the plan wants.
    #[must_use]
    pub fn is_surplus(&self, zone: ZoneId) -> bool {
        let wanted = self.allocations_wanted.get(&zone);
        wanted.is_some_and(|&n| self.live_allocations(zone).count() > n as usize)
    }

    /// Allocations in a zone that may still hold attempts, by id.
    pub fn live_allocations(&self, zone: ZoneId) -> impl Iterator<Item = AllocationId> {
        self.live_allocations.get(&zone).into_iter().flatten().copied()
    }

    /// What a task published; empty if it has not, or has no outputs.
    #[must_use]
    pub fn outputs(&self, task: TaskId) -> &Manifest {
        &self.outputs[task.index()]
    }

    /// Tasks that failed for good, and why.
    #[must_use]
    pub fn failures(&self) -> &BTreeMap<TaskId, FailureCause> {
        &self.failures
    }

    /// Tasks that cannot run, and the failed task that is to blame.
    #[must_use]
    pub fn skipped(&self) -> &BTreeMap<TaskId, TaskId> {
        &self.skipped_because
    }

    /// Which shard a task belongs to, by the plan in force.
    #[must_use]
    pub fn shard_of(&self, task: TaskId) -> ShardId {
        self.shard_of[task.index()]
    }

    /// The shard's position in the dispatch order.
    pub(crate) fn position_of(&self, shard: ShardId) -> u32 {
        self.positions[shard.0 as usize]
    }

    /// When the next pause before a retry is over.
    #[must_use]
    pub fn next_retry(&self) -> Option<Timestamp> {
        self.held.first().map(|&(at, _)| at)
    }
}
