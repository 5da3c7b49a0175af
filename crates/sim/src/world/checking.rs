//! What must hold of the whole world: at each start, and at the end.

use engine::cause::FailureCause;
use engine::outcome::Usage;
use engine::task_state::TaskState;
use engine::{AttemptId, Event};
use plan::rank;
use spec::TaskId;

use super::World;
use crate::keeper::Stage;
use crate::watch::{Violation, hold};

/// Whether a failure is told with what a process used.
fn is_end_of_a_process(cause: &FailureCause) -> bool {
    match cause {
        FailureCause::Exit(_)
        | FailureCause::Signal(_)
        | FailureCause::Timeout(_)
        | FailureCause::OutOfMemory { .. }
        | FailureCause::LogTooLong(_)
        | FailureCause::TooManyProcesses(_)
        | FailureCause::MissingOutput(_)
        | FailureCause::UnfitOutput { .. } => true,
        FailureCause::UnfitGrowth(_)
        | FailureCause::CannotStart(_)
        | FailureCause::CannotPublish(_)
        | FailureCause::MayHaveRun(_)
        | FailureCause::LostTooOften(_) => false,
    }
}

impl World<'_> {
    /// A process is about to start.
    pub(super) fn check_start(&mut self, keeper: u32, attempt: AttemptId) -> Result<(), Violation> {
        let row = &self.keepers[keeper as usize];
        if !self.remembers {
            return Ok(());
        }
        self.s16_starts_once(keeper, attempt)?;
        let is_taken_back = row.memory.taken_back.contains(&attempt);
        hold!(!is_taken_back, "S23", "{attempt} starts, and keeper {keeper} was to give it back");
        let is_owned = !row.is_disowned;
        let (allocation, stage) = (row.allocation, row.stage);
        let checked = self.watcher.start(attempt, &row.memory.committed, is_owned);
        checked.map_err(|violation| Violation {
            what: format!("{} (at keeper {keeper} of {allocation}, {stage:?})", violation.what),
            ..violation
        })?;
        if is_owned {
            self.s7_one_owner(attempt.task())?;
            self.n1_never_in_doubt(attempt)?;
        }
        Ok(())
    }

    /// Its private folder is its own: no attempt starts twice, and none of its number runs elsewhere.
    fn s16_starts_once(&self, keeper: u32, attempt: AttemptId) -> Result<(), Violation> {
        let has_started = self.keepers[keeper as usize].memory.started.contains(&attempt);
        hold!(!has_started, "S16", "{attempt} starts again at keeper {keeper}");
        let other = self.keepers.iter().position(|other| other.processes.contains_key(&attempt));
        hold!(other.is_none(), "S16", "{attempt} starts, and runs at keeper {other:?}");
        Ok(())
    }

    /// Every attempt is charged what its process was measured to use, and nobody else's.
    pub(super) fn s24_usage_is_what_was_measured(&self, event: &Event) -> Result<(), Violation> {
        let (attempt, usage, has_ended) = match event {
            Event::AttemptCommitted { attempt, usage, .. } => (attempt, usage, true),
            Event::AttemptFailed { attempt, usage, cause, .. } => {
                (attempt, usage, is_end_of_a_process(cause))
            }
            _ => return Ok(()),
        };
        if !self.remembers {
            return Ok(());
        }
        let is_right = if has_ended {
            self.usages.get(attempt).is_some_and(|measured| measured.contains(usage))
        } else {
            *usage == Usage::default()
        };
        hold!(is_right, "S24", "{attempt} is charged {usage:?}, which was not measured");
        Ok(())
    }

    /// An attempt whose place was given up may still be at work; nothing of it is ever published.
    fn s7_one_owner(&self, task: TaskId) -> Result<(), Violation> {
        let owners = self.keepers.iter().filter(|k| k.stage == Stage::Up && !k.is_disowned);
        for keeper in owners {
            let other = keeper.processes.keys().find(|attempt| attempt.task() == task);
            if let Some(other) = other {
                let what = format!("{other} runs when another attempt starts");
                return Err(Violation::of("S7", what));
            }
        }
        Ok(())
    }

    /// Not idempotent means: after a start nobody starts it again, unless it failed by itself.
    fn n1_never_in_doubt(&mut self, attempt: AttemptId) -> Result<(), Violation> {
        let task = attempt.task();
        if self.workflow.template(task).idempotent {
            return Ok(());
        }
        let last = self.last_start.insert(task, attempt);
        match last {
            Some(last) if last != attempt && !self.watcher.has_failed(last) => {
                Err(Violation::of("N1", format!("{attempt} starts, and {last} may have run")))
            }
            _ => Ok(()),
        }
    }

    /// The run is over: nothing is left over, and what is stored is what was published.
    pub(super) fn check_end(&self) -> Result<(), Violation> {
        let Some(engine) = &self.orchestrator.engine else { return Ok(()) };
        let state = engine.state();
        if !state.live().is_empty() || !state.committed().is_empty() {
            return Err(Violation::of("L1", "the run is over, and something is left over"));
        }
        for (id, row) in state.allocations() {
            if row.state.is_live() {
                let what = format!("the run is over, and {id} is still {:?}", row.state);
                return Err(Violation::of("L1", what));
            }
        }
        for task in rank::topological_order(&self.workflow) {
            let number = self.store[task.index()];
            let is_ours = self.has_outputs(task) && !self.watcher.was_reused(task);
            let is_published = state.task(task).state == TaskState::Published;
            if (number != 0) != (is_published && is_ours) {
                let what = format!("{task} is published: {is_published}; stored: {number}");
                return Err(Violation::of("S17", what));
            }
            let told = state.outputs(task);
            let there = |wrong| self.manifest(AttemptId(task, number), wrong);
            if number != 0 && *told != there(false) && *told != there(true) {
                return Err(Violation::of("S4", format!("what {task} published is not stored")));
            }
        }
        self.watcher.end(&self.truth, &self.options, state)
    }
}
