//! Static schedules of recorded workflows on small networks of unequal nodes, and their being carried out
//! in a virtual world: nodes do one task at a time, inputs move as soon as they are made, each on its own.
//!
//! Shared by the test, which checks what happened against a scorer of its own, and the example, which
//! writes it down for others to check.

use std::collections::BTreeMap;
use std::sync::Arc;

use plan::baseline::{Machine, Span, heft};
use plan::policy::{Decision, View, nothing_placed};
use plan::{Order, Policy, ShardId};
use serde::Deserialize;
use sim::world::Staging;
use sim::{Link, Options, Setup, Steps, Truth, VirtualSite, VirtualZone, World};
use spec::resources::MilliCpus;
use spec::wfformat::{self, ReplayOptions};
use spec::{Bytes, Duration, Resources, TaskId, Timestamp, Workflow, ZoneId};

/// Which schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Planned with insertion, and carried out to the microsecond.
    Heft,
    /// The ready task of the highest upward rank to the fastest node that is free.
    List,
}

/// By recorded id: on which node, from when, until when, in seconds.
pub(crate) type Schedule = BTreeMap<String, (String, f64, f64)>;

/// What happened.
pub(crate) struct Carried {
    /// What ran where.
    pub(crate) schedule: Schedule,
    /// In seconds.
    pub(crate) simulated: f64,
    /// What HEFT had planned, in seconds.
    pub(crate) planned: f64,
}

/// Plays a recorded workflow, given as text, on a network, given as text.
///
/// # Errors
/// One of the texts cannot be read.
pub(crate) fn carry_out(kind: Kind, workflow: &str, network: &str) -> Result<Carried, String> {
    let (parsed, said) = wfformat::parse(workflow, &ReplayOptions::default());
    let workflow = Arc::new(parsed.ok_or_else(|| format!("{said:?}"))?);
    let mut network: Network = serde_json::from_str(network).map_err(|e| e.to_string())?;
    network.nodes.sort_by(|a, b| a.id.cmp(&b.id));
    let problem = Problem::new(workflow, &network);
    let spans = problem.heft();
    let planned = spans.iter().map(|span| span.end).max().unwrap_or_default();
    let policy: Box<dyn Policy> = match kind {
        Kind::Heft => Box::new(Timed { spans }),
        Kind::List => {
            Box::new(Listed { order: problem.order.clone(), speeds: problem.speeds.clone() })
        }
    };
    let outcome = problem.play(policy);
    let replay = problem.workflow.replay().ok_or("not a recording")?;
    let mut schedule = BTreeMap::new();
    for bar in &outcome.timeline {
        let start = bar.started.unwrap_or(bar.from).0 as f64 / 1e6;
        let node = network.nodes[bar.zone.index()].id.clone();
        let task = replay.task_id(bar.attempt.task()).to_owned();
        schedule.insert(task, (node, start, bar.to.0 as f64 / 1e6));
    }
    let (simulated, planned) = (outcome.makespan.as_secs_f64(), planned.as_secs_f64());
    Ok(Carried { schedule, simulated, planned })
}

#[derive(Deserialize)]
struct Network {
    nodes: Vec<Node>,
    #[serde(default)]
    latency_s: f64,
    #[serde(default)]
    bandwidth_bytes_per_s: f64,
    #[serde(default)]
    bandwidth_for_ccr: Option<f64>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    speed: f64,
}

/// The problem as both schedulers see it.
struct Problem {
    workflow: Arc<Workflow>,
    truth: Truth,
    speeds: Vec<f64>,
    link: Link,
    /// By upward rank with mean durations and mean transfers, highest first.
    order: Vec<TaskId>,
}

impl Problem {
    fn new(workflow: Arc<Workflow>, network: &Network) -> Self {
        let mut truth = Truth::around_estimates(&workflow, 1.0, 0.0, 0);
        for runtime in &mut truth.runtimes {
            *runtime = (*runtime).max(Duration::from_millis(1));
        }
        let speeds: Vec<f64> = network.nodes.iter().map(|node| node.speed).collect();
        let inverse = speeds.iter().map(|speed| 1.0 / speed).sum::<f64>() / speeds.len() as f64;
        let link = Link { latency: Duration::from_secs_f64(network.latency_s), ..Link::default() };
        let mut problem = Self { workflow, truth, speeds, link, order: Vec::new() };
        let bandwidth = match network.bandwidth_for_ccr {
            None => network.bandwidth_bytes_per_s,
            Some(ccr) => problem.bandwidth_for(ccr, inverse),
        };
        problem.link.bandwidth = Some(bandwidth);
        problem.order = problem.by_rank(inverse);
        problem
    }

    /// The bandwidth at which a mean transfer takes `ccr` times a mean task.
    fn bandwidth_for(&self, ccr: f64, inverse: f64) -> f64 {
        let (mut bytes, mut n) = (0.0, 0.0);
        for task in self.workflow.tasks() {
            for parent in self.workflow.parents(task) {
                bytes += self.bytes(parent, task).0 as f64;
                n += 1.0;
            }
        }
        let work: f64 = self.truth.runtimes.iter().map(|span| span.as_secs_f64()).sum();
        let work = work / self.truth.runtimes.len() as f64;
        (bytes / f64::max(n, 1.0) / (ccr * work * inverse)).max(1e-9)
    }

    /// What a task reads of a parent.
    fn bytes(&self, parent: TaskId, task: TaskId) -> Bytes {
        let made = self.workflow.outputs(parent);
        let read = self.workflow.inputs(task).iter().map(|input| input.file);
        Bytes(read.filter(|file| made.contains(file)).map(|file| self.truth.size(file).0).sum())
    }

    fn transfer(&self, parent: TaskId, task: TaskId) -> Duration {
        match self.bytes(parent, task) {
            Bytes(0) => Duration::ZERO,
            bytes => self.link.time(bytes),
        }
    }

    fn by_rank(&self, inverse: f64) -> Vec<TaskId> {
        let n = self.speeds.len() as f64;
        let mut ranks = vec![0.0_f64; self.workflow.n_tasks()];
        let order = plan::rank::topological_order(&self.workflow);
        for &task in order.iter().rev() {
            let below = self.workflow.children(task).map(|child| {
                (n - 1.0) / n * self.transfer(task, child).as_secs_f64() + ranks[child.index()]
            });
            let work = self.truth.runtimes[task.index()].as_secs_f64();
            ranks[task.index()] = work * inverse + below.fold(0.0, f64::max);
        }
        let mut by_rank = order;
        by_rank.sort_by(|a, b| ranks[b.index()].total_cmp(&ranks[a.index()]));
        by_rank
    }

    fn heft(&self) -> Vec<Span> {
        let machines: Vec<Machine> = (0..self.speeds.len())
            .map(|node| Machine { zone: ZoneId::from_index(node), from: Duration::ZERO })
            .collect();
        let runtime = |task: TaskId, node: usize| {
            let work = self.truth.runtimes[task.index()];
            let speed = self.speeds[node];
            if (speed - 1.0).abs() < f64::EPSILON { work } else { work.mul_f64(1.0 / speed) }
        };
        let transfer = |parent, task, from: ZoneId, to: ZoneId| {
            if from == to { Duration::ZERO } else { self.transfer(parent, task) }
        };
        heft(&self.workflow, &self.order, &machines, runtime, transfer)
    }

    fn play(&self, policy: Box<dyn Policy + '_>) -> sim::Outcome {
        let node = Resources {
            cpus: MilliCpus::whole(1_000),
            memory: Bytes(1 << 50),
            ..Resources::default()
        };
        let zones = self.speeds.iter().map(|&speed| {
            let mut zone = VirtualZone::steady("node", node.clone(), 1);
            zone.speed = speed;
            zone.price = Steps::constant(0.0);
            zone
        });
        let mut site = VirtualSite::of(zones.collect());
        site.links.usual = self.link;
        let shards = self.order.iter().map(|task| ShardId(task.0));
        World::new(Setup {
            workflow: Arc::clone(&self.workflow),
            site,
            truth: self.truth.clone(),
            plan: nothing_placed(&self.workflow, Order::Listed(shards.collect())),
            policy: Some(policy),
            options: Options {
                run: engine::event::Options { queue_ahead: 0, ..Default::default() },
                staging: Staging::Ahead,
                keeps_timeline: true,
                ..Options::default()
            },
            seed: 0,
        })
        .run()
    }
}

/// Carries out a schedule to the microsecond.
struct Timed {
    spans: Vec<Span>,
}

impl Policy for Timed {
    fn name(&self) -> &str {
        "heft"
    }

    fn decide(&mut self, view: &View<'_>) -> Decision {
        let start = |shard: ShardId| Timestamp(0) + self.spans[shard.0 as usize].start;
        let due = view.unplaced.iter().copied().filter(|&shard| start(shard) <= view.now);
        let zone = |shard: ShardId| ZoneId::from_index(self.spans[shard.0 as usize].machine);
        let moves = due.map(|shard| (shard, Some(zone(shard)))).collect();
        let wake =
            view.unplaced.iter().map(|&shard| start(shard)).filter(|&at| at > view.now).min();
        Decision { moves, wake, ..Decision::default() }
    }
}

/// The ready task of the highest rank to the fastest node that is free.
struct Listed {
    order: Vec<TaskId>,
    speeds: Vec<f64>,
}

impl Policy for Listed {
    fn name(&self) -> &str {
        "list"
    }

    fn decide(&mut self, view: &View<'_>) -> Decision {
        let mut is_free = vec![true; self.speeds.len()];
        view.running.iter().for_each(|running| is_free[running.zone.index()] = false);
        view.waiting.iter().for_each(|&(_, zone)| is_free[zone.index()] = false);
        let mut free: Vec<usize> = (0..self.speeds.len()).filter(|&node| is_free[node]).collect();
        free.sort_by(|&a, &b| self.speeds[b].total_cmp(&self.speeds[a]));
        let ready = self.order.iter().map(|task| ShardId(task.0));
        let ready = ready.filter(|shard| view.unplaced.contains(shard));
        let moves = ready.zip(free).map(|(shard, node)| (shard, Some(ZoneId::from_index(node))));
        Decision { moves: moves.collect(), ..Decision::default() }
    }
}
