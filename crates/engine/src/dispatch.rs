//! Which shards are granted now: the top of each zone's queue, as far as its allocation reaches.

use plan::{Revision, ShardId};
use spec::{TaskId, ZoneId};

use crate::action::{Action, Lease};
use crate::allocation_state::AllocationState;
use crate::engine::Engine;
use crate::event::{Event, ShardGrant};
use crate::id::{AllocationId, AttemptId};
use crate::phase::Phase;
use crate::planted::{self, Bug};
use crate::task_state::TaskState;

impl Engine {
    /// Grants what can be granted, and asks for capacity where there is none.
    pub(crate) fn dispatch(&mut self) {
        if !self.may_start() {
            return;
        }
        self.hold_what_the_plan_wants();
        let waiting: Vec<ZoneId> = (0..self.state.grantable.len())
            .filter(|&zone| !self.state.grantable[zone].is_empty())
            .map(ZoneId::from_index)
            .collect();
        for zone in waiting {
            let held = self.held_in(zone);
            let ahead = self.state.options.queue_ahead as usize;
            // With several to choose from, what can start at once goes before what waits ahead.
            if held.len() > 1 {
                self.grant_to_all(zone, &held, 0);
            }
            self.grant_to_all(zone, &held, ahead);
            if held.is_empty() && !self.state.allocations_wanted.contains_key(&zone) {
                self.request_allocation(zone);
            }
        }
    }

    /// Takes of a proposed change of plan what still applies.
    pub(crate) fn on_proposal(&mut self, mut revision: Revision) {
        let is_new = |plan: &plan::Plan| plan.id == revision.base && plan.id < revision.id;
        if !self.has_work() || !self.may_start() || !self.state.plan.as_ref().is_some_and(is_new) {
            return;
        }
        revision.moves.retain(|&(shard, zone)| {
            let has_room = zone.is_none_or(|zone| self.state.has_room(shard, zone));
            has_room && (self.state.can_move(shard) || planted::is(Bug::MoveGranted))
        });
        if !revision.moves.is_empty() || !revision.allocations.is_empty() {
            self.emit(Event::PlanRevised { revision });
        }
    }

    /// Where the plan says how many allocations to hold: asks for more, or lets some end, those
    /// with the least on them first.
    fn hold_what_the_plan_wants(&mut self) {
        if !self.has_work() {
            return;
        }
        let wanted: Vec<_> = self.state.allocations_wanted.iter().map(|(&z, &n)| (z, n)).collect();
        for (zone, wanted) in wanted {
            let mut held = self.held_in(zone);
            for _ in held.len()..wanted as usize {
                self.request_allocation(zone);
            }
            let n_live = |id: &AllocationId| self.state.allocations[id].n_live;
            held.sort_by_key(|id| (n_live(id), std::cmp::Reverse(*id)));
            let surplus = held.len().saturating_sub(wanted as usize);
            for &allocation in &held[..surplus] {
                self.released.insert(allocation);
                self.perform(Action::Close { allocation });
            }
        }
    }

    fn grant_to_all(&mut self, zone: ZoneId, held: &[AllocationId], ahead: usize) {
        for &allocation in held {
            let state = self.state.allocations[&allocation].state;
            if state == AllocationState::Up || planted::is(Bug::GrantTooEarly) {
                self.grant(zone, allocation, ahead);
            }
        }
    }

    /// Whether anything new may start.
    pub(crate) fn may_start(&self) -> bool {
        match self.state.phase {
            Phase::Running => !self.is_failing_fast(),
            Phase::Finishing(_) => true,
            Phase::Cancelling => planted::is(Bug::StartAfterCancel) && !self.is_failing_fast(),
            Phase::Draining { .. } | Phase::Paused | Phase::Finished(_) => false,
        }
    }

    /// What the run holds in a zone or has asked for there, without what was told to end.
    fn held_in(&self, zone: ZoneId) -> Vec<AllocationId> {
        let live = self.state.live_allocations.get(&zone).into_iter().flatten();
        let is_forgotten = |id: &AllocationId| {
            let state = self.state.allocations[id].state;
            state == AllocationState::Unknown && planted::is(Bug::ForgetOrphan)
        };
        live.copied().filter(|id| !self.released.contains(id) && !is_forgotten(id)).collect()
    }

    fn request_allocation(&mut self, zone: ZoneId) {
        let last = self.state.allocations.last_key_value().map_or(0, |(id, _)| id.0);
        let allocation = AllocationId(last + 1);
        self.emit(Event::AllocationRequested { allocation, zone });
        self.perform(Action::Allocate { allocation, zone });
    }

    fn grant(&mut self, zone: ZoneId, allocation: AllocationId, ahead: usize) {
        let mut room = self.room_in(allocation, ahead);
        let mut shards = Vec::new();
        let mut chosen = self.state.grantable[zone.index()].iter();
        while room > 0 {
            let Some(&(_, shard)) = chosen.next() else { break };
            let attempts = self.attempts_of(shard);
            room = room.saturating_sub(attempts.len());
            let epoch = self.state.shards[shard.0 as usize].epoch + 1;
            shards.push(ShardGrant(shard, epoch, attempts));
        }
        if shards.is_empty() {
            return;
        }
        let attempts: Vec<AttemptId> = shards.iter().flat_map(|grant| grant.2.clone()).collect();
        self.emit(Event::ShardsGranted { allocation, shards });
        let leases = attempts.into_iter().map(|attempt| self.lease(attempt)).collect();
        self.perform(Action::Lease { allocation, leases });
    }

    /// How many more attempts the allocation may hold. Refilled only when half of what is sent
    /// ahead is used up, so that grants come in batches and not one by one.
    fn room_in(&self, allocation: AllocationId, ahead: usize) -> usize {
        let row = &self.state.allocations[&allocation];
        let slots = (row.capacity.cpus.0 / 1_000).max(1) as usize;
        if row.n_live > slots + ahead / 2 {
            0
        } else {
            slots + ahead - row.n_live.min(slots + ahead)
        }
    }

    fn attempts_of(&self, shard: ShardId) -> Vec<AttemptId> {
        let plan = self.state.plan.as_ref().expect("shards come from a plan");
        let ready = |task: &TaskId| self.state.task(*task).state == TaskState::Ready;
        plan.tasks_of(shard)
            .into_iter()
            .filter(ready)
            .map(|task| AttemptId(task, self.state.task(task).attempts + 1))
            .collect()
    }

    /// The lease of a live attempt.
    pub(crate) fn lease(&self, attempt: AttemptId) -> Lease {
        let task = attempt.task();
        let shard = self.state.shard_of(task);
        let inside = |parent: &TaskId| self.state.shard_of(*parent) == shard;
        let after = self.state.workflow().parents(task).filter(inside).filter_map(|parent| {
            let live = self.state.live.get(&parent)?;
            Some(AttemptId(parent, live.number))
        });
        Lease {
            attempt,
            shard: (shard, self.state.shards[shard.0 as usize].epoch),
            after: after.collect(),
            position: self.state.position_of(shard),
            granted: self.state.granted(task),
            is_idempotent: self.state.workflow().template(task).idempotent,
        }
    }
}
