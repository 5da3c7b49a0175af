//! The case of a seed: a workflow, a plan, places, what each task does, and which faults strike.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::input::Command;
use engine::memory::{LearnedMemory, MemoryTerms};
use engine::ranges::TaskRanges;
use plan::{Order, Placements, Plan, PlanId, Policy, ShardId, Shards};
use spec::assemble::{Parts, assemble};
use spec::command::{CommandTemplate, TextTemplate};
use spec::csr::Csr;
use spec::diagnostic::Source;
use spec::files::FileTable;
use spec::resources::MilliCpus;
use spec::template::{MemoryGrowth, Per, Retries, Template};
use spec::workflow::Input;
use spec::{Bytes, Digest, Duration, Resources, TaskId, Timestamp, Workflow, ZoneId};

use super::Limits;
use super::chaos::Chaos;
use crate::chance::{Purpose, Stream};
use crate::faults::{Class, Fault, Faults};
use crate::growing::Design;
use crate::site::{Delay, Link, Links, Paces, VirtualSite, VirtualZone, seconds};
use crate::steps::Steps;
use crate::truth::{Failure, Script, Truth};
use crate::watch::Watch;
use crate::world::{Options, Setup, Staging};

/// How long a run may take when faults have stopped, per task and besides: a task has at most 5
/// failures and 4 failures to publish in each of 3 generations, each at most 2 minutes with its
/// pause on a healthy node, 25 on a slow one.
const HEALED_BESIDES: Duration = Duration::from_secs(40_000);
const HEALED_PER_TASK: u64 = 20_000;
/// How many tasks are reckoned with where a graph grows.
const GROWN_MAX: usize = 200;

/// The case of a seed, as far as the limits let it.
pub(super) fn setup(seed: u64, limits: &Limits) -> Setup<'static> {
    let rng = &mut Stream::new(seed, Purpose::Case, 0);
    if rng.chance(0.15) {
        return growing_setup(rng, seed, limits);
    }
    let n = random_size(rng).min(limits.tasks_max);
    let zones_max = if rng.chance(0.3) { 8 } else { 3 };
    let n_zones = rng.between(1, zones_max) as usize;
    let mut order: Vec<u32> = (0..n as u32).collect();
    rng.shuffle(&mut order);
    let mut parents = random_parents(rng, &order);
    let until = seconds(rng.between(1, if n > 100 { 2_000 } else { 300 }));
    let mut faults = random_faults(rng, until);
    let is_wild = !faults.is_none();
    limits.without.iter().for_each(|&class| faults.forgive(class));
    let can_fail = !limits.without.contains(&Class::Task);
    let is_store_well = limits.without.contains(&Class::Store);
    let delicate = rng.pick(&[0.0, 0.05, 0.1, 0.5]);
    let mut templates: Vec<Template> =
        (0..n).map(|task| random_template(rng, task, delicate)).collect();
    let mut has_outputs: Vec<bool> = (0..n).map(|_| rng.chance(0.7)).collect();
    let n_finals = if rng.chance(0.4) { rng.between(1, 3) as usize } else { 0 };
    for task in n..n + n_finals {
        templates.push(Template { is_final: true, ..random_template(rng, task, delicate) });
        has_outputs.push(false);
        parents.push((n as u32..task as u32).filter(|_| rng.chance(0.3)).collect());
    }
    let plan = random_plan(rng, &order, n_finals, n_zones);
    let mut scripts = random_scripts(rng, &templates, &has_outputs, can_fail, is_store_well);
    let selected = random_selection(rng, &parents, n);
    let reusable = if rng.chance(0.3) { 0.5 } else { 0.0 };
    let regular = selected.iter().filter(|task| task.index() < n);
    let reusable = regular.filter(|_| rng.chance(reusable)).collect::<Vec<_>>();
    let runtimes =
        (0..parents.len()).map(|_| Duration::from_millis(rng.between(1, 30_000))).collect();
    let site = random_site(rng, n_zones, &faults);
    let is_chaotic = faults.is_on(Fault::SenselessPlan);
    // What a shard may grow to depends on its zone, and nobody can work out where chaos puts it.
    let memory = if is_chaotic {
        MemoryTerms::default()
    } else {
        let rng = &mut Stream::new(seed, Purpose::Case, 1);
        random_memory(rng, &mut templates, &mut scripts, &site, can_fail)
    };
    let workflow = Arc::new(build(templates, &parents, &has_outputs));
    let policy: Option<Box<dyn Policy>> =
        if is_chaotic { Some(Box::new(Chaos::new(seed, until))) } else { None };
    let sizes = (0..workflow.files().len()).map(|_| Bytes(rng.between(0, 1 << 30))).collect();
    let options = Options {
        memory,
        selected: Some(selected),
        reusable: TaskRanges::from_sorted(reusable),
        commands: if is_wild { random_commands(rng, &faults) } else { Vec::new() },
        ..random_options(rng, n, faults)
    };
    let truth = Truth { runtimes, sizes, scripts, growing: None };
    Setup { workflow, site, truth, plan, policy, options, seed }
}

/// A case whose workflow grows. Each task is a shard of its own, as all plans have it so far.
fn growing_setup(rng: &mut Stream, seed: u64, limits: &Limits) -> Setup<'static> {
    let fails = rng.chance(0.6) && !limits.without.contains(&Class::Task);
    let n_base = rng.between(2, 6).min(limits.tasks_max as u64);
    let design = Design { seed, n_base, fails };
    let source = Source::new("growing", design.file(None));
    let (workflow, mistakes) = spec::workflow_file::parse(&source, &BTreeMap::new());
    let workflow = Arc::new(workflow.unwrap_or_else(|| panic!("a file of ours: {mistakes:?}")));
    let n_zones = rng.between(1, 3) as usize;
    let until = seconds(rng.between(1, 300));
    let mut faults = random_faults(rng, until);
    let is_wild = !faults.is_none();
    limits.without.iter().for_each(|&class| faults.forgive(class));
    let site = random_site(rng, n_zones, &faults);
    let mut truth = Truth { growing: Some(design), ..Truth::default() };
    truth.follow(&workflow);
    let chaos = || -> Box<dyn Policy> { Box::new(Chaos::new(seed, until)) };
    let policy = faults.is_on(Fault::SenselessPlan).then(chaos);
    let zones = (0..workflow.n_tasks()).map(|_| ZoneId::from_index(rng.below(n_zones)));
    let plan = Plan {
        id: PlanId(1),
        shards: Shards::Singletons(workflow.n_tasks() as u32),
        placements: Placements::Each(zones.collect()),
        order: Order::ById,
    };
    let options = Options {
        commands: if is_wild { random_commands(rng, &faults) } else { Vec::new() },
        ..random_options(rng, GROWN_MAX, faults)
    };
    Setup { workflow, site, truth, plan, policy, options, seed }
}

/// How the run of a case with so many tasks is run and watched.
fn random_options(rng: &mut Stream, n_tasks: usize, faults: Faults) -> Options {
    let n = n_tasks as u64;
    Options {
        give_up: Duration(faults.until.0 as u64)
            + HEALED_BESIDES
            + Duration::from_secs(HEALED_PER_TASK * n),
        happenings_max: 20_000 + 300 * n,
        run: engine::event::Options {
            fail_fast: rng.chance(0.15),
            queue_ahead: rng.pick(&[0, 1, 4, 128]),
            losses_max: rng.pick(&[1, 5, 1_000, 1_000]),
        },
        retries_of_run: rng.pick(&[0, 0, 1, 2]),
        staging: if rng.chance(0.2) { Staging::Ahead } else { Staging::AtStart },
        faults,
        watch: Watch::All,
        ..Options::default()
    }
}

/// About fifty on average; now and then many.
fn random_size(rng: &mut Stream) -> usize {
    let most = rng.pick(&[12, 12, 40, 40, 40, 120, 120, 300]);
    let most = if rng.chance(0.005) { 2_000 } else { most };
    rng.between(1, most) as usize
}

/// So many cpus, and memory to go with them.
fn cpus(cpus: u32) -> Resources {
    let memory = Bytes(u64::from(cpus) << 30);
    Resources { cpus: MilliCpus::whole(cpus), memory, ..Resources::default() }
}

fn random_parents(rng: &mut Stream, order: &[u32]) -> Vec<Vec<u32>> {
    let mut parents = vec![Vec::new(); order.len()];
    let density = rng.pick(&[0.0, 0.1, 0.3, 0.7]);
    for (position, &task) in order.iter().enumerate() {
        for &before in &order[position.saturating_sub(5)..position] {
            if rng.chance(density) {
                parents[task as usize].push(before);
            }
        }
    }
    parents
}

fn random_template(rng: &mut Stream, task: usize, delicate: f64) -> Template {
    let retries = Retries {
        count: rng.pick(&[0, 1, 1, 2, 3]),
        backoff: Duration::from_millis(rng.between(1, 20_000)),
        ..Retries::default()
    };
    let granted = Resources {
        cpus: MilliCpus(rng.pick(&[500, 1_000, 1_000, 2_000])),
        memory: Bytes(rng.between(0, 2 << 30)),
        ..Resources::default()
    };
    Template {
        name: format!("t{task}"),
        command: CommandTemplate::Shell(TextTemplate::default()),
        resources: Per::Same(granted),
        idempotent: !rng.chance(delicate),
        retries,
        timeout: rng.chance(0.4).then(|| Duration::from_secs(60)),
        ..Template::default()
    }
}

fn random_scripts(
    rng: &mut Stream,
    templates: &[Template],
    has_outputs: &[bool],
    can_fail: bool,
    is_store_well: bool,
) -> BTreeMap<TaskId, Script> {
    let trouble = rng.pick(&[0.0, 0.0, 0.05, 0.2, 0.5]);
    let disk_trouble = rng.pick(&[0.0, 0.0, 0.1, 0.6]);
    let mut scripts = BTreeMap::new();
    for (task, (template, &has_outputs)) in (0..).map(TaskId).zip(templates.iter().zip(has_outputs))
    {
        let mut kinds = vec![Failure::Exit, Failure::Signal, Failure::OverLimit];
        kinds.push(Failure::CannotStart);
        kinds.extend(template.timeout.map(|_| Failure::Hang));
        kinds.extend(has_outputs.then_some(Failure::BadOutput));
        let failures_max = if rng.chance(0.7) { 2 } else { 5 };
        let n_failures = if rng.chance(trouble) { rng.between(1, failures_max) } else { 0 };
        let failures = (0..n_failures).map(|_| rng.pick(&kinds)).collect();
        let fails_to_publish = rng.chance(disk_trouble);
        let publish_failures = 1 + rng.below(4);
        let script = Script {
            needs: Bytes(0),
            failures: if can_fail { failures } else { Vec::new() },
            publish_failures: if has_outputs && fails_to_publish && !is_store_well {
                publish_failures
            } else {
                0
            },
            is_stubborn: rng.chance(0.3),
            is_unchanged: rng.chance(0.6),
        };
        scripts.insert(task, script);
    }
    scripts
}

/// Lets some tasks need more than they ask for, and some start with what was learned.
fn random_memory(
    rng: &mut Stream,
    templates: &mut [Template],
    scripts: &mut BTreeMap<TaskId, Script>,
    site: &VirtualSite,
    can_fail: bool,
) -> MemoryTerms {
    let (short, learned) = (rng.pick(&[0.0, 0.0, 0.1, 0.5]), rng.pick(&[0.0, 0.3]));
    let mut terms = MemoryTerms {
        nodes: site.zones.iter().map(|zone| vec![zone.node.clone()]).collect(),
        ..MemoryTerms::default()
    };
    for (task, template) in (0..).map(TaskId).zip(templates) {
        let asked = template.resources.get(0).memory;
        template.memory = MemoryGrowth {
            retries: rng.pick(&[0, 1, 3, 3, 9]),
            factor: rng.pick(&[2.0, 3.0]),
            max: rng.chance(0.3).then(|| Bytes(rng.between(asked.0, 4 << 30))),
            is_open: rng.chance(0.5),
        };
        let needs = Bytes(rng.between(1, 5 << 30));
        if rng.chance(short) && can_fail {
            scripts.entry(task).or_default().needs = needs;
        }
        if rng.chance(learned) {
            let start = Bytes(rng.between(1 << 20, 5 << 30));
            terms.learned.insert(template.name.clone(), LearnedMemory { start, attempts: 3 });
        }
    }
    terms
}

/// Topologically consecutive tasks form shards, so that the graph of shards is acyclic.
fn random_plan(rng: &mut Stream, order: &[u32], n_finals: usize, n_zones: usize) -> Plan {
    let n = order.len() + n_finals;
    let finals = (order.len()..n).map(TaskId::from_index);
    let shards = if rng.chance(0.5) {
        Shards::Singletons(n as u32)
    } else {
        let mut rest = order.iter().map(|&task| TaskId(task)).peekable();
        let mut listed = Vec::new();
        while rest.peek().is_some() {
            let size = rng.between(1, 5) as usize;
            listed.push(rest.by_ref().take(size).collect());
        }
        if n_finals > 0 && rng.chance(0.5) {
            listed.push(finals.collect());
        } else {
            listed.extend(finals.map(|task| vec![task]));
        }
        Shards::Listed(listed)
    };
    let n_shards = match &shards {
        Shards::Singletons(n) => *n as usize,
        Shards::Listed(listed) => listed.len(),
    };
    let zones = (0..n_shards).map(|_| ZoneId::from_index(rng.below(n_zones))).collect();
    let mut by_position: Vec<ShardId> = (0..n_shards as u32).map(ShardId).collect();
    rng.shuffle(&mut by_position);
    let placements = if n_zones == 1 || rng.chance(0.3) {
        Placements::AllIn(ZoneId(0))
    } else {
        Placements::Each(zones)
    };
    let order = if rng.chance(0.5) { Order::ById } else { Order::Listed(by_position) };
    Plan { id: PlanId(1), shards, placements, order }
}

/// Everything, or some tasks with all that they need.
fn random_selection(rng: &mut Stream, parents: &[Vec<u32>], n_regular: usize) -> TaskRanges {
    if rng.chance(0.8) {
        return TaskRanges::all(parents.len());
    }
    let mut is_wanted = vec![false; parents.len()];
    let is_wanted_itself = |&task: &u32| task as usize >= n_regular || rng.chance(0.4);
    let mut stack: Vec<u32> = (0..parents.len() as u32).filter(is_wanted_itself).collect();
    while let Some(task) = stack.pop() {
        if !std::mem::replace(&mut is_wanted[task as usize], true) {
            stack.extend(&parents[task as usize]);
        }
    }
    let wanted = (0..parents.len()).filter(|&task| is_wanted[task]);
    TaskRanges::from_sorted(wanted.map(TaskId::from_index))
}

/// What can be drawn at most, per occasion.
const STRONGEST: [(Fault, f64); 27] = [
    (Fault::OrchestratorCrash, 0.06),
    (Fault::MachineCrash, 0.5),
    (Fault::Zombie, 0.5),
    (Fault::DiskFull, 0.003),
    (Fault::SlowSync, 0.9),
    (Fault::SubmitFailedThoughAccepted, 0.3),
    (Fault::SubmitLost, 0.3),
    (Fault::LaunchFailure, 0.3),
    (Fault::RateLimit, 0.3),
    (Fault::OrderDoubled, 0.2),
    (Fault::ObservationLost, 0.3),
    (Fault::ObservationDoubled, 0.3),
    (Fault::ObservationStale, 0.2),
    (Fault::ObservationLate, 0.2),
    (Fault::Unknown, 0.1),
    (Fault::FalseLoss, 0.03),
    (Fault::Partition, 0.02),
    (Fault::KeeperDeath, 0.06),
    (Fault::SlowNode, 0.3),
    (Fault::CapacityFlap, 0.1),
    (Fault::CommitLost, 0.3),
    (Fault::SlowStore, 0.2),
    (Fault::MercurialNode, 0.3),
    (Fault::CommandDoubled, 0.7),
    (Fault::StalePlan, 0.5),
    (Fault::ClockJump, 0.02),
    (Fault::ClockBack, 0.02),
];

/// Those that are either on or off; how strong they are is drawn where they are put to use.
const SWITCHED: [Fault; 8] = [
    Fault::ClockSkew,
    Fault::Preemption,
    Fault::Outage,
    Fault::Oscillation,
    Fault::WalltimeOver,
    Fault::Corruption,
    Fault::Command,
    Fault::SenselessPlan,
];

/// One run in seven is calm; otherwise each class is on or off, and in a class each kind.
fn random_faults(rng: &mut Stream, until: Timestamp) -> Faults {
    let mut faults = Faults::until(until);
    let is_calm = rng.chance(0.15);
    let is_on = Class::ALL.map(|_| rng.chance(0.7));
    for (fault, most) in STRONGEST {
        let strength = rng.unit() * most;
        if !is_calm && is_on[fault.class() as usize] && rng.chance(0.8) {
            faults.set(fault, strength);
        }
    }
    for fault in SWITCHED {
        if !is_calm && is_on[fault.class() as usize] && rng.chance(0.6) {
            faults.set(fault, 0.5);
        }
    }
    faults
}

fn random_commands(rng: &mut Stream, faults: &Faults) -> Vec<(Timestamp, Command)> {
    let kinds = [Command::Drain, Command::Drain, Command::Stop, Command::Stop, Command::Cancel];
    let n = if faults.is_on(Fault::Command) { rng.between(1, 4) } else { 0 };
    let last = rng.pick(&[30, 60, 120, 400]);
    let times: Vec<Timestamp> = (0..n).map(|_| seconds(rng.between(0, last))).collect();
    times.into_iter().map(|at| (at, rng.pick(&kinds))).collect()
}

fn random_site(rng: &mut Stream, n_zones: usize, faults: &Faults) -> VirtualSite {
    let mut zones = Vec::new();
    let outage = random_outage(rng, faults);
    for zone in 0..n_zones {
        let mut row = VirtualZone::steady(format!("z{zone}"), cpus(rng.between(2, 4) as u32), 4);
        row.available = random_room(rng, faults, outage);
        row.walltime = (faults.is_on(Fault::WalltimeOver) && rng.chance(0.3))
            .then(|| Duration::from_secs(rng.between(300, 2_000)));
        row.wait = Delay::UpTo(Duration::from_secs(rng.pick(&[0, 1, 60])));
        row.launch = Delay::UpTo(Duration::from_secs(10));
        row.notice = rng.chance(0.3).then(|| Duration::from_secs(rng.between(1, 60)));
        row.refuses = rng.chance(0.3);
        row.price = Steps::constant(rng.unit());
        row.speed = rng.pick(&[1.0, 1.0, 1.0, 2.0]);
        let corruption = rng.unit() * 0.2;
        if faults.is_on(Fault::Corruption) && rng.chance(0.3) {
            row.corruption = corruption;
        }
        zones.push(row);
    }
    let link = Link {
        latency: Duration::from_millis(rng.between(0, 2_000)),
        bandwidth: rng.chance(0.5).then_some(2e8),
        price_per_gb: rng.unit(),
    };
    let usual = if rng.chance(0.4) { link } else { Link::default() };
    VirtualSite {
        zones,
        links: Links { usual, is_shared: rng.chance(0.5), ..Links::default() },
        paces: Paces {
            order: Delay::UpTo(Duration::from_secs(2)),
            tell: Delay::UpTo(Duration::from_millis(500)),
            spawn: Delay::UpTo(Duration::from_millis(200)),
            commit: Delay::UpTo(Duration::from_secs(3)),
            publish: Delay::UpTo(Duration::from_secs(rng.pick(&[1, 1, 60]))),
        },
    }
}

/// When all zones are away at once.
fn random_outage(rng: &mut Stream, faults: &Faults) -> Option<(Timestamp, Timestamp)> {
    let from = seconds(rng.between(0, faults.until.0.max(0) as u64 / 1_000_000));
    let to = from + Duration::from_secs(rng.between(1, 200));
    (faults.is_on(Fault::Outage) && rng.chance(0.5)).then(|| (from, to.min(faults.until)))
}

/// Room that comes and goes until a time, and stays from then on.
fn random_room(
    rng: &mut Stream,
    faults: &Faults,
    outage: Option<(Timestamp, Timestamp)>,
) -> Steps<u32> {
    let until = faults.until;
    let comes_and_goes = rng.chance(0.5) && faults.is_on(Fault::Preemption);
    let slowest = if faults.is_on(Fault::Oscillation) && rng.chance(0.3) { 3 } else { 120 };
    let mut changes = vec![(seconds(0), if comes_and_goes { rng.between(0, 3) as u32 } else { 4 })];
    let mut at = seconds(rng.between(1, slowest));
    while comes_and_goes && at < until {
        changes.push((at, rng.between(0, 3) as u32));
        // What changes each second does so for a while.
        let slowest = if changes.len() < 100 { slowest } else { 120 };
        at = at + Duration::from_secs(rng.between(1, slowest));
    }
    if let Some((from, to)) = outage {
        let before = |&(at, _): &(Timestamp, u32)| at <= to;
        let there = changes.iter().rfind(|change| before(change)).map_or(4, |&(_, room)| room);
        changes.retain(|&(at, _)| at < from || at > to);
        let place = changes.partition_point(|&(at, _)| at < from);
        changes.splice(place..place, [(from, 0), (to, there)]);
    }
    if comes_and_goes {
        changes.push((until, rng.between(1, 4) as u32));
    }
    Steps::new(changes)
}

/// Tasks with these parents; one output each where asked for, read by the children.
fn build(templates: Vec<Template>, parents: &[Vec<u32>], has_outputs: &[bool]) -> Workflow {
    let mut files = FileTable::default();
    let (mut inputs, mut outputs, mut needs) = (Csr::default(), Csr::default(), Csr::default());
    let made = |task: usize| has_outputs[task].then(|| format!("o{task}"));
    for (task, parents) in parents.iter().enumerate() {
        let read = parents.iter().filter_map(|&parent| made(parent as usize));
        let read: Vec<Input> =
            read.map(|path| Input { slot: 0, file: files.intern(&path) }).collect();
        inputs.push_row(read);
        outputs.push_row(made(task).map(|path| files.intern(&path)));
        needs.push_row(parents.iter().copied());
    }
    let parts = Parts {
        name: "world".to_owned(),
        digest: Digest::of(b"world"),
        params: BTreeMap::new(),
        first_task: (0..=templates.len() as u32).collect(),
        templates,
        files,
        inputs,
        outputs,
        needs,
    };
    assemble(parts).expect("edges lead from earlier to later tasks")
}
