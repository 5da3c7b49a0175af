//! What the engine costs per task, with an executor that does nothing:
//!
//! ```text
//! cargo run --release -p engine --example engine_rate [TASKS ...]
//! ```
//!
//! `us/task` is everything between the start of a run and its end, without journal and processes;
//! the aim is 5 us or less. `late` leaves every output unpublished until nothing else can go on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use engine::engine::Start;
use engine::event::Options;
use engine::input::Report;
use engine::memory::MemoryTerms;
use engine::phase::Phase;
use engine::ranges::TaskRanges;
use engine::{
    Action, AllocationId, AttemptId, Engine, Input, Observation, Output, PublishedFile, Usage,
};
use spec::assemble::{Parts, assemble};
use spec::command::{CommandTemplate, TextTemplate};
use spec::csr::Csr;
use spec::files::FileTable;
use spec::resources::MilliCpus;
use spec::template::{Domain, Per, Template, Variable};
use spec::{Bytes, Digest, Resources, Site, Timestamp, Workflow};

const WIDTH: u32 = 1_000;
/// How many reports reach the engine in one call.
const BATCH: usize = 16;

fn main() {
    let chosen: Vec<u32> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let sizes = if chosen.is_empty() { vec![10_000, 100_000, 1_000_000] } else { chosen };
    println!(
        "{:>10} {:9} {:8} {:>9} {:>9} {:>9} {:>9} {:>11}",
        "tasks", "graph", "outputs", "plan", "start", "run", "us/task", "bytes/task"
    );
    for n in sizes {
        for is_layered in [false, true] {
            for outputs in [Outputs::None, Outputs::One, Outputs::Late] {
                measure(n, is_layered, outputs);
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outputs {
    None,
    One,
    Late,
}

fn measure(n: u32, is_layered: bool, outputs: Outputs) {
    let workflow = Arc::new(workflow(n, is_layered));
    let cpus = Resources { cpus: MilliCpus::whole(64), ..Resources::default() };
    let site = Site::this_machine(cpus.clone(), "host");
    let before = resident();
    let begun = now();
    let plan = plan::make(&workflow, &site).expect("every task fits");
    let planned = now();
    let start = Start {
        plan,
        options: Options::default(),
        selected: TaskRanges::all(workflow.n_tasks()),
        reusable: TaskRanges::default(),
        memory: MemoryTerms::default(),
        wanted: Vec::new(),
    };
    let engine = Engine::start(Arc::clone(&workflow), start, Timestamp(0));
    let started = now();
    let mut executor =
        Executor { outputs, cpus, told: VecDeque::new(), published: VecDeque::new() };
    let engine = executor.run(engine);
    let ended = now();
    let bytes = resident().saturating_sub(before) / u64::from(n);
    assert!(matches!(engine.state().phase(), Phase::Finished(_)), "it came to its end");
    let per_task = (ended - started).as_secs_f64() * 1e6 / f64::from(n);
    let graph = if is_layered { "layered" } else { "flat" };
    let outputs = format!("{outputs:?}").to_lowercase();
    println!(
        "{n:>10} {graph:9} {outputs:8} {:>8.0?} {:>8.0?} {:>8.0?} {per_task:>9.2} {bytes:>11}",
        planned - begun,
        started - planned,
        ended - started,
    );
}

/// Reports every attempt as started and committed at once.
struct Executor {
    outputs: Outputs,
    cpus: Resources,
    told: VecDeque<Observation>,
    published: VecDeque<Observation>,
}

impl Executor {
    fn run(&mut self, mut engine: Engine) -> Engine {
        loop {
            loop {
                match engine.poll() {
                    Output::Record(record) => drop(record),
                    Output::Perform(action) => self.perform(action),
                    Output::WaitUntil(_) => break,
                }
            }
            if self.told.is_empty() || self.outputs != Outputs::Late {
                self.told.append(&mut self.published);
            }
            if self.told.is_empty() {
                return engine;
            }
            let batch = self.told.drain(..self.told.len().min(BATCH)).collect();
            engine.handle(Timestamp(1), Input::Observations(batch));
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Allocate { allocation, .. } => {
                let (capacity, known) = (self.cpus.clone(), Vec::new());
                self.told.push_back(Observation::AllocationUp { allocation, capacity, known });
            }
            Action::Lease { allocation, leases } => {
                for lease in leases {
                    self.report(allocation, lease.attempt);
                }
            }
            Action::Publish { attempts } => {
                let published =
                    attempts.into_iter().map(|attempt| Observation::Published { attempt });
                self.published.extend(published);
            }
            Action::Close { allocation } => {
                self.told.push_back(Observation::AllocationEnded { allocation });
            }
            Action::Probe { .. }
            | Action::Revoke { .. }
            | Action::Kill { .. }
            | Action::ReadGrowth { .. }
            | Action::CheckReuse { .. } => {}
        }
    }

    fn report(&mut self, allocation: AllocationId, attempt: AttemptId) {
        let started = Report::Started { attempt, at: Timestamp(1), slot: 0, pid: 1 };
        let file = || PublishedFile {
            path: format!("out/{attempt}"),
            size: Bytes(1),
            digest: Digest([0; 32]),
            is_directory: false,
        };
        let outputs = if self.outputs == Outputs::None { Vec::new() } else { vec![file()] };
        let committed = Report::Committed { attempt, usage: Usage::default(), outputs };
        let reports = [started, committed];
        self.told.extend(reports.map(|report| Observation::Reported { allocation, report }));
    }
}

/// One template; in a layered graph, each task needs two of the layer before.
fn workflow(n: u32, is_layered: bool) -> Workflow {
    let (mut inputs, mut outputs, mut needs) = (Csr::default(), Csr::default(), Csr::default());
    for task in 0..n {
        inputs.push_row([]);
        outputs.push_row([]);
        let above = task.checked_sub(WIDTH).filter(|_| is_layered);
        needs.push_row(above.into_iter().flat_map(|t| [t, t - t % WIDTH + (t + 7) % WIDTH]));
    }
    let domain = Domain::Range { start: 0, step: 1, len: n };
    let template = Template {
        name: "t".to_owned(),
        command: CommandTemplate::Shell(TextTemplate::default()),
        variables: vec![Variable { name: "i".to_owned(), domain, repeat: 1 }],
        resources: Per::Same(Resources { cpus: MilliCpus::ONE, ..Resources::default() }),
        ..Template::default()
    };
    let parts = Parts {
        name: "rate".to_owned(),
        digest: Digest([0; 32]),
        params: std::collections::BTreeMap::new(),
        templates: vec![template],
        first_task: vec![0, n],
        files: FileTable::default(),
        inputs,
        outputs,
        needs,
    };
    assemble(parts).expect("edges lead from one layer to the next")
}

fn now() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a measurement reads the clock; the engine does not"
    )]
    Instant::now()
}

/// Resident memory of this process, in bytes; 0 where Linux does not tell.
fn resident() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a measurement reads /proc; the engine does not")]
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}
