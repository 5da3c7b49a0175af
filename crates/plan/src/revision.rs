//! A later plan as the difference to the one before, so that journals grow with what changed.
//!
//! Knows shards and zones. The cut stays as it is: a revision moves whole shards and says how much
//! capacity each zone should hold. Whoever watches the run proposes it; the engine takes of it
//! what still applies.

use serde::{Deserialize, Serialize};
use spec::ZoneId;

use crate::plan::{Placements, Plan, PlanId, ShardId};

/// What is different from the plan `base`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    /// The number of the plan that results.
    pub id: PlanId,
    /// The number of the plan that is changed.
    pub base: PlanId,
    /// Where shards go now; nowhere is to wait for a later revision. Only shards of which nothing
    /// is granted can be moved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<(ShardId, Option<ZoneId>)>,
    /// By zone: how many allocations to hold from now on, whether or not work waits there. One
    /// that is lost or ends is not asked for again. A zone that no revision has named holds one
    /// while work waits for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allocations: Vec<(ZoneId, u32)>,
}

impl Plan {
    /// Puts a shard into a zone, or lets it wait.
    ///
    /// # Panics
    /// There is no such shard.
    pub fn place(&mut self, shard: ShardId, zone: Option<ZoneId>) {
        if self.zone_of(shard) == zone {
            return;
        }
        if !matches!(self.placements, Placements::Partly(_)) {
            let shards = (0..self.n_shards() as u32).map(ShardId);
            self.placements = Placements::Partly(shards.map(|shard| self.zone_of(shard)).collect());
        }
        if let Placements::Partly(zones) = &mut self.placements {
            zones[shard.0 as usize] = zone;
        }
    }
}
