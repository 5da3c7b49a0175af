//! One job with a deadline, as the rules of [`deadline`](crate::deadline) play it, in the places of an
//! experiment.
//!
//! The game has steps: the job saves its progress after each, at no cost, a launch takes whole
//! steps, and a zone is there in a step if it is there for all of it. So that others meet the same job, it is
//! a chain of tasks of one step each for them, too.

use std::sync::Arc;

use spec::{Duration, Timestamp, Workflow, ZoneId};

use super::{Experiment, Workload};
use crate::deadline::{Choice, Game, Rule, Zones, chain, optimum, play_out};
use crate::outcome::Outcome;
use crate::site::{VirtualSite, VirtualZone};

/// Why the rules of a job with a deadline cannot be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// There is more than a job.
    #[error("the workflow has {0} tasks, and must have one")]
    Tasks(usize),
    /// No deadline.
    #[error("there is no deadline")]
    Deadline,
    /// Nowhere to go when time runs out.
    #[error("there is no zone without a trace, which is always there")]
    Safety,
    /// The rules do not weigh prices.
    #[error("prices of zones with traces differ or change, and the rules know one price")]
    Prices,
}

/// How the rules see an experiment.
#[derive(Clone, Debug)]
pub struct Terms {
    /// How long a step is.
    pub step: Duration,
    /// Zones that can be taken away, in order.
    spot: Vec<ZoneId>,
    /// The cheapest one that is never taken away.
    safe: ZoneId,
    /// Money for a step on demand.
    step_price: f64,
    /// What spot capacity costs of that.
    spot_price: f64,
    /// How many steps a launch of spot capacity takes.
    spot_launch: usize,
}

/// A step where launches take no time.
const STEP_USUAL: Duration = Duration::from_secs(300);
/// What zones are picked by: the share of this time in which they were there.
const RECENT: Duration = Duration::from_secs(24 * 3_600);
const SLICES: usize = 20;

/// The rules by their kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Greedy,
    TimeSliced,
    UniformProgress,
    Omniscient,
}

impl Terms {
    /// How the rules see these places. A step is as long as a launch on demand.
    ///
    /// # Errors
    /// The rules cannot be played here.
    pub fn of(site: &VirtualSite, is_safe: &[bool]) -> Result<Self, Unfit> {
        let (safe, spot): (Vec<ZoneId>, Vec<ZoneId>) =
            (0..site.zones.len()).map(ZoneId::from_index).partition(|zone| is_safe[zone.index()]);
        let price = |zone: &ZoneId| site.zones[zone.index()].price.at(Timestamp(0));
        let cheapest = safe.into_iter().min_by(|a, b| price(a).total_cmp(&price(b)));
        let safe = cheapest.ok_or(Unfit::Safety)?;
        let of = |zone: &ZoneId| &site.zones[zone.index()];
        let launch = of(&safe).launch.median();
        let step = if launch == Duration::ZERO { STEP_USUAL } else { launch };
        let changes = |zone: &VirtualZone| zone.price.next_after(Timestamp(i64::MIN)).is_some();
        let first = spot.first().map_or(0.0, price);
        if spot.iter().any(|zone| changes(of(zone)) || price(zone).to_bits() != first.to_bits()) {
            return Err(Unfit::Prices);
        }
        let launches = spot.iter().map(|zone| of(zone).launch.median().0.div_ceil(step.0));
        Ok(Self {
            step,
            safe,
            step_price: price(&safe) * step.as_secs_f64() / 3_600.0,
            spot_price: first / price(&safe).max(f64::MIN_POSITIVE),
            spot_launch: launches.max().unwrap_or(1).max(1) as usize,
            spot,
        })
    }

    /// The job as a chain of steps.
    ///
    /// # Errors
    /// There is more than one task.
    pub fn steps_of(&self, workflow: &Workflow) -> Result<Workload, Unfit> {
        let mut tasks = workflow.tasks();
        let (Some(job), None) = (tasks.next(), tasks.next()) else {
            return Err(Unfit::Tasks(workflow.n_tasks()));
        };
        let runtime = workflow.estimate(job).unwrap_or(self.step);
        let n = runtime.0.div_ceil(self.step.0).max(1) as usize;
        let made = chain(workflow.name(), n, workflow.resources(job).clone(), self.step);
        Ok(Workload::of(Arc::new(made)))
    }

    /// The step in which a run from this time begins, as a time.
    #[must_use]
    pub fn begin(&self, start: Timestamp) -> Timestamp {
        Timestamp(0) + Duration(start.0.unsigned_abs() / self.step.0 * self.step.0)
    }

    /// Zones in steps, from the begin of time on.
    fn zones(&self, site: &VirtualSite, n_steps: usize) -> Zones {
        let is_up = |zone: &ZoneId| {
            let there = &site.zones[zone.index()].available;
            let mut at = Timestamp(0);
            let mut steps = Vec::with_capacity(n_steps);
            while steps.len() < n_steps {
                let end = at + self.step;
                let mut is_up = there.at(at) > 0;
                let mut now = at;
                while let Some((change, count)) = there.next_after(now).filter(|&(c, _)| c < end) {
                    is_up &= count > 0;
                    now = change;
                }
                steps.push(is_up);
                at = end;
            }
            steps
        };
        Zones { step: self.step, is_up: self.spot.iter().map(is_up).collect() }
    }
}

impl Experiment {
    /// A rule at play. The workload is a chain of steps, as [`Terms::steps_of`] makes it.
    pub(super) fn play(&self, kind: Kind, terms: &Terms, start: Timestamp) -> Outcome {
        let steps = |span: Duration| (span.0 / terms.step.0) as usize;
        let game = Game {
            start: steps(start.since(Timestamp(0))),
            work: self.workload.workflow.n_tasks(),
            deadline: steps(self.deadline.unwrap_or_default()),
            spot_price: terms.spot_price,
            spot_launch: terms.spot_launch,
        };
        let zones = terms.zones(&self.site, game.start + game.deadline + 2);
        let rule = match kind {
            Kind::Greedy => Rule::Greedy(Choice::UpMost(RECENT)),
            Kind::TimeSliced => Rule::TimeSliced(SLICES),
            Kind::UniformProgress => Rule::UniformProgress(Choice::UpMost(RECENT)),
            Kind::Omniscient => Rule::Written(optimum(&zones, game).moves),
        };
        self.in_its_places(terms, play_out(&zones, game, &rule))
    }

    /// What the game says, in the zones, the money and the cores of the experiment.
    fn in_its_places(&self, terms: &Terms, mut outcome: Outcome) -> Outcome {
        let place = |zone: ZoneId| terms.spot.get(zone.index()).copied().unwrap_or(terms.safe);
        outcome.timeline.iter_mut().for_each(|bar| bar.zone = place(bar.zone));
        outcome.holdings.iter_mut().for_each(|held| held.zone = place(held.zone));
        outcome.cost *= terms.step_price;
        let workflow = &self.workload.workflow;
        let cores = workflow.tasks().next().map(|task| workflow.resources(task).cpus.0);
        let cores = f64::from(cores.unwrap_or(1_000)) / 1e3;
        outcome.useful_work *= cores;
        outcome.lost_work *= cores;
        outcome.redundant_work *= cores;
        outcome
    }
}
