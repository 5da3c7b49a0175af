//! What a revision of the plan does to the state of a run.

use std::collections::BTreeSet;

use plan::{Revision, ShardId};
use spec::ZoneId;

use super::RunState;
use crate::id::AllocationId;

impl RunState {
    pub(super) fn on_revised(&mut self, revision: &Revision) -> Result<(), String> {
        let Some(plan) = self.plan.as_mut().filter(|plan| plan.id == revision.base) else {
            return Err("it revises a plan that is not in force".to_owned());
        };
        plan.id = revision.id;
        for &(shard, zone) in &revision.moves {
            if !self.can_move(shard) {
                return Err(format!("{shard} cannot be moved now"));
            }
            self.move_shard(shard, zone);
        }
        for &(zone, n) in &revision.allocations {
            self.allocations_wanted.insert(zone, n);
        }
        Ok(())
    }

    /// Whether nothing of a shard is granted.
    pub(crate) fn can_move(&self, shard: ShardId) -> bool {
        self.shards.get(shard.0 as usize).is_some_and(|row| row.leased == 0)
    }

    pub(super) fn move_shard(&mut self, shard: ShardId, zone: Option<ZoneId>) {
        let entry = (self.positions[shard.0 as usize], shard);
        let Some(plan) = &mut self.plan else { return };
        match plan.zone_of(shard) {
            Some(before) => self.grantable[before.index()].remove(&entry),
            None => self.unplaced.remove(&entry),
        };
        plan.place(shard, zone);
        let n_zones = zone.map_or(0, |zone| zone.index() + 1);
        if self.grantable.len() < n_zones {
            self.grantable.resize(n_zones, BTreeSet::new());
        }
        self.refresh_grantable(shard);
    }

    /// An allocation is gone. It is not asked for again before a revision says so: whoever wanted
    /// it decides whether this is still the place.
    pub(super) fn forget_live(&mut self, zone: ZoneId, allocation: AllocationId) {
        let Some(live) = self.live_allocations.get_mut(&zone) else { return };
        live.remove(&allocation);
        let n_left = live.len() as u32;
        if n_left == 0 {
            self.live_allocations.remove(&zone);
        }
        if let Some(wanted) = self.allocations_wanted.get_mut(&zone) {
            *wanted = n_left.min(*wanted);
        }
    }
}
