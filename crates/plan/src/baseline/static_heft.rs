//! Plans once, by HEFT over what is there at the begin, and stays with it.
//!
//! Each task keeps its zone. A zone is held while its work waits or runs and five idle minutes;
//! what it lost is asked for again when it is back. Moving data is not in the plan.

use spec::{Duration, TaskId, ZoneId};

use super::heft::{Machine, heft};
use super::{expected, zone_ids};
use crate::planner::order_by_rank;
use crate::policy::{Decision, Policy, View};
use crate::rank;
use crate::{Order, ShardId};

/// A plan that does not look again.
#[derive(Clone, Debug, Default)]
pub struct StaticHeft {
    /// By zone: how many allocations the plan uses; empty before there is a plan.
    planned: Vec<u32>,
}

const IDLE: Duration = Duration::from_secs(300);
/// More machines than this in a zone are not looked at one by one.
const MACHINES_MAX: usize = 256;

impl Policy for StaticHeft {
    fn name(&self) -> &str {
        "static-heft"
    }

    fn decide(&mut self, view: &View<'_>) -> Decision {
        let mut decision = Decision::default();
        if self.planned.is_empty() {
            decision.moves = self.plan(view);
        }
        for zone in zone_ids(view) {
            let Some(&planned) = self.planned.get(zone.index()) else { continue };
            let row = &view.zones[zone.index()];
            let held = row.allocations.len() as u32;
            let is_first = !decision.moves.is_empty();
            let waits = is_first || view.waiting.iter().any(|&(_, to)| to == zone);
            let wanted = planned.min(row.available);
            if waits && wanted > held {
                decision.allocations.push((zone, wanted));
            } else if !waits && held > 0 {
                let since = row.allocations.iter().map(|held| held.idle_since);
                let Some(since) = since.collect::<Option<Vec<_>>>() else { continue };
                let over = since.into_iter().max().map(|last| last + IDLE);
                match over {
                    Some(over) if over <= view.now => decision.allocations.push((zone, 0)),
                    over => decision.wake = decision.wake.into_iter().chain(over).min(),
                }
            }
        }
        decision
    }
}

impl StaticHeft {
    fn plan(&mut self, view: &View<'_>) -> Vec<(ShardId, Option<ZoneId>)> {
        let workflow = view.workflow;
        let needs = workflow.tasks().map(|task| workflow.resources(task).cpus.0).max();
        let needs = needs.unwrap_or(1).max(1);
        let mut machines = Vec::new();
        let mut nodes = Vec::new();
        for zone in zone_ids(view) {
            let row = &view.zones[zone.index()];
            let per_node = (row.node.cpus.0 / needs) as usize;
            let n = (row.available as usize * per_node).min(MACHINES_MAX).min(workflow.n_tasks());
            machines.extend((0..n).map(|_| Machine { zone, from: row.launch }));
            nodes.extend((0..n).map(|i| i / per_node));
        }
        if machines.is_empty() {
            return Vec::new();
        }
        let ranks = rank::upward(workflow, |task| expected(workflow, task));
        let order: Vec<TaskId> = match order_by_rank(workflow, &ranks) {
            Order::ById => workflow.tasks().collect(),
            Order::Listed(shards) => shards.into_iter().map(|shard| TaskId(shard.0)).collect(),
        };
        let runtime = |task, _| Duration::from_secs_f64(expected(workflow, task));
        let spans = heft(workflow, &order, &machines, runtime, |_, _, _, _| Duration::ZERO);
        self.planned = vec![0; view.zones.len()];
        for span in &spans {
            let zone = machines[span.machine].zone.index();
            self.planned[zone] = self.planned[zone].max(nodes[span.machine] as u32 + 1);
        }
        let place = |task: TaskId| Some(machines[spans[task.index()].machine].zone);
        workflow.tasks().map(|task| (ShardId(task.0), place(task))).collect()
    }
}
