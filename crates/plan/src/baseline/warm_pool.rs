//! Instances with many slots, kept warm, ready tasks packed by upward rank: the strong baseline.
//!
//! New instances come from the zone with the lowest price over its availability of the last 24
//! hours, as price-capacity-optimised batch services choose. An instance is kept while work waits
//! and five idle minutes. When nothing runs and no zone has had room for ten minutes, zones that are
//! never taken away are used, too. When only the time is left until the deadline in which all that
//! is not done could still be done there, whatever waits goes there and nowhere else.

use spec::{Duration, TaskId, Timestamp, ZoneId};

use super::{cpus, expected, fits, ready, zone_ids};
use crate::plan::ShardId;
use crate::policy::{Decision, Policy, View};
use crate::rank;

/// What time a pool keeps in hand before a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Net {
    /// What all that is not done takes; what is lost after that makes a run late.
    Lean,
    /// The longest task that may be lost when it is all but done, too.
    Wary,
}

/// How a pool is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// As people call it.
    pub name: String,
    /// By zone: whether it is never taken away.
    pub is_safe: Vec<bool>,
    /// Whether zones that can be taken away are used.
    pub uses_spot: bool,
    /// When the run must be done, from its begin.
    pub deadline: Option<Duration>,
    /// What is kept in hand before that.
    pub net: Net,
}

/// A pool of warm instances.
#[derive(Clone, Debug)]
pub struct WarmPool {
    terms: Terms,
    positions: Vec<u32>,
    /// By task: the longest path to the end, in seconds.
    ranks: Vec<f64>,
    /// Core-seconds of all tasks that have ever been seen ready, and by task whether it has.
    seen_work: f64,
    is_seen: Vec<bool>,
    /// Of all tasks, in core-seconds.
    all_work: f64,
    /// Since when work has waited with nothing running and no room anywhere.
    stuck_since: Option<Timestamp>,
}

const IDLE: Duration = Duration::from_secs(300);
const PATIENCE: Duration = Duration::from_secs(600);
const DAY: Duration = Duration::from_secs(86_400);
/// Zones that were hardly there yesterday are not taken to be infinitely dear.
const SHARE_LEAST: f64 = 0.02;
/// How much longer than expected the rest may take; a second launch is added, too.
const MARGIN: f64 = 1.1;

/// What a task takes of a core, in core-seconds.
fn work(view: &View<'_>, task: TaskId) -> f64 {
    expected(view.workflow, task) * f64::from(view.workflow.resources(task).cpus.0) / 1e3
}

/// What a decision works with: by zone, thousandths of cpus that are free, and allocations wanted.
struct Room {
    free: Vec<u64>,
    wanted: Vec<u32>,
    held: Vec<u32>,
}

impl WarmPool {
    /// A pool without instances.
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            positions: Vec::new(),
            ranks: Vec::new(),
            seen_work: 0.0,
            is_seen: Vec::new(),
            all_work: 0.0,
            stuck_since: None,
        }
    }

    fn prepare(&mut self, view: &View<'_>) {
        if self.positions.len() != view.plan.n_shards() {
            self.positions = view.plan.positions();
            self.ranks = rank::upward(view.workflow, |task| expected(view.workflow, task));
            self.is_seen = vec![false; view.workflow.n_tasks()];
            self.all_work = view.workflow.tasks().map(|task| work(view, task)).sum();
        }
    }

    fn is_safe(&self, zone: ZoneId) -> bool {
        self.terms.is_safe.get(zone.index()).copied().unwrap_or(false)
    }

    /// When the deadline leaves no time for waiting any more, if there is one: before it lies the time
    /// for a tenth more than the longest path that is left, or than all work that is left over all
    /// cores that are never taken away, whichever is longer; for two launches; and, with a wary net,
    /// for the longest task that may be lost elsewhere when it is all but done.
    fn last_moment(
        &mut self,
        view: &View<'_>,
        ready: &[(ShardId, Option<ZoneId>)],
    ) -> Option<Timestamp> {
        let deadline = view.started + self.terms.deadline?;
        let waiting = ready.iter().flat_map(|&(shard, _)| view.plan.tasks_of(shard));
        let (mut longest, mut open) = (0.0_f64, 0.0);
        let at_risk = view.running.iter().filter(|running| !self.is_safe(running.zone));
        let at_risk = at_risk.map(|running| running.task);
        let may_be_lost = ready.iter().flat_map(|&(shard, _)| view.plan.tasks_of(shard));
        let lost = may_be_lost.chain(at_risk).map(|task| expected(view.workflow, task));
        let heeds_loss = self.terms.uses_spot && self.terms.net == Net::Wary;
        let lost = if heeds_loss { lost.fold(0.0, f64::max) } else { 0.0 };
        for task in waiting.chain(view.running.iter().map(|running| running.task)) {
            longest = longest.max(self.ranks[task.index()]);
            open += work(view, task);
            if !std::mem::replace(&mut self.is_seen[task.index()], true) {
                self.seen_work += work(view, task);
            }
        }
        // What was seen and is not open any more is done; the rest has not been seen.
        let left = self.all_work - (self.seen_work - open);
        let safe: Vec<ZoneId> = zone_ids(view).filter(|&zone| self.is_safe(zone)).collect();
        let launch = safe.iter().map(|zone| view.zones[zone.index()].launch).max();
        let cores = safe.iter().map(|zone| {
            let row = &view.zones[zone.index()];
            f64::from(row.available) * f64::from(row.node.cpus.0) / 1e3
        });
        let needs = longest.max(left / cores.sum::<f64>().max(1e-3)) * MARGIN + lost;
        let needs = Duration::from_secs_f64(needs) + launch.unwrap_or_default().mul_f64(2.0);
        Some(Timestamp(deadline.0.saturating_sub(i64::try_from(needs.0).unwrap_or(i64::MAX))))
    }

    /// Zones to ask for capacity, the best first.
    fn candidates(&self, view: &View<'_>, allows_safe: bool, allows_spot: bool) -> Vec<ZoneId> {
        let usable = |&zone: &ZoneId| if self.is_safe(zone) { allows_safe } else { allows_spot };
        let score = |zone: ZoneId| {
            let row = &view.zones[zone.index()];
            let share = row.history.fraction_up(DAY).max(SHARE_LEAST);
            let price = row.price_per_hour / f64::from(row.node.cpus.0.max(1));
            (self.is_safe(zone), price / share)
        };
        let mut zones: Vec<ZoneId> = zone_ids(view).filter(usable).collect();
        zones.sort_by(|&a, &b| {
            let (a, b) = (score(a), score(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        zones
    }
}

impl Room {
    fn of(view: &View<'_>) -> Self {
        let mut free: Vec<u64> = Vec::new();
        for row in view.zones {
            let up = row.allocations.iter().filter_map(|held| held.capacity.as_ref());
            free.push(up.map(|capacity| u64::from(capacity.cpus.0)).sum());
        }
        for running in view.running {
            let taken = u64::from(view.workflow.resources(running.task).cpus.0.max(1));
            let free = &mut free[running.zone.index()];
            *free = free.saturating_sub(taken);
        }
        let held: Vec<u32> = view.zones.iter().map(|row| row.allocations.len() as u32).collect();
        Self { free, wanted: held.clone(), held }
    }

    /// Packs what is ready into what is up and may be used, cheapest first; what is left over, by
    /// size.
    fn pack(
        &mut self,
        view: &View<'_>,
        ready: &[(ShardId, Option<ZoneId>)],
        may_use: impl Fn(ZoneId) -> bool,
        decision: &mut Decision,
    ) -> Vec<(ShardId, u64)> {
        let price = |zone: ZoneId| {
            let row = &view.zones[zone.index()];
            row.price_per_hour / f64::from(row.node.cpus.0.max(1))
        };
        let mut zones: Vec<ZoneId> = zone_ids(view).filter(|&zone| may_use(zone)).collect();
        zones.sort_by(|&a, &b| price(a).total_cmp(&price(b)));
        let mut unmet = Vec::new();
        for &(shard, zone) in ready {
            let needs = cpus(view, shard);
            let has_room = |&to: &ZoneId| self.free[to.index()] >= needs && fits(view, shard, to);
            let to = zones.iter().copied().find(has_room);
            match to {
                Some(to) => self.free[to.index()] -= needs,
                None => unmet.push((shard, needs)),
            }
            if to != zone {
                decision.moves.push((shard, to));
            }
        }
        unmet
    }

    /// Asks for what is still missing, in this order of zones; says whether all of it can be had.
    fn grow(&mut self, view: &View<'_>, unmet: &[(ShardId, u64)], zones: &[ZoneId]) -> bool {
        let launching = |row: &crate::policy::ZoneView<'_>| {
            let coming = row.allocations.iter().filter(|held| held.capacity.is_none()).count();
            coming as u64 * u64::from(row.node.cpus.0)
        };
        let coming: u64 = view.zones.iter().map(launching).sum();
        let mut missing = unmet.iter().map(|&(_, needs)| needs).sum::<u64>().saturating_sub(coming);
        for &zone in zones {
            let row = &view.zones[zone.index()];
            let node = u64::from(row.node.cpus.0.max(1));
            let is_of_use = unmet.iter().any(|&(shard, _)| fits(view, shard, zone));
            if missing == 0 || !is_of_use {
                continue;
            }
            let room = row.available.saturating_sub(self.wanted[zone.index()]);
            let more = u64::from(room).min(missing.div_ceil(node));
            self.wanted[zone.index()] += more as u32;
            missing = missing.saturating_sub(more * node);
        }
        missing == 0
    }

    /// Gives back what has been idle for long in zones that are not in use any more; says when more of
    /// it will have been.
    fn shrink(&mut self, view: &View<'_>, is_over: impl Fn(ZoneId) -> bool) -> Option<Timestamp> {
        let mut next: Option<Timestamp> = None;
        for (zone, row) in view.zones.iter().enumerate() {
            if !is_over(ZoneId::from_index(zone)) {
                continue;
            }
            for since in row.allocations.iter().filter_map(|held| held.idle_since) {
                if since + IDLE <= view.now {
                    self.wanted[zone] = self.wanted[zone].saturating_sub(1);
                } else {
                    next = next.into_iter().chain([since + IDLE]).min();
                }
            }
        }
        next
    }
}

impl Policy for WarmPool {
    fn name(&self) -> &str {
        &self.terms.name
    }

    fn decide(&mut self, view: &View<'_>) -> Decision {
        self.prepare(view);
        let mut decision = Decision::default();
        let mut room = Room::of(view);
        let ready = ready(view, &self.positions);
        let last = self.last_moment(view, &ready);
        let can_be_safe = |&(shard, _): &(ShardId, _)| {
            zone_ids(view).any(|z| self.is_safe(z) && fits(view, shard, z))
        };
        let is_late = last.is_some_and(|last| last <= view.now) && ready.iter().all(can_be_safe);
        let is_safe = self.terms.is_safe.clone();
        let may_use = |zone: ZoneId| !is_late || is_safe.get(zone.index()) == Some(&true);
        let unmet = room.pack(view, &ready, may_use, &mut decision);
        if unmet.is_empty() {
            self.stuck_since = None;
            decision.wake = if ready.is_empty() { room.shrink(view, |_| true) } else { None };
        } else {
            decision.wake = room.shrink(view, |zone| !may_use(zone));
            let patience = self.stuck_since.map(|since| since + PATIENCE);
            let is_stuck = patience.is_some_and(|over| over <= view.now);
            let allows_safe = !self.terms.uses_spot || is_late || is_stuck;
            let allows_spot = self.terms.uses_spot && !is_late;
            let zones = self.candidates(view, allows_safe, allows_spot);
            let is_met = room.grow(view, &unmet, &zones);
            let is_idle = view.running.is_empty() && room.wanted.iter().all(|&n| n == 0);
            if is_met || !is_idle {
                self.stuck_since = None;
            } else {
                let since = *self.stuck_since.get_or_insert(view.now);
                let over = Some(since + PATIENCE).filter(|&at| at > view.now);
                decision.wake = decision.wake.into_iter().chain(over).min();
            }
        }
        if !ready.is_empty() {
            let last = last.filter(|&at| at > view.now);
            decision.wake = decision.wake.into_iter().chain(last).min();
        }
        let changed = zone_ids(view).filter(|z| room.wanted[z.index()] != room.held[z.index()]);
        decision.allocations = changed.map(|zone| (zone, room.wanted[zone.index()])).collect();
        decision
    }
}
