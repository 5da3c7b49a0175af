//! What no run can be better than, whatever the policy: bounds from a start on, with the runtimes of
//! that start.
//!
//! *Time*: the shortest launch, then the longest path at the highest speed, or the time in which all
//! cores that are there from then on could do all the work, whichever is longer. *Money*: all work at the
//! lowest price of a core anywhere from then on. Neither knows of preemption, of waiting, of moving
//! data, or that nodes are held whole; so both can be far below what any policy reaches.

use spec::Timestamp;

use super::Experiment;
use crate::site::{Delay, VirtualSite, VirtualZone};
use crate::truth::Truth;

/// Least time and least money.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// From begin to end, in seconds.
    pub makespan: f64,
    /// Money.
    pub cost: f64,
}

impl Experiment {
    /// What no run from this start can be better than.
    #[must_use]
    pub fn bound(&self, start: Timestamp) -> Bound {
        let workflow = &self.workload.workflow;
        let truth = self.truth(start);
        let seconds = |task: spec::TaskId| truth.runtimes[task.index()].as_secs_f64();
        let longest = plan::rank::upward(workflow, seconds).into_iter().fold(0.0, f64::max);
        let zones = &self.site.zones;
        let fastest = zones.iter().map(|zone| zone.speed).fold(f64::MIN_POSITIVE, f64::max);
        let work = work(self, &truth);
        let launch = zones.iter().map(|zone| least(zone.launch)).min().unwrap_or_default();
        let area = seconds_for(&self.site, start + launch, work);
        let cheapest = zones.iter().map(|zone| cheapest(zone, start)).fold(f64::INFINITY, f64::min);
        Bound {
            makespan: launch.as_secs_f64() + area.max(longest / fastest),
            cost: work / 3_600.0 * cheapest,
        }
    }
}

/// In core-seconds at speed 1.
fn work(experiment: &Experiment, truth: &Truth) -> f64 {
    let workflow = &experiment.workload.workflow;
    let cores = |task| f64::from(workflow.resources(task).cpus.0) / 1e3;
    workflow.tasks().map(|task| truth.runtimes[task.index()].as_secs_f64() * cores(task)).sum()
}

fn cores(zone: &VirtualZone) -> f64 {
    f64::from(zone.node.cpus.0) / 1e3
}

fn least(launch: Delay) -> spec::Duration {
    match launch {
        Delay::Fixed(span) => span,
        Delay::UpTo(_) | Delay::Lognormal { .. } => spec::Duration::ZERO,
    }
}

/// Money for an hour of a core at speed 1, at the best time.
fn cheapest(zone: &VirtualZone, start: Timestamp) -> f64 {
    let mut least = zone.price.at(start);
    let mut now = start;
    while let Some((at, price)) = zone.price.next_after(now) {
        least = least.min(price);
        now = at;
    }
    least / (cores(zone).max(1e-3) * zone.speed)
}

/// How long all cores that are there take for so much work; as long as the last of them are there,
/// if that is not enough.
fn seconds_for(site: &VirtualSite, from: Timestamp, mut work: f64) -> f64 {
    let mut now = from;
    loop {
        let at_once =
            |zone: &VirtualZone| f64::from(zone.available.at(now)) * cores(zone) * zone.speed;
        let per_second: f64 = site.zones.iter().map(at_once).sum();
        let next = site.zones.iter().filter_map(|zone| zone.available.next_after(now));
        let next = next.map(|(at, _)| at).min();
        let held = next.map_or(f64::INFINITY, |at| at.since(now).as_secs_f64());
        if per_second * held >= work || next.is_none() {
            let rest = if per_second > 0.0 { work / per_second } else { 0.0 };
            return now.since(from).as_secs_f64() + rest;
        }
        work -= per_second * held;
        now = next.unwrap_or(now);
    }
}
