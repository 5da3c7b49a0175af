//! One random case: a workflow, a plan for it, what each task will do, and which faults strike.

use std::sync::Arc;

use engine::event::Options;
use engine::input::Command;
use engine::memory::{LearnedMemory, MemoryTerms};
use engine::ranges::TaskRanges;
use plan::{Order, Placements, Plan, PlanId, ShardId, Shards};
use spec::assemble::{Parts, assemble};
use spec::command::{CommandTemplate, TextTemplate};
use spec::csr::Csr;
use spec::files::FileTable;
use spec::resources::MilliCpus;
use spec::template::{MemoryGrowth, Per, Retries, Template};
use spec::{Bytes, Digest, Duration, Resources, TaskId, Timestamp, Workflow, ZoneId};

use crate::rng::Rng;

/// What a world starts from.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) workflow: Arc<Workflow>,
    pub(crate) plan: Plan,
    pub(crate) options: Options,
    pub(crate) selected: TaskRanges,
    pub(crate) reusable: TaskRanges,
    pub(crate) memory: MemoryTerms,
    /// By task.
    pub(crate) scripts: Vec<Script>,
    /// How long it can take to give outputs their final names.
    pub(crate) publishing: Duration,
    /// By zone.
    pub(crate) capacities: Vec<Resources>,
    pub(crate) faults: Faults,
    pub(crate) commands: Vec<(Timestamp, Command)>,
    /// How often a failed run is tried again.
    pub(crate) retries_of_run: u32,
}

/// What a task does when it is run.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// How it fails, the first time, the second time, …; then it succeeds.
    pub(crate) failures: Vec<Failure>,
    /// How often its outputs cannot be given their final names, once it has succeeded.
    pub(crate) publish_failures: usize,
    /// The memory without which it cannot even fail in another way.
    pub(crate) needs: Bytes,
    /// How long it runs.
    pub(crate) duration: Duration,
    /// Whether it ignores being asked to end.
    pub(crate) is_stubborn: bool,
    /// Whether its earlier result, if there is one, still stands.
    pub(crate) is_unchanged: bool,
}

/// A task's own failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Exit,
    Signal,
    TooSlow,
    OverLimit,
    CannotStart,
    BadOutput,
}

/// How often the world misbehaves, in 1,000 occasions, until `until`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) until: Timestamp,
    /// The orchestrator dies, at any step.
    pub(crate) crash: u32,
    /// The machine goes with it.
    pub(crate) machine: u32,
    pub(crate) keeper_death: u32,
    pub(crate) launch_failure: u32,
    pub(crate) duplicate: u32,
    pub(crate) delay: u32,
    pub(crate) stale: u32,
    pub(crate) lost_commit: u32,
    pub(crate) capacity: u32,
}

impl Case {
    /// The case of a seed.
    pub(crate) fn random(rng: &mut Rng) -> Self {
        let n = if rng.chance(100) { rng.between(20, 60) } else { rng.between(1, 14) } as usize;
        let n_zones = rng.between(1, 3) as usize;
        let mut order: Vec<u32> = (0..n as u32).collect();
        rng.shuffle(&mut order);
        let mut parents = random_parents(rng, &order);
        let calm = rng.chance(150);
        let mut templates: Vec<Template> = (0..n).map(|task| random_template(rng, task)).collect();
        let mut has_outputs: Vec<bool> = (0..n).map(|_| rng.chance(700)).collect();
        let n_finals = if rng.chance(500) { rng.between(1, 3) as usize } else { 0 };
        for task in n..n + n_finals {
            templates.push(Template { is_final: true, ..random_template(rng, task) });
            has_outputs.push(false);
            parents.push((n as u32..task as u32).filter(|_| rng.chance(300)).collect());
        }
        let plan = random_plan(rng, &order, n_finals, n_zones);
        let mut scripts = random_scripts(rng, &templates, &has_outputs);
        let reusable = if rng.chance(300) { 500 } else { 0 };
        let selected = random_selection(rng, &parents, n);
        let is_final = |task: &TaskId| task.index() >= n;
        let regular = selected.iter().filter(|task| !is_final(task));
        let reusable = regular.filter(|_| rng.chance(reusable)).collect::<Vec<_>>();
        let capacities: Vec<_> = (0..n_zones).map(|_| cpus(rng.between(2, 4) as u32)).collect();
        let memory = random_memory(rng, &mut templates, &mut scripts, &capacities);
        let workflow = Arc::new(build(templates, &parents, &has_outputs));
        let faults = if calm { Faults::default() } else { random_faults(rng) };
        let commands = if calm { Vec::new() } else { random_commands(rng) };
        let options = Options {
            fail_fast: rng.chance(150),
            queue_ahead: rng.pick(&[0, 1, 4, 128]),
            losses_max: rng.pick(&[1, 5, 1_000, 1_000]),
        };
        Self {
            workflow,
            plan,
            options,
            selected,
            reusable: TaskRanges::from_sorted(reusable),
            memory,
            scripts,
            capacities,
            publishing: Duration::from_secs(rng.pick(&[1, 1, 60])),
            faults,
            commands,
            retries_of_run: rng.pick(&[0, 0, 1, 2]),
        }
    }

    /// Whether a task has something to publish.
    pub(crate) fn has_outputs(&self, task: TaskId) -> bool {
        !self.workflow.outputs(task).is_empty()
    }

    /// Whether two tasks travel together.
    pub(crate) fn are_together(&self, a: TaskId, b: TaskId) -> bool {
        let of = self.plan.shard_of_tasks(self.workflow.n_tasks());
        of[a.index()] == of[b.index()]
    }
}

/// So many cpus, and memory to go with them.
pub(crate) fn cpus(cpus: u32) -> Resources {
    Resources {
        cpus: MilliCpus::whole(cpus),
        memory: Bytes(u64::from(cpus) << 30),
        ..Resources::default()
    }
}

fn random_parents(rng: &mut Rng, order: &[u32]) -> Vec<Vec<u32>> {
    let mut parents = vec![Vec::new(); order.len()];
    let density = rng.pick(&[0, 100, 300, 700]);
    for (position, &task) in order.iter().enumerate() {
        for &before in &order[position.saturating_sub(5)..position] {
            if rng.chance(density) {
                parents[task as usize].push(before);
            }
        }
    }
    parents
}

fn random_template(rng: &mut Rng, task: usize) -> Template {
    let retries = Retries {
        count: rng.pick(&[0, 0, 1, 2, 3]),
        backoff: Duration::from_millis(rng.between(1, 20_000)),
        ..Retries::default()
    };
    let granted = Resources {
        cpus: MilliCpus(rng.pick(&[500, 1_000, 1_000, 2_000])),
        memory: Bytes(rng.between(0, 2 << 30)),
        ..Resources::default()
    };
    Template {
        resources: Per::Same(granted),
        idempotent: !rng.chance(150),
        retries,
        timeout: rng.chance(400).then(|| Duration::from_secs(60)),
        ..template(task)
    }
}

/// One task of one cpu, without retries.
pub(crate) fn template(task: usize) -> Template {
    Template {
        name: format!("t{task}"),
        command: CommandTemplate::Shell(TextTemplate::default()),
        resources: Per::Same(cpus(1)),
        ..Template::default()
    }
}

fn random_scripts(rng: &mut Rng, templates: &[Template], has_outputs: &[bool]) -> Vec<Script> {
    let trouble = rng.pick(&[0, 200, 500]);
    let disk_trouble = rng.pick(&[0, 0, 100, 600]);
    let mut scripts = Vec::new();
    for (template, &has_outputs) in templates.iter().zip(has_outputs) {
        let mut kinds = vec![Failure::Exit, Failure::Signal, Failure::OverLimit];
        kinds.push(Failure::CannotStart);
        kinds.extend(template.timeout.map(|_| Failure::TooSlow));
        kinds.extend(has_outputs.then_some(Failure::BadOutput));
        let n_failures = if rng.chance(trouble) { rng.between(1, 5) } else { 0 };
        scripts.push(Script {
            failures: (0..n_failures).map(|_| rng.pick(&kinds)).collect(),
            publish_failures: if has_outputs && rng.chance(disk_trouble) {
                1 + rng.below(4)
            } else {
                0
            },
            needs: Bytes(0),
            duration: Duration::from_millis(rng.between(1, 30_000)),
            is_stubborn: rng.chance(300),
            is_unchanged: rng.chance(600),
        });
    }
    scripts
}

/// Lets some tasks need more than they ask for, and some start with what was learned.
fn random_memory(
    rng: &mut Rng,
    templates: &mut [Template],
    scripts: &mut [Script],
    capacities: &[Resources],
) -> MemoryTerms {
    let (short, learned) = (rng.pick(&[0, 200, 600]), rng.pick(&[0, 300]));
    let mut terms = MemoryTerms {
        nodes: capacities.iter().map(|node| vec![node.clone()]).collect(),
        ..MemoryTerms::default()
    };
    for (template, script) in templates.iter_mut().zip(scripts) {
        let asked = template.resources.get(0).memory;
        template.memory = MemoryGrowth {
            retries: rng.pick(&[0, 1, 3, 3, 9]),
            factor: rng.pick(&[2.0, 3.0]),
            max: rng.chance(300).then(|| Bytes(rng.between(asked.0, 4 << 30))),
            is_open: rng.chance(500),
        };
        if rng.chance(short) {
            script.needs = Bytes(rng.between(1, 5 << 30));
        }
        if rng.chance(learned) {
            let start = Bytes(rng.between(1 << 20, 5 << 30));
            terms.learned.insert(template.name.clone(), LearnedMemory { start, attempts: 3 });
        }
    }
    terms
}

/// Topologically consecutive tasks form shards, so that the graph of shards is acyclic.
fn random_plan(rng: &mut Rng, order: &[u32], n_finals: usize, n_zones: usize) -> Plan {
    let n = order.len() + n_finals;
    let finals = (order.len()..n).map(TaskId::from_index);
    let shards = if rng.chance(500) {
        Shards::Singletons(n as u32)
    } else {
        let mut rest = order.iter().map(|&task| TaskId(task)).peekable();
        let mut listed = Vec::new();
        while rest.peek().is_some() {
            let size = rng.between(1, 5) as usize;
            listed.push(rest.by_ref().take(size).collect());
        }
        if n_finals > 0 && rng.chance(500) {
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
    let placements = if n_zones == 1 || rng.chance(300) {
        Placements::AllIn(ZoneId(0))
    } else {
        Placements::Each(zones)
    };
    let order = if rng.chance(500) { Order::ById } else { Order::Listed(by_position) };
    Plan { id: PlanId(1), shards, placements, order }
}

/// Everything, or some tasks with all that they need.
fn random_selection(rng: &mut Rng, parents: &[Vec<u32>], n_regular: usize) -> TaskRanges {
    if rng.chance(800) {
        return TaskRanges::all(parents.len());
    }
    let mut is_wanted = vec![false; parents.len()];
    let is_wanted_itself = |&task: &u32| task as usize >= n_regular || rng.chance(400);
    let mut stack: Vec<u32> = (0..parents.len() as u32).filter(is_wanted_itself).collect();
    while let Some(task) = stack.pop() {
        if !std::mem::replace(&mut is_wanted[task as usize], true) {
            stack.extend(&parents[task as usize]);
        }
    }
    let wanted = (0..parents.len()).filter(|&task| is_wanted[task]);
    TaskRanges::from_sorted(wanted.map(TaskId::from_index))
}

fn random_faults(rng: &mut Rng) -> Faults {
    let mut often =
        |most: u32| if rng.chance(500) { rng.between(1, u64::from(most)) as u32 } else { 0 };
    Faults {
        crash: often(60),
        machine: often(500),
        keeper_death: often(60),
        launch_failure: often(300),
        duplicate: often(300),
        delay: often(200),
        stale: often(200),
        lost_commit: often(300),
        capacity: often(100),
        until: Timestamp(rng.between(1, 300) as i64 * 1_000_000),
    }
}

fn random_commands(rng: &mut Rng) -> Vec<(Timestamp, Command)> {
    let kinds = [Command::Drain, Command::Drain, Command::Stop, Command::Stop, Command::Cancel];
    let n = if rng.chance(500) { rng.between(1, 4) } else { 0 };
    let mut at = || Timestamp(rng.between(0, 120_000_000) as i64);
    let times: Vec<Timestamp> = (0..n).map(|_| at()).collect();
    times.into_iter().map(|at| (at, rng.pick(&kinds))).collect()
}

/// Tasks with these parents; one output each where asked for.
pub(crate) fn build(
    templates: Vec<Template>,
    parents: &[Vec<u32>],
    has_outputs: &[bool],
) -> Workflow {
    let mut files = FileTable::default();
    let (mut inputs, mut outputs, mut needs) = (Csr::default(), Csr::default(), Csr::default());
    for (task, parents) in parents.iter().enumerate() {
        inputs.push_row([]);
        outputs.push_row(has_outputs[task].then(|| files.intern(&format!("o{task}"))));
        needs.push_row(parents.iter().copied());
    }
    let parts = Parts {
        name: "world".to_owned(),
        digest: Digest::of(b"world"),
        params: std::collections::BTreeMap::new(),
        first_task: (0..=templates.len() as u32).collect(),
        templates,
        files,
        inputs,
        outputs,
        needs,
    };
    assemble(parts).expect("edges lead from earlier to later tasks")
}
