//! The plan: shards, their zones and their order, as one immutable value.

use serde::{Deserialize, Serialize};
use spec::{TaskId, ZoneId};

/// Plans of a run are numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanId(pub u32);

/// A set of tasks that is placed, moved and lost together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardId(pub u32);

impl std::fmt::Display for ShardId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s{}", self.0)
    }
}

impl std::fmt::Debug for ShardId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// All placements of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Its number.
    pub id: PlanId,
    /// Which tasks travel together.
    pub shards: Shards,
    /// Which shard goes where.
    pub placements: Placements,
    /// Which shard goes first when several could.
    pub order: Order,
}

/// Which tasks travel together. Every task is in exactly one shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shards {
    /// Each of this many tasks is a shard of its own, with the same number.
    Singletons(u32),
    /// Tasks by shard, each in an order that respects dependencies.
    Listed(Vec<Vec<TaskId>>),
}

/// Which shard goes where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placements {
    /// All in one zone.
    AllIn(ZoneId),
    /// By shard.
    Each(Vec<ZoneId>),
    /// By shard; those without a zone wait for a revision of the plan.
    Partly(Vec<Option<ZoneId>>),
}

/// Which shard goes first when several could.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The lowest number.
    ById,
    /// The one that comes first in this list of all shards.
    Listed(Vec<ShardId>),
}

impl Placements {
    fn extend(&mut self, n_shards: usize, zones: &[ZoneId]) {
        match self {
            Self::AllIn(all) if zones.iter().all(|zone| zone == all) => {}
            Self::AllIn(all) => {
                let all = std::iter::repeat_n(*all, n_shards);
                *self = Self::Each(all.chain(zones.iter().copied()).collect());
            }
            Self::Each(each) => each.extend(zones),
            Self::Partly(each) => each.extend(zones.iter().copied().map(Some)),
        }
    }
}

impl Plan {
    /// How many shards.
    #[must_use]
    pub fn n_shards(&self) -> usize {
        match &self.shards {
            Shards::Singletons(n) => *n as usize,
            Shards::Listed(shards) => shards.len(),
        }
    }

    /// The tasks of a shard, in an order that respects dependencies.
    #[must_use]
    pub fn tasks_of(&self, shard: ShardId) -> Vec<TaskId> {
        match &self.shards {
            Shards::Singletons(_) => vec![TaskId(shard.0)],
            Shards::Listed(shards) => shards[shard.0 as usize].clone(),
        }
    }

    /// The shard of each of `n_tasks` tasks.
    #[must_use]
    pub fn shard_of_tasks(&self, n_tasks: usize) -> Vec<ShardId> {
        match &self.shards {
            Shards::Singletons(n) => (0..*n).map(ShardId).collect(),
            Shards::Listed(shards) => {
                let mut of = vec![ShardId(0); n_tasks];
                for (shard, tasks) in (0..).map(ShardId).zip(shards) {
                    for task in tasks {
                        of[task.index()] = shard;
                    }
                }
                of
            }
        }
    }

    /// Adds tasks that have come into the graph, each a shard of its own, in these zones. They
    /// come last in the order.
    pub fn extend(&mut self, zones: &[ZoneId]) {
        let first = self.n_shards() as u32;
        let shards = (first..).zip(zones).map(|(shard, _)| ShardId(shard));
        if let Order::Listed(order) = &mut self.order {
            order.extend(shards);
        }
        self.placements.extend(first as usize, zones);
        match &mut self.shards {
            Shards::Singletons(n) => *n += zones.len() as u32,
            Shards::Listed(listed) => {
                let n_tasks = listed.iter().map(Vec::len).sum::<usize>() as u32;
                listed.extend((n_tasks..).zip(zones).map(|(task, _)| vec![TaskId(task)]));
            }
        }
    }

    /// Where a shard goes; nowhere is to wait for a revision of the plan.
    #[must_use]
    pub fn zone_of(&self, shard: ShardId) -> Option<ZoneId> {
        match &self.placements {
            Placements::AllIn(zone) => Some(*zone),
            Placements::Each(zones) => Some(zones[shard.0 as usize]),
            Placements::Partly(zones) => zones[shard.0 as usize],
        }
    }

    /// By shard: its position in the order.
    #[must_use]
    pub fn positions(&self) -> Vec<u32> {
        match &self.order {
            Order::ById => (0..self.n_shards() as u32).collect(),
            Order::Listed(order) => {
                let mut positions = vec![0; order.len()];
                for (position, shard) in (0_u32..).zip(order) {
                    positions[shard.0 as usize] = position;
                }
                positions
            }
        }
    }
}
