//! The policies that are compared, by the names that people give them.

use plan::Policy;
use plan::baseline::{Net, Reactive, StaticHeft, Terms, WarmPool};
use spec::resources::MilliCpus;
use spec::{Bytes, Duration, TaskId, ZoneId};

use super::Experiment;
use super::job::Kind;
use crate::site::VirtualSite;

/// The policies that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contender {
    /// Each ready task alone, in the first zone with room, in a slice of a node.
    Reactive,
    /// The same, but each task holds a whole node.
    ReactiveNodes,
    /// Planned once.
    StaticHeft,
    /// Warm instances with many slots.
    WarmPool,
    /// The same, with time in hand before a deadline for what may yet be lost.
    WaryPool,
    /// The same on capacity that is never taken away.
    OnDemand,
    /// Of a job with a deadline: spot whenever there is some, idle otherwise, until the last moment.
    Greedy,
    /// Of a job with a deadline: each of equal slices of the time has its share of the work.
    TimeSliced,
    /// Of a job with a deadline: on demand when behind the line from begin to deadline.
    UniformProgress,
    /// Of a job with a deadline: the least that could have been paid.
    Omniscient,
}

impl Contender {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Reactive,
        Self::ReactiveNodes,
        Self::StaticHeft,
        Self::WarmPool,
        Self::WaryPool,
        Self::OnDemand,
        Self::Greedy,
        Self::TimeSliced,
        Self::UniformProgress,
        Self::Omniscient,
    ];
    /// Those that are compared unless others are named.
    pub const USUAL: [Self; 4] = [Self::Reactive, Self::StaticHeft, Self::WarmPool, Self::OnDemand];
    /// The rules for one job with a deadline.
    pub const RULES: [Self; 4] =
        [Self::Greedy, Self::TimeSliced, Self::UniformProgress, Self::Omniscient];

    /// As people write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reactive => "reactive",
            Self::ReactiveNodes => "reactive-nodes",
            Self::StaticHeft => "static-heft",
            Self::WarmPool => "warm-pool",
            Self::WaryPool => "wary-pool",
            Self::OnDemand => "on-demand",
            Self::Greedy => "greedy",
            Self::TimeSliced => "time-sliced",
            Self::UniformProgress => "uniform-progress",
            Self::Omniscient => "omniscient",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|contender| contender.name() == name)
    }

    /// Whether it decides otherwise when the deadline is another one.
    #[must_use]
    pub fn heeds_deadline(self) -> bool {
        matches!(self, Self::WarmPool | Self::WaryPool) || self.is_rule()
    }

    /// Whether it is a rule for one job with a deadline.
    #[must_use]
    pub fn is_rule(self) -> bool {
        Self::RULES.contains(&self)
    }

    /// Whether it needs a zone that is never taken away.
    #[must_use]
    pub fn needs_safety(self) -> bool {
        self == Self::OnDemand || self.is_rule()
    }

    /// Whether each task gets an allocation of its own.
    #[must_use]
    pub(super) fn is_alone(self) -> bool {
        matches!(self, Self::Reactive | Self::ReactiveNodes)
    }

    /// Whether it uses capacity that can be taken away, and is neither the floor nor one that knows the
    /// future.
    #[must_use]
    pub fn is_spot(self) -> bool {
        matches!(
            self,
            Self::StaticHeft
                | Self::WarmPool
                | Self::WaryPool
                | Self::Greedy
                | Self::TimeSliced
                | Self::UniformProgress
        )
    }

    /// How it plays.
    pub(super) fn way(self, experiment: &Experiment) -> Way {
        let pool = |uses_spot, net| {
            let terms = Terms {
                name: self.name().to_owned(),
                is_safe: experiment.is_safe.clone(),
                uses_spot,
                deadline: experiment.deadline,
                net,
            };
            Way::of(WarmPool::new(terms), experiment.site.clone())
        };
        match self {
            Self::Reactive => Way::of(Reactive::default(), sliced(experiment)),
            Self::ReactiveNodes => Way::of(Reactive::default(), alone(experiment)),
            Self::StaticHeft => {
                Way::of(StaticHeft::new(moving(experiment)), experiment.site.clone())
            }
            Self::WarmPool => pool(true, Net::Lean),
            Self::WaryPool => pool(true, Net::Wary),
            Self::OnDemand => pool(false, Net::Lean),
            Self::Greedy => Way::Rule(Kind::Greedy),
            Self::TimeSliced => Way::Rule(Kind::TimeSliced),
            Self::UniformProgress => Way::Rule(Kind::UniformProgress),
            Self::Omniscient => Way::Rule(Kind::Omniscient),
        }
    }
}

/// How a contender plays.
pub(super) enum Way {
    /// As a policy, in places as it can have them.
    Policy(Box<dyn Policy>, Box<VirtualSite>),
    /// As a rule for one job.
    Rule(Kind),
}

impl Way {
    fn of(policy: impl Policy + 'static, site: VirtualSite) -> Self {
        Self::Policy(Box::new(policy), Box::new(site))
    }
}

/// How long what a task reads of a parent takes from zone to zone, with nothing else on the link.
fn moving(experiment: &Experiment) -> impl Fn(TaskId, TaskId, ZoneId, ZoneId) -> Duration + use<> {
    let (workload, links) = (experiment.workload.clone(), experiment.site.links.clone());
    move |parent, task, from, to| {
        let link = links.between(from, to);
        link.map_or(Duration::ZERO, |link| link.time(workload.bytes(parent, task)))
    }
}

/// The same places with nodes that hold no more than the largest task, at the price of a whole one.
fn alone(experiment: &Experiment) -> VirtualSite {
    let workflow = &experiment.workload.workflow;
    let cpus = workflow.tasks().map(|task| workflow.resources(task).cpus).max();
    let mut site = experiment.site.clone();
    for zone in &mut site.zones {
        zone.node.cpus = zone.node.cpus.min(cpus.unwrap_or_default().max(MilliCpus(1)));
    }
    site
}

/// The same places in allocations that hold one task each, for whoever submits tasks alone: nodes are
/// cut into as many equal parts as hold the largest task, and a part costs its part of the price.
fn sliced(experiment: &Experiment) -> VirtualSite {
    let workflow = &experiment.workload.workflow;
    let cpus = workflow.tasks().map(|task| workflow.resources(task).cpus.0).max();
    let memory = workflow.tasks().map(|task| workflow.resources(task).memory.0).max();
    let mut site = experiment.site.clone();
    for zone in &mut site.zones {
        let by_cpus = zone.node.cpus.0 / cpus.unwrap_or(1).max(1);
        let by_memory = zone.node.memory.0 / memory.unwrap_or(1).max(1);
        let parts = u64::from(by_cpus).min(by_memory).max(1) as u32;
        // No more than that task takes, so that no other one finds room beside it.
        let part = zone.node.cpus.0 / parts;
        zone.node.cpus = MilliCpus(part.min(cpus.unwrap_or(part)).max(1));
        zone.node.memory = Bytes(zone.node.memory.0 / u64::from(parts));
        zone.available = zone.available.map(|count| count.saturating_mul(parts));
        zone.price = zone.price.map(|price| price / f64::from(parts));
    }
    site
}
