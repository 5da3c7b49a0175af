//! The simplest planner: each task a shard, the first zone that can hold it, longest path first.

use spec::{Resources, Site, TaskId, Workflow, ZoneId};

use crate::plan::{Order, Placements, Plan, PlanId, ShardId, Shards};
use crate::rank;

/// What a task without an estimate is taken to last. Only the order depends on it.
const DURATION_UNKNOWN_SECONDS: f64 = 1.0;

/// A wish that no place can meet.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("no pool can hold {task_name}: it needs {needs}, the largest node has {largest}")]
pub struct Infeasible {
    /// The task; the first one of its template when all of them ask the same.
    pub task: TaskId,
    /// As people call it.
    pub task_name: String,
    /// What it asks for.
    pub needs: Resources,
    /// The node with the most cpus anywhere.
    pub largest: Resources,
}

/// Plans a whole run before it starts.
///
/// # Errors
/// Every template with a task that fits into no node of any pool, once.
pub fn make(workflow: &Workflow, site: &Site) -> Result<Plan, Vec<Infeasible>> {
    let zones = place(workflow, site, workflow.tasks())?;
    let duration = |task| {
        workflow.estimate(task).map_or(DURATION_UNKNOWN_SECONDS, spec::Duration::as_secs_f64)
    };
    let ranks = rank::upward(workflow, duration);
    let n_tasks = u32::try_from(workflow.n_tasks()).expect("tasks are numbered by u32");
    Ok(Plan {
        id: PlanId(1),
        shards: Shards::Singletons(n_tasks),
        placements: compact_placements(zones),
        order: order_by_rank(workflow, &ranks),
    })
}

/// Highest rank first, then user priority, then lowest id.
#[must_use]
pub fn order_by_rank(workflow: &Workflow, ranks: &[f64]) -> Order {
    let mut order: Vec<TaskId> = workflow.tasks().collect();
    let priority: Vec<i32> = order.iter().map(|&task| workflow.template(task).priority).collect();
    order.sort_by(|a, b| {
        ranks[b.index()]
            .total_cmp(&ranks[a.index()])
            .then_with(|| priority[b.index()].cmp(&priority[a.index()]))
            .then_with(|| a.cmp(b))
    });
    if order.is_sorted() {
        return Order::ById;
    }
    Order::Listed(order.into_iter().map(|task| ShardId(task.0)).collect())
}

/// Tasks are dealt out to the zones that can hold them in proportion to the zones' cpus:
/// each goes where the work dealt so far, per cpu, is least.
///
/// # Errors
/// Every template with a task that fits into no node of any pool, once.
pub fn place(
    workflow: &Workflow,
    site: &Site,
    tasks: impl Iterator<Item = TaskId>,
) -> Result<Vec<ZoneId>, Vec<Infeasible>> {
    let mut dealt = vec![0.0_f64; site.zones.len()];
    let cpus: Vec<f64> =
        site.zones.iter().map(|zone| f64::from(zone.capacity().cpus.0.max(1))).collect();
    let mut zones = Vec::with_capacity(tasks.size_hint().0);
    let mut infeasible = Vec::new();
    for task in tasks {
        let needs = workflow.resources(task);
        let seconds =
            workflow.estimate(task).map_or(DURATION_UNKNOWN_SECONDS, spec::Duration::as_secs_f64);
        let best = site
            .zone_ids()
            .filter(|&zone| zone_fits(site, zone, needs))
            .min_by(|a, b| dealt[a.index()].total_cmp(&dealt[b.index()]));
        let Some(zone) = best else {
            note_infeasible(&mut infeasible, workflow, site, task);
            continue;
        };
        dealt[zone.index()] += seconds * f64::from(needs.cpus.0.max(1)) / cpus[zone.index()];
        zones.push(zone);
    }
    if infeasible.is_empty() { Ok(zones) } else { Err(infeasible) }
}

fn zone_fits(site: &Site, zone: ZoneId, needs: &Resources) -> bool {
    site.zone(zone).pools.iter().any(|pool| pool.count > 0 && needs.fits(&pool.node))
}

fn note_infeasible(found: &mut Vec<Infeasible>, workflow: &Workflow, site: &Site, task: TaskId) {
    let template = workflow.template_of(task);
    if found.last().is_some_and(|last| workflow.template_of(last.task) == template) {
        return;
    }
    let nodes = site.zones.iter().flat_map(|zone| &zone.pools).map(|pool| &pool.node);
    let largest = nodes.max_by_key(|node| (node.cpus, node.memory)).cloned().unwrap_or_default();
    let needs = workflow.resources(task).clone();
    found.push(Infeasible { task, task_name: workflow.task_name(task), needs, largest });
}

fn compact_placements(zones: Vec<ZoneId>) -> Placements {
    match zones.first() {
        Some(&first) if zones.iter().all(|&zone| zone == first) => Placements::AllIn(first),
        None => Placements::AllIn(ZoneId(0)),
        Some(_) => Placements::Each(zones),
    }
}
