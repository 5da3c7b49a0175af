//! Each ready task is submitted alone to the first zone that has room, and again when it is lost.
//!
//! Every task pays for a launch of its own: an allocation that has done its task is given back.
//! Zones are tried in the order of the site; when none has room, tasks wait.

use spec::ZoneId;

use super::{fits, ready, zone_ids};
use crate::policy::{Decision, Policy, View};

/// The floor.
#[derive(Clone, Debug, Default)]
pub struct Reactive {
    positions: Vec<u32>,
}

impl Policy for Reactive {
    fn name(&self) -> &str {
        "reactive"
    }

    fn decide(&mut self, view: &View<'_>) -> Decision {
        if self.positions.len() != view.plan.n_shards() {
            self.positions = view.plan.positions();
        }
        let used = give_back(view);
        if !used.is_empty() {
            // The world asks again when they are gone; what comes next gets new ones.
            return Decision { allocations: used, ..Decision::default() };
        }
        submit(view, &self.positions)
    }
}

/// Allocations whose task is done.
fn give_back(view: &View<'_>) -> Vec<(ZoneId, u32)> {
    let in_zone = |zone: ZoneId| {
        let held = &view.zones[zone.index()].allocations;
        let waits = view.waiting.iter().filter(|&&(_, where_to)| where_to == zone).count();
        // One that has just come up has had no task yet; those who wait for it will take it.
        let idle = held.iter().filter(|held| held.idle_since.is_some()).count();
        let surplus = idle.saturating_sub(waits);
        (surplus > 0).then(|| (zone, (held.len() - surplus) as u32))
    };
    zone_ids(view).filter_map(in_zone).collect()
}

fn submit(view: &View<'_>, positions: &[u32]) -> Decision {
    let mut decision = Decision::default();
    let held = |zone: ZoneId| view.zones[zone.index()].allocations.len();
    let mut wanted: Vec<usize> = zone_ids(view).map(held).collect();
    let mut served: Vec<usize> = zone_ids(view)
        .map(|zone| {
            let live = view.running.iter().filter(|running| running.zone == zone).count();
            wanted[zone.index()].saturating_sub(live)
        })
        .collect();
    for (shard, zone) in ready(view, positions) {
        if let Some(zone) = zone
            && served[zone.index()] > 0
        {
            served[zone.index()] -= 1;
            continue;
        }
        let has_room = |&to: &ZoneId| {
            let there = view.zones[to.index()].available as usize;
            there > wanted[to.index()] && fits(view, shard, to)
        };
        let to = zone_ids(view).find(has_room);
        if let Some(to) = to {
            wanted[to.index()] += 1;
        }
        if to != zone {
            decision.moves.push((shard, to));
        }
    }
    let changed = zone_ids(view).filter(|&zone| wanted[zone.index()] != held(zone));
    decision.allocations = changed.map(|zone| (zone, wanted[zone.index()] as u32)).collect();
    decision
}
