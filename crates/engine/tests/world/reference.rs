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

/// The fate of each task of a run that was not cut short, after all generations. Tasks that their place failed for good are taken
/// from the run: nobody can work those out.
pub(crate) fn fates(case: &Case, checks: &Checks) -> Vec<Fate> {
    let workflow = &case.workflow;
    let mut left: Vec<u32> = (case.scripts.iter())
        .zip(workflow.tasks())
        .map(|(script, task)| (script.failures.len() + case.publish_failures(task)) as u32)
        .collect();
    let mut fates = vec![Fate::Excluded; workflow.n_tasks()];
    for generation in 0..=checks.generation {
        for task in plan::rank::topological_order(workflow) {
            if case.selected.contains(task) && fates[task.index()] != Fate::Published {
                let is_ready = workflow.parents(task).all(|p| fates[p.index()] == Fate::Published);
                // A place can also fail what was waiting there for a task of its shard.
                let is_ready = is_ready || checks.failed_by_place.contains_key(&(generation, task));
                fates[task.index()] = if is_ready {
                    try_once(case, checks, (generation, task), &mut left[task.index()])
                } else {
                    Fate::Skipped
                };
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

fn try_once(case: &Case, checks: &Checks, key: (u32, TaskId), left: &mut u32) -> Fate {
    let task = key.1;
    if checks.was_reused(task) {
        return Fate::Published;
    }
    if let Some(&own) = checks.failed_by_place.get(&key) {
        *left = left.saturating_sub(own);
        return Fate::Failed;
    }
    let tries = u32::from(case.workflow.retries(task).count) + 1;
    if *left < tries {
        *left = 0;
        Fate::Published
    } else {
        *left -= tries;
        Fate::Failed
    }
}
