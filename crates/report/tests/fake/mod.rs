//! Histories as the real engine writes them, from an executor that only pretends, in virtual time.
//!
//! A task takes as long as the story says; committing takes no time, publishing a tenth of a
//! second, so that every figure can be worked out by hand.

#![allow(dead_code, clippy::allow_attributes, reason = "each test binary uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::cause::{FailureCause, LossCause};
use engine::engine::Start;
use engine::event::Options;
use engine::input::{MachineUsage, Report, ReuseVerdict};
use engine::memory::MemoryTerms;
use engine::outcome::Usage;
use engine::ranges::TaskRanges;
use engine::{
    Action, AllocationId, AttemptId, Command, Engine, Epoch, Input, Observation, Output, Record,
};
use spec::diagnostic::Source;
use spec::resources::MilliCpus;
use spec::{Bytes, Duration, Resources, Site, TaskId, Timestamp, Workflow};

/// 2026-01-01 00:00:00 UTC: when every story begins.
pub(crate) const BEGIN: Timestamp = Timestamp(1_767_225_600_000_000);

/// How long publishing takes.
pub(crate) const PUBLISH: Duration = Duration::from_millis(100);

/// A workflow out of its text.
pub(crate) fn workflow(text: &str) -> Arc<Workflow> {
    let source = Source { name: "story.yaml".to_owned(), text: text.to_owned() };
    let (workflow, diagnostics) = spec::workflow_file::parse(&source, &BTreeMap::new());
    Arc::new(workflow.unwrap_or_else(|| panic!("{diagnostics:?}")))
}

/// What one attempt does.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// Runs this long, and succeeds.
    Run(f64),
    /// Runs this long, and fails.
    Fail(f64, FailureCause),
}

type DeedOf = Box<dyn Fn(&str, u32) -> Deed>;
type VerdictOf = Box<dyn Fn(&str) -> Option<ReuseVerdict>>;

/// What happens in a run.
pub(crate) struct Story {
    pub workflow: Arc<Workflow>,
    pub cpus: u32,
    pub deed: DeedOf,
    /// The keeper dies at this time, in seconds since the beginning.
    pub keeper_dies_at: Option<f64>,
    /// The orchestrator dies at the first time and is followed by another at the second.
    pub away: Option<(f64, f64)>,
    /// A person asks this at this time.
    pub command: Option<(f64, Command)>,
    /// The tasks with an earlier result, and what comes of comparing it.
    pub reuse: VerdictOf,
    /// The machine is measured this often.
    pub measured_every: Option<f64>,
}

impl Story {
    pub(crate) fn of(text: &str, cpus: u32, deed: impl Fn(&str, u32) -> Deed + 'static) -> Self {
        Self {
            workflow: workflow(text),
            cpus,
            deed: Box::new(deed),
            keeper_dies_at: None,
            away: None,
            command: None,
            reuse: Box::new(|_| None),
            measured_every: None,
        }
    }

    /// Plays it to the end.
    pub(crate) fn play(&self) -> Vec<Record> {
        let site = Site::this_machine(self.node(), "host");
        let plan = plan::make(&self.workflow, &site).expect("the machine holds every task");
        let all = TaskRanges::all(self.workflow.n_tasks());
        let is_reusable = |task: &TaskId| (self.reuse)(&self.workflow.task_name(*task)).is_some();
        let reusable = TaskRanges::from_sorted(self.workflow.tasks().filter(is_reusable));
        let (options, memory, wanted) = (Options::default(), MemoryTerms::default(), Vec::new());
        let start = Start { plan, options, selected: all, reusable, memory, wanted };
        let engine = Engine::start(Arc::clone(&self.workflow), start, BEGIN);
        Stage::new(self, engine).play()
    }

    fn node(&self) -> Resources {
        Resources {
            cpus: MilliCpus::whole(self.cpus),
            memory: Bytes(64 << 30),
            ..Resources::default()
        }
    }
}

/// A time in a story, in seconds since the beginning.
pub(crate) fn at(seconds: f64) -> Timestamp {
    BEGIN + Duration::from_secs_f64(seconds)
}

enum Cue {
    Tell(Observation),
    End(AttemptId),
    KeeperDies,
    Ask(Command),
    Measure,
}

struct Stage<'a> {
    story: &'a Story,
    engine: Engine,
    records: Vec<Record>,
    cues: BTreeMap<(Timestamp, u64), Cue>,
    n_cues: u64,
    now: Timestamp,
    allocation: AllocationId,
    is_up: bool,
    known: Vec<AttemptId>,
    queue: BTreeMap<(u32, AttemptId), Resources>,
    running: BTreeMap<AttemptId, (Timestamp, u32)>,
    free: Resources,
    slots: BTreeSet<u32>,
}

impl<'a> Stage<'a> {
    fn new(story: &'a Story, engine: Engine) -> Self {
        let mut stage = Self {
            story,
            engine,
            records: Vec::new(),
            cues: BTreeMap::new(),
            n_cues: 0,
            now: BEGIN,
            allocation: AllocationId(0),
            is_up: false,
            known: Vec::new(),
            queue: BTreeMap::new(),
            running: BTreeMap::new(),
            free: story.node(),
            slots: BTreeSet::new(),
        };
        if let Some(seconds) = story.keeper_dies_at {
            stage.cue(at(seconds), Cue::KeeperDies);
        }
        if let Some((seconds, command)) = story.command {
            stage.cue(at(seconds), Cue::Ask(command));
        }
        if let Some(seconds) = story.measured_every {
            stage.cue(at(seconds), Cue::Measure);
        }
        stage
    }

    fn play(mut self) -> Vec<Record> {
        let away = self.story.away.map(|(from, to)| (at(from), at(to)));
        let mut is_back = false;
        let mut held_back = Vec::new();
        let mut wait = self.settle();
        loop {
            let next = self.cues.keys().next().map(|&(at, _)| at);
            let Some(time) = next.into_iter().chain(wait).min() else { return self.records };
            if away.is_some_and(|(from, to)| time > from && time >= to) && !is_back {
                is_back = true;
                self.now = away.map_or(time, |(_, to)| to);
                self.take_over();
                wait = self.settle();
                for observation in held_back.drain(..) {
                    self.cue(self.now, Cue::Tell(observation));
                }
                continue;
            }
            let is_away = away.is_some_and(|(from, _)| time > from && !is_back);
            self.now = self.now.max(time);
            let mut told = Vec::new();
            while let Some(entry) = self.cues.first_entry().filter(|e| e.key().0 <= self.now) {
                match entry.remove() {
                    Cue::Tell(observation) => told.push(observation),
                    Cue::End(attempt) => told.extend(self.end(attempt)),
                    Cue::KeeperDies => told.push(self.die()),
                    Cue::Ask(command) => self.engine.handle(self.now, Input::Command(command)),
                    Cue::Measure => told.push(self.measure()),
                }
            }
            told.extend(self.start_fitting());
            if is_away {
                held_back.extend(told);
                let (_, to) = away.expect("it is away");
                wait = Some(to);
            } else {
                let input = if told.is_empty() { Input::Wake } else { Input::Observations(told) };
                self.engine.handle(self.now, input);
                wait = self.settle();
            }
        }
    }

    fn take_over(&mut self) {
        let workflow = Arc::clone(&self.story.workflow);
        self.engine =
            Engine::resume(workflow, &self.records, Epoch(2), self.now).expect("its own records");
    }

    fn settle(&mut self) -> Option<Timestamp> {
        loop {
            match self.engine.poll() {
                Output::Record(record) => self.records.push(record),
                Output::Perform(action) => self.perform(action),
                Output::WaitUntil(time) => return time,
            }
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Allocate { allocation, .. } => {
                (self.allocation, self.is_up) = (allocation, true);
                self.greet();
            }
            Action::Probe { .. } => self.greet(),
            Action::Lease { leases, .. } => {
                for lease in leases {
                    self.known.push(lease.attempt);
                    self.queue.insert((lease.position, lease.attempt), lease.granted);
                }
                for told in self.start_fitting() {
                    self.cue(self.now, Cue::Tell(told));
                }
            }
            Action::Publish { attempts } => {
                for attempt in attempts {
                    self.cue(self.now + PUBLISH, Cue::Tell(Observation::Published { attempt }));
                }
            }
            Action::ReadGrowth { .. } => unreachable!("the graphs here do not grow"),
            Action::CheckReuse { tasks } => {
                for task in tasks {
                    let name = self.story.workflow.task_name(task);
                    let verdict = (self.story.reuse)(&name).expect("it is reusable");
                    self.cue(self.now, Cue::Tell(Observation::ReuseChecked { task, verdict }));
                }
            }
            Action::Revoke { attempts, .. } => {
                for attempt in attempts {
                    self.queue.retain(|&(_, queued), _| queued != attempt);
                    self.report(Report::Returned { attempt });
                }
            }
            Action::Kill { attempts, .. } => {
                for attempt in attempts {
                    self.queue.retain(|&(_, queued), _| queued != attempt);
                    self.release(attempt);
                    self.report(Report::Killed { attempt, usage: Usage::default() });
                }
            }
            Action::Close { allocation } => {
                self.is_up = false;
                self.cue(self.now, Cue::Tell(Observation::AllocationEnded { allocation }));
            }
        }
    }

    fn greet(&mut self) {
        let (allocation, capacity, known) =
            (self.allocation, self.story.node(), self.known.clone());
        self.cue(self.now, Cue::Tell(Observation::AllocationUp { allocation, capacity, known }));
    }

    fn start_fitting(&mut self) -> Vec<Observation> {
        let mut told = Vec::new();
        while let Some((&key, granted)) = self.queue.first_key_value() {
            if !self.is_up || !granted.fits(&self.free) {
                break;
            }
            self.free.take(granted);
            self.queue.remove(&key);
            let attempt = key.1;
            let slot = (0..).find(|slot| !self.slots.contains(slot)).expect("slots are endless");
            self.slots.insert(slot);
            self.running.insert(attempt, (self.now, slot));
            let (Deed::Run(seconds) | Deed::Fail(seconds, _)) = self.deed(attempt);
            self.cue(self.now + Duration::from_secs_f64(seconds), Cue::End(attempt));
            let report = Report::Started { attempt, at: self.now, slot, pid: 1 };
            told.push(Observation::Reported { allocation: self.allocation, report });
        }
        told
    }

    fn end(&mut self, attempt: AttemptId) -> Option<Observation> {
        let started_at = self.release(attempt)?;
        let busy = self.now.since(started_at);
        let usage = Usage {
            started_at,
            ended_at: self.now,
            cpu_user: Duration(busy.0 * 3 / 4),
            cpu_system: Duration(busy.0 / 8),
            memory_peak: Bytes((u64::from(attempt.task().0 % 7) + 1) << 26),
            network: None,
        };
        let report = match self.deed(attempt) {
            Deed::Run(_) => Report::Committed { attempt, usage, outputs: self.outputs(attempt) },
            Deed::Fail(_, cause) => Report::Failed { attempt, cause, usage },
        };
        Some(Observation::Reported { allocation: self.allocation, report })
    }

    fn outputs(&self, attempt: AttemptId) -> engine::Manifest {
        let workflow = &self.story.workflow;
        let file = |&file: &spec::FileId| engine::PublishedFile {
            path: workflow.files().path(file).to_owned(),
            size: Bytes(1),
            digest: spec::Digest::of(b"1"),
            is_directory: false,
        };
        workflow.outputs(attempt.task()).iter().map(file).collect()
    }

    /// Frees what an attempt holds; gives its start if it was running.
    fn release(&mut self, attempt: AttemptId) -> Option<Timestamp> {
        let (started_at, slot) = self.running.remove(&attempt)?;
        self.slots.remove(&slot);
        self.free.put(self.story.workflow.resources(attempt.task()));
        Some(started_at)
    }

    fn die(&mut self) -> Observation {
        self.is_up = false;
        self.running.clear();
        self.slots.clear();
        self.free = self.story.node();
        let queued = std::mem::take(&mut self.queue);
        let not_started = queued.into_keys().map(|(_, attempt)| attempt).collect();
        let (allocation, cause) = (self.allocation, LossCause::KeeperDied);
        Observation::AllocationLost { allocation, cause, not_started }
    }

    fn measure(&mut self) -> Observation {
        let interval = Duration::from_secs_f64(self.story.measured_every.expect("it is measured"));
        if self.engine.state().n_unfinished() > 0 {
            self.cue(self.now + interval, Cue::Measure);
        }
        let busy = self.running.len() as f32;
        let usage = MachineUsage {
            at: self.now,
            interval,
            cpus_busy: busy * 0.9,
            memory_used: Bytes((4 << 30) + (self.running.len() as u64) * (700 << 20)),
            network_in: Bytes(1 << 20),
            network_out: Bytes(1 << 18),
        };
        let report = Report::Measured { usage };
        Observation::Reported { allocation: self.allocation, report }
    }

    fn deed(&self, attempt: AttemptId) -> Deed {
        (self.story.deed)(&self.story.workflow.task_name(attempt.task()), attempt.number())
    }

    fn report(&mut self, report: Report) {
        let allocation = self.allocation;
        self.cue(self.now, Cue::Tell(Observation::Reported { allocation, report }));
    }

    fn cue(&mut self, at: Timestamp, cue: Cue) {
        self.n_cues += 1;
        self.cues.insert((at, self.n_cues), cue);
    }
}
