//! Plans once, by HEFT over what is there at the begin, and stays with it.
//!
//! Each task keeps its zone. A zone is held while its work waits or runs and five idle minutes;
//! what it lost is asked for again when it is back. What moving data takes is in the plan as HEFT has
//! it: between zones as told, nothing inside one, links without limit.

use spec::{Duration, TaskId, ZoneId};

use super::heft::{Machine, heft};
use super::{expected, zone_ids};
use crate::planner::order_by_rank;
use crate::policy::{Decision, Policy, View};
use crate::rank;
use crate::{Order, ShardId};

/// A plan that does not look again. `moving` says how long what a task reads of a parent takes from
/// one zone to another: parent, task, from, to.
#[derive(Clone, Debug)]
pub struct StaticHeft<F> {
    moving: F,
    /// By zone: how many allocations the plan uses; empty before there is a plan.
    planned: Vec<u32>,
}

const IDLE: Duration = Duration::from_secs(300);
/// More machines than this in a zone are not looked at one by one.
const MACHINES_MAX: usize = 256;

impl<F: Fn(TaskId, TaskId, ZoneId, ZoneId) -> Duration> Policy for StaticHeft<F> {
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

impl<F: Fn(TaskId, TaskId, ZoneId, ZoneId) -> Duration> StaticHeft<F> {
    /// Nothing is planned yet.
    #[must_use]
    pub fn new(moving: F) -> Self {
        Self { moving, planned: Vec::new() }
    }

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
        let mean = |parent, task| self.mean_moving(parent, task, &machines);
        let ranks = rank::upward_with(workflow, |task| expected(workflow, task), mean);
        let order: Vec<TaskId> = match order_by_rank(workflow, &ranks) {
            Order::ById => workflow.tasks().collect(),
            Order::Listed(shards) => shards.into_iter().map(|shard| TaskId(shard.0)).collect(),
        };
        let runtime = |task, _| Duration::from_secs_f64(expected(workflow, task));
        let spans = heft(workflow, &order, &machines, runtime, &self.moving);
        self.planned = vec![0; view.zones.len()];
        for span in &spans {
            let zone = machines[span.machine].zone.index();
            self.planned[zone] = self.planned[zone].max(nodes[span.machine] as u32 + 1);
        }
        let place = |task: TaskId| Some(machines[spans[task.index()].machine].zone);
        workflow.tasks().map(|task| (ShardId(task.0), place(task))).collect()
    }

    /// The mean over all pairs of machines, in seconds.
    fn mean_moving(&self, parent: TaskId, task: TaskId, machines: &[Machine]) -> f64 {
        let zones: Vec<&[Machine]> = machines.chunk_by(|a, b| a.zone == b.zone).collect();
        let mut sum = 0.0;
        for from in &zones {
            for to in zones.iter().filter(|to| to[0].zone != from[0].zone) {
                let span = (self.moving)(parent, task, from[0].zone, to[0].zone);
                sum += span.as_secs_f64() * (from.len() * to.len()) as f64;
            }
        }
        sum / (machines.len() * machines.len()) as f64
    }
}
