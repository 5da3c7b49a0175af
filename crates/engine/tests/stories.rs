//! Single stories of the engine, step by step, where random runs come by too rarely.

use std::sync::Arc;

use engine::cause::FailureCause;
use engine::engine::Start;
use engine::event::Options;
use engine::input::{Command, Report};
use engine::memory::{LearnedMemory, MemoryTerms};
use engine::ranges::TaskRanges;
use engine::task_state::TaskState;
use engine::{
    Action, AllocationId, AttemptId, Engine, Epoch, Event, Generation, Input, Manifest,
    Observation, Output, PublishedFile, Record, RunState, Usage,
};
use plan::{Order, Placements, Plan, PlanId, Shards};
use spec::assemble::{Parts, assemble};
use spec::command::{CommandTemplate, TextTemplate};
use spec::csr::Csr;
use spec::files::FileTable;
use spec::resources::MilliCpus;
use spec::template::{Per, Retries, Template};
use spec::{Bytes, Digest, Resources, TaskId, Timestamp, Workflow, ZoneId};

const A1: AllocationId = AllocationId(1);

/// An engine that remembers what it recorded and asked for.
struct Story {
    engine: Engine,
    workflow: Arc<Workflow>,
    records: Vec<Record>,
    actions: Vec<Action>,
}

impl Story {
    /// Tasks with these parents, each with an output and one retry, in these shards.
    fn new(parents: &[Vec<u32>], shards: Shards, options: Options) -> Self {
        Self::with_memory(parents, shards, options, MemoryTerms::default())
    }

    fn with_memory(
        parents: &[Vec<u32>],
        shards: Shards,
        options: Options,
        memory: MemoryTerms,
    ) -> Self {
        let retries = Retries { count: 1, ..Retries::default() };
        let templates = (0..parents.len()).map(|i| Template { retries, ..template(i) });
        let workflow = Arc::new(build(templates.collect(), parents, &vec![true; parents.len()]));
        let placements = Placements::AllIn(ZoneId(0));
        let plan = Plan { id: PlanId(1), shards, placements, order: Order::ById };
        let selected = TaskRanges::all(parents.len());
        let (reusable, wanted) = (TaskRanges::default(), Vec::new());
        let start = Start { plan, options, selected, reusable, wanted, memory };
        let engine = Engine::start(Arc::clone(&workflow), start, Timestamp(0));
        let mut story = Self { engine, workflow, records: Vec::new(), actions: Vec::new() };
        story.drive();
        story.up(&[]);
        story
    }

    fn drive(&mut self) {
        self.actions.clear();
        loop {
            match self.engine.poll() {
                Output::Record(record) => self.records.push(record),
                Output::Perform(action) => self.actions.push(action),
                Output::WaitUntil(_) => break,
            }
        }
    }

    fn see(&mut self, what: Observation) {
        self.engine.handle(Timestamp(0), Input::Observations(vec![what]));
        self.drive();
    }

    fn up(&mut self, known: &[AttemptId]) {
        let (allocation, capacity, known) = (A1, cpus(2), known.to_vec());
        self.see(Observation::AllocationUp { allocation, capacity, known });
    }

    fn commits(&mut self, task: u32) {
        let (attempt, usage) = (self.latest(task), Usage::default());
        let file = PublishedFile {
            path: attempt.to_string(),
            size: Bytes(1),
            digest: Digest::of(b""),
            is_directory: false,
        };
        let report = Report::Committed { attempt, usage, outputs: Manifest::from([file]) };
        self.see(Observation::Reported { allocation: A1, report });
    }

    fn fails(&mut self, task: u32) {
        let (attempt, usage) = (self.latest(task), Usage::default());
        let report = Report::Failed { attempt, cause: FailureCause::Exit(1), usage };
        self.see(Observation::Reported { allocation: A1, report });
    }

    fn runs_out_of_memory(&mut self, task: u32) {
        let (attempt, usage) = (self.latest(task), Usage::default());
        let granted = self.engine.state().granted(TaskId(task)).memory;
        let cause = FailureCause::OutOfMemory { granted, used: granted, bound: None };
        let allocation = self.engine.state().live()[&TaskId(task)].allocation;
        let report = Report::Failed { attempt, cause, usage };
        self.see(Observation::Reported { allocation, report });
    }

    /// The memory that was last leased for a task.
    fn leased(&self, task: u32) -> Option<Bytes> {
        let leases = self.actions.iter().filter_map(|action| match action {
            Action::Lease { leases, .. } => Some(leases),
            _ => None,
        });
        leases.flatten().find(|l| l.attempt.task() == TaskId(task)).map(|l| l.granted.memory)
    }

    fn is_killed(&mut self, task: u32) {
        let (attempt, usage) = (self.latest(task), Usage::default());
        self.see(Observation::Reported {
            allocation: A1,
            report: Report::Killed { attempt, usage },
        });
    }

    fn cannot_publish(&mut self, task: u32) {
        let (attempt, why) = (self.latest(task), "no space left".to_owned());
        self.see(Observation::PublishFailed { attempt, is_lost: false, why });
    }

    fn retry_later(&mut self) {
        self.engine.handle(Timestamp(1_000_000_000), Input::Wake);
        self.drive();
    }

    /// Another orchestrator takes over, with all records.
    fn resume(&mut self) {
        let workflow = Arc::clone(&self.workflow);
        let resumed = Engine::resume(workflow, &self.records, Epoch(2), Timestamp(0));
        self.engine = resumed.expect("the records follow from one another");
        self.drive();
    }

    fn latest(&self, task: u32) -> AttemptId {
        AttemptId(TaskId(task), self.engine.state().task(TaskId(task)).attempts)
    }

    fn state(&self, task: u32) -> TaskState {
        self.engine.state().task(TaskId(task)).state
    }
}

/// All in one shard, in this order.
fn listed(tasks: &[u32]) -> Shards {
    Shards::Listed(vec![tasks.iter().map(|&task| TaskId(task)).collect()])
}

fn together(n: u32) -> Shards {
    listed(&(0..n).collect::<Vec<u32>>())
}

#[test]
fn what_reads_a_commit_that_cannot_be_published_is_killed_and_runs_again() {
    let mut story = Story::new(&[vec![], vec![0]], together(2), Options::default());
    story.commits(0);
    story.cannot_publish(0);
    let kill = Action::Kill { allocation: A1, attempts: vec![story.latest(1)] };
    assert_eq!(story.actions, [kill]);
    story.is_killed(1);
    story.retry_later();
    assert_eq!((story.latest(0).number(), story.latest(1).number()), (2, 2));
    assert_eq!(story.engine.state().task(TaskId(1)).failures, 0, "it pays for nothing");
}

#[test]
fn a_task_that_waits_for_its_retry_is_skipped_when_what_it_needs_fails() {
    let mut story = Story::new(&[vec![], vec![0]], together(2), Options::default());
    story.commits(0);
    story.cannot_publish(0);
    story.is_killed(1);
    story.retry_later();
    story.commits(0);
    story.fails(1);
    assert_eq!(story.state(1), TaskState::Held);
    story.cannot_publish(0);
    assert_eq!((story.state(0), story.state(1)), (TaskState::Failed, TaskState::Skipped));
    story.retry_later();
    assert_eq!(story.state(1), TaskState::Skipped);
}

#[test]
fn commits_are_given_up_last_made_first_before_what_they_were_made_from() {
    let parents = [vec![2], vec![], vec![1]];
    let mut story = Story::new(&parents, listed(&[1, 2, 0]), Options::default());
    story.commits(2);
    story.commits(0);
    assert_eq!(story.state(0), TaskState::Committed, "what it read is not published yet");
    let n_before = story.records.len();
    story.fails(1);
    let ended = story.records[n_before..].iter().filter_map(|record| match record.event {
        Event::AttemptLost { attempt, .. } | Event::AttemptFailed { attempt, .. } => {
            Some(attempt.task().0)
        }
        _ => None,
    });
    assert_eq!(ended.collect::<Vec<_>>(), [0, 2, 1]);
    assert_eq!(story.state(0), TaskState::Ready);
}

#[test]
fn a_run_that_fails_fast_takes_back_what_has_not_started() {
    let options = Options { fail_fast: true, ..Options::default() };
    let mut story = Story::new(&[vec![], vec![], vec![]], Shards::Singletons(3), options);
    story.fails(0);
    assert_eq!(story.actions, [], "it is tried again");
    story.retry_later();
    story.fails(0);
    let left = vec![story.latest(1), story.latest(2)];
    assert_eq!(story.actions, [Action::Revoke { allocation: A1, attempts: left.clone() }]);
    story.resume();
    story.up(&left[..1]);
    assert_eq!(story.state(1), TaskState::Leased);
    assert_eq!(story.state(2), TaskState::Ready, "it was never sent, and is not sent now");
    assert!(!story.actions.iter().any(|action| matches!(action, Action::Lease { .. })));
}

#[test]
fn a_run_that_was_resumed_and_drains_sends_nothing_again() {
    let mut story = Story::new(&[vec![]], Shards::Singletons(1), Options::default());
    story.resume();
    story.engine.handle(Timestamp(0), Input::Command(Command::Drain));
    story.drive();
    story.up(&[]);
    assert_eq!(story.state(0), TaskState::Ready);
    assert_eq!(story.actions, [Action::Close { allocation: A1 }]);
}

#[test]
fn a_history_without_a_plan_cannot_be_resumed() {
    let story = Story::new(&[vec![]], Shards::Singletons(1), Options::default());
    for n in [0, 1] {
        let workflow = Arc::clone(&story.workflow);
        let resumed = Engine::resume(workflow, &story.records[..n], Epoch(2), Timestamp(0));
        assert_eq!(resumed.expect_err("nothing was done").why, "it ends before a plan");
    }
    let workflow = Arc::clone(&story.workflow);
    let headless = Engine::resume(workflow, &story.records[1..], Epoch(2), Timestamp(0));
    assert!(headless.is_err());
}

#[test]
fn being_stopped_is_not_held_against_a_task() {
    let options = Options { losses_max: 0, ..Options::default() };
    let mut story = Story::new(&[vec![]], Shards::Singletons(1), options);
    for _ in 0..3 {
        story.engine.handle(Timestamp(0), Input::Command(Command::Stop));
        story.drive();
        story.is_killed(0);
        assert_eq!(story.state(0), TaskState::Ready);
        story.resume();
        story.up(&[]);
    }
    assert_eq!(story.engine.state().task(TaskId(0)).losses, 0);
}

#[test]
fn a_commit_of_another_generation_is_no_history_of_ours() {
    let mut story = Story::new(&[vec![]], Shards::Singletons(1), Options::default());
    story.commits(0);
    assert!(RunState::replay(Arc::clone(&story.workflow), &story.records).is_ok());
    for record in &mut story.records {
        if let Event::AttemptCommitted { generation, .. } = &mut record.event {
            *generation = Generation(2);
        }
    }
    let error = RunState::replay(Arc::clone(&story.workflow), &story.records).unwrap_err();
    assert!(error.why.contains("generation"), "{error}");
}

fn gib(n: u64) -> Bytes {
    Bytes(n << 30)
}

/// Zones with one node each, of so many GiB.
fn nodes(sizes: &[u64]) -> MemoryTerms {
    let node = |&size: &u64| vec![Resources { memory: gib(size), ..cpus(2) }];
    MemoryTerms { nodes: sizes.iter().map(node).collect(), ..MemoryTerms::default() }
}

#[test]
fn who_runs_out_of_memory_gets_more_at_once_moves_to_a_larger_node_and_pays_no_retry() {
    let shards = Shards::Singletons(1);
    let mut story = Story::with_memory(&[vec![]], shards, Options::default(), nodes(&[2, 5]));
    assert_eq!(story.leased(0), Some(gib(1)));
    story.runs_out_of_memory(0);
    assert_eq!(story.leased(0), Some(gib(2)));
    story.runs_out_of_memory(0);
    let elsewhere = Action::Allocate { allocation: AllocationId(2), zone: ZoneId(1) };
    assert_eq!(story.actions, [elsewhere], "4 GiB fit the other zone only");
    let (allocation, capacity, known) = (AllocationId(2), cpus(2), Vec::new());
    story.see(Observation::AllocationUp { allocation, capacity, known });
    assert_eq!(story.leased(0), Some(gib(4)));
    story.runs_out_of_memory(0);
    assert_eq!(story.leased(0), Some(gib(5)), "all that the largest node has");
    story.runs_out_of_memory(0);
    assert_eq!(story.state(0), TaskState::Failed);
    assert_eq!(story.engine.state().task(TaskId(0)).failures, 0);
    let why = story.engine.state().failures()[&TaskId(0)].to_string();
    assert!(why.contains("3 `oom_retries` are used up"), "{why}");
    story.engine.handle(Timestamp(0), Input::Command(Command::RetryFailed));
    story.drive();
    assert_eq!(story.engine.state().granted(TaskId(0)).memory, gib(5), "it is not forgotten");
}

#[test]
fn who_has_all_there_is_and_runs_out_of_it_is_told_so() {
    let shards = Shards::Singletons(1);
    let mut story = Story::with_memory(&[vec![]], shards, Options::default(), nodes(&[2]));
    story.runs_out_of_memory(0);
    story.runs_out_of_memory(0);
    let why = story.engine.state().failures()[&TaskId(0)].to_string();
    let end = "used 2 GiB of 2 GiB, and gets no more: the largest node for it has 2 GiB";
    assert!(why.ends_with(end), "{why}");
}

#[test]
fn what_earlier_runs_took_is_where_a_task_starts_after_a_resume_too() {
    let start = gib(3);
    let learned = [("t0".to_owned(), LearnedMemory { start, attempts: 4 })].into();
    let memory = MemoryTerms { learned, ..nodes(&[2, 4]) };
    let mut story =
        Story::with_memory(&[vec![]], Shards::Singletons(1), Options::default(), memory);
    let zone = |story: &Story| story.engine.state().allocations()[&A1].zone;
    assert_eq!((story.leased(0), zone(&story)), (Some(start), ZoneId(1)), "2 GiB hold it not");
    story.resume();
    story.up(&[]);
    assert_eq!(story.leased(0), Some(start));
}

#[test]
fn a_task_that_fails_after_what_it_read_came_to_nothing_waits_for_no_retry() {
    let mut story = Story::new(&[vec![], vec![0]], together(2), Options::default());
    story.commits(0);
    story.cannot_publish(0);
    story.retry_later();
    story.is_killed(1);
    story.commits(0);
    story.cannot_publish(0);
    assert_eq!(story.state(0), TaskState::Failed);
    story.fails(1);
    assert_eq!(story.state(1), TaskState::Skipped);
}

/// So many cpus, and memory to go with them.
fn cpus(cpus: u32) -> Resources {
    Resources {
        cpus: MilliCpus::whole(cpus),
        memory: Bytes(u64::from(cpus) << 30),
        ..Resources::default()
    }
}

/// One task of one cpu, without retries.
fn template(task: usize) -> Template {
    Template {
        name: format!("t{task}"),
        command: CommandTemplate::Shell(TextTemplate::default()),
        resources: Per::Same(cpus(1)),
        ..Template::default()
    }
}

/// Tasks with these parents; one output each where asked for.
fn build(templates: Vec<Template>, parents: &[Vec<u32>], has_outputs: &[bool]) -> Workflow {
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
