//! What must come out, worked out from the scripts alone: no time, no places, no faults.

use spec::TaskId;

use crate::case::Case;
use crate::checks::Checks;

/// How a task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Excluded,
    Published,
    Failed,
    Skipped,
}

/// The fate of each task of a run that was not cut short, after all generations. Tasks that their
/// place failed for good are taken from the run: nobody can work those out.
pub(crate) fn fates(case: &Case, checks: &Checks) -> Vec<Fate> {
    let workflow = &case.workflow;
    let mut left: Vec<u32> = (case.scripts.iter())
        .map(|script| (script.failures.len() + script.publish_failures) as u32)
        .collect();
    let mut fates = vec![Fate::Excluded; workflow.n_tasks()];
    for generation in 0..=checks.generation {
        for task in plan::rank::topological_order(workflow) {
            if case.selected.contains(task) && fates[task.index()] != Fate::Published {
                let is_ready = workflow.parents(task).all(|p| fates[p.index()] == Fate::Published);
                let (fate, failures) = if checks.failed_by_place.contains(&(generation, task)) {
                    (Fate::Failed, recorded(checks, generation, task))
                } else if is_ready {
                    try_it(case, checks, task, left[task.index()])
                } else {
                    skip_it(case, checks, generation, task)
                };
                fates[task.index()] = fate;
                left[task.index()] = left[task.index()].saturating_sub(failures);
            }
        }
    }
    fates
}

/// Whether a task's earlier result stands, and so do those of all parents that it travels with.
pub(crate) fn can_reuse(case: &Case, checks: &Checks, task: TaskId) -> bool {
    let mut inside = case.workflow.parents(task).filter(|&p| case.are_together(p, task));
    case.reusable.contains(task)
        && case.scripts[task.index()].is_unchanged
        && inside.all(|parent| checks.was_reused(parent))
}

fn recorded(checks: &Checks, generation: u32, task: TaskId) -> u32 {
    checks.failures.get(&(generation, task)).copied().unwrap_or(0)
}

/// A task whose parents are published, and how often it fails in this generation.
fn try_it(case: &Case, checks: &Checks, task: TaskId, left: u32) -> (Fate, u32) {
    let tries = u32::from(case.workflow.retries(task).count) + 1;
    if checks.was_reused(task) {
        (Fate::Published, 0)
    } else if left < tries {
        (Fate::Published, left)
    } else {
        (Fate::Failed, tries)
    }
}

/// A task whose parents are not published. It never runs, unless a parent that it travels with
/// committed, and that came to nothing later: then it counts what was recorded.
fn skip_it(case: &Case, checks: &Checks, generation: u32, task: TaskId) -> (Fate, u32) {
    let failures = recorded(checks, generation, task);
    let tries = u32::from(case.workflow.retries(task).count) + 1;
    (if failures == tries { Fate::Failed } else { Fate::Skipped }, failures)
}
