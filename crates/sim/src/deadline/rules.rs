//! The rules of a job with a deadline, and the policy that plays one in a world.
//!
//! What has been done, which zones are up and what is held is read from the world. *Greedy* takes
//! spot capacity whenever there is some. *Time-sliced* gives each of equal slices of the time its
//! share of the work. *Uniform progress* (Wu et al., NSDI 2024, section 4) goes on demand when
//! behind the straight line from begin to deadline, until two steps ahead of it. All go on demand
//! for good when only the time for launch, work and one step of margin is left.

use plan::Policy;
use plan::policy::{Decision, View};
use spec::{Duration, Timestamp, ZoneId};

use super::{Game, Zones, on_demand};

/// How the next step is chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// On demand from the begin.
    OnDemand,
    /// Spot whenever there is some, idle otherwise.
    Greedy(Choice),
    /// So many slices, each with its share of the work and a safety net of its own.
    TimeSliced(usize),
    /// Spot if there is some; on demand when behind the line.
    UniformProgress(Choice),
    /// As written, step by step; [`optimum`](super::optimum) writes one.
    Written(Vec<Move>),
}

/// Which of the zones that are up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The first one.
    First,
    /// The one that was up most in this time; the first of those that are equal.
    UpMost(Duration),
}

/// What one does in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Nothing.
    Idle,
    /// Be on demand.
    OnDemand,
    /// Be in a zone.
    Spot(u32),
}

/// Where the job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    zone: ZoneId,
    /// In which step its launch began.
    since: usize,
}

/// A rule at play.
pub(super) struct Player<'a> {
    rule: &'a Rule,
    game: Game,
    step: Duration,
    on_demand: ZoneId,
    held: Option<Held>,
    /// Whether it stays on demand to the end.
    is_locked: bool,
    /// The step that was decided last.
    decided: Option<usize>,
    /// Whether a task may still begin in it.
    may_begin: bool,
}

/// What a rule looks at.
struct Moment<'a, 'v> {
    view: &'a View<'v>,
    /// Steps since the begin.
    now: usize,
    done: usize,
    /// Steps that are left until the deadline.
    left: usize,
    is_any_up: bool,
    is_on_spot: bool,
    is_on_demand: bool,
}

impl<'a> Player<'a> {
    pub(super) fn new(zones: &Zones, game: Game, rule: &'a Rule) -> Self {
        Self {
            rule,
            game,
            step: zones.step,
            on_demand: on_demand(zones),
            held: None,
            is_locked: false,
            decided: None,
            may_begin: false,
        }
    }

    /// Decides a step: what to let go and what to launch.
    fn decide_step(&mut self, now: usize, view: &View<'_>) -> Vec<(ZoneId, u32)> {
        let is_there = |held: &Held| view.zones[held.zone.index()].available > 0;
        let before = self.held;
        self.held = self.held.filter(is_there);
        let left = self.game.deadline.saturating_sub(now);
        let is_spot = |held: Held| held.zone != self.on_demand;
        let moment = Moment {
            view,
            now,
            done: self.game.work - view.n_left,
            left,
            is_any_up: view.zones[..self.on_demand.index()].iter().any(|zone| zone.available > 0),
            is_on_spot: self.held.is_some_and(is_spot),
            is_on_demand: self.held.is_some_and(|held| !is_spot(held)),
        };
        let wanted = match self.choose(&moment) {
            Move::Idle => None,
            Move::OnDemand => Some(self.on_demand),
            Move::Spot(zone) => Some(ZoneId(zone)),
        };
        if wanted != self.held.map(|held| held.zone) {
            self.held = wanted.map(|zone| Held { zone, since: now });
        }
        self.may_begin =
            self.held.is_some_and(|held| now >= held.since + self.launch_steps(held.zone));
        // What is written needs no net, and may leave capacity on demand at the last moment.
        let has_net = !matches!(self.rule, Rule::Written(_));
        if has_net && wanted == Some(self.on_demand) {
            let after = view.n_left - usize::from(self.may_begin);
            self.is_locked |= left <= after + 2;
        }
        let let_go = before.filter(|before| Some(before.zone) != wanted).map(|held| held.zone);
        let launched = self.held.filter(|held| held.since == now).map(|held| held.zone);
        let_go.map(|zone| (zone, 0)).into_iter().chain(launched.map(|zone| (zone, 1))).collect()
    }

    fn launch_steps(&self, zone: ZoneId) -> usize {
        if zone == self.on_demand { 1 } else { self.game.spot_launch }
    }

    fn choose(&self, moment: &Moment<'_, '_>) -> Move {
        if self.is_locked {
            return Move::OnDemand;
        }
        match self.rule {
            Rule::OnDemand => Move::OnDemand,
            Rule::Greedy(choice) => self.greedy(*choice, moment),
            Rule::TimeSliced(slices) => self.time_sliced(*slices, moment),
            Rule::UniformProgress(choice) => self.uniform_progress(*choice, moment),
            Rule::Written(moves) => moves.get(moment.now).copied().unwrap_or(Move::Idle),
        }
    }

    fn greedy(&self, choice: Choice, moment: &Moment<'_, '_>) -> Move {
        if moment.is_on_demand || !moment.is_on_spot && self.must_be_safe(moment) {
            return Move::OnDemand;
        }
        self.spot_or_idle(choice, moment)
    }

    fn time_sliced(&self, slices: usize, moment: &Moment<'_, '_>) -> Move {
        let length = self.game.deadline as f64 / slices as f64;
        let slice = (moment.now as f64 / length).floor() + 1.0;
        let end = (self.game.deadline as f64).min(slice * length);
        let needs = self.game.work as f64 * end / self.game.deadline as f64 - moment.done as f64;
        let left = end - moment.now as f64;
        let is_behind = needs > 0.0;
        if moment.is_on_spot {
            return self.spot_or_idle(Choice::First, moment);
        }
        let is_urgent = self.must_be_safe(moment) || left <= needs + 1.0 && is_behind;
        if moment.is_on_demand && is_behind || !moment.is_on_demand && is_urgent {
            return Move::OnDemand;
        }
        self.spot_or_idle(Choice::First, moment)
    }

    fn uniform_progress(&self, choice: Choice, moment: &Moment<'_, '_>) -> Move {
        let Game { work, deadline, .. } = self.game;
        let line = |at: usize| (work * at) as f64 / deadline as f64;
        let done = moment.done as f64;
        if moment.is_on_spot {
            return self.spot_or_idle(choice, moment);
        }
        if moment.is_on_demand {
            let is_ahead = done >= line(deadline.min(moment.now + 2));
            return if is_ahead { self.spot_or_idle(choice, moment) } else { Move::OnDemand };
        }
        let is_safe = !self.must_be_safe(moment);
        if moment.is_any_up && is_safe {
            return self.spot_or_idle(choice, moment);
        }
        if !is_safe || done < line(moment.now) { Move::OnDemand } else { Move::Idle }
    }

    /// Whether there is only time left for the launch, the work and one step of margin.
    fn must_be_safe(&self, moment: &Moment<'_, '_>) -> bool {
        moment.left <= moment.view.n_left + 2
    }

    /// Stays where it is, or goes to the zone of its choice.
    fn spot_or_idle(&self, choice: Choice, moment: &Moment<'_, '_>) -> Move {
        let here = self.held.filter(|held| moment.is_on_spot && held.zone != self.on_demand);
        if let Some(held) = here {
            return Move::Spot(held.zone.0);
        }
        let zones = moment.view.zones[..self.on_demand.index()].iter().zip(0_u32..);
        let up = zones.filter(|(zone, _)| zone.available > 0);
        let mut best: Option<(u64, u32)> = None;
        for (zone, number) in up {
            let score = match choice {
                Choice::First => 0,
                Choice::UpMost(window) => self.steps_up(zone, window),
            };
            if best.is_none_or(|(most, _)| score > most) {
                best = Some((score, number));
            }
        }
        best.map_or(Move::Idle, |(_, zone)| Move::Spot(zone))
    }

    /// How many steps of the last whole ones in this time a zone was up, this one among them.
    fn steps_up(&self, zone: &plan::policy::ZoneView<'_>, window: Duration) -> u64 {
        let before = Duration(window.0 / self.step.0 * self.step.0);
        let share = zone.history.fraction_up(before);
        let steps = (share * before.0 as f64 / self.step.0 as f64).round() as u64;
        steps + u64::from(zone.available > 0)
    }
}

impl Policy for Player<'_> {
    fn name(&self) -> &str {
        match self.rule {
            Rule::OnDemand => "on-demand",
            Rule::Greedy(_) => "greedy",
            Rule::TimeSliced(_) => "time-sliced",
            Rule::UniformProgress(_) => "uniform-progress",
            Rule::Written(_) => "omniscient",
        }
    }

    /// Asked in the middle of a step, or again in the same one, it only lets the task of the step
    /// begin.
    fn decide(&mut self, view: &View<'_>) -> Decision {
        let since = view.now.since(view.started);
        let now = (since.0 / self.step.0) as usize;
        let mut allocations = Vec::new();
        if self.decided != Some(now) && now < self.game.deadline {
            self.decided = Some(now);
            allocations = self.decide_step(now, view);
        }
        let next = view.started + Duration(self.step.0 * (now as u64 + 1));
        let mut moves = Vec::new();
        if let (true, Some(held), Some(&shard)) = (self.may_begin, self.held, view.unplaced.first())
        {
            self.may_begin = false;
            moves.push((shard, Some(held.zone)));
        }
        let wake = (now < self.game.deadline).then_some(next);
        Decision { moves, allocations, wake: wake.filter(|&at| at > Timestamp(view.now.0)) }
    }
}
