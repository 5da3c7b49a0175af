//! One job with a deadline, on capacity that comes and goes: what each rule pays.
//!
//! The game of Wu et al., "Can't be late: optimizing spot instance savings under deadlines" (NSDI
//! 2024), in steps. The job needs `work` steps of running until `deadline`. At the begin of a step
//! the state of the step is seen, and one is idle, on one zone's spot capacity, or on demand. To
//! change is to launch: steps that are paid and bring nothing. What was done is never lost.
//!
//! A game is played in a [`World`]: the job is a chain of tasks of one step each, zones are
//! preempted and launched as always, and money is counted by the world's own books. So what rules
//! pay here, and what an independent programme computes, must be the same; see `tests/deadline.rs`.

mod optimal;
mod rules;

use std::collections::BTreeMap;
use std::sync::Arc;

use plan::policy::nothing_placed;
use plan::{Order, Policy};
use spec::assemble::{Parts, assemble};
use spec::command::{CommandTemplate, TextTemplate};
use spec::csr::Csr;
use spec::files::FileTable;
use spec::resources::MilliCpus;
use spec::template::{Per, Template};
use spec::{Bytes, Digest, Duration, Resources, Timestamp, Workflow, ZoneId};

use crate::outcome::Outcome;
use crate::site::{Delay, VirtualSite, VirtualZone};
use crate::steps::Steps;
use crate::trace::{Trace, times};
use crate::truth::Truth;
use crate::world::{Options, Setup, World};

pub use optimal::{Optimum, optimum};
pub use rules::{Choice, Move, Rule};

/// Zones over time, cut into steps.
#[derive(Clone, Debug)]
pub struct Zones {
    /// How long a step is.
    pub step: Duration,
    /// By zone and step: whether its spot capacity is there for the whole step.
    pub is_up: Vec<Vec<bool>>,
}

impl Zones {
    /// Recorded zones, so many samples to a step; a step is up if all its samples are.
    #[must_use]
    pub fn of_traces(traces: &[Trace], sample: Duration, samples_per_step: usize) -> Self {
        let step = times(sample, samples_per_step);
        let length = traces.iter().map(|trace| trace.length).min().unwrap_or(Duration::ZERO);
        let n = (length.0 / step.0.max(1)) as usize;
        let is_up = |trace: &Trace, at: usize| {
            let samples = (0..samples_per_step).map(|i| times(sample, at * samples_per_step + i));
            samples.into_iter().all(|at| trace.count_at(at) > 0)
        };
        let rows = traces.iter().map(|trace| (0..n).map(|at| is_up(trace, at)).collect());
        Self { step, is_up: rows.collect() }
    }
}

/// A job, and when it begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Game {
    /// The step in which it begins.
    pub start: usize,
    /// How many steps of running it needs.
    pub work: usize,
    /// In how many steps it must be done.
    pub deadline: usize,
    /// What a step of spot capacity costs; a step on demand costs 1.
    pub spot_price: f64,
    /// How many steps a launch of spot capacity takes.
    pub spot_launch: usize,
}

/// Tasks end this much before the step does, so that a zone that goes away at the end of a step
/// takes nothing with it, as the game has it.
const EARLY: Duration = Duration(1);

/// What a rule paid, in steps on demand; none if the job was late.
#[must_use]
pub fn play(zones: &Zones, game: Game, rule: &Rule) -> Option<f64> {
    let outcome = play_out(zones, game, rule);
    let in_time = outcome.makespan <= times(zones.step, game.deadline);
    (outcome.is_success() && in_time).then_some(outcome.cost)
}

/// The run of a rule, with all that became of it and its timeline.
#[must_use]
pub fn play_out(zones: &Zones, game: Game, rule: &Rule) -> Outcome {
    let one = Resources { cpus: MilliCpus::whole(1), ..Resources::default() };
    let workflow = Arc::new(chain("job", game.work, one, zones.step));
    let runtime = Duration(zones.step.0.saturating_sub(EARLY.0));
    let truth = Truth { runtimes: vec![runtime; game.work], ..Truth::default() };
    let plan = nothing_placed(&workflow, Order::ById);
    let policy: Box<dyn Policy> = Box::new(rules::Player::new(zones, game, rule));
    let options = Options {
        start: Timestamp(0) + times(zones.step, game.start),
        // One step more, for who is late.
        give_up: times(zones.step, game.deadline + 1),
        run: engine::event::Options { queue_ahead: 0, ..Default::default() },
        keeps_timeline: true,
        ..Options::default()
    };
    let site = site(zones, game);
    World::new(Setup { workflow, site, truth, plan, policy: Some(policy), options, seed: 0 }).run()
}

/// Where capacity on demand is: behind the zones of the trace.
fn on_demand(zones: &Zones) -> ZoneId {
    ZoneId::from_index(zones.is_up.len())
}

fn site(zones: &Zones, game: Game) -> VirtualSite {
    let node =
        || Resources { cpus: MilliCpus::whole(1), memory: Bytes(1 << 30), ..Resources::default() };
    let per_hour = |per_step: f64| per_step * 3_600.0 / zones.step.as_secs_f64();
    let spot = |(i, ups): (usize, &Vec<bool>)| {
        let mut zone = VirtualZone::steady(format!("spot{i}"), node(), 1);
        let counts = ups.iter().map(|&is_up| u32::from(is_up));
        zone.available = Steps::from_ticks(Timestamp(0), zones.step, counts);
        zone.price = Steps::constant(per_hour(game.spot_price));
        zone.launch = Delay::Fixed(times(zones.step, game.spot_launch));
        zone
    };
    let mut all: Vec<VirtualZone> = zones.is_up.iter().enumerate().map(spot).collect();
    let mut safe = VirtualZone::steady("on-demand", node(), 1);
    safe.price = Steps::constant(per_hour(1.0));
    safe.launch = Delay::Fixed(zones.step);
    all.push(safe);
    VirtualSite::of(all)
}

/// So many tasks that take and last the same, one after the other.
pub(crate) fn chain(name: &str, n: usize, resources: Resources, estimate: Duration) -> Workflow {
    let template = Template {
        name: "step".to_owned(),
        command: CommandTemplate::Shell(TextTemplate::default()),
        resources: Per::Same(resources),
        estimate: Per::Same(Some(estimate)),
        ..Template::default()
    };
    let templates = (0..n).map(|i| Template { name: format!("step{i}"), ..template.clone() });
    let (mut inputs, mut outputs, mut needs) = (Csr::default(), Csr::default(), Csr::default());
    for task in 0..n as u32 {
        inputs.push_row([]);
        outputs.push_row([]);
        needs.push_row(task.checked_sub(1));
    }
    let parts = Parts {
        name: name.to_owned(),
        digest: Digest::of(format!("{n} steps of {name}").as_bytes()),
        params: BTreeMap::new(),
        first_task: (0..=n as u32).collect(),
        templates: templates.collect(),
        files: FileTable::default(),
        inputs,
        outputs,
        needs,
    };
    assemble(parts).expect("each task waits for the one before")
}
