//! When tasks add to the graph: after they committed and before anything of them is published.
//!
//! What they made is read outside, checked here, and recorded; then they are published. A task
//! that has to run again after that must add the same again: the graph never shrinks.

use std::collections::{BTreeMap, BTreeSet};

use spec::TaskId;

use crate::action::{Action, Grown};
use crate::cause::FailureCause;
use crate::engine::Engine;
use crate::event::Event;
use crate::id::AttemptId;
use crate::input::GrowthVerdict;
use crate::outcome::{Manifest, Usage};
use crate::planted::{self, Bug};
use crate::task_state::TaskState;

/// What is known of growths that are being read; none of it outlives the orchestrator.
#[derive(Clone, Debug, Default)]
pub(crate) struct Growths {
    asked: BTreeSet<AttemptId>,
    /// Commits whose growth is part of the graph.
    settled: BTreeSet<AttemptId>,
    /// Earlier results that stand, if what they add can be added.
    reused: BTreeMap<TaskId, (String, Manifest)>,
}

impl Engine {
    /// Takes out of `tasks`, which are committed, those whose growth is not settled, and asks for it.
    pub(crate) fn ask_for_growth(&mut self, tasks: &mut Vec<TaskId>) {
        if !self.state.workflow().can_grow() || planted::is(Bug::PublishBeforeGrowth) {
            return;
        }
        let mut grown = Vec::new();
        tasks.retain(|&task| {
            let commit = &self.state.committed[&task];
            let attempt = AttemptId(task, commit.number);
            if !self.state.workflow().grows(task) || self.growth.settled.contains(&attempt) {
                return true;
            }
            if self.growth.asked.insert(attempt) {
                grown.push(Grown { task, attempt: Some(attempt), outputs: commit.outputs.clone() });
            }
            false
        });
        if !grown.is_empty() {
            self.perform(Action::ReadGrowth { grown });
        }
    }

    /// The same for an earlier result that still stands.
    pub(crate) fn ask_for_growth_of_reused(
        &mut self,
        task: TaskId,
        run: String,
        outputs: Manifest,
    ) {
        if self.growth.reused.insert(task, (run, outputs.clone())).is_none() {
            let grown = vec![Grown { task, attempt: None, outputs }];
            self.perform(Action::ReadGrowth { grown });
        }
    }

    pub(crate) fn on_growth_read(
        &mut self,
        task: TaskId,
        attempt: Option<AttemptId>,
        verdict: GrowthVerdict,
    ) {
        match attempt {
            Some(attempt) => {
                if self.growth.asked.contains(&attempt) && self.is_committed(attempt) {
                    self.on_growth_of_commit(attempt, verdict);
                }
            }
            None => {
                let is_checking = self.state.task(task).state == TaskState::Checking;
                if let Some((run, outputs)) =
                    self.growth.reused.remove(&task).filter(|_| is_checking)
                {
                    match self.add_growth(task, verdict) {
                        Ok(()) => self.emit(Event::TaskReused { task, run, outputs }),
                        Err(why) => self.emit(Event::TaskChanged { task, why }),
                    }
                }
            }
        }
    }

    fn on_growth_of_commit(&mut self, attempt: AttemptId, verdict: GrowthVerdict) {
        self.growth.asked.remove(&attempt);
        match self.add_growth(attempt.task(), verdict) {
            Ok(()) => {
                self.growth.settled.insert(attempt);
                self.publish_soon(attempt.task());
            }
            Err(why) => self.fail(attempt, FailureCause::UnfitGrowth(why), Usage::default()),
        }
    }

    /// Records a growth, unless it is part of the graph already.
    fn add_growth(&mut self, by: TaskId, verdict: GrowthVerdict) -> Result<(), String> {
        let (growth, zones, reusable) = match verdict {
            GrowthVerdict::Read { growth, zones, reusable } => (growth, zones, reusable),
            GrowthVerdict::Unfit { why } => return Err(why),
        };
        match self.state.growth_of(by) {
            Some(before) if before == growth.digest() => return Ok(()),
            Some(_) => {
                return Err("it has added other tasks to this run before, and tasks cannot be \
                            taken back; start a new run"
                    .to_owned());
            }
            None => {}
        }
        let grown = self.state.workflow().grown(by, &growth).map_err(|unfit| unfit.to_string())?;
        let n_new = grown.n_tasks() - self.state.workflow().n_tasks();
        if n_new != zones.len() {
            return Err(format!("{n_new} tasks were given {} places", zones.len()));
        }
        drop(grown);
        self.emit(Event::WorkflowGrown { by, growth, zones, reusable });
        Ok(())
    }

    fn is_committed(&self, attempt: AttemptId) -> bool {
        let commit = self.state.committed.get(&attempt.task());
        commit.is_some_and(|commit| commit.number == attempt.number())
            && self.state.task(attempt.task()).state == TaskState::Committed
    }
}
