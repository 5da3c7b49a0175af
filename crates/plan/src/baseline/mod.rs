//! Policies that others are measured against, as good as they are in practice.
//!
//! [`Reactive`] is the floor: each ready task is submitted alone. [`StaticHeft`] plans once.
//! [`WarmPool`] is the strong one: what price-capacity-optimised batch services and task servers
//! on held workers do; without spot zones it is *on-demand*. They know estimates, prices and the
//! past of zones, as any policy does, and which zones are never taken away.

mod heft;
mod reactive;
mod static_heft;
mod warm_pool;

use spec::{TaskId, Workflow, ZoneId};

use crate::plan::ShardId;
use crate::policy::View;

pub use heft::{Machine, Span, heft};
pub use reactive::Reactive;
pub use static_heft::StaticHeft;
pub use warm_pool::{Net, Terms, WarmPool};

/// What a task without an estimate is taken to last, in seconds.
const DURATION_UNKNOWN: f64 = 1.0;

/// How long a task is expected to take, in seconds.
fn expected(workflow: &Workflow, task: TaskId) -> f64 {
    workflow.estimate(task).map_or(DURATION_UNKNOWN, spec::Duration::as_secs_f64)
}

/// Everything ready that is not granted, in dispatch order, with the zone in which it waits.
fn ready(view: &View<'_>, positions: &[u32]) -> Vec<(ShardId, Option<ZoneId>)> {
    let unplaced = view.unplaced.iter().map(|&shard| (shard, None));
    let waiting = view.waiting.iter().map(|&(shard, zone)| (shard, Some(zone)));
    let mut all: Vec<_> = unplaced.chain(waiting).collect();
    all.sort_by_key(|&(shard, _)| positions.get(shard.0 as usize).copied().unwrap_or(u32::MAX));
    all
}

/// What a shard takes at most at a time, in thousandths of a cpu: its largest task.
fn cpus(view: &View<'_>, shard: ShardId) -> u64 {
    let tasks = view.plan.tasks_of(shard).into_iter();
    let of = |task| u64::from(view.workflow.resources(task).cpus.0.max(1));
    tasks.map(of).max().unwrap_or(1)
}

/// Whether a node of a zone can hold every task of a shard.
fn fits(view: &View<'_>, shard: ShardId, zone: ZoneId) -> bool {
    let node = view.zones[zone.index()].node;
    view.plan.tasks_of(shard).into_iter().all(|task| view.workflow.resources(task).fits(node))
}

fn zone_ids(view: &View<'_>) -> impl Iterator<Item = ZoneId> + use<> {
    (0..view.zones.len()).map(ZoneId::from_index)
}
