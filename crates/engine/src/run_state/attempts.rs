//! What events about attempts do to the state of a run.

use spec::{TaskId, Timestamp, Workflow};

use super::{Applied, CommittedAttempt, LiveAttempt, RunState};
use crate::allocation_state::AllocationState;
use crate::cause::FailureCause;
use crate::event::{Event, ShardGrant};
use crate::id::{AllocationId, AttemptId, Generation};
use crate::outcome::Manifest;
use crate::task_state::{TaskState, TaskStep};

impl RunState {
    pub(super) fn fold_attempt_event(
        &mut self,
        workflow: &Workflow,
        event: &Event,
        applied: &mut Applied,
    ) -> Result<(), String> {
        match event {
            Event::AttemptStarted { attempt, started_at, slot } => {
                self.live_mut(*attempt)?.started = Some((*started_at, *slot));
            }
            Event::AttemptCommitted { attempt, generation, outputs, .. } => {
                self.on_committed(workflow, (*attempt, *generation), outputs, applied)?;
            }
            Event::AttemptFailed { attempt, cause, retry_at, .. } => {
                self.on_failed(workflow, *attempt, cause, *retry_at)?;
            }
            Event::AttemptLost { attempt, cause } => {
                let task = self.end_attempt(*attempt)?;
                let row = self.row_mut(task)?;
                row.losses = row.losses.saturating_add(u16::from(cause.is_held_against_task()));
                self.give_back(workflow, task)?;
            }
            Event::AttemptRevoked { attempt } => {
                let task = self.end_attempt(*attempt)?;
                self.give_back(workflow, task)?;
            }
            Event::PublishIntended { attempts } => {
                for attempt in attempts {
                    self.step(attempt.task(), TaskStep::PublishIntended)?;
                }
            }
            Event::Published { attempts } => {
                for attempt in attempts {
                    let committed = self.take_committed(*attempt)?;
                    self.check_generation(attempt.task(), committed.generation)?;
                    self.step(attempt.task(), TaskStep::Published)?;
                    self.on_published(workflow, attempt.task(), committed.outputs, applied)?;
                }
            }
            _ => unreachable!("only events about attempts are handed here"),
        }
        Ok(())
    }

    pub(super) fn on_granted(
        &mut self,
        allocation: AllocationId,
        shards: &[ShardGrant],
    ) -> Result<(), String> {
        if self.allocation_mut(allocation)?.state != AllocationState::Up {
            return Err(format!("{allocation} is not there to be granted anything"));
        }
        for ShardGrant(shard, epoch, attempts) in shards {
            let row = self.shards.get_mut(shard.0 as usize);
            let row = row.ok_or_else(|| format!("there is no {shard}"))?;
            if std::mem::replace(&mut row.epoch, *epoch) >= *epoch {
                return Err(format!("{shard} was granted under epoch {epoch} before"));
            }
            for attempt in attempts {
                self.step(attempt.task(), TaskStep::Granted)?;
                let row = self.row_mut(attempt.task())?;
                if std::mem::replace(&mut row.attempts, attempt.number()) >= attempt.number() {
                    return Err(format!("{attempt} was granted before"));
                }
                let live = LiveAttempt { number: attempt.number(), allocation, started: None };
                self.live.insert(attempt.task(), live);
            }
            self.allocation_mut(allocation)?.n_live += attempts.len();
        }
        Ok(())
    }

    fn on_committed(
        &mut self,
        workflow: &Workflow,
        (attempt, generation): (AttemptId, Generation),
        outputs: &Manifest,
        applied: &mut Applied,
    ) -> Result<(), String> {
        self.check_generation(attempt.task(), generation)?;
        let allocation = self.live_mut(attempt)?.allocation;
        let task = self.end_attempt(attempt)?;
        let is_published = outputs.is_empty() && self.has_all_inputs(task) && !workflow.grows(task);
        self.step(task, TaskStep::Committed { has_outputs: !is_published })?;
        if is_published {
            return self.on_published(workflow, task, Manifest::new(), applied);
        }
        let number = attempt.number();
        let outputs = outputs.clone();
        let committed = CommittedAttempt { number, generation, allocation, outputs };
        self.committed.insert(task, committed);
        applied.to_publish.push(task);
        Ok(())
    }

    /// What was made before a rollback is never published after it.
    fn check_generation(&self, task: TaskId, generation: Generation) -> Result<(), String> {
        self.check_task(task)?;
        let due = self.tasks[task.index()].generation;
        if generation == due {
            return Ok(());
        }
        Err(format!("{task} is due in generation {}, not {}", due.0, generation.0))
    }

    fn on_failed(
        &mut self,
        workflow: &Workflow,
        attempt: AttemptId,
        cause: &FailureCause,
        retry_at: Option<Timestamp>,
    ) -> Result<(), String> {
        let task = attempt.task();
        if self.committed.contains_key(&task) {
            self.take_committed(attempt)?;
        } else {
            self.end_attempt(attempt)?;
        }
        if matches!(cause, FailureCause::OutOfMemory { .. }) {
            self.check_task(task)?;
            self.on_out_of_memory(task);
        } else {
            let row = self.row_mut(task)?;
            row.failures = row.failures.saturating_add(1);
        }
        self.step(task, TaskStep::Failed { retries: retry_at.is_some() })?;
        if let Some(at) = retry_at {
            if !self.skip_if_broken(workflow, task)? {
                self.held.insert((at, task));
            }
        } else {
            self.failures.insert(task, cause.clone());
            self.skip_descendants(workflow, task)?;
        }
        Ok(())
    }

    /// A task that was given back can be granted again, unless what it needs failed meanwhile.
    fn give_back(&mut self, workflow: &Workflow, task: TaskId) -> Result<(), String> {
        self.step(task, TaskStep::GivenBack)?;
        self.skip_if_broken(workflow, task).map(|_| ())
    }

    /// Skips a task that waits to be tried again, if what it needs failed while it ran.
    fn skip_if_broken(&mut self, workflow: &Workflow, task: TaskId) -> Result<bool, String> {
        let broken = workflow.parents(task).find(|parent| {
            matches!(self.tasks[parent.index()].state, TaskState::Failed | TaskState::Skipped)
        });
        let Some(parent) = broken else { return Ok(false) };
        self.step(task, TaskStep::Skipped)?;
        let because = self.skipped_because.get(&parent).copied().unwrap_or(parent);
        self.skipped_because.insert(task, because);
        self.skip_descendants(workflow, task)?;
        Ok(true)
    }

    fn end_attempt(&mut self, attempt: AttemptId) -> Result<TaskId, String> {
        if self.committed.get(&attempt.task()).is_some_and(|c| c.number == attempt.number()) {
            self.take_committed(attempt)?;
            return Ok(attempt.task());
        }
        let allocation = self.live_mut(attempt)?.allocation;
        self.live.remove(&attempt.task());
        let row = self.allocation_mut(allocation)?;
        row.n_live = row.n_live.saturating_sub(1);
        Ok(attempt.task())
    }

    fn take_committed(&mut self, attempt: AttemptId) -> Result<CommittedAttempt, String> {
        match self.committed.remove(&attempt.task()) {
            Some(committed) if committed.number == attempt.number() => Ok(committed),
            _ => Err(format!("{attempt} is not committed")),
        }
    }

    pub(super) fn live_mut(&mut self, attempt: AttemptId) -> Result<&mut LiveAttempt, String> {
        let live = self.live.get_mut(&attempt.task()).filter(|l| l.number == attempt.number());
        live.ok_or_else(|| format!("{attempt} is not live"))
    }
}
