//! The laboratory: what policies would have cost, on the same traces from the same starts.
//!
//! Every policy of an [`Experiment`] meets the same runtimes, delays and capacity at each start,
//! so differences are paired. Knows how the baselines are made and what each run came to; what is
//! independent among the starts and what is not is in [`compare`].

pub mod compare;
pub mod gantt;
pub mod picture;

use std::sync::Arc;

use plan::Policy;
use plan::baseline::{Reactive, StaticHeft, Terms, WarmPool};
use plan::planner::order_by_rank;
use plan::policy::nothing_placed;
use spec::resources::MilliCpus;
use spec::{Bytes, Duration, Timestamp, Workflow};

use crate::chance::{Purpose, Stream};
use crate::outcome::Outcome;
use crate::site::VirtualSite;
use crate::truth::Truth;
use crate::world::{Options, Setup, World};

/// A workflow, places, and how far what tasks take is from what was expected.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// What is run.
    pub workflow: Arc<Workflow>,
    /// Where.
    pub site: VirtualSite,
    /// By zone: whether it is never taken away.
    pub is_safe: Vec<bool>,
    /// When a run must be done, from its begin.
    pub deadline: Option<Duration>,
    /// The deviation of the logarithm of runtimes around their estimates.
    pub runtime_sigma: f64,
    /// Where chance comes from.
    pub seed: u64,
}

/// The policies that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contender {
    /// Each ready task alone, in the first zone with room.
    Reactive,
    /// Planned once.
    StaticHeft,
    /// Warm instances with many slots.
    WarmPool,
    /// The same on capacity that is never taken away.
    OnDemand,
}

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// From begin to end, in seconds.
    pub makespan: f64,
    /// Money.
    pub cost: f64,
    /// Core-seconds of attempts that came to nothing.
    pub lost_work: f64,
    /// Core-seconds of attempts that were done twice.
    pub redundant_work: f64,
    /// Allocations that were up.
    pub allocations: f64,
    /// Shard attempts granted.
    pub jobs: f64,
    /// Bytes between zones.
    pub bytes_moved: f64,
    /// Whether it was done, and in time.
    pub is_in_time: bool,
}

/// A run that has taken this long is given up, in days.
const GIVE_UP_DAYS: u64 = 60;

impl Contender {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Reactive, Self::StaticHeft, Self::WarmPool, Self::OnDemand];

    /// As people write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reactive => "reactive",
            Self::StaticHeft => "static-heft",
            Self::WarmPool => "warm-pool",
            Self::OnDemand => "on-demand",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|contender| contender.name() == name)
    }

    fn policy(self, experiment: &Experiment) -> Box<dyn Policy> {
        let terms = |uses_spot| Terms {
            name: self.name().to_owned(),
            is_safe: experiment.is_safe.clone(),
            uses_spot,
            deadline: experiment.deadline,
        };
        match self {
            Self::Reactive => Box::new(Reactive::default()),
            Self::StaticHeft => Box::new(StaticHeft::default()),
            Self::WarmPool => Box::new(WarmPool::new(terms(true))),
            Self::OnDemand => Box::new(WarmPool::new(terms(false))),
        }
    }
}

impl Experiment {
    /// One run of a policy from a start.
    #[must_use]
    pub fn run(&self, contender: Contender, start: Timestamp, keeps_timeline: bool) -> Outcome {
        let workflow = Arc::clone(&self.workflow);
        let seed = self.seed ^ start.0.unsigned_abs();
        let truth = Truth::around_estimates(&workflow, 1.0, self.runtime_sigma, seed);
        let expected = |task| workflow.estimate(task).map_or(1.0, Duration::as_secs_f64);
        let ranks = plan::rank::upward(&workflow, expected);
        let plan = nothing_placed(&workflow, order_by_rank(&workflow, &ranks));
        let options = Options {
            start,
            give_up: Duration::from_secs(GIVE_UP_DAYS * 86_400),
            run: engine::event::Options {
                queue_ahead: 0,
                // Who is lost often is slow, not failed.
                losses_max: u32::MAX,
                ..Default::default()
            },
            keeps_timeline,
            ..Options::default()
        };
        let site = match contender {
            Contender::Reactive => self.sliced(),
            Contender::StaticHeft | Contender::WarmPool | Contender::OnDemand => self.site.clone(),
        };
        let policy = Some(contender.policy(self));
        World::new(Setup { workflow, site, truth, plan, policy, options, seed }).run()
    }

    /// What a run came to.
    #[must_use]
    pub fn score(&self, outcome: &Outcome) -> Score {
        let in_time = self.deadline.is_none_or(|deadline| outcome.makespan <= deadline);
        Score {
            makespan: outcome.makespan.as_secs_f64(),
            cost: outcome.cost,
            lost_work: outcome.lost_work,
            redundant_work: outcome.redundant_work,
            allocations: outcome.allocations as f64,
            jobs: outcome.jobs as f64,
            bytes_moved: outcome.bytes_moved as f64,
            is_in_time: outcome.is_success() && in_time,
        }
    }

    /// The same places in allocations that hold one task each, for whoever submits tasks alone:
    /// nodes are cut into as many equal parts as hold the largest task.
    fn sliced(&self) -> VirtualSite {
        let workflow = &self.workflow;
        let cpus = workflow.tasks().map(|task| workflow.resources(task).cpus.0).max();
        let memory = workflow.tasks().map(|task| workflow.resources(task).memory.0).max();
        let mut site = self.site.clone();
        for zone in &mut site.zones {
            let by_cpus = zone.node.cpus.0 / cpus.unwrap_or(1).max(1);
            let by_memory = zone.node.memory.0 / memory.unwrap_or(1).max(1);
            let parts = u64::from(by_cpus).min(by_memory).max(1) as u32;
            zone.node.cpus = MilliCpus(zone.node.cpus.0 / parts);
            zone.node.memory = Bytes(zone.node.memory.0 / u64::from(parts));
            zone.available = zone.available.map(|count| count.saturating_mul(parts));
            zone.price = zone.price.map(|price| price / f64::from(parts));
        }
        site
    }
}

/// So many starts at random, from which a run of this length ends before the traces do; in order.
#[must_use]
pub fn random_starts(n: usize, traced: Duration, window: Duration, seed: u64) -> Vec<Timestamp> {
    let mut stream = Stream::new(seed, Purpose::Case, 1);
    let latest = traced.0.saturating_sub(window.0);
    let start = |_| Timestamp(stream.between(0, latest / 1_000_000) as i64 * 1_000_000);
    let mut starts: Vec<Timestamp> = (0..n).map(start).collect();
    starts.sort_unstable();
    starts
}
