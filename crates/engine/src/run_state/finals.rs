//! Final tasks in the state of a run: they wait for a gate, whatever else they need.
//!
//! The gate opens with the event that all else has ended, and closes when a person asks for failed
//! tasks again: then there will be another end.

use spec::{TaskId, Workflow};

use super::{Applied, RunState};
use crate::outcome::Outcome;
use crate::phase::PhaseStep;
use crate::task_state::{TaskState, TaskStep};

impl RunState {
    /// How all else ended, once final tasks are due.
    #[must_use]
    pub fn finals(&self) -> Option<Outcome> {
        self.finals
    }

    /// Whether a task runs when all others have ended.
    #[must_use]
    pub fn is_final(&self, task: TaskId) -> bool {
        self.final_tasks.binary_search(&task).is_ok()
    }

    /// How many wanted final tasks are left to do.
    #[must_use]
    pub fn n_open_finals(&self) -> usize {
        let is_open = |task: &&TaskId| !self.tasks[task.index()].state.is_final();
        self.final_tasks.iter().filter(is_open).count()
    }

    /// Whether final tasks are wanted that have not become due.
    pub(crate) fn finals_wait(&self) -> bool {
        self.finals.is_none() && self.n_open_finals() > 0
    }

    /// Whether a task has to wait for the gate.
    pub(super) fn is_gated(&self, task: TaskId) -> bool {
        self.finals.is_none() && self.is_final(task)
    }

    pub(super) fn on_finals_due(
        &mut self,
        workflow: &Workflow,
        outcome: Outcome,
        applied: &mut Applied,
    ) -> Result<(), String> {
        if !self.finals_wait() {
            return Err("there are no final tasks to become due".to_owned());
        }
        if !self.live.is_empty() || !self.committed.is_empty() {
            return Err("final tasks are due while others run".to_owned());
        }
        self.advance(PhaseStep::FinalsDue(outcome))?;
        self.finals = Some(outcome);
        self.refresh_all_grantable();
        for task in self.final_tasks.clone() {
            let row = self.tasks[task.index()];
            if row.state == TaskState::Waiting && row.unmet == 0 {
                self.unblock(workflow, task, applied)?;
            }
        }
        Ok(())
    }

    /// There will be another end of the run, and they run at each.
    pub(super) fn rearm_finals(&mut self) -> Result<(), String> {
        if self.finals.take().is_none() {
            return Ok(());
        }
        let finals = self.final_tasks.clone();
        for &task in &finals {
            let state = self.tasks[task.index()].state;
            if state != TaskState::Excluded && state.is_final() {
                self.step(task, TaskStep::Rearmed)?;
            }
        }
        for &task in &finals {
            self.give_oom_retries_back(task);
            let unmet = self.count_unmet(task);
            let row = &mut self.tasks[task.index()];
            (row.failures, row.losses, row.unmet) = (0, 0, unmet);
        }
        self.refresh_all_grantable();
        Ok(())
    }

    /// The gate decides which shards can be granted.
    fn refresh_all_grantable(&mut self) {
        for shard in (0..self.shards.len() as u32).map(plan::ShardId) {
            self.refresh_grantable(shard);
        }
    }
}
