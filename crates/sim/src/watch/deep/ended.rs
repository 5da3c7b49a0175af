//! What must hold of a run that has ended: by its outcome, its published files and its graph.

use std::collections::BTreeSet;

use engine::outcome::Outcome;
use engine::phase::Phase;
use engine::task_state::TaskState;
use engine::{AttemptId, RunState};
use spec::{TaskId, Workflow};

use super::super::cheap::Cheap;
use super::super::reference::{self, Fate};
use super::super::{Checked, Violation, hold};
use super::Deep;
use crate::growing::{Design, Reference};
use crate::truth::Truth;
use crate::world::Options;

impl Deep {
    /// The run is over: what came out is what the scripts say.
    pub(in crate::watch) fn end(
        &self,
        workflow: &Workflow,
        truth: &Truth,
        options: &Options,
        state: &RunState,
        cheap: &Cheap,
    ) -> Checked {
        let is_cancelled = state.phase() == Phase::Finished(Outcome::Cancelled);
        let is_cut_short = is_cancelled || options.run.fail_fast;
        self.s2_all_was_made_from_what_is_published(workflow, state, cheap)?;
        if options.run.fail_fast && self.history.generation > 0 {
            return Ok(());
        }
        let oracle = reference::Oracle {
            workflow,
            truth,
            options,
            history: &self.history,
            state,
            was_reused: &|task| cheap.was_reused(task),
        };
        let fates = oracle.fates();
        for task in workflow.tasks().filter(|&task| !workflow.is_final(task)) {
            let (fate, now) = (fates[task.index()], state.task(task).state);
            let is_right = fate.is(now) || (is_cut_short && !now.is_final());
            hold!(is_right, "L1", "{task} ended as {now:?}, and should be {fate:?}");
            let is_missed = oracle.can_reuse(task) && !cheap.was_reused(task);
            let is_missed = is_missed && fate == Fate::Published && self.history.generation == 0;
            hold!(is_cut_short || !is_missed, "S3", "{task} was not reused");
        }
        // What becomes of final tasks is not worked out: they run again at each end.
        let failed = workflow.tasks().any(|task| {
            let is_final = workflow.is_final(task);
            let has_failed = state.task(task).state == TaskState::Failed;
            is_final && has_failed || !is_final && fates[task.index()] == Fate::Failed
        });
        let wanted = if failed { Outcome::Failed } else { Outcome::Succeeded };
        let (phase, is_right) = (state.phase(), state.phase() == Phase::Finished(wanted));
        hold!(is_cancelled || is_right, "L1", "the run is {phase:?}, and should be {wanted:?}");
        blame_is_right(workflow, state)?;
        truth.growing.as_ref().map_or(Ok(()), |design| {
            g1_graph_is_as_designed(workflow, state, design, cheap.has_grown())
        })
    }

    fn s2_all_was_made_from_what_is_published(
        &self,
        workflow: &Workflow,
        state: &RunState,
        cheap: &Cheap,
    ) -> Checked {
        for task in workflow.tasks() {
            let row = state.task(task);
            if row.state != TaskState::Published || cheap.was_reused(task) {
                continue;
            }
            let made_by = AttemptId(task, row.attempts);
            let Some(read) = self.read.get(&made_by) else {
                return Err(Violation::of("S2", format!("{made_by} is published and never ran")));
            };
            for &from in read {
                let parent = from.task();
                let latest = if cheap.was_reused(parent) { 0 } else { state.task(parent).attempts };
                let is_same = latest == from.number();
                hold!(is_same, "S2", "{made_by} read {from}, and attempt {latest} is published");
            }
        }
        Ok(())
    }
}

/// The graph that has grown is the one that its tasks were designed to make, no more and no less;
/// each new task waits for all that it has to wait for, and whoever is published has grown.
fn g1_graph_is_as_designed(
    workflow: &Workflow,
    state: &RunState,
    design: &Design,
    has_grown: &BTreeSet<TaskId>,
) -> Checked {
    let grown = has_grown.iter().map(|&task| workflow.task_name(task)).collect();
    let reference = Reference::of(design, &grown).0;
    for task in workflow.tasks() {
        let name = workflow.task_name(task);
        let Some(parents) = reference.get(&name) else {
            return Err(Violation::of("G1", format!("{name} is in the graph, and should not be")));
        };
        let waits_for: BTreeSet<String> =
            workflow.parents(task).map(|parent| workflow.task_name(parent)).collect();
        let missing = parents.difference(&waits_for).next();
        hold!(missing.is_none(), "G1", "{name} does not wait for {missing:?}");
        let is_published = state.task(task).state == TaskState::Published;
        let is_due = is_published && workflow.grows(task);
        hold!(!is_due || has_grown.contains(&task), "G1", "{name} is published, and adds nothing");
    }
    let (n, wanted) = (workflow.n_tasks(), reference.len());
    hold!(n == wanted, "G1", "the graph has {n} tasks, and should have {wanted}");
    Ok(())
}

/// Whoever failed has a cause; whoever was skipped is told whose failure is to blame.
fn blame_is_right(workflow: &Workflow, state: &RunState) -> Checked {
    for task in workflow.tasks() {
        let now = state.task(task).state;
        let has_cause = state.failures().contains_key(&task);
        hold!(has_cause == (now == TaskState::Failed), "S14", "{task} is {now:?}: {has_cause}");
        if now == TaskState::Skipped {
            let blamed = state.skipped().get(&task);
            let is_failed = blamed.is_some_and(|&to| state.task(to).state == TaskState::Failed);
            hold!(is_failed, "S14", "{task} blames {blamed:?}, which did not fail");
        }
    }
    Ok(())
}
