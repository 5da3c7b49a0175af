//! What must come out, worked out from the scripts alone: no time, no places, no faults.

use plan::Shards;
use spec::{Bytes, TaskId};

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
    let mut grown = vec![0; workflow.n_tasks()];
    let mut fates = vec![Fate::Excluded; workflow.n_tasks()];
    for generation in 0..=checks.generation {
        for task in plan::rank::topological_order(workflow) {
            if case.selected.contains(task) && fates[task.index()] != Fate::Published {
                let is_ready = workflow.parents(task).all(|p| fates[p.index()] == Fate::Published);
                let before = (left[task.index()], grown[task.index()]);
                let tried = if checks.failed_by_place.contains(&(generation, task)) {
                    let shortages = ran_short(checks, generation, task);
                    Tried {
                        fate: Fate::Failed,
                        failures: recorded(checks, generation, task),
                        shortages,
                    }
                } else if is_ready {
                    try_it(case, checks, task, before)
                } else {
                    skip_it(case, checks, (generation, task), before.1)
                };
                fates[task.index()] = tried.fate;
                left[task.index()] = before.0.saturating_sub(tried.failures);
                grown[task.index()] += tried.shortages;
            }
        }
    }
    fates
}

/// What becomes of a task in one generation.
struct Tried {
    fate: Fate,
    failures: u32,
    shortages: u32,
}

/// What an attempt is granted after so many that ran out of memory.
pub(crate) fn memory(case: &Case, task: TaskId, shortages: u32) -> Bytes {
    let template = case.workflow.template(task);
    let asked = template.resources.get(0).memory;
    let learned = case.memory.learned.get(&template.name).filter(|_| asked.0 > 0);
    if shortages == 0 && learned.is_none() {
        return asked;
    }
    let start = u128::from(learned.map_or(asked, |learned| learned.start).0);
    let grown = start * (template.memory.factor as u128).pow(shortages.min(40));
    let bound = template.memory.max.map_or(u64::MAX, |max| max.0).min(largest_node(case, task));
    Bytes(grown.min(u128::from(bound)) as u64)
}

/// Every node has the cpus for every task. Who travels alone can go anywhere.
fn largest_node(case: &Case, task: TaskId) -> u64 {
    let of = |zone: usize| case.capacities[zone].memory.0;
    let shard = case.plan.shard_of_tasks(case.workflow.n_tasks())[task.index()];
    match &case.plan.shards {
        Shards::Listed(shards) if shards[shard.0 as usize].len() > 1 => {
            of(case.plan.zone_of(shard).expect("everything is placed").index())
        }
        Shards::Listed(_) | Shards::Singletons(_) => {
            (0..case.capacities.len()).map(of).max().expect("there is a zone")
        }
    }
}

/// Whether it is final to run out of memory after so many times, `now` of them in this generation.
pub(crate) fn is_last_shortage(case: &Case, task: TaskId, shortages: u32, now: u32) -> bool {
    let template = case.workflow.template(task);
    let can_grow = memory(case, task, shortages + 1) > memory(case, task, shortages);
    !template.idempotent || now >= u32::from(template.memory.retries) || !can_grow
}

/// Whether a task's earlier result stands, and so do those of all parents that it travels with.
pub(crate) fn can_reuse(case: &Case, checks: &Checks, task: TaskId) -> bool {
    let mut inside = case.workflow.parents(task).filter(|&p| case.are_together(p, task));
    case.reusable.contains(task)
        && case.scripts[task.index()].is_unchanged
        && inside.all(|parent| checks.was_reused(parent))
}

fn ran_short(checks: &Checks, generation: u32, task: TaskId) -> u32 {
    checks.ooms.get(&(generation, task)).copied().unwrap_or(0)
}

fn recorded(checks: &Checks, generation: u32, task: TaskId) -> u32 {
    checks.failures.get(&(generation, task)).copied().unwrap_or(0)
}

/// A task whose parents are published, and how often it fails in this generation: `left` failures
/// wait for it, once it has the memory to meet them.
fn try_it(case: &Case, checks: &Checks, task: TaskId, (left, grown): (u32, u32)) -> Tried {
    let tries = u32::from(case.workflow.retries(task).count) + 1;
    let needs = case.scripts[task.index()].needs;
    let is_short = |shortages| {
        let granted = memory(case, task, shortages);
        granted.0 > 0 && granted < needs
    };
    if checks.was_reused(task) {
        return Tried { fate: Fate::Published, failures: 0, shortages: 0 };
    }
    let mut shortages = 0;
    while is_short(grown + shortages) {
        shortages += 1;
        if is_last_shortage(case, task, grown + shortages - 1, shortages - 1) {
            return Tried { fate: Fate::Failed, failures: 0, shortages };
        }
    }
    let (fate, failures) =
        if left < tries { (Fate::Published, left) } else { (Fate::Failed, tries) };
    Tried { fate, failures, shortages }
}

/// A task whose parents are not published. It never runs, unless a parent that it travels with
/// committed, and that came to nothing later: then it counts what was recorded.
fn skip_it(case: &Case, checks: &Checks, of: (u32, TaskId), grown: u32) -> Tried {
    let (generation, task) = of;
    let failures = recorded(checks, generation, task);
    let shortages = ran_short(checks, generation, task);
    let tries = u32::from(case.workflow.retries(task).count) + 1;
    let has_failed = failures == tries
        || shortages > 0 && is_last_shortage(case, task, grown + shortages - 1, shortages - 1);
    Tried { fate: if has_failed { Fate::Failed } else { Fate::Skipped }, failures, shortages }
}
