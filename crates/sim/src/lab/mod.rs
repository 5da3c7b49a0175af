//! The laboratory: what policies would have cost, on the same traces from the same starts.
//!
//! Every policy of an [`Experiment`] meets the same runtimes, delays and capacity at each start,
//! so differences are paired. Knows how the baselines are made and what each run came to; what is
//! independent among the starts and what is not is in [`compare`], what no policy can do better in
//! [`bound`].

pub mod bound;
pub mod compare;
mod contender;
pub mod gantt;
pub mod job;
pub mod map;
pub mod picture;
mod workload;

use std::sync::Arc;

use plan::planner::order_by_rank;
use plan::policy::nothing_placed;
use spec::{Duration, Timestamp};

use crate::chance::{Purpose, Stream};
use crate::outcome::Outcome;
use crate::site::VirtualSite;
use crate::truth::Truth;
use crate::world::{Options, Setup, World};

use contender::Way;

pub use contender::Contender;
pub use workload::Workload;

/// A workload, places, and how far what tasks take is from what was expected.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// What is run.
    pub workload: Workload,
    /// Where.
    pub site: VirtualSite,
    /// By zone: whether it is never taken away.
    pub is_safe: Vec<bool>,
    /// When a run must be done, from its begin.
    pub deadline: Option<Duration>,
    /// How the rules for one job see it; then the workload is a chain of their steps, and starts are
    /// begins of steps. None where no such rule is played.
    pub job: Option<job::Terms>,
    /// After how long a run is given up.
    pub give_up: Duration,
    /// The deviation of the logarithm of runtimes around their estimates.
    pub runtime_sigma: f64,
    /// Where chance comes from.
    pub seed: u64,
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
    /// Whether all of it was done.
    pub is_done: bool,
}

impl Score {
    /// Of an outcome.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Self {
        Self {
            makespan: outcome.makespan.as_secs_f64(),
            cost: outcome.cost,
            lost_work: outcome.lost_work,
            redundant_work: outcome.redundant_work,
            allocations: outcome.allocations as f64,
            jobs: outcome.jobs as f64,
            bytes_moved: outcome.bytes_moved as f64,
            is_done: outcome.is_success(),
        }
    }

    /// Whether it was done, and not after the deadline, if there is one.
    #[must_use]
    pub fn is_in_time(&self, deadline: Option<Duration>) -> bool {
        let in_time = |deadline: Duration| self.makespan <= deadline.as_secs_f64();
        self.is_done && deadline.is_none_or(in_time)
    }
}

/// After how long a run is given up unless somebody says.
pub const GIVE_UP: Duration = Duration::from_secs(60 * 86_400);

impl Experiment {
    /// One run of a policy from a start. The rules of a job keep a timeline in any case.
    ///
    /// # Panics
    /// A rule for one job is asked for, and the experiment says nothing of how it is played.
    #[must_use]
    pub fn run(&self, contender: Contender, start: Timestamp, keeps_timeline: bool) -> Outcome {
        let (policy, site) = match contender.way(self) {
            Way::Policy(policy, site) => (policy, *site),
            Way::Rule(kind) => {
                let terms = self.job.as_ref().expect("rules are played where there are terms");
                return self.play(kind, terms, start);
            }
        };
        let alike = if contender.is_alone() { self.workload.alike() } else { None };
        let workload = alike.as_ref().unwrap_or(&self.workload);
        let workflow = Arc::clone(&workload.workflow);
        let ranks = plan::rank::upward(&workflow, |task| self.workload.expected(task));
        let plan = nothing_placed(&workflow, order_by_rank(&workflow, &ranks));
        let options = Options {
            start,
            give_up: self.give_up,
            run: engine::event::Options {
                queue_ahead: 0,
                // Who is lost often is slow, not failed.
                losses_max: u32::MAX,
                ..Default::default()
            },
            keeps_timeline,
            ..Options::default()
        };
        let (truth, seed) = (self.truth(start), self.seed_of(start));
        World::new(Setup { workflow, site, truth, plan, policy: Some(policy), options, seed }).run()
    }

    /// What tasks really take in runs from this start.
    fn truth(&self, start: Timestamp) -> Truth {
        let sizes = self.workload.sizes.to_vec();
        let sigma = self.runtime_sigma;
        let workflow = &self.workload.workflow;
        Truth { sizes, ..Truth::around_estimates(workflow, 1.0, sigma, self.seed_of(start)) }
    }

    fn seed_of(&self, start: Timestamp) -> u64 {
        self.seed ^ start.0.unsigned_abs()
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
