//! The policy: when it is asked, what it sees, what becomes of its decision.

use engine::allocation_state::AllocationState;
use engine::phase::Phase;
use engine::{Event, Input, RunState};
use plan::policy::{AllocationView, Decision, History, Running, View, ZoneView};
use plan::{Policy, ShardId};
use spec::{Duration, Timestamp, ZoneId};

use super::{Happening, World};
use crate::faults::Fault;

/// How late a revision comes, in microseconds.
const STALE_MAX: u64 = 120_000_000;

/// Whoever revises the plan.
pub(super) struct Planner<'p> {
    policy: Option<Box<dyn Policy + 'p>>,
    is_due: bool,
    wake: Option<Timestamp>,
}

impl<'p> Planner<'p> {
    pub(super) fn new(policy: Option<Box<dyn Policy + 'p>>) -> Self {
        Self { policy, is_due: false, wake: None }
    }
}

impl World<'_> {
    /// Has the policy asked when all that happens at this moment has happened.
    pub(super) fn decide_soon(&mut self) {
        if self.planner.policy.is_some() && !std::mem::replace(&mut self.planner.is_due, true) {
            self.put(self.now, Happening::Decide);
        }
    }

    pub(super) fn note_for_policy(&mut self, event: &Event) {
        let is_own_doing = matches!(
            event,
            Event::RunStarted { .. }
                | Event::PlanAdopted { .. }
                | Event::PlanRevised { .. }
                | Event::AllocationRequested { .. }
                | Event::ShardsGranted { .. }
                | Event::AttemptStarted { .. }
                | Event::PublishIntended { .. }
                | Event::MachineMeasured { .. }
                | Event::ForecastChanged { .. }
        );
        if !is_own_doing {
            self.decide_soon();
        }
    }

    pub(super) fn policy_wakes(&mut self, at: Timestamp) {
        if self.planner.wake == Some(at) {
            self.planner.wake = None;
            self.decide_soon();
        }
    }

    pub(super) fn decide(&mut self) {
        self.planner.is_due = false;
        let Some(engine) = &self.orchestrator.engine else { return };
        let state = engine.state();
        let Some(plan) = state.plan() else { return };
        if !matches!(state.phase(), Phase::Running | Phase::Finishing(_)) {
            return;
        }
        let base = plan.id;
        let Some(mut policy) = self.planner.policy.take() else { return };
        let decision = self.ask(policy.as_mut(), state);
        self.planner.policy = Some(policy);
        if let Some(at) = decision.wake.filter(|&at| at > self.now && Some(at) != self.planner.wake)
        {
            self.planner.wake = Some(at);
            self.put(at, Happening::PolicyWake(at));
        }
        let Some(revision) = decision.revise(base) else { return };
        if self.options.faults.is_on(Fault::SenselessPlan) && self.now < self.options.faults.until {
            self.hits.count(Fault::SenselessPlan);
        }
        if self.strikes(Fault::StalePlan) {
            let after = Duration(self.how_much(Fault::StalePlan, 1, STALE_MAX));
            let late = Happening::Proposed(self.orchestrator.life, Box::new(revision));
            return self.after(after, late);
        }
        self.tell(Input::PlanProposed(revision));
    }

    fn ask(&self, policy: &mut dyn Policy, state: &RunState) -> Decision {
        let Some(plan) = state.plan() else { return Decision::default() };
        let zones: Vec<ZoneId> = (0..self.site.zones.len()).map(ZoneId::from_index).collect();
        let unplaced: Vec<ShardId> = state.unplaced().collect();
        let waiting_in = |&zone: &ZoneId| state.waiting_in(zone).map(move |shard| (shard, zone));
        let waiting: Vec<(ShardId, ZoneId)> = zones.iter().flat_map(waiting_in).collect();
        let running: Vec<Running> = (state.live().iter())
            .map(|(&task, live)| Running {
                task,
                zone: state.allocations()[&live.allocation].zone,
                allocation: live.allocation.0,
                started: live.started.map(|(at, _)| at),
            })
            .collect();
        let views: Vec<ZoneView<'_>> =
            zones.iter().map(|&zone| self.view_of(zone, state)).collect();
        policy.decide(&View {
            now: self.now,
            started: self.options.start,
            workflow: &self.workflow,
            plan,
            unplaced: &unplaced,
            waiting: &waiting,
            running: &running,
            zones: &views,
            n_left: state.n_unfinished(),
        })
    }

    fn view_of(&self, zone: ZoneId, state: &RunState) -> ZoneView<'_> {
        let row = self.site.zone(zone);
        let allocations = state.live_allocations(zone).map(|id| {
            let known = &state.allocations()[&id];
            let keeper = self.keeper_of.get(&id).map(|&keeper| &self.keepers[keeper as usize]);
            let is_up = known.state == AllocationState::Up;
            AllocationView {
                allocation: id.0,
                capacity: is_up.then(|| known.capacity.clone()),
                n_live: known.n_live,
                idle_since: keeper
                    .and_then(|keeper| keeper.idle_since)
                    .filter(|_| is_up && known.n_live == 0),
            }
        });
        ZoneView {
            available: row.available.at(self.now),
            price_per_hour: row.price.at(self.now),
            node: &row.node,
            launch: row.launch.median(),
            history: History::new(row.available.until(self.now), self.now),
            allocations: allocations.collect(),
        }
    }
}
