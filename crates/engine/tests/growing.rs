//! Random graphs that grow, run to the end through crashes and losses, against a reference that
//! knows the whole graph from the start.
//!
//! `FORESHARD_SEED=n` runs one seed, `FORESHARD_SEEDS=n` so many.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

use engine::action::{Grown, Lease};
use engine::cause::LossCause;
use engine::engine::Start;
use engine::event::Options;
use engine::input::{GrowthVerdict, Report};
use engine::memory::MemoryTerms;
use engine::phase::Phase;
use engine::ranges::TaskRanges;
use engine::task_state::TaskState;
use engine::{
    Action, AllocationId, AttemptId, Engine, Epoch, Event, Input, Observation, Outcome, Output,
    PublishedFile, Record, RunState, Usage,
};
use plan::{Order, Placements, Plan, PlanId, Shards};
use spec::growth::{Found, Growth};
use spec::resources::MilliCpus;
use spec::{Bytes, Digest, Resources, TaskId, Timestamp, Workflow, ZoneId};

/// One draw for each purpose, so that a design can be asked again for the same answer.
#[derive(Clone, Copy)]
struct Seed(u64);

impl Seed {
    fn draw(self, what: &str, below: u64) -> u64 {
        let digest = Digest::of_parts([&self.0.to_le_bytes()[..], what.as_bytes()]);
        u64::from_le_bytes(digest.0[..8].try_into().unwrap()) % below
    }
}

/// What a task turns out to make is told by its name and the seed alone.
struct Design {
    seed: Seed,
    n_base: u64,
}

/// Deeper, nothing is emitted.
const DEPTH_MAX: usize = 3;

impl Design {
    fn new(seed: u64) -> Self {
        Self { seed: Seed(seed), n_base: 2 + Seed(seed).draw("base", 5) }
    }

    fn depth(name: &str) -> usize {
        name.matches('.').count()
    }

    fn emits(&self, name: &str) -> bool {
        Self::depth(name) < DEPTH_MAX && self.seed.draw(&format!("emits {name}"), 3) == 0
    }

    /// Whether a fan-out `NAME-f` is discovered from the files of `name`.
    fn is_discovered_from(&self, name: &str) -> bool {
        Self::depth(name) < DEPTH_MAX && self.seed.draw(&format!("discovers {name}"), 3) == 0
    }

    fn files(&self, name: &str) -> Vec<String> {
        let n = self.seed.draw(&format!("files {name}"), 4);
        (0..n).map(|i| format!("f/{name}/{i}")).collect()
    }

    /// The names of tasks side by side: those of the file, or those that a task emits.
    fn siblings(&self, of: Option<&str>) -> Vec<String> {
        match of {
            None => (0..self.n_base).map(|i| format!("t{i}")).collect(),
            Some(name) if self.emits(name) => {
                let n = self.seed.draw(&format!("emitted {name}"), 4);
                (0..n).map(|i| format!("{name}.{i}")).collect()
            }
            Some(_) => Vec::new(),
        }
    }

    /// Which of the siblings before it a task needs.
    fn needs(&self, siblings: &[String], index: usize) -> Vec<String> {
        let name = &siblings[index];
        let is_needed = |other: &&String| self.seed.draw(&format!("{name} needs {other}"), 3) == 0;
        siblings[..index].iter().filter(is_needed).cloned().collect()
    }

    /// A file of tasks: the workflow, or what a task emits.
    fn file(&self, of: Option<&str>) -> String {
        let mut text = String::from("foreshard: 1\ntasks:\n");
        let siblings = self.siblings(of);
        if siblings.is_empty() {
            return "{foreshard: 1, tasks: {}}".to_owned();
        }
        for (index, name) in siblings.iter().enumerate() {
            let needs = self.needs(&siblings, index).join(", ");
            write!(text, "  {name}: {{run: x, needs: [{needs}], outputs: [\"f/{name}/*\"]")
                .unwrap();
            if self.emits(name) {
                write!(text, ", emits: more/{name}.yaml").unwrap();
            }
            text.push_str("}\n");
            if self.is_discovered_from(name) {
                writeln!(
                    text,
                    "  {name}-f: {{foreach: {{part: \"f/{name}/{{part}}\", from: {name}}}, run: x, outputs: \"g/{name}/{{part}}\"}}
  {name}-g: {{run: x, inputs: {{outputs_of: {name}-f}}, outputs: \"h/{name}\"}}"
                )
                .unwrap();
            }
        }
        text
    }

    fn growth(&self, workflow: &Workflow, task: TaskId) -> Growth {
        let name = workflow.task_name(task);
        let wanted = workflow.growth_wanted(task);
        let found = |(template, _): (String, String)| Found { template, files: self.files(&name) };
        Growth {
            found: wanted.patterns.into_iter().map(found).collect(),
            emitted: wanted.emits.map(|_| self.file(Some(&name))),
        }
    }
}

/// The whole graph by recursion over the design: each task with those it has to come after.
#[derive(Default)]
struct Reference(BTreeMap<String, BTreeSet<String>>);

impl Reference {
    fn of(design: &Design) -> Self {
        let mut reference = Self::default();
        reference.add(design, None);
        reference
    }

    /// Adds what `by` emits, and returns the names of all that comes of it.
    fn add(&mut self, design: &Design, by: Option<&str>) -> Vec<String> {
        let siblings = design.siblings(by);
        let mut families: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (index, name) in siblings.iter().enumerate() {
            let needs = design.needs(&siblings, index);
            let parents = needs.iter().flat_map(|need| families[need.as_str()].clone());
            self.0.insert(name.clone(), parents.chain(by.map(str::to_owned)).collect());
            let mut family = self.add(design, Some(name));
            family.push(name.clone());
            families.insert(name, family);
        }
        let mut all: Vec<String> = families.into_values().flatten().collect();
        for name in siblings.iter().filter(|name| design.is_discovered_from(name)) {
            let part = |file: &String| file.rsplit('/').next().unwrap().to_owned();
            let rows: Vec<String> =
                design.files(name).iter().map(|f| format!("{name}-f[{}]", part(f))).collect();
            for row in &rows {
                self.0.insert(row.clone(), [name.clone()].into());
            }
            let gather = format!("{name}-g");
            let source = [name.clone()];
            self.0.insert(gather.clone(), rows.iter().cloned().chain(source).collect());
            all.extend(rows);
            all.push(gather);
        }
        all
    }
}

/// A run with one place, whose keepers and orchestrators die now and then.
struct World<'d> {
    design: &'d Design,
    workflow: Arc<Workflow>,
    engine: Engine,
    journal: Vec<Record>,
    replayed: RunState,
    told: VecDeque<Observation>,
    /// What the keeper of the allocation was sent, and whether it is done.
    sent: BTreeMap<AttemptId, bool>,
    allocation: Option<AllocationId>,
    is_up: bool,
    n_draws: u64,
    epoch: u64,
    started: BTreeMap<String, usize>,
    published: BTreeMap<String, usize>,
}

impl<'d> World<'d> {
    fn new(design: &'d Design) -> Self {
        let source = spec::diagnostic::Source::new("w", design.file(None));
        let (workflow, mistakes) = spec::workflow_file::parse(&source, &BTreeMap::new());
        let workflow = Arc::new(workflow.unwrap_or_else(|| panic!("{mistakes:?}")));
        let n = workflow.n_tasks();
        let plan = Plan {
            id: PlanId(1),
            shards: Shards::Singletons(n as u32),
            placements: Placements::AllIn(ZoneId(0)),
            order: Order::ById,
        };
        let start = Start {
            plan,
            options: Options::default(),
            selected: TaskRanges::all(n),
            reusable: TaskRanges::default(),
            wanted: Vec::new(),
            memory: MemoryTerms::default(),
        };
        let engine = Engine::start(Arc::clone(&workflow), start, Timestamp(0));
        Self {
            design,
            replayed: RunState::new(Arc::clone(&workflow)),
            workflow,
            engine,
            journal: Vec::new(),
            told: VecDeque::new(),
            sent: BTreeMap::new(),
            allocation: None,
            is_up: false,
            n_draws: 0,
            epoch: 1,
            started: BTreeMap::new(),
            published: BTreeMap::new(),
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.n_draws += 1;
        self.design.seed.draw(&format!("world {}", self.n_draws), below)
    }

    fn run(&mut self) {
        for _ in 0..20_000 {
            self.drain();
            if let Phase::Finished(outcome) = self.engine.state().phase() {
                assert_eq!(outcome, Outcome::Succeeded);
                return;
            }
            let has_grown = matches!(
                self.journal.last().map(|record| &record.event),
                Some(Event::PublishIntended { .. } | Event::WorkflowGrown { .. })
            );
            match self.draw(if has_grown { 4 } else { 40 }) {
                0 => self.crash(),
                1 => self.lose_place(),
                _ => {}
            }
            self.finish_some();
            let n = 1 + self.draw(4) as usize;
            let told: Vec<_> = (0..n).filter_map(|_| self.next_told()).collect();
            self.engine.handle(Timestamp(self.journal.len() as i64), Input::Observations(told));
        }
        panic!("the run does not end");
    }

    /// News, in any order, now and then twice.
    fn next_told(&mut self) -> Option<Observation> {
        if self.told.is_empty() {
            return None;
        }
        let n = self.told.len() as u64;
        let index = self.draw(n) as usize;
        if self.draw(10) == 0 { self.told.get(index).cloned() } else { self.told.remove(index) }
    }

    fn drain(&mut self) {
        loop {
            match self.engine.poll() {
                Output::Record(record) => self.record(record),
                Output::Perform(action) => self.perform(action),
                Output::WaitUntil(_) => break,
            }
        }
        assert_eq!(&self.replayed, self.engine.state(), "replay and life differ");
    }

    fn record(&mut self, record: Record) {
        let text = serde_json::to_string(&record).unwrap();
        let read: Record = serde_json::from_str(&text).unwrap();
        self.replayed.apply(&read).unwrap();
        match &read.event {
            Event::AttemptStarted { attempt, .. } => self.on_started(attempt.task()),
            Event::Published { attempts } => {
                for attempt in attempts {
                    let name = self.replayed.workflow().task_name(attempt.task());
                    *self.published.entry(name).or_default() += 1;
                }
            }
            Event::AttemptCommitted { attempt, .. }
                if self.replayed.task(attempt.task()).state == TaskState::Published =>
            {
                let name = self.replayed.workflow().task_name(attempt.task());
                *self.published.entry(name).or_default() += 1;
            }
            _ => {}
        }
        self.journal.push(record);
    }

    fn on_started(&mut self, task: TaskId) {
        let workflow = self.replayed.workflow();
        *self.started.entry(workflow.task_name(task)).or_default() += 1;
        for parent in workflow.parents(task) {
            let state = self.replayed.task(parent).state;
            assert_eq!(state, TaskState::Published, "a task started before its parent was done");
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Allocate { allocation, .. } => {
                self.sent.clear();
                (self.allocation, self.is_up) = (Some(allocation), true);
                self.greet(allocation);
            }
            Action::Probe { allocation, .. } => {
                if self.is_up && self.allocation == Some(allocation) {
                    self.greet(allocation);
                    let done = self.sent.iter().filter(|(_, done)| **done);
                    let done: Vec<_> = done.map(|(&attempt, _)| attempt).collect();
                    for attempt in done {
                        self.report_done(attempt);
                    }
                } else {
                    self.tell_lost(allocation);
                }
            }
            Action::Lease { leases, .. } => {
                for Lease { attempt, .. } in leases {
                    self.sent.entry(attempt).or_insert(false);
                }
            }
            Action::Publish { attempts } => {
                let told = attempts.into_iter().map(|attempt| Observation::Published { attempt });
                self.told.extend(told);
            }
            Action::ReadGrowth { grown } => {
                for one in grown {
                    let told = self.read_growth(&one);
                    self.told.push_back(told);
                }
            }
            Action::Close { allocation } => {
                self.is_up = false;
                self.told.push_back(Observation::AllocationEnded { allocation });
            }
            Action::Revoke { .. } | Action::Kill { .. } | Action::CheckReuse { .. } => {}
        }
    }

    fn read_growth(&self, grown: &Grown) -> Observation {
        let workflow = self.engine.state().workflow();
        let growth = self.design.growth(workflow, grown.task);
        let n = workflow.grown(grown.task, &growth).map(|after| after.n_tasks());
        // Of a growth that is part of the graph already, only what was read counts.
        let n_new = n.map_or(0, |n| n - workflow.n_tasks());
        let zones = vec![ZoneId(0); n_new];
        let verdict = GrowthVerdict::Read { growth, zones, reusable: TaskRanges::default() };
        Observation::GrowthRead { task: grown.task, attempt: grown.attempt, verdict }
    }

    fn greet(&mut self, allocation: AllocationId) {
        let capacity = Resources { cpus: MilliCpus(4_000), ..Resources::default() };
        let known = self.sent.keys().copied().collect();
        self.told.push_back(Observation::AllocationUp { allocation, capacity, known });
    }

    fn finish_some(&mut self) {
        let running: Vec<_> = self.sent.iter().filter(|(_, d)| !**d).map(|(&a, _)| a).collect();
        for attempt in running.into_iter().take(3) {
            if self.draw(2) == 0 {
                self.sent.insert(attempt, true);
                self.report_done(attempt);
            }
        }
    }

    fn report_done(&mut self, attempt: AttemptId) {
        let Some(allocation) = self.allocation else { return };
        let started = Report::Started { attempt, at: Timestamp(0), slot: 0, pid: 1 };
        let name = self.engine.state().workflow().task_name(attempt.task());
        let file = |path: String| PublishedFile {
            digest: Digest::of(path.as_bytes()),
            path,
            size: Bytes(1),
            is_directory: false,
        };
        let outputs = self.design.files(&name).into_iter().map(file).collect();
        let committed = Report::Committed { attempt, usage: Usage::default(), outputs };
        for report in [started, committed] {
            self.told.push_back(Observation::Reported { allocation, report });
        }
    }

    fn lose_place(&mut self) {
        if let Some(allocation) = self.allocation.filter(|_| self.is_up) {
            self.is_up = false;
            self.tell_lost(allocation);
        }
    }

    fn tell_lost(&mut self, allocation: AllocationId) {
        let (cause, not_started) = (LossCause::KeeperDied, Vec::new());
        self.told.push_back(Observation::AllocationLost { allocation, cause, not_started });
    }

    /// A growth that was the last to be synced is read again by the next orchestrator.
    fn forget_what_followed_a_growth(&mut self) {
        let is_growth = |record: &Record| matches!(record.event, Event::WorkflowGrown { .. });
        let Some(last) = self.journal.iter().rposition(is_growth) else { return };
        let is_intent = |record: &Record| matches!(record.event, Event::PublishIntended { .. });
        if self.journal[last + 1..].iter().all(is_intent) {
            self.journal.truncate(last + 1);
            self.replayed = RunState::replay(Arc::clone(&self.workflow), &self.journal).unwrap();
        }
    }

    /// The orchestrator dies; another one knows the journal and nothing else.
    fn crash(&mut self) {
        self.told.clear();
        self.forget_what_followed_a_growth();
        self.epoch += 1;
        let engine = Engine::resume(
            Arc::clone(&self.workflow),
            &self.journal,
            Epoch(self.epoch),
            Timestamp(0),
        );
        self.engine = engine.unwrap();
    }
}

/// Returns how deep the graph has grown.
fn check(seed: u64) -> usize {
    let design = Design::new(seed);
    let reference = Reference::of(&design);
    let mut world = World::new(&design);
    world.run();
    let state = world.engine.state();
    let workflow = state.workflow();
    let names: BTreeSet<String> = workflow.tasks().map(|task| workflow.task_name(task)).collect();
    let expected: BTreeSet<String> = reference.0.keys().cloned().collect();
    assert_eq!(names, expected, "seed {seed}");
    for task in workflow.tasks() {
        let name = workflow.task_name(task);
        let parents: BTreeSet<String> =
            workflow.parents(task).map(|parent| workflow.task_name(parent)).collect();
        let missing: Vec<_> = reference.0[&name].difference(&parents).collect();
        assert!(missing.is_empty(), "seed {seed}: {name} does not wait for {missing:?}");
        assert_eq!(state.task(task).state, TaskState::Published, "seed {seed}: {name}");
        assert_eq!(world.published[&name], 1, "seed {seed}: {name}");
    }
    names.iter().map(|name| Design::depth(name)).max().unwrap_or(0)
}

#[expect(clippy::disallowed_methods, reason = "a person chooses seeds from outside")]
fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn graphs_that_grow_end_as_the_graph_that_is_known_from_the_start() {
    if let Some(seed) = from_environment("FORESHARD_SEED") {
        check(seed);
        return;
    }
    let mut depths = BTreeSet::new();
    for seed in 0..from_environment("FORESHARD_SEEDS").unwrap_or(300) {
        depths.insert(check(seed));
    }
    assert_eq!(depths.len(), DEPTH_MAX + 1, "some depth was never reached: {depths:?}");
}
