//! Stories of one host: what it starts and reports, told as short words.

use proptest::prelude::*;
use spec::resources::MilliCpus;
use spec::{Bytes, TaskId};

use super::*;
use crate::outcome::PublishedFile;

const EPOCH: Epoch = Epoch(1);

/// A host with a clock, that remembers what it was told to do.
struct Story {
    host: ShardHost,
    now: Timestamp,
    wake: Option<Timestamp>,
}

impl Story {
    fn with_cpus(cpus: u32) -> Self {
        let host = ShardHost::new(EPOCH, of_cpus(cpus));
        Self { host, now: Timestamp(0), wake: None }
    }

    /// Tells it something and lists what it does, such as `start t1.1`.
    fn tell(&mut self, input: HostInput) -> Vec<String> {
        self.host.handle(self.now, input);
        let mut done = Vec::new();
        loop {
            match self.host.poll() {
                HostOutput::WaitUntil(at) => {
                    self.wake = at;
                    return done;
                }
                output => done.push(word(&output)),
            }
        }
    }

    fn lease(&mut self, leases: Vec<HostedLease>) -> Vec<String> {
        self.tell(HostInput::Lease(EPOCH, leases))
    }

    fn spawned(&mut self, task: u32) -> Vec<String> {
        self.tell(HostInput::Spawned(t(task), 100 + task))
    }

    fn exits(&mut self, task: u32, end: End) -> Vec<String> {
        self.tell(HostInput::Exited(t(task), end, Usage::default()))
    }

    /// Lets time pass until it wants to be woken.
    fn wait(&mut self) -> Vec<String> {
        self.now = self.wake.expect("it wants to be woken");
        self.tell(HostInput::Wake)
    }
}

fn word(output: &HostOutput) -> String {
    match output {
        HostOutput::Start(attempt, slot) => format!("start {attempt} in {slot}"),
        HostOutput::Signal(attempt, Urgency::Terminate) => format!("terminate {attempt}"),
        HostOutput::Signal(attempt, Urgency::Kill) => format!("kill {attempt}"),
        HostOutput::Commit(attempt) => format!("commit {attempt}"),
        HostOutput::WaitUntil(_) => "wait".to_owned(),
        HostOutput::Report(report) => match report {
            Report::Started { attempt, .. } => format!("{attempt} started"),
            Report::Committed { attempt, .. } => format!("{attempt} committed"),
            Report::Failed { attempt, cause, .. } => format!("{attempt} failed: {cause}"),
            Report::Returned { attempt } => format!("{attempt} returned"),
            Report::Killed { attempt, .. } => format!("{attempt} killed"),
            Report::Capacity { capacity } => format!("capacity {capacity}"),
            Report::Measured { .. } => "measured".to_owned(),
        },
    }
}

fn t(task: u32) -> AttemptId {
    AttemptId(TaskId(task), 1)
}

fn of_cpus(cpus: u32) -> Resources {
    Resources { cpus: MilliCpus::whole(cpus), ..Resources::default() }
}

/// One cpu, position as its number, nothing to wait for, nothing to commit.
fn lease(task: u32) -> HostedLease {
    HostedLease {
        attempt: t(task),
        after: Vec::new(),
        position: task,
        granted: of_cpus(1),
        timeout: None,
        has_outputs: false,
    }
}

#[test]
fn attempts_start_by_position_and_as_many_as_fit() {
    let mut story = Story::with_cpus(2);
    assert_eq!(
        story.lease(vec![lease(3), lease(1), lease(2)]),
        ["start t1.1 in 0", "start t2.1 in 1"]
    );
    assert_eq!(story.spawned(1), ["t1.1 started"]);
    assert_eq!(story.exits(1, End::Exit(0)), ["t1.1 committed", "start t3.1 in 0"]);
    assert_eq!(story.exits(2, End::Exit(3)), ["t2.1 failed: exit code 3"]);
    assert_eq!(story.exits(3, End::Signal(11)), ["t3.1 failed: killed by signal 11"]);
    assert!(story.host.is_idle());
}

#[test]
fn memory_and_countables_are_capacity_too() {
    let there =
        Resources { memory: Bytes(100), countables: [("gpu".to_owned(), 1)].into(), ..of_cpus(8) };
    let asks = |task, memory, gpus| {
        let countables = [("gpu".to_owned(), gpus)].into();
        HostedLease {
            granted: Resources { memory: Bytes(memory), countables, ..of_cpus(1) },
            ..lease(task)
        }
    };
    let mut story = Story { host: ShardHost::new(EPOCH, there), ..Story::with_cpus(0) };
    let leases = vec![asks(1, 60, 1), asks(2, 60, 0), asks(3, 10, 1), asks(4, 40, 0)];
    assert_eq!(story.lease(leases), ["start t1.1 in 0", "start t4.1 in 1"]);
    assert_eq!(story.exits(1, End::Exit(0)), ["t1.1 committed", "start t2.1 in 0"]);
    assert_eq!(story.exits(4, End::Exit(0)), ["t4.1 committed", "start t3.1 in 1"]);
    assert_eq!(story.host.in_use().countables["gpu"], 1);
}

#[test]
fn a_large_attempt_is_overtaken_by_small_ones_only_so_often() {
    let mut story = Story::with_cpus(2);
    let large = HostedLease { granted: of_cpus(2), ..lease(1) };
    story.lease(vec![lease(0)]);
    let small = (2..1_000).map(lease);
    story.lease(std::iter::once(large).chain(small).collect());
    let mut overtaken = 1;
    while story.exits(overtaken + 1, End::Exit(0)).len() == 2 {
        overtaken += 1;
        assert!(overtaken < 999, "it is starved");
    }
    assert_eq!(overtaken, 256);
    assert_eq!(story.exits(0, End::Exit(0)), ["t0.1 committed", "start t1.1 in 0"]);
}

#[test]
fn an_attempt_that_is_too_slow_is_asked_to_end_and_then_killed() {
    let mut story = Story::with_cpus(1);
    story.lease(vec![HostedLease { timeout: Some(Duration::from_secs(60)), ..lease(1) }]);
    story.now = Timestamp(1_000_000);
    story.spawned(1);
    assert_eq!(story.wake, Some(Timestamp(61_000_000)));
    assert_eq!(story.wait(), ["terminate t1.1"]);
    assert_eq!(story.now + KILL_GRACE, story.wake.unwrap());
    assert_eq!(story.wait(), ["kill t1.1"]);
    assert_eq!(story.wake, None);
    let told = story.exits(1, End::Signal(9));
    assert_eq!(told, ["t1.1 failed: ran longer than its timeout of 1m00s"]);
}

#[test]
fn an_attempt_that_ends_in_time_has_no_timer_left() {
    let mut story = Story::with_cpus(1);
    story.lease(vec![HostedLease { timeout: Some(Duration::from_secs(60)), ..lease(1) }]);
    story.spawned(1);
    story.exits(1, End::Exit(0));
    assert_eq!(story.wake, None);
}

#[test]
fn beyond_a_limit_is_killed_at_once_and_is_its_own_failure() {
    let mut story = Story::with_cpus(1);
    story.lease(vec![lease(1)]);
    story.spawned(1);
    let over = HostInput::OverLimit(t(1), FailureCause::TooManyProcesses(9));
    assert_eq!(story.tell(over), ["kill t1.1"]);
    assert_eq!(story.exits(1, End::Signal(9)), ["t1.1 failed: ran more than 9 processes"]);
}

#[test]
fn an_order_to_kill_reaches_attempts_that_wait_start_and_run() {
    let mut story = Story::with_cpus(2);
    story.lease(vec![lease(1), lease(2), lease(3)]);
    story.spawned(1);
    let killed = story.tell(HostInput::Kill(EPOCH, vec![t(1), t(2), t(3)]));
    assert_eq!(killed, ["t3.1 returned", "terminate t1.1"]);
    // The second has no process yet; it is told as soon as it has one.
    assert_eq!(story.spawned(2), ["t2.1 started", "terminate t2.1"]);
    assert_eq!(story.wait(), ["kill t1.1", "kill t2.1"]);
    assert_eq!(story.exits(1, End::Exit(0)), ["t1.1 killed"]);
    assert_eq!(story.exits(2, End::Signal(9)), ["t2.1 killed"]);
}

#[test]
fn what_has_started_is_not_revoked() {
    let mut story = Story::with_cpus(1);
    story.lease(vec![lease(1), lease(2)]);
    let revoked = story.tell(HostInput::Revoke(EPOCH, vec![t(1), t(2), t(9)]));
    assert_eq!(revoked, ["t2.1 returned", "t9.1 returned"]);
    let again = story.lease(vec![lease(2), lease(9)]);
    assert_eq!(
        again,
        Vec::<String>::new(),
        "what was taken back is never taken, even if it comes later"
    );
}

#[test]
fn orders_of_an_older_epoch_are_refused_and_a_newer_one_takes_over() {
    let mut story = Story::with_cpus(1);
    story.tell(HostInput::Close(EPOCH));
    story.tell(HostInput::Lease(Epoch(3), vec![lease(1)]));
    assert_eq!(story.host.epoch(), Epoch(3));
    for order in [
        HostInput::Lease(Epoch(2), vec![lease(2)]),
        HostInput::Revoke(Epoch(2), vec![t(1)]),
        HostInput::Kill(Epoch(2), vec![t(1)]),
        HostInput::Close(Epoch(2)),
    ] {
        assert_eq!(story.tell(order), Vec::<String>::new());
    }
    story.exits(1, End::Exit(0));
    assert!(!story.host.has_ended(), "only the first, older orchestrator asked it to end");
    story.tell(HostInput::Close(Epoch(3)));
    assert!(story.host.has_ended());
}

#[test]
fn inside_a_shard_an_attempt_waits_for_the_commit_of_its_parents() {
    let mut story = Story::with_cpus(4);
    let parent = HostedLease { has_outputs: true, ..lease(2) };
    let child = HostedLease { after: vec![t(2), t(7)], ..lease(1) };
    assert_eq!(story.lease(vec![child, parent]), ["start t2.1 in 0"], "t7 was never here");
    assert_eq!(story.exits(2, End::Exit(0)), ["commit t2.1"]);
    let output = PublishedFile {
        path: "o".to_owned(),
        size: Bytes(1),
        digest: spec::Digest::of(b""),
        is_directory: false,
    };
    let committed = story.tell(HostInput::Committed(t(2), Ok(vec![output])));
    assert_eq!(committed, ["t2.1 committed", "start t1.1 in 0"]);
}

#[test]
fn an_attempt_with_two_parents_waits_for_both() {
    let mut story = Story::with_cpus(4);
    let child = HostedLease { after: vec![t(2), t(3)], ..lease(1) };
    story.lease(vec![child, lease(2), lease(3)]);
    assert_eq!(story.exits(3, End::Exit(0)), ["t3.1 committed"]);
    assert_eq!(story.exits(2, End::Exit(0)), ["t2.1 committed", "start t1.1 in 0"]);
}

#[test]
fn what_waits_for_a_failed_attempt_is_returned_with_all_that_waits_for_it() {
    let mut story = Story::with_cpus(4);
    let chain = vec![
        lease(1),
        HostedLease { after: vec![t(1)], ..lease(2) },
        HostedLease { after: vec![t(2)], ..lease(3) },
    ];
    story.lease(chain.clone());
    let told = story.exits(1, End::Exit(1));
    assert_eq!(told, ["t1.1 failed: exit code 1", "t2.1 returned", "t3.1 returned"]);
    let late = HostedLease { after: vec![t(1)], ..lease(4) };
    assert_eq!(story.lease(vec![late]), ["t4.1 returned"], "its parent failed before it came");
    assert!(story.host.is_idle());
}

#[test]
fn what_waits_for_a_revoked_attempt_is_returned_too() {
    let mut story = Story::with_cpus(1);
    story.lease(vec![lease(0), lease(1), HostedLease { after: vec![t(1)], ..lease(2) }]);
    let told = story.tell(HostInput::Revoke(EPOCH, vec![t(1)]));
    assert_eq!(told, ["t1.1 returned", "t2.1 returned"]);
}

#[test]
fn many_blocked_attempts_do_not_hide_the_one_they_wait_for() {
    let mut story = Story::with_cpus(1);
    let mut leases: Vec<HostedLease> = (0..500)
        .map(|task| HostedLease { after: vec![t(500)], position: 0, ..lease(task) })
        .collect();
    leases.push(HostedLease { position: 0, ..lease(500) });
    assert_eq!(story.lease(leases), ["start t500.1 in 0"]);
    assert_eq!(story.exits(500, End::Exit(0)), ["t500.1 committed", "start t0.1 in 0"]);
}

#[test]
fn less_capacity_kills_nothing_and_starts_nothing() {
    let mut story = Story::with_cpus(3);
    story.lease((0..5).map(lease).collect());
    assert_eq!(story.tell(HostInput::Capacity(of_cpus(1))), ["capacity 1 cpus"]);
    assert_eq!(story.tell(HostInput::Capacity(of_cpus(1))), Vec::<String>::new(), "nothing new");
    assert_eq!(story.exits(0, End::Exit(0)), ["t0.1 committed"]);
    assert_eq!(story.exits(1, End::Exit(0)), ["t1.1 committed"]);
    assert_eq!(story.exits(2, End::Exit(0)), ["t2.1 committed", "start t3.1 in 0"]);
    let told = story.tell(HostInput::Capacity(of_cpus(2)));
    assert_eq!(told, ["capacity 2 cpus", "start t4.1 in 1"]);
}

#[test]
fn what_cannot_start_or_commit_fails() {
    let mut story = Story::with_cpus(1);
    story.lease(vec![lease(1), HostedLease { has_outputs: true, ..lease(2) }]);
    let told = story.tell(HostInput::CannotStart(t(1), "no such program".to_owned()));
    assert_eq!(told, ["t1.1 failed: could not be started: no such program", "start t2.1 in 0"]);
    story.exits(2, End::Exit(0));
    let missing = FailureCause::MissingOutput(vec!["o".to_owned()]);
    let told = story.tell(HostInput::Committed(t(2), Err(missing)));
    assert_eq!(told, ["t2.1 failed: declared outputs are missing: o"]);
}

proptest! {
    /// Whatever is leased, and however processes end: capacity is never exceeded, nothing starts
    /// twice or before its parents, and everything is told exactly once how it ended.
    #[test]
    fn everything_ends_once_and_fits(
        asks in prop::collection::vec((1_u32..4, 0_u32..6, prop::bool::ANY), 1..40),
        ends in prop::collection::vec(prop::bool::weighted(0.8), 40),
        turns in prop::collection::vec(0_usize..40, 200),
    ) {
        let mut host = ShardHost::new(EPOCH, of_cpus(3));
        let leases: Vec<HostedLease> = (0..).zip(&asks).map(|(task, &(cpus, back, waits))| {
            let parent = task - back.min(task);
            let after = if waits && parent < task { vec![t(parent)] } else { Vec::new() };
            HostedLease { granted: of_cpus(cpus), after, position: 0, ..lease(task) }
        }).collect();
        host.handle(Timestamp(0), HostInput::Lease(EPOCH, leases.clone()));
        let (mut running, mut ended) = (Vec::new(), BTreeMap::new());
        for turn in turns.into_iter().chain(0..40) {
            loop {
                match host.poll() {
                    HostOutput::Start(attempt, _) => {
                        let row = &leases[attempt.task().index()];
                        prop_assert!(row.after.iter().all(|p| ended.get(p) == Some(&"committed")));
                        running.push(attempt);
                    }
                    HostOutput::Report(Report::Committed { attempt, .. }) => {
                        prop_assert!(ended.insert(attempt, "committed").is_none());
                    }
                    HostOutput::Report(Report::Failed { attempt, .. } | Report::Returned { attempt }) => {
                        prop_assert!(ended.insert(attempt, "not").is_none());
                    }
                    HostOutput::WaitUntil(_) => break,
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            let cpus = |attempt: &AttemptId| leases[attempt.task().index()].granted.cpus.0;
            prop_assert!(running.iter().map(cpus).sum::<u32>() <= 3_000);
            if !running.is_empty() {
                let attempt = running.remove(turn % running.len());
                let code = i32::from(!ends[attempt.task().index()]);
                host.handle(Timestamp(0), HostInput::Exited(attempt, End::Exit(code), Usage::default()));
            }
        }
        prop_assert_eq!(ended.len(), leases.len());
        prop_assert!(host.is_idle());
    }
}
