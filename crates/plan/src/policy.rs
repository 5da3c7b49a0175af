//! What decides where shards go and what capacity is held, while a run goes on.
//!
//! A [`Policy`] sees a [`View`] of the run and of its places at one moment, with the past of each
//! place and never its future, and answers with a [`Decision`]. Whoever drives the engine makes a
//! [`Revision`] of it. Knows neither executors nor the clock; who is asked decides the same when
//! asked the same, so that runs can be repeated.

use spec::{Duration, Resources, TaskId, Timestamp, Workflow, ZoneId};

use crate::plan::{Order, Placements, Plan, PlanId, ShardId, Shards};
use crate::revision::Revision;

/// Decides where shards go, when to wait, and what capacity to hold.
pub trait Policy {
    /// As people call it.
    fn name(&self) -> &str;

    /// Decides. Asked at the start, whenever shards become ready, attempts end, allocations come
    /// or go, a zone changes its price or room, and at the time that was asked for; once for all
    /// that happens at one time.
    fn decide(&mut self, view: &View<'_>) -> Decision;
}

/// A run and its places, at one moment.
#[derive(Clone, Debug)]
pub struct View<'a> {
    /// When this is.
    pub now: Timestamp,
    /// When the run began.
    pub started: Timestamp,
    /// What is being run.
    pub workflow: &'a Workflow,
    /// The plan in force.
    pub plan: &'a Plan,
    /// Ready shards without a zone, in dispatch order.
    pub unplaced: &'a [ShardId],
    /// Ready shards that wait in a zone for an allocation with room, in dispatch order by zone.
    pub waiting: &'a [(ShardId, ZoneId)],
    /// Attempts that are granted and have not ended, by task.
    pub running: &'a [Running],
    /// By zone.
    pub zones: &'a [ZoneView<'a>],
    /// Tasks that are neither done nor given up.
    pub n_left: usize,
}

/// An attempt that is granted and has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// At which task.
    pub task: TaskId,
    /// Where.
    pub zone: ZoneId,
    /// On which of the zone's allocations.
    pub allocation: u32,
    /// When its process started, if it has.
    pub started: Option<Timestamp>,
}

/// A place, as far as it can be known now.
#[derive(Clone, Debug)]
pub struct ZoneView<'a> {
    /// How many allocations it could hold now, ours among them.
    pub available: u32,
    /// Money per hour of one allocation now.
    pub price_per_hour: f64,
    /// What one allocation has.
    pub node: &'a Resources,
    /// From being admitted to being up; the middle of what is usual.
    pub launch: Duration,
    /// How many allocations it could hold until now.
    pub history: History<'a>,
    /// Those that this run holds or has asked for, by number.
    pub allocations: Vec<AllocationView>,
}

/// Capacity that the run holds or has asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct AllocationView {
    /// Its number.
    pub allocation: u32,
    /// What can be used of it now; none before it is up.
    pub capacity: Option<Resources>,
    /// How many attempts it holds.
    pub n_live: usize,
    /// Since when it holds none, if it is up and does.
    pub idle_since: Option<Timestamp>,
}

/// The past of a place: a step function that ends now.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    changes: &'a [(Timestamp, u32)],
    now: Timestamp,
}

impl<'a> History<'a> {
    /// Of changes in the order of time, none of them after `now`. The first holds before, too.
    #[must_use]
    pub fn new(changes: &'a [(Timestamp, u32)], now: Timestamp) -> Self {
        Self { changes, now }
    }

    /// The changes themselves.
    #[must_use]
    pub fn changes(&self) -> &'a [(Timestamp, u32)] {
        self.changes
    }

    /// The share of the last `window` during which at least one allocation could be held.
    #[must_use]
    pub fn fraction_up(&self, window: Duration) -> f64 {
        let from = Timestamp(self.now.0.saturating_sub(i64::try_from(window.0).unwrap_or(0)));
        let mut up = 0_u64;
        let mut until = self.now;
        for &(at, count) in self.changes.iter().rev() {
            let begin = at.max(from);
            if count > 0 {
                up += until.since(begin).0;
            }
            until = begin;
            if at <= from {
                break;
            }
        }
        if until > from && self.changes.first().is_some_and(|&(_, count)| count > 0) {
            up += until.since(from).0;
        }
        up as f64 / window.0.max(1) as f64
    }

    /// How long it has been as it is.
    #[must_use]
    pub fn unchanged_for(&self) -> Duration {
        self.changes.last().map_or(Duration::ZERO, |&(at, _)| self.now.since(at))
    }
}

/// What a policy wants; what it does not name stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// Where shards go; nowhere is to wait for a later decision.
    pub moves: Vec<(ShardId, Option<ZoneId>)>,
    /// By zone: how many allocations to hold from now on. One that is lost is not replaced.
    pub allocations: Vec<(ZoneId, u32)>,
    /// When to ask again, whatever happens.
    pub wake: Option<Timestamp>,
}

impl Decision {
    /// The decision as a change of the plan in force; none if it changes nothing.
    #[must_use]
    pub fn revise(self, base: PlanId) -> Option<Revision> {
        let Self { moves, allocations, .. } = self;
        let changes = !moves.is_empty() || !allocations.is_empty();
        changes.then(|| Revision { id: PlanId(base.0 + 1), base, moves, allocations })
    }
}

/// The plan from which a policy begins: each task a shard of its own, none of them placed.
#[must_use]
pub fn nothing_placed(workflow: &Workflow, order: Order) -> Plan {
    let n = workflow.n_tasks();
    let shards = Shards::Singletons(u32::try_from(n).expect("tasks are numbered by u32"));
    Plan { id: PlanId(1), shards, placements: Placements::Partly(vec![None; n]), order }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000_000)
    }

    #[test]
    fn the_past_ends_now_and_its_first_value_holds_before() {
        let changes = [(at(0), 2), (at(10), 0), (at(15), 1)];
        let history = History::new(&changes, at(20));
        let fraction = |seconds| history.fraction_up(Duration::from_secs(seconds));
        assert_eq!(
            [fraction(5), fraction(10), fraction(20), fraction(40)],
            [1.0, 0.5, 0.75, 0.875]
        );
        assert_eq!(history.unchanged_for(), Duration::from_secs(5));
    }
}
