//! Checks against a second state, folded from records that went through their text form, and a few
//! counts of its own that the engine does not see.

mod ended;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::allocation_state::AllocationState;
use engine::cause::FailureCause;
use engine::event::ShardGrant;
use engine::input::Command;
use engine::memory::MemoryTerms;
use engine::phase::Phase;
use engine::task_state::TaskState;
use engine::{Action, AllocationId, AttemptId, Event, Record, RunState};
use plan::{Plan, ShardId};
use spec::{Bytes, Digest, TaskId, Timestamp, Workflow, ZoneId};

use super::reference::Grants;
use super::{Checked, Violation, hold, listed};

/// Which changes of state were seen, by name.
pub type Taken = BTreeSet<(String, String)>;

/// The watcher.
#[derive(Debug)]
pub(super) struct Deep {
    state: RunState,
    /// By task: own failures since it was last asked for anew.
    failures_now: BTreeMap<TaskId, u32>,
    /// By task: how often it ran out of memory, in all, and since it was last asked for anew.
    shortages: BTreeMap<TaskId, u32>,
    shortages_now: BTreeMap<TaskId, u32>,
    memory: MemoryTerms,
    /// When the pause of a failed task will be over.
    retry_at: BTreeMap<TaskId, Timestamp>,
    /// What each attempt read: by parent, the attempt that made it (0: an earlier run).
    read: BTreeMap<AttemptId, Vec<AttemptId>>,
    finals: Finals,
    taken: Taken,
    hasher: blake3::Hasher,
    pub(super) history: History,
}

/// What was seen of final tasks.
#[derive(Debug, Default)]
struct Finals {
    /// How often they became due since the last end.
    n_due: u32,
    /// Whether the run was cancelled when they were due.
    are_abandoned: bool,
}

/// What the oracle needs to know of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// How often failed tasks were asked for again.
    pub(super) generation: u32,
    /// Tasks whose place failed them for good, by generation.
    pub(super) failed_by_place: BTreeSet<(u32, TaskId)>,
    /// How often tasks failed by themselves, by generation.
    pub(super) failures: BTreeMap<(u32, TaskId), u32>,
    /// How often tasks ran out of memory, by generation.
    pub(super) shortages: BTreeMap<(u32, TaskId), u32>,
}

impl Deep {
    pub(super) fn new(workflow: &Arc<Workflow>, memory: MemoryTerms) -> Self {
        Self {
            state: RunState::new(Arc::clone(workflow)),
            failures_now: BTreeMap::new(),
            shortages: BTreeMap::new(),
            shortages_now: BTreeMap::new(),
            memory,
            retry_at: BTreeMap::new(),
            read: BTreeMap::new(),
            finals: Finals::default(),
            taken: Taken::new(),
            hasher: blake3::Hasher::new(),
            history: History::default(),
        }
    }

    pub(super) fn clear(&mut self, workflow: &Arc<Workflow>) {
        self.state = RunState::new(Arc::clone(workflow));
        self.failures_now.clear();
        self.retry_at.clear();
        self.shortages.clear();
        self.shortages_now.clear();
        self.finals = Finals::default();
        self.history = History::default();
    }

    pub(super) fn trace(&self) -> Digest {
        Digest(*self.hasher.finalize().as_bytes())
    }

    pub(super) fn take_taken(&mut self) -> Taken {
        std::mem::take(&mut self.taken)
    }

    /// A record was polled.
    pub(super) fn record(&mut self, workflow: &Workflow, record: &Record) -> Checked {
        let text =
            serde_json::to_string(record).map_err(|e| Violation::of("S10", e.to_string()))?;
        self.hasher.update(text.as_bytes());
        let read = serde_json::from_str::<Record>(&text);
        let read = read.map_err(|e| Violation::of("S10", format!("{e}: {text}")))?;
        hold!(read == *record, "S10", "a record changes when it is written and read: {text}");
        let before = Before::of(&self.state);
        self.before_record(workflow, record)?;
        let applied = self.state.apply(&read);
        applied.map_err(|e| Violation::of("S14", e.to_string()))?;
        self.s14_only_listed_changes(&before, record)?;
        self.s6_every_shard_is_somewhere(&record.event)?;
        self.s7_live_attempts_have_a_live_owner()
    }

    /// A record that was seen before is taken in again.
    pub(super) fn replay(&mut self, workflow: &Workflow, record: &Record) -> Checked {
        self.before_record(workflow, record)?;
        let applied = self.state.apply(record);
        applied.map_err(|e| Violation::of("S11", e.to_string()))
    }

    fn before_record(&mut self, workflow: &Workflow, record: &Record) -> Checked {
        match &record.event {
            Event::ShardsGranted { allocation, shards } => {
                self.s23_nothing_starts_that_must_not(workflow, shards)?;
                self.s7_nothing_of_a_shard_is_live(*allocation, shards)
            }
            Event::AttemptCommitted { attempt, usage, .. } => {
                let ends = usage.ended_at >= usage.started_at;
                hold!(ends, "S24", "{attempt} ends before it starts");
                Ok(())
            }
            Event::AttemptFailed {
                attempt,
                cause: FailureCause::OutOfMemory { granted, .. },
                retry_at,
                ..
            } => {
                let is_at_once = retry_at.is_none_or(|at| at == record.at);
                hold!(is_at_once, "M1", "{attempt} waits for more memory");
                if let Some(at) = *retry_at {
                    self.retry_at.insert(attempt.task(), at);
                }
                self.count_shortage(workflow, *attempt, *granted, retry_at.is_none())
            }
            Event::AttemptFailed { attempt, cause, retry_at, .. } => {
                self.count_failure(workflow, *attempt, cause, *retry_at)
            }
            Event::AllocationRequested { zone, .. } => self.s9_no_more_than_wanted(*zone),
            Event::RetriesDue { tasks } => {
                tasks.iter().try_for_each(|&task| self.s15_pause_is_over(task, record.at))
            }
            Event::AttemptLost { attempt, cause } => {
                let losses = u32::from(self.state.task(attempt.task()).losses);
                let most = self.state.options().losses_max;
                let is_few = losses < most || !cause.is_held_against_task();
                hold!(is_few, "S15", "{attempt} is lost, after {losses} losses of {most} at most");
                let live = self.state.live().get(&attempt.task());
                let is_idle = live.is_some_and(|live| live.started.is_none());
                let idempotent = workflow.template(attempt.task()).idempotent;
                hold!(idempotent || is_idle, "N1", "{attempt} started, and is just tried again");
                Ok(())
            }
            Event::CommandAccepted { command: Command::RetryFailed } => {
                self.begin_generation(workflow);
                Ok(())
            }
            Event::CommandAccepted { command: Command::Cancel } => {
                self.finals.are_abandoned = self.state.finals().is_some();
                Ok(())
            }
            Event::FinalsDue { .. } => {
                self.finals.n_due += 1;
                Ok(())
            }
            Event::RunFinished { .. } => self.f1_finals_were_due_once(workflow),
            _ => Ok(()),
        }
    }

    fn s15_pause_is_over(&mut self, task: TaskId, now: Timestamp) -> Checked {
        let is_over = self.retry_at.remove(&task).is_some_and(|due| due <= now);
        hold!(is_over, "S15", "{task} is tried again before its pause is over");
        Ok(())
    }

    /// Failed tasks are asked for again, with fresh retries, and so are final ones.
    fn begin_generation(&mut self, workflow: &Workflow) {
        self.history.generation += 1;
        let state = &self.state;
        let is_anew = |task: TaskId| {
            workflow.is_final(task)
                || matches!(state.task(task).state, TaskState::Failed | TaskState::Skipped)
        };
        self.failures_now.retain(|&task, _| !is_anew(task));
        self.shortages_now.retain(|&task, _| !is_anew(task));
    }

    fn count_failure(
        &mut self,
        workflow: &Workflow,
        attempt: AttemptId,
        cause: &FailureCause,
        retry_at: Option<Timestamp>,
    ) -> Checked {
        let task = attempt.task();
        let generation = self.history.generation;
        if matches!(cause, FailureCause::MayHaveRun(_) | FailureCause::LostTooOften(_)) {
            hold!(retry_at.is_none(), "S15", "{attempt} pays for its place");
            self.history.failed_by_place.insert((generation, task));
            let is_idempotent = workflow.template(task).idempotent;
            let is_doubt = matches!(cause, FailureCause::MayHaveRun(_));
            hold!(!is_doubt || !is_idempotent, "N1", "{attempt} is idempotent, and is in doubt");
            return Ok(());
        }
        let used = self.failures_now.entry(task).or_default();
        *used += 1;
        *self.history.failures.entry((generation, task)).or_default() += 1;
        if let Some(at) = retry_at {
            self.retry_at.insert(task, at);
        }
        let is_left = *used <= u32::from(workflow.retries(task).count);
        let retries = retry_at.is_some();
        hold!(retries == is_left, "S15", "{attempt}, {used} failures, tried again: {retries}");
        Ok(())
    }

    fn s23_nothing_starts_that_must_not(
        &self,
        workflow: &Workflow,
        shards: &[ShardGrant],
    ) -> Checked {
        let state = &self.state;
        let is_over = state.options().fail_fast && state.count(TaskState::Failed) > 0;
        for attempt in shards.iter().flat_map(|ShardGrant(_, _, attempts)| attempts) {
            if workflow.is_final(attempt.task()) {
                self.f1_all_else_has_ended(workflow, *attempt)?;
                continue;
            }
            hold!(!is_over, "S23", "{attempt} starts after a failure in a run that fails fast");
            let is_before = state.finals().is_none();
            hold!(is_before, "F1", "{attempt} starts after all but final tasks has ended");
        }
        Ok(())
    }

    fn f1_all_else_has_ended(&self, workflow: &Workflow, attempt: AttemptId) -> Checked {
        let phase = self.state.phase();
        let is_due = matches!(phase, Phase::Finishing(_));
        hold!(is_due, "F1", "{attempt} of a final task starts while {phase:?}");
        let mut open = self.state.live().keys().chain(self.state.committed().keys());
        let regular = open.find(|&&task| !workflow.is_final(task));
        hold!(
            regular.is_none(),
            "F1",
            "{attempt} of a final task starts while {regular:?} is open"
        );
        Ok(())
    }

    /// Before each end of the run.
    fn f1_finals_were_due_once(&mut self, workflow: &Workflow) -> Checked {
        let has_finals = workflow.final_tasks().next().is_some();
        let n = std::mem::take(&mut self.finals.n_due);
        hold!(n == u32::from(has_finals), "F1", "final tasks were due {n} times before the end");
        for task in workflow.final_tasks() {
            let state = self.state.task(task).state;
            let is_over = state.is_final() || self.finals.are_abandoned;
            hold!(is_over, "F1", "the run ends while its final {task} is {state:?}");
        }
        Ok(())
    }

    /// M1: who runs out of memory gets more, as far as it goes, and pays with nothing else.
    fn count_shortage(
        &mut self,
        workflow: &Workflow,
        attempt: AttemptId,
        granted: Bytes,
        is_last: bool,
    ) -> Checked {
        let task = attempt.task();
        let Some(plan) = self.state.plan() else { return Ok(()) };
        let grants = Grants { workflow, terms: &self.memory, plan };
        let times = self.shortages.get(&task).copied().unwrap_or(0);
        let now = self.shortages_now.get(&task).copied().unwrap_or(0);
        let should_be = grants.memory(task, times);
        hold!(granted == should_be, "M1", "{attempt} had {granted}, and should have {should_be}");
        let must_be_last = grants.is_last_shortage(task, times, now);
        hold!(is_last == must_be_last, "M1", "{attempt}, {times} shortages, the last: {is_last}");
        self.shortages.insert(task, times + 1);
        self.shortages_now.insert(task, now + 1);
        *self.history.shortages.entry((self.history.generation, task)).or_default() += 1;
        Ok(())
    }

    /// An action was polled, and its records are written.
    pub(super) fn action(&mut self, workflow: &Workflow, action: &Action) -> Checked {
        self.hasher.update(format!("{action:?}").as_bytes());
        let state = &self.state;
        match action {
            Action::Allocate { allocation, zone } => {
                let row = state.allocations().get(allocation);
                let is_recorded = row.is_some_and(|row| row.zone == *zone && row.state.is_live());
                hold!(is_recorded, "S13", "{allocation} was not recorded as asked for");
            }
            Action::Lease { allocation, leases } => {
                for lease in leases {
                    let live = state.live().get(&lease.attempt.task());
                    let is_recorded = live.is_some_and(|live| {
                        live.number == lease.attempt.number() && live.allocation == *allocation
                    });
                    let attempt = lease.attempt;
                    hold!(is_recorded, "S13", "{attempt} was not granted to {allocation}");
                    let Some(plan) = state.plan() else { continue };
                    let grants = Grants { workflow, terms: &self.memory, plan };
                    let times = self.shortages.get(&attempt.task()).copied().unwrap_or(0);
                    let wanted = grants.memory(attempt.task(), times);
                    let has = lease.granted.memory;
                    hold!(has == wanted, "M1", "{attempt} gets {has}, and should get {wanted}");
                }
                let phase = state.phase();
                let is_on = matches!(phase, Phase::Running | Phase::Finishing(_));
                hold!(is_on, "S23", "work is handed out while {phase:?}");
            }
            Action::Publish { attempts } => {
                for attempt in attempts {
                    let commit = state.committed().get(&attempt.task());
                    let is_recorded = commit.is_some_and(|c| c.number == attempt.number())
                        && state.task(attempt.task()).state == TaskState::Publishing;
                    hold!(is_recorded, "S13", "publishing {attempt} was not recorded");
                }
            }
            Action::CheckReuse { tasks } => {
                for &task in tasks {
                    for parent in workflow.parents(task) {
                        let is_done = state.task(parent).state == TaskState::Published;
                        hold!(is_done, "S2", "{task} is compared before {parent} is done");
                    }
                }
            }
            Action::ReadGrowth { .. }
            | Action::Probe { .. }
            | Action::Revoke { .. }
            | Action::Kill { .. }
            | Action::Close { .. } => {}
        }
        Ok(())
    }

    /// The engine waits.
    pub(super) fn settled(
        &self,
        workflow: &Workflow,
        now: Timestamp,
        live: &RunState,
        wake: Option<Timestamp>,
    ) -> Checked {
        hold!(*live == self.state, "S10", "the engine's state is not the fold of its records");
        let is_later = wake.is_none_or(|at| at > now);
        hold!(is_later, "L3", "it wants to be woken at a time that has come");
        self.l2_free_room_is_used()?;
        self.l3_something_is_awaited(workflow, wake)
    }

    /// Where work waits and an allocation has room, something would have been granted.
    fn l2_free_room_is_used(&self) -> Checked {
        let state = &self.state;
        let has_failed = state.count(TaskState::Failed) > 0;
        if state.phase() != Phase::Running || state.options().fail_fast && has_failed {
            return Ok(());
        }
        let zones = state.allocations().values().map(|row| row.zone.0 + 1).max().unwrap_or(0);
        for zone in (0..zones).map(ZoneId) {
            let Some(shard) = state.waiting_in(zone).next() else { continue };
            let live: Vec<AllocationId> = state.live_allocations(zone).collect();
            // Of several, some may have been told to end.
            if let [only] = live[..] {
                let row = &state.allocations()[&only];
                let slots = (row.capacity.cpus.0 / 1_000).max(1) as usize;
                let is_free = row.state == AllocationState::Up && row.n_live == 0 && slots > 0;
                let is_wanted = !state.is_surplus(zone);
                hold!(!is_free || !is_wanted, "L2", "{shard} waits, and {only} is idle in {zone}");
            }
        }
        Ok(())
    }

    fn l3_something_is_awaited(&self, _: &Workflow, wake: Option<Timestamp>) -> Checked {
        let state = &self.state;
        if state.phase() != Phase::Running || state.n_unfinished() == 0 || wake.is_some() {
            return Ok(());
        }
        let is_awaited = !state.live().is_empty()
            || !state.committed().is_empty()
            || state.count(TaskState::Checking) > 0
            || state.allocations().values().any(|row| row.state.is_live())
            || state.unplaced().len() > 0
            || state.has_waiting();
        let left = state.n_unfinished();
        hold!(is_awaited, "L3", "{left} tasks are left, and nothing is awaited");
        Ok(())
    }

    /// Everything that a starting attempt reads is published, or committed where it starts.
    pub(super) fn start(
        &mut self,
        workflow: &Workflow,
        attempt: AttemptId,
        committed: &BTreeSet<AttemptId>,
        was_reused: &dyn Fn(TaskId) -> bool,
    ) -> Checked {
        let task = attempt.task();
        let state = &self.state;
        let latest = |parent| {
            let number = if was_reused(parent) { 0 } else { state.task(parent).attempts };
            AttemptId(parent, number)
        };
        self.read.insert(attempt, workflow.parents(task).map(latest).collect());
        let is_published = state.task(task).state == TaskState::Published;
        hold!(!is_published, "S3", "{attempt} starts, and its task is published");
        for parent in workflow.parents(task) {
            let is_published = state.task(parent).state == TaskState::Published;
            let is_together = state.shard_of(parent) == state.shard_of(task);
            let is_here = is_together && committed.contains(&latest(parent));
            hold!(is_published || is_here, "S2", "{attempt} starts before {parent} is done");
        }
        Ok(())
    }

    fn s7_nothing_of_a_shard_is_live(
        &self,
        allocation: AllocationId,
        shards: &[ShardGrant],
    ) -> Checked {
        let row = self.state.allocations().get(&allocation);
        let is_up = row.is_some_and(|row| row.state == AllocationState::Up);
        hold!(is_up, "S7", "shards are granted to {allocation}, which is not up");
        let Some(plan) = self.state.plan() else { return Ok(()) };
        for ShardGrant(shard, _, _) in shards {
            for task in plan.tasks_of(*shard) {
                let live = self.state.live().get(&task);
                hold!(live.is_none(), "S7", "{shard} is granted while {task} has {live:?}");
            }
            let zone = plan.zone_of(*shard);
            let is_there = row.is_some_and(|row| zone == Some(row.zone));
            hold!(is_there, "S7", "{shard} is granted outside {zone:?}");
        }
        Ok(())
    }

    /// Capacity that may still be there counts, whether or not it has been heard of.
    fn s9_no_more_than_wanted(&self, zone: ZoneId) -> Checked {
        let wanted = self.state.allocations_wanted(zone);
        let held = self.state.live_allocations(zone).count();
        // Of those that a revision does not want any more, some may be about to end.
        let is_fine = held == 0 || wanted.is_some();
        hold!(is_fine, "S9", "one more allocation is asked for in {zone}, which holds {held}");
        Ok(())
    }

    fn s7_live_attempts_have_a_live_owner(&self) -> Checked {
        for (task, live) in self.state.live() {
            let owner = &self.state.allocations()[&live.allocation];
            let (id, state) = (live.allocation, owner.state);
            hold!(state.is_live(), "S7", "{task} lives in {id}, which is {state:?}");
        }
        Ok(())
    }

    fn s6_every_shard_is_somewhere(&self, event: &Event) -> Checked {
        let is_of_plan = matches!(event, Event::PlanAdopted { .. } | Event::PlanRevised { .. });
        if !is_of_plan && !matches!(event, Event::WorkflowGrown { .. }) {
            return Ok(());
        }
        let Some(plan) = self.state.plan() else { return Ok(()) };
        let n = self.state.n_selected() + self.state.count(TaskState::Excluded);
        let mut times = vec![0_u32; n];
        for shard in (0..plan.n_shards() as u32).map(ShardId) {
            for task in plan.tasks_of(shard) {
                times[task.index()] += 1;
                let taken_for = self.state.shard_of(task);
                hold!(
                    taken_for == shard,
                    "S6",
                    "{task} of {shard} is taken for one of {taken_for}"
                );
            }
        }
        let wrong = times.iter().position(|&times| times != 1);
        hold!(wrong.is_none(), "S6", "task {wrong:?} is not in exactly one shard");
        let is_moved = matches!(event, Event::PlanRevised { .. });
        if is_moved { Ok(()) } else { self.s6_shards_have_no_cycle(plan) }
    }

    /// Whoever waits for a shard, over others or at once, is not in it.
    fn s6_shards_have_no_cycle(&self, plan: &Plan) -> Checked {
        let workflow = self.state.workflow();
        let edges_from = |shard: ShardId| {
            let of = |task| self.state.shard_of(task);
            let children =
                plan.tasks_of(shard).into_iter().flat_map(|task| workflow.children(task));
            children.map(of).filter(move |&other| other != shard).collect::<Vec<_>>()
        };
        let edges: Vec<Vec<ShardId>> =
            (0..plan.n_shards() as u32).map(|shard| edges_from(ShardId(shard))).collect();
        let mut n_before = vec![0_u32; edges.len()];
        edges.iter().flatten().for_each(|shard| n_before[shard.0 as usize] += 1);
        let mut free: Vec<usize> = (0..edges.len()).filter(|&i| n_before[i] == 0).collect();
        let mut n_ordered = 0;
        while let Some(shard) = free.pop() {
            n_ordered += 1;
            for after in &edges[shard] {
                n_before[after.0 as usize] -= 1;
                if n_before[after.0 as usize] == 0 {
                    free.push(after.0 as usize);
                }
            }
        }
        let n = edges.len();
        hold!(n_ordered == n, "S6", "{} of {n} shards wait for each other", n - n_ordered);
        Ok(())
    }

    pub(super) fn s11_replay_is_the_same(
        &self,
        workflow: &Arc<Workflow>,
        journal: &[Record],
    ) -> Checked {
        let replayed = RunState::replay(Arc::clone(workflow), journal);
        hold!(replayed.as_ref() == Ok(&self.state), "S11", "replay gives another state");
        Ok(())
    }

    fn s14_only_listed_changes(&mut self, before: &Before, record: &Record) -> Checked {
        let seq = record.seq;
        for (task, &from) in (0..).map(TaskId).zip(&before.tasks) {
            let to = self.state.task(task).state;
            if from != to {
                let is_listed = listed::TASK.contains(&(from, to));
                hold!(is_listed, "S14", "{task} goes from {from:?} to {to:?} by record {seq}");
                self.taken.insert((format!("{from:?}"), format!("{to:?}")));
            }
        }
        let (from, to) = (before.phase, self.state.phase());
        if from != to {
            let is_listed = listed::PHASE.contains(&(from, to));
            hold!(is_listed, "S14", "the run goes from {from:?} to {to:?}");
            self.taken.insert((format!("{from:?}"), format!("{to:?}")));
        }
        for (id, row) in self.state.allocations() {
            let from = before.allocations.get(id).copied();
            if let Some(from) = from.filter(|&from| from != row.state) {
                let to = row.state;
                let is_listed = listed::ALLOCATION.contains(&(from, to));
                hold!(is_listed, "S14", "{id} goes from {from:?} to {to:?}");
                self.taken.insert((format!("{from:?}"), format!("{to:?}")));
            }
        }
        Ok(())
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
