//! Events as text: every one can be written and read, old ones stay readable, all are described.

use std::collections::BTreeSet;

use engine::cause::{FailureCause, LossCause, MemoryBound};
use engine::event::{Options, ShardGrant};
use engine::forecast::{ForecastSummary, ZoneForecast};
use engine::input::{Command, MachineUsage};
use engine::memory::{LearnedMemory, MemoryTerms};
use engine::ranges::TaskRanges;
use engine::{
    AllocationId, AttemptId, Epoch, Event, Generation, Manifest, Outcome, PublishedFile, Record,
    Usage,
};
use plan::{Order, Placements, Plan, PlanId, Revision, ShardId, Shards};
use spec::growth::{Found, Growth};
use spec::resources::MilliCpus;
use spec::{Bytes, Digest, Duration, Resources, TaskId, Timestamp, ZoneId};

/// One record of each event, as the first version wrote them. Lines are added, never taken away.
const V1: &str = include_str!("formats/v1.jsonl");
const DESCRIPTION: &str = include_str!("../../../docs/formats/events.md");

#[test]
fn every_event_comes_back_as_it_was_written() {
    for event in samples() {
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event, "{text}");
    }
}

#[test]
fn records_of_the_first_version_can_still_be_read() {
    let mut read = BTreeSet::new();
    for line in V1.lines() {
        let record: Record = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        read.insert(name(&record.event));
    }
    assert_eq!(read, samples().iter().map(name).collect(), "one record of each event");
}

#[test]
fn every_event_and_every_cause_is_described() {
    let mut names: BTreeSet<String> = samples().iter().map(name).collect();
    names.extend(causes().iter().map(|cause| outer(&serde_json::to_value(cause).unwrap())));
    names.extend(losses().iter().map(|cause| outer(&serde_json::to_value(cause).unwrap())));
    for name in names {
        assert!(DESCRIPTION.contains(&format!("`{name}`")), "`{name}` is not in events.md");
    }
}

fn forecast() -> ForecastSummary {
    let zone = |zone, is_up, up| ZoneForecast {
        zone: ZoneId(zone),
        is_up,
        up: vec![up, 700],
        survival: vec![900, 250],
    };
    ForecastSummary {
        origin: Timestamp(1_700_000_000_000_000),
        model: "blend".to_owned(),
        minutes: vec![60, 1440],
        zones: vec![zone(0, Some(true), 950), zone(1, None, 500)],
    }
}

/// The name under which an event is written.
fn name(event: &Event) -> String {
    outer(&serde_json::to_value(event).expect("events can be written"))
}

fn outer(value: &serde_json::Value) -> String {
    let text = value.as_str().or_else(|| value.as_object()?.keys().next().map(String::as_str));
    text.expect("a name, or a name and what belongs to it").to_owned()
}

fn losses() -> Vec<LossCause> {
    use LossCause as L;
    vec![L::KeeperDied, L::MachineRestarted, L::Stopped, L::CommitLost]
}

fn out_of_memory(bound: MemoryBound) -> FailureCause {
    FailureCause::OutOfMemory { granted: Bytes(8), used: Bytes(8), bound: Some(bound) }
}

fn causes() -> Vec<FailureCause> {
    use FailureCause as F;
    let all = vec![
        F::Exit(2),
        F::Signal(11),
        F::Timeout(Duration::from_secs(60)),
        F::OutOfMemory { granted: Bytes(1), used: Bytes(2), bound: None },
        out_of_memory(MemoryBound::Retries(3)),
        out_of_memory(MemoryBound::Max(Bytes(8))),
        out_of_memory(MemoryBound::Node(Bytes(8))),
        out_of_memory(MemoryBound::NotIdempotent),
        F::LogTooLong(Bytes(1 << 30)),
        F::TooManyProcesses(4_096),
        F::MissingOutput(vec!["out/a.txt".to_owned()]),
        F::UnfitOutput { path: "out/a".to_owned(), why: "is a symbolic link".to_owned() },
        F::UnfitGrowth("line 3: unknown field".to_owned()),
        F::CannotStart("no such file".to_owned()),
        F::CannotPublish("no space left".to_owned()),
        F::MayHaveRun(LossCause::KeeperDied),
        F::LostTooOften(21),
    ];
    // Whoever adds a cause is led here, and from here to events.md.
    for cause in &all {
        match cause {
            F::Exit(_) | F::Signal(_) | F::Timeout(_) | F::OutOfMemory { .. } => {}
            F::LogTooLong(_) | F::TooManyProcesses(_) | F::MissingOutput(_) => {}
            F::UnfitOutput { .. } | F::UnfitGrowth(_) => {}
            F::CannotStart(_) | F::CannotPublish(_) => {}
            F::MayHaveRun(_) | F::LostTooOften(_) => {}
        }
    }
    all
}

fn attempt(task: u32, number: u32) -> AttemptId {
    AttemptId(TaskId(task), number)
}

fn usage() -> Usage {
    Usage {
        started_at: Timestamp(1_700_000_000_000_000),
        ended_at: Timestamp(1_700_000_061_500_000),
        cpu_user: Duration::from_secs(50),
        cpu_system: Duration::from_millis(20),
        memory_peak: Bytes(3 << 20),
        network: Some((Bytes(10), Bytes(20))),
    }
}

fn outputs() -> Manifest {
    let file = |path: &str, is_directory| PublishedFile {
        path: path.to_owned(),
        size: Bytes(12),
        digest: Digest::of(path.as_bytes()),
        is_directory,
    };
    vec![file("out/a.txt", false), file("out/b", true)]
}

/// At least one of each; with and without what may be left out.
fn samples() -> Vec<Event> {
    let mut all = events_of_runs();
    all.extend(events_of_plans());
    all.extend(events_of_allocations());
    all.extend(events_of_attempts());
    for event in &all {
        match event {
            // Whoever adds an event is led here, and from here to v1.jsonl and events.md.
            Event::RunStarted { .. } | Event::RunResumed { .. } | Event::PlanAdopted { .. } => {}
            Event::PlanRevised { .. } => {}
            Event::AllocationRequested { .. } | Event::AllocationUp { .. } => {}
            Event::CapacityChanged { .. } | Event::AllocationLost { .. } => {}
            Event::AllocationEnded { .. } | Event::ShardsGranted { .. } => {}
            Event::AttemptStarted { .. } | Event::AttemptCommitted { .. } => {}
            Event::AttemptFailed { .. } | Event::AttemptLost { .. } => {}
            Event::AttemptRevoked { .. } | Event::RetriesDue { .. } => {}
            Event::PublishIntended { .. } | Event::Published { .. } => {}
            Event::TaskReused { .. } | Event::TaskChanged { .. } => {}
            Event::WorkflowGrown { .. } => {}
            Event::CommandAccepted { .. } | Event::RunPaused | Event::RunFinished { .. } => {}
            Event::FinalsDue { .. } => {}
            Event::MachineMeasured { .. } | Event::ForecastChanged { .. } => {}
        }
    }
    all
}

fn events_of_runs() -> Vec<Event> {
    let tasks = |ids: &[u32]| TaskRanges::from_sorted(ids.iter().map(|&id| TaskId(id)));
    let node = Resources { cpus: MilliCpus::ONE, memory: Bytes(8), ..Resources::default() };
    let learned = LearnedMemory { start: Bytes(7), attempts: 12 };
    let mut events = vec![
        Event::RunStarted {
            workflow: Digest::of(b"workflow"),
            options: Options { fail_fast: true, queue_ahead: 128, losses_max: 20 },
            selected: TaskRanges::all(5),
            reusable: tasks(&[0, 1, 3]),
            memory: MemoryTerms::default(),
            wanted: Vec::new(),
        },
        Event::RunStarted {
            workflow: Digest::of(b"workflow"),
            options: Options::default(),
            selected: TaskRanges::all(5),
            reusable: TaskRanges::default(),
            memory: MemoryTerms {
                nodes: vec![vec![node], Vec::new()],
                learned: [("align".to_owned(), learned)].into(),
            },
            wanted: vec!["align".to_owned()],
        },
        Event::RunResumed { epoch: Epoch(2) },
        Event::TaskReused { task: TaskId(0), run: "20260102-0304".to_owned(), outputs: outputs() },
        Event::TaskReused { task: TaskId(1), run: "20260102-0304".to_owned(), outputs: vec![] },
        Event::TaskChanged { task: TaskId(3), why: "its command is another one".to_owned() },
        Event::WorkflowGrown {
            by: TaskId(1),
            growth: Growth {
                found: vec![Found {
                    template: "align".to_owned(),
                    files: vec!["c/a.fq".to_owned()],
                }],
                emitted: Some("{foreshard: 1, tasks: {}}".to_owned()),
            },
            zones: vec![ZoneId(0)],
            reusable: tasks(&[0]),
        },
        Event::RunPaused,
    ];
    let commands = [Command::Drain, Command::Stop, Command::Cancel, Command::RetryFailed];
    events.extend(commands.map(|command| Event::CommandAccepted { command }));
    let outcomes = [Outcome::Succeeded, Outcome::Failed, Outcome::Cancelled, Outcome::Stalled];
    events.extend(outcomes.map(|outcome| Event::RunFinished { outcome }));
    events.push(Event::FinalsDue { outcome: Outcome::Failed });
    events
}

fn events_of_plans() -> Vec<Event> {
    vec![
        Event::PlanAdopted {
            plan: Plan {
                id: PlanId(1),
                shards: Shards::Singletons(5),
                placements: Placements::AllIn(ZoneId(0)),
                order: Order::ById,
            },
        },
        Event::PlanAdopted {
            plan: Plan {
                id: PlanId(2),
                shards: Shards::Listed(vec![vec![TaskId(0), TaskId(1)], vec![TaskId(2)]]),
                placements: Placements::Each(vec![ZoneId(0), ZoneId(1)]),
                order: Order::Listed(vec![ShardId(1), ShardId(0)]),
            },
        },
        Event::PlanRevised {
            revision: Revision {
                id: PlanId(3),
                base: PlanId(2),
                moves: vec![(ShardId(0), Some(ZoneId(1))), (ShardId(1), None)],
                allocations: vec![(ZoneId(1), 2)],
            },
        },
    ]
}

fn events_of_allocations() -> Vec<Event> {
    let allocation = AllocationId(1);
    let capacity = Resources {
        cpus: MilliCpus(1_500),
        memory: Bytes(2 << 30),
        network: Bytes(1_000_000),
        countables: [("gpu".to_owned(), 1)].into(),
    };
    let less = Resources { cpus: MilliCpus::ONE, ..Resources::default() };
    let measured = MachineUsage {
        at: Timestamp(1_700_000_005_000_000),
        interval: Duration::from_secs(5),
        cpus_busy: 1.25,
        memory_used: Bytes(1 << 30),
        network_in: Bytes(5),
        network_out: Bytes(6),
    };
    let mut events = vec![
        Event::AllocationRequested { allocation, zone: ZoneId(0) },
        Event::AllocationUp { allocation, capacity },
        Event::CapacityChanged { allocation, capacity: less },
        Event::MachineMeasured { allocation, usage: measured },
        Event::ForecastChanged { forecast: forecast() },
        Event::AllocationEnded { allocation },
    ];
    events.extend(losses().into_iter().map(|cause| Event::AllocationLost { allocation, cause }));
    events
}

fn events_of_attempts() -> Vec<Event> {
    let grants = vec![
        ShardGrant(ShardId(2), 1, vec![attempt(2, 1)]),
        ShardGrant(ShardId(0), 3, vec![attempt(0, 2), attempt(1, 2)]),
    ];
    let mut events = vec![
        Event::ShardsGranted { allocation: AllocationId(1), shards: grants },
        Event::AttemptStarted { attempt: attempt(2, 1), started_at: Timestamp(5), slot: 3 },
        Event::AttemptCommitted {
            attempt: attempt(2, 1),
            generation: Generation::FIRST,
            usage: usage(),
            outputs: outputs(),
        },
        Event::AttemptCommitted {
            attempt: attempt(0, 2),
            generation: Generation::FIRST,
            usage: Usage { network: None, ..usage() },
            outputs: vec![],
        },
        Event::AttemptRevoked { attempt: attempt(1, 2) },
        Event::RetriesDue { tasks: vec![TaskId(1), TaskId(4)] },
        Event::PublishIntended { attempts: vec![attempt(2, 1)] },
        Event::Published { attempts: vec![attempt(2, 1)] },
    ];
    let lost = |cause| Event::AttemptLost { attempt: attempt(1, 3), cause };
    events.extend(losses().into_iter().map(lost));
    events.extend((0..).zip(causes()).map(|(i, cause)| Event::AttemptFailed {
        attempt: attempt(4, 1),
        cause,
        usage: usage(),
        retry_at: (i % 2 == 0).then_some(Timestamp(1_700_000_062_500_000)),
    }));
    events
}
