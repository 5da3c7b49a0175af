//! What must hold after every record, at every action and at every start; one function each.
//!
//! Keeps a second state, folded from records that went through their text form, and a few counts
//! of its own that the engine does not see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::allocation_state::AllocationState;
use engine::cause::FailureCause;
use engine::event::ShardGrant;
use engine::input::Command;
use engine::phase::Phase;
use engine::task_state::TaskState;
use engine::{Action, AllocationId, AttemptId, Event, Record, RunState};
use plan::ShardId;
use spec::{Bytes, TaskId, Timestamp};

use crate::case::Case;
use crate::keeper::Keeper;
use crate::reference;

/// How long a run may take after faults have stopped. A case has at most 60 tasks with at most
/// 4 tries in each of 3 generations, each shorter than 2 minutes with its pause.
const TIME_MAX: i64 = 100_000 * 1_000_000;

/// How many things may happen in a run.
const HAPPENINGS_MAX: u64 = 200_000;

/// Which changes of state were seen, by name.
pub(crate) type Seen = BTreeSet<(String, String)>;

/// The watcher.
pub(crate) struct Checks {
    state: RunState,
    tasks: Vec<Row>,
    failed: BTreeSet<AttemptId>,
    shard_epochs: BTreeMap<ShardId, u32>,
    is_cancelled: bool,
    /// Whether the run was cancelled when final tasks were due.
    pub(crate) are_finals_abandoned: bool,
    /// How often final tasks became due, since the last end.
    n_finals_due: u32,
    reused: BTreeSet<TaskId>,
    /// Changes of state so far, of lost histories too.
    pub(crate) seen: Seen,
    /// How often failed tasks were asked for again.
    pub(crate) generation: u32,
    /// Tasks whose place failed them for good, by generation.
    pub(crate) failed_by_place: BTreeSet<(u32, TaskId)>,
    /// How often tasks failed by themselves, by generation.
    pub(crate) failures: BTreeMap<(u32, TaskId), u32>,
    /// How often tasks ran out of memory, by generation.
    pub(crate) ooms: BTreeMap<(u32, TaskId), u32>,
}

#[derive(Clone, Debug, Default)]
struct Row {
    n_published: u32,
    attempts: u32,
    own_failures: usize,
    publish_failures: usize,
    /// Own failures in this generation.
    failures_now: u32,
    /// How often it ran out of memory, in all and in this generation.
    ooms: u32,
    ooms_now: u32,
}

impl Checks {
    pub(crate) fn new(case: &Case) -> Self {
        Self {
            state: RunState::new(Arc::clone(&case.workflow)),
            tasks: vec![Row::default(); case.workflow.n_tasks()],
            failed: BTreeSet::new(),
            shard_epochs: BTreeMap::new(),
            is_cancelled: false,
            are_finals_abandoned: false,
            n_finals_due: 0,
            reused: BTreeSet::new(),
            seen: Seen::new(),
            generation: 0,
            failed_by_place: BTreeSet::new(),
            failures: BTreeMap::new(),
            ooms: BTreeMap::new(),
        }
    }

    /// After a crash: what follows from the records that survived.
    pub(crate) fn replayed(&mut self, case: &Case, journal: &[Record]) -> Self {
        let mut checks = Self::new(case);
        for record in journal {
            checks.record(case, record);
        }
        checks.seen.append(&mut self.seen);
        checks.s11_replay_is_the_same(case, journal);
        checks
    }

    pub(crate) fn state(&self) -> &RunState {
        &self.state
    }

    /// How often a task failed by itself before there was something to publish.
    pub(crate) fn own_failures(&self, task: TaskId) -> usize {
        self.tasks[task.index()].own_failures
    }

    /// How often outputs could not be published.
    pub(crate) fn publish_failures(&self, task: TaskId) -> usize {
        self.tasks[task.index()].publish_failures
    }

    /// Whether an attempt was recorded as failed.
    pub(crate) fn has_failed(&self, attempt: AttemptId) -> bool {
        self.failed.contains(&attempt)
    }

    /// Whether an earlier result was taken over.
    pub(crate) fn was_reused(&self, task: TaskId) -> bool {
        self.reused.contains(&task)
    }

    /// A record was polled.
    pub(crate) fn record(&mut self, case: &Case, record: &Record) {
        let text = serde_json::to_string(record).expect("records can be written");
        let read: Record = serde_json::from_str(&text).expect("records can be read");
        assert_eq!(&read, record, "a record changes when it is written and read");
        let before = Before::of(&self.state);
        self.before_record(case, record);
        self.state.apply(&read).expect("records follow from one another");
        self.s14_only_listed_changes(case, &before, record);
        self.s1_published_once(case, &before);
        self.s7_live_attempts_have_a_live_owner();
    }

    fn before_record(&mut self, case: &Case, record: &Record) {
        match &record.event {
            Event::ShardsGranted { shards, .. } => {
                self.s7_shard_epochs_increase(case, shards);
                for &attempt in shards.iter().flat_map(|ShardGrant(_, _, attempts)| attempts) {
                    self.s3_is_not_published(attempt);
                    self.s15_attempts_count_up(attempt);
                    if case.workflow.is_final(attempt.task()) {
                        self.finals_start_when_all_else_has_ended(case, attempt);
                    } else {
                        assert!(self.state.finals().is_none(), "{attempt} starts after the end");
                        self.s23_nothing_new_after_cancel();
                        self.fail_fast_grants_no_more();
                    }
                }
            }
            Event::AttemptFailed { attempt, cause, retry_at, .. } => {
                if let FailureCause::OutOfMemory { granted, .. } = cause {
                    let is_at_once = retry_at.is_none_or(|at| at == record.at);
                    assert!(is_at_once, "{attempt} waits for more memory");
                    self.count_shortage(case, *attempt, *granted, retry_at.is_none());
                } else {
                    self.count_failure(case, *attempt, cause, *retry_at);
                }
            }
            Event::AttemptLost { attempt, .. } => {
                let idle = self.state.live().get(&attempt.task());
                let is_idle = idle.is_some_and(|live| live.started.is_none());
                let idempotent = case.workflow.template(attempt.task()).idempotent;
                assert!(idempotent || is_idle, "N1: {attempt} started, and is just tried again");
            }
            Event::CommandAccepted { command: Command::Cancel } => {
                self.is_cancelled = true;
                self.are_finals_abandoned = self.state.finals().is_some();
            }
            Event::FinalsDue { .. } => self.n_finals_due += 1,
            Event::RunFinished { .. } => self.finals_were_due_once(case),
            Event::CommandAccepted { command: Command::RetryFailed } => {
                self.generation += 1;
                for (task, row) in (0..).map(TaskId).zip(&mut self.tasks) {
                    let state = self.state.task(task).state;
                    if matches!(state, TaskState::Failed | TaskState::Skipped) {
                        (row.failures_now, row.ooms_now) = (0, 0);
                    }
                    if case.workflow.is_final(task) {
                        (row.failures_now, row.ooms_now, row.n_published) = (0, 0, 0);
                    }
                }
            }
            Event::TaskReused { task, .. } => {
                self.reused.insert(*task);
            }
            _ => {}
        }
    }

    fn count_failure(
        &mut self,
        case: &Case,
        attempt: AttemptId,
        cause: &FailureCause,
        retry_at: Option<Timestamp>,
    ) {
        self.failed.insert(attempt);
        let task = attempt.task();
        let row = &mut self.tasks[task.index()];
        match cause {
            FailureCause::MayHaveRun(_) | FailureCause::LostTooOften(_) => {
                assert!(retry_at.is_none(), "S15: {attempt} pays for its place");
                self.failed_by_place.insert((self.generation, task));
                if matches!(cause, FailureCause::MayHaveRun(_)) {
                    assert!(!case.workflow.template(task).idempotent, "{attempt} is idempotent");
                }
                return;
            }
            FailureCause::CannotPublish(_) => row.publish_failures += 1,
            FailureCause::Exit(_)
            | FailureCause::Signal(_)
            | FailureCause::Timeout(_)
            | FailureCause::LogTooLong(_)
            | FailureCause::TooManyProcesses(_)
            | FailureCause::MissingOutput(_)
            | FailureCause::UnfitOutput { .. }
            | FailureCause::UnfitGrowth(_)
            | FailureCause::CannotStart(_) => row.own_failures += 1,
            FailureCause::OutOfMemory { .. } => unreachable!("counted elsewhere"),
        }
        row.failures_now += 1;
        *self.failures.entry((self.generation, task)).or_default() += 1;
        let allowed = u32::from(case.workflow.retries(task).count);
        let is_left = row.failures_now <= allowed;
        assert_eq!(retry_at.is_some(), is_left, "S15: {attempt}, {} failures", row.failures_now);
    }

    /// M1: who runs out of memory gets more, as far as it goes, and pays with nothing else.
    fn count_shortage(&mut self, case: &Case, attempt: AttemptId, granted: Bytes, is_last: bool) {
        self.failed.insert(attempt);
        let task = attempt.task();
        let row = &mut self.tasks[task.index()];
        assert_eq!(granted, reference::memory(case, task, row.ooms), "M1: {attempt}");
        let must_be_last = reference::is_last_shortage(case, task, row.ooms, row.ooms_now);
        assert_eq!(is_last, must_be_last, "M1: {attempt}, {} before", row.ooms);
        row.ooms += 1;
        row.ooms_now += 1;
        *self.ooms.entry((self.generation, task)).or_default() += 1;
    }

    /// An action was polled, and its records are written.
    pub(crate) fn action(&self, case: &Case, action: &Action) {
        match action {
            Action::Allocate { allocation, zone } => {
                let row = self.state.allocations().get(allocation);
                let is_recorded = row.is_some_and(|row| row.zone == *zone && row.state.is_live());
                assert!(is_recorded, "S13: {allocation} was not recorded as asked for");
            }
            Action::Lease { allocation, leases } => {
                for lease in leases {
                    self.s13_lease_is_recorded(*allocation, lease.attempt);
                    let task = lease.attempt.task();
                    let wanted = reference::memory(case, task, self.tasks[task.index()].ooms);
                    assert_eq!(lease.granted.memory, wanted, "M1: {}", lease.attempt);
                }
                let phase = self.state.phase();
                let is_running = matches!(phase, Phase::Running | Phase::Finishing(_));
                assert!(is_running, "work is handed out while {:?}", self.state.phase());
            }
            Action::Publish { attempts } => {
                for attempt in attempts {
                    let commit = self.state.committed().get(&attempt.task());
                    let is_recorded = commit.is_some_and(|c| c.number == attempt.number())
                        && self.state.task(attempt.task()).state == TaskState::Publishing;
                    assert!(is_recorded, "S13: publishing {attempt} was not recorded");
                }
            }
            Action::ReadGrowth { .. } => unreachable!("the graphs here do not grow"),
            Action::CheckReuse { tasks } => {
                for &task in tasks {
                    self.reuse_is_judged_when_inputs_are_there(case, task);
                }
            }
            Action::Probe { .. }
            | Action::Revoke { .. }
            | Action::Kill { .. }
            | Action::Close { .. } => {}
        }
    }

    fn reuse_is_judged_when_inputs_are_there(&self, case: &Case, task: TaskId) {
        for parent in case.workflow.parents(task) {
            let state = self.state.task(parent).state;
            assert_eq!(state, TaskState::Published, "{task} is compared before {parent} is done");
        }
    }

    fn s13_lease_is_recorded(&self, allocation: AllocationId, attempt: AttemptId) {
        let live = self.state.live().get(&attempt.task());
        let is_recorded =
            live.is_some_and(|l| l.number == attempt.number() && l.allocation == allocation);
        assert!(is_recorded, "S13: {attempt} was not granted to {allocation}");
    }

    /// The engine waits.
    pub(crate) fn settled(&self, now: Timestamp, live: &RunState, wake: Option<Timestamp>) {
        assert_eq!(live, &self.state, "S10: the engine's state is not the fold of its records");
        assert!(wake.is_none_or(|at| at > now), "it wants to be woken at a time that has come");
        for (task, row) in (0..).map(TaskId).zip(&self.tasks) {
            let attempts = self.state.task(task).attempts;
            assert_eq!(attempts, row.attempts, "S15: attempts of {task}");
        }
    }

    fn s1_published_once(&mut self, case: &Case, before: &Before) {
        for task in case.workflow.tasks() {
            let is_new = before.tasks[task.index()] != TaskState::Published
                && self.state.task(task).state == TaskState::Published;
            let row = &mut self.tasks[task.index()];
            row.n_published += u32::from(is_new);
            assert!(row.n_published <= 1, "S1: {task} is published again");
        }
    }

    /// Everything that a starting attempt reads is published, or committed where it starts; says
    /// which attempts it comes from.
    pub(crate) fn s2_parents_are_there(
        &self,
        case: &Case,
        keeper: &Keeper,
        attempt: AttemptId,
    ) -> Vec<AttemptId> {
        let mut read = Vec::new();
        for parent in case.workflow.parents(attempt.task()) {
            let is_published = self.state.task(parent).state == TaskState::Published;
            let latest = self.latest(parent);
            let is_here =
                case.are_together(parent, attempt.task()) && keeper.committed.contains(&latest);
            assert!(is_published || is_here, "S2: {attempt} starts before {parent} is done");
            read.push(latest);
        }
        read
    }

    /// The attempt that made, or will make, what a task leaves.
    pub(crate) fn latest(&self, task: TaskId) -> AttemptId {
        let number = if self.was_reused(task) { 0 } else { self.state.task(task).attempts };
        AttemptId(task, number)
    }

    pub(crate) fn s3_is_not_published(&self, attempt: AttemptId) {
        let state = self.state.task(attempt.task()).state;
        assert_ne!(state, TaskState::Published, "S3: {attempt} of a published task");
    }

    fn s7_shard_epochs_increase(&mut self, case: &Case, shards: &[ShardGrant]) {
        for ShardGrant(shard, epoch, attempts) in shards {
            let last = self.shard_epochs.insert(*shard, *epoch).unwrap_or(0);
            assert!(*epoch > last, "S7: {shard} goes from epoch {last} to {epoch}");
            for task in case.plan.tasks_of(*shard) {
                let live = self.state.live().get(&task);
                assert!(live.is_none(), "S7: {shard} is granted while {task} has {live:?}");
            }
            assert!(!attempts.is_empty(), "{shard} is granted for nothing");
        }
    }

    fn s7_live_attempts_have_a_live_owner(&self) {
        for (task, live) in self.state.live() {
            let owner = &self.state.allocations()[&live.allocation];
            assert!(
                owner.state.is_live(),
                "S7: {task} lives in {}, {:?}",
                live.allocation,
                owner.state
            );
        }
    }

    fn s11_replay_is_the_same(&self, case: &Case, journal: &[Record]) {
        let replayed = RunState::replay(Arc::clone(&case.workflow), journal);
        assert_eq!(replayed.as_ref(), Ok(&self.state), "S11: replay gives another state");
    }

    fn s15_attempts_count_up(&mut self, attempt: AttemptId) {
        let row = &mut self.tasks[attempt.task().index()];
        assert_eq!(attempt.number(), row.attempts + 1, "S15: {attempt} after {}", row.attempts);
        row.attempts = attempt.number();
    }

    fn s23_nothing_new_after_cancel(&self) {
        assert!(!self.is_cancelled, "S23: something starts after the run was cancelled");
    }

    fn finals_start_when_all_else_has_ended(&self, case: &Case, attempt: AttemptId) {
        let phase = self.state.phase();
        assert!(matches!(phase, Phase::Finishing(_)), "{attempt} of a final task while {phase:?}");
        let open = self.state.live().keys().chain(self.state.committed().keys());
        let regular = open.filter(|&&task| !case.workflow.is_final(task)).collect::<Vec<_>>();
        assert!(regular.is_empty(), "{attempt} of a final task starts while {regular:?} are open");
    }

    /// Before each end of the run.
    fn finals_were_due_once(&mut self, case: &Case) {
        let has_finals = case.workflow.final_tasks().next().is_some();
        let n = std::mem::take(&mut self.n_finals_due);
        assert_eq!(n, u32::from(has_finals), "how often final tasks were due before an end");
        for task in case.workflow.final_tasks() {
            let state = self.state.task(task).state;
            let is_over = state.is_final() || self.are_finals_abandoned;
            assert!(is_over, "the run ends while its final {task} is {state:?}");
        }
    }

    fn fail_fast_grants_no_more(&self) {
        let has_failed = self.state.count(TaskState::Failed) > 0;
        let is_over = self.state.options().fail_fast && has_failed;
        assert!(!is_over, "something new starts after a failure, though the run is to fail fast");
    }

    /// Faults have an end, and so has the run.
    pub(crate) fn l1_ends_in_time(&self, now: Timestamp, n_happenings: u64) {
        let phase = self.state.phase();
        assert!(now.0 < TIME_MAX, "L1: at {} s it is still {phase:?}", now.0 / 1_000_000);
        assert!(n_happenings < HAPPENINGS_MAX, "L1: too much happens while {phase:?}");
    }

    fn s14_only_listed_changes(&mut self, case: &Case, before: &Before, record: &Record) {
        for task in case.workflow.tasks() {
            let (from, to) = (before.tasks[task.index()], self.state.task(task).state);
            if from != to {
                let is_listed = crate::listed::TASK.contains(&(from, to));
                assert!(is_listed, "S14: {task} goes from {from:?} to {to:?} by {record:?}");
                self.seen.insert((format!("{from:?}"), format!("{to:?}")));
            }
        }
        let (from, to) = (before.phase, self.state.phase());
        if from != to {
            assert!(crate::listed::PHASE.contains(&(from, to)), "S14: {from:?} to {to:?}");
            self.seen.insert((format!("{from:?}"), format!("{to:?}")));
        }
        for (id, row) in self.state.allocations() {
            let from = before.allocations.get(id).copied();
            if let Some(from) = from.filter(|&from| from != row.state) {
                let is_listed = crate::listed::ALLOCATION.contains(&(from, row.state));
                assert!(is_listed, "S14: {id} goes from {from:?} to {:?}", row.state);
                self.seen.insert((format!("{from:?}"), format!("{:?}", row.state)));
            }
        }
    }
}

/// What states were before a record.
struct Before {
    tasks: Vec<TaskState>,
    phase: Phase,
    allocations: BTreeMap<AllocationId, AllocationState>,
}

impl Before {
    fn of(state: &RunState) -> Self {
        let n = state.n_selected() + state.count(TaskState::Excluded);
        let tasks = (0..n).map(|task| state.task(TaskId::from_index(task)).state).collect();
        let allocations = state.allocations().iter().map(|(&id, row)| (id, row.state)).collect();
        Self { tasks, phase: state.phase(), allocations }
    }
}
