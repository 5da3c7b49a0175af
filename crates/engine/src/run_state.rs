//! The state of a run: a fold over its records, the same live and in replay.
//!
//! [`RunState::apply`] is the only thing that changes it. What can be derived (ready queues,
//! counters) is kept beside the truth for speed and updated by one setter, so that it can never
//! disagree. Never serialized: the journal holds events, not states.

mod attempts;
mod capacity;
mod finals;
mod forecasting;
mod granting;
mod growing;
mod reading;
mod revising;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plan::{Plan, ShardId};
use spec::{Digest, Resources, TaskId, Timestamp, Workflow, ZoneId};

use crate::allocation_state::AllocationState;
use crate::cause::FailureCause;
use crate::event::{Event, Options, Record};
use crate::forecast::ForecastSummary;
use crate::id::{AllocationId, Epoch, Generation};
use crate::input::{Command, MachineUsage};
use crate::memory::MemoryTerms;
use crate::outcome::{Manifest, Outcome};
use crate::phase::{Phase, PhaseStep};
use crate::planted::{self, Bug};
use crate::ranges::TaskRanges;
use crate::task_state::{Impossible, TaskState, TaskStep};
use granting::Shortage;

/// Everything known of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunState {
    graph: Graph,
    pub(crate) seq: u64,
    pub(crate) epoch: Epoch,
    pub(crate) phase: Phase,
    pub(crate) options: Options,
    pub(crate) plan: Option<Plan>,
    pub(crate) tasks: Vec<TaskRow>,
    /// By number of [`TaskState`]: how many tasks are in it.
    pub(crate) counts: [usize; N_STATES],
    pub(crate) shards: Vec<ShardRow>,
    shard_of: Vec<ShardId>,
    positions: Vec<u32>,
    /// By zone: shards that can be granted, in dispatch order.
    pub(crate) grantable: Vec<BTreeSet<(u32, ShardId)>>,
    /// Shards that could be granted if the plan gave them a zone, in dispatch order.
    pub(crate) unplaced: BTreeSet<(u32, ShardId)>,
    pub(crate) live: BTreeMap<TaskId, LiveAttempt>,
    pub(crate) committed: BTreeMap<TaskId, CommittedAttempt>,
    pub(crate) held: BTreeSet<(Timestamp, TaskId)>,
    pub(crate) allocations: BTreeMap<AllocationId, Allocation>,
    /// By zone, those that may still hold attempts.
    pub(crate) live_allocations: BTreeMap<ZoneId, BTreeSet<AllocationId>>,
    /// By zone, how many a revision of the plan wants.
    pub(crate) allocations_wanted: BTreeMap<ZoneId, u32>,
    outputs: Vec<Manifest>,
    failures: BTreeMap<TaskId, FailureCause>,
    skipped_because: BTreeMap<TaskId, TaskId>,
    reusable: TaskRanges,
    memory: MemoryTerms,
    shortages: BTreeMap<TaskId, Shortage>,
    /// Whether every task is wanted, and with that every new one.
    wants_all: bool,
    /// Names of wanted `foreach` tasks that are still to come.
    wanted: Vec<String>,
    /// Tasks that have added to the graph, and a digest of what.
    grown: BTreeMap<TaskId, Digest>,
    /// Sorted; empty in most workflows.
    final_tasks: Vec<TaskId>,
    /// Whether the gate of final tasks is open, and how all else ended.
    finals: Option<Outcome>,
    /// The latest forecast of zones.
    forecast: Option<ForecastSummary>,
}

/// The graph as it is by now: it may grow, and never shrinks.
#[derive(Clone, Debug)]
struct Graph(Arc<Workflow>);

impl PartialEq for Graph {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

const N_STATES: usize = 11;

/// The small part that every task has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskRow {
    /// Where it stands.
    pub state: TaskState,
    /// Parents in other shards that are not published yet.
    pub unmet: u32,
    /// The number of its latest attempt; 0 if none.
    pub attempts: u32,
    /// Which publication is due, or done.
    pub generation: Generation,
    /// How many of its retries are used; running out of memory uses none.
    pub failures: u16,
    /// How often it was lost with its place.
    pub losses: u16,
}

impl TaskRow {
    /// Before anything is known.
    const NEW: Self = Self {
        state: TaskState::Excluded,
        unmet: 0,
        attempts: 0,
        generation: Generation::FIRST,
        failures: 0,
        losses: 0,
    };
}

/// Counters of a shard's tasks, by what they mean for granting it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShardRow {
    /// Not grantable yet, though they will be.
    obstacles: u32,
    ready: u32,
    leased: u32,
    /// Whether it holds final tasks, and nothing else.
    is_final: bool,
    /// How often the shard was granted.
    pub(crate) epoch: u32,
}

/// An attempt that is granted and has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveAttempt {
    /// Its number.
    pub number: u32,
    /// Where it is.
    pub allocation: AllocationId,
    /// When and in which slot its process started, if it has.
    pub started: Option<(Timestamp, u32)>,
}

/// An attempt whose outputs are safe, but not visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedAttempt {
    /// Its number.
    pub number: u32,
    /// For which publication of the task.
    pub generation: Generation,
    /// Where it was.
    pub allocation: AllocationId,
    /// What it made.
    pub outputs: Manifest,
}

/// Capacity that the run holds or held.
#[derive(Clone, Debug, PartialEq)]
pub struct Allocation {
    /// Where.
    pub zone: ZoneId,
    /// How it stands.
    pub state: AllocationState,
    /// What may be used now.
    pub capacity: Resources,
    /// How many live attempts it holds.
    pub n_live: usize,
    /// What its machine did when last measured.
    pub measured: Option<MachineUsage>,
}

/// A record that does not follow from those before it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("record {seq} is impossible: {why}")]
pub struct InvalidHistory {
    /// Which.
    pub seq: u64,
    /// Why.
    pub why: String,
}

/// What a change of state asks of the engine beyond the change itself.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Tasks whose earlier results are to be compared.
    pub(crate) to_check: Vec<TaskId>,
    /// Committed tasks that can perhaps be published now.
    pub(crate) to_publish: Vec<TaskId>,
}

impl RunState {
    /// Before the first record.
    #[must_use]
    pub fn new(workflow: Arc<Workflow>) -> Self {
        let n = workflow.n_tasks();
        let final_tasks = workflow.final_tasks().collect();
        let mut counts = [0; N_STATES];
        counts[TaskState::Excluded as usize] = n;
        Self {
            graph: Graph(workflow),
            seq: 0,
            epoch: Epoch::default(),
            phase: Phase::Running,
            options: Options::default(),
            plan: None,
            tasks: vec![TaskRow::NEW; n],
            counts,
            shards: Vec::new(),
            shard_of: Vec::new(),
            positions: Vec::new(),
            grantable: Vec::new(),
            unplaced: BTreeSet::new(),
            live: BTreeMap::new(),
            committed: BTreeMap::new(),
            held: BTreeSet::new(),
            allocations: BTreeMap::new(),
            live_allocations: BTreeMap::new(),
            allocations_wanted: BTreeMap::new(),
            outputs: vec![Manifest::new(); n],
            failures: BTreeMap::new(),
            skipped_because: BTreeMap::new(),
            reusable: TaskRanges::default(),
            memory: MemoryTerms::default(),
            shortages: BTreeMap::new(),
            wants_all: false,
            wanted: Vec::new(),
            grown: BTreeMap::new(),
            final_tasks,
            finals: None,
            forecast: None,
        }
    }

    /// Replays a whole history.
    ///
    /// # Errors
    /// The first record that does not follow from those before it.
    pub fn replay<'a>(
        workflow: Arc<Workflow>,
        records: impl IntoIterator<Item = &'a Record>,
    ) -> Result<Self, InvalidHistory> {
        let mut state = Self::new(workflow);
        for record in records {
            state.apply(record)?;
        }
        Ok(state)
    }

    /// Takes in the next record.
    ///
    /// # Errors
    /// The record does not follow from those before it; the state is then not to be used.
    pub fn apply(&mut self, record: &Record) -> Result<(), InvalidHistory> {
        self.fold(record).map(|_| ())
    }

    pub(crate) fn fold(&mut self, record: &Record) -> Result<Applied, InvalidHistory> {
        let invalid = |why: String| InvalidHistory { seq: record.seq, why };
        if record.seq != self.seq + 1 {
            return Err(invalid(format!("it should have number {}", self.seq + 1)));
        }
        let mut applied = Applied::default();
        if let Event::WorkflowGrown { by, growth, zones, reusable } = &record.event {
            self.on_grown(*by, growth, zones, reusable).map_err(invalid)?;
            self.seq = record.seq;
            return Ok(applied);
        }
        let workflow = Arc::clone(&self.graph.0);
        self.fold_event(&workflow, &record.event, &mut applied).map_err(invalid)?;
        self.seq = record.seq;
        Ok(applied)
    }

    fn fold_event(
        &mut self,
        workflow: &Workflow,
        event: &Event,
        applied: &mut Applied,
    ) -> Result<(), String> {
        match event {
            _ if self.seq == 0 && !matches!(event, Event::RunStarted { .. }) => {
                return Err("a history begins with the start of its run".to_owned());
            }
            Event::RunStarted { options, selected, reusable, memory, wanted, workflow: digest } => {
                if self.seq > 0 || *digest != workflow.digest() {
                    return Err("it starts another run".to_owned());
                }
                self.options = options.clone();
                self.reusable = reusable.clone();
                self.memory = memory.clone();
                self.wants_all = selected.len() == self.tasks.len() && wanted.is_empty();
                self.wanted.clone_from(wanted);
                for task in selected.iter() {
                    self.check_task(task)?;
                    self.put_state(task, TaskState::Waiting);
                }
            }
            Event::RunResumed { epoch } => self.on_resumed(*epoch),
            Event::PlanAdopted { plan } => self.on_plan(workflow, plan, applied)?,
            Event::PlanRevised { revision } => self.on_revised(revision)?,
            Event::AllocationRequested { .. }
            | Event::AllocationUp { .. }
            | Event::CapacityChanged { .. }
            | Event::AllocationLost { .. }
            | Event::AllocationEnded { .. }
            | Event::MachineMeasured { .. } => self.fold_allocation_event(event)?,
            Event::ShardsGranted { allocation, shards } => self.on_granted(*allocation, shards)?,
            Event::RetriesDue { tasks } => self.on_retries_due(tasks)?,
            Event::TaskReused { task, outputs, .. } => {
                self.step(*task, TaskStep::Reused)?;
                self.on_published(workflow, *task, outputs.clone(), applied)?;
            }
            Event::TaskChanged { task, .. } => {
                self.step(*task, TaskStep::Changed)?;
                self.unblock_inside(workflow, *task, applied)?;
            }
            Event::CommandAccepted { command } => self.on_command(workflow, *command, applied)?,
            Event::FinalsDue { outcome } => self.on_finals_due(workflow, *outcome, applied)?,
            Event::ForecastChanged { forecast } => self.on_forecast(forecast)?,
            Event::RunPaused => self.advance(PhaseStep::Paused)?,
            Event::WorkflowGrown { .. } => unreachable!("the graph is not held while it grows"),
            Event::RunFinished { outcome } => self.advance(PhaseStep::Finished(*outcome))?,
            Event::AttemptStarted { .. }
            | Event::AttemptCommitted { .. }
            | Event::AttemptFailed { .. }
            | Event::AttemptLost { .. }
            | Event::AttemptRevoked { .. }
            | Event::PublishIntended { .. }
            | Event::Published { .. } => self.fold_attempt_event(workflow, event, applied)?,
        }
        Ok(())
    }

    fn on_retries_due(&mut self, tasks: &[TaskId]) -> Result<(), String> {
        for &task in tasks {
            self.step(task, TaskStep::RetryDue)?;
        }
        let due: BTreeSet<TaskId> = tasks.iter().copied().collect();
        // Those that are due come first, so that nothing else is looked at.
        while self.held.first().is_some_and(|(_, held)| due.contains(held)) {
            self.held.pop_first();
        }
        // But for final tasks, before which others may be left that nobody waits for.
        if self.finals.is_some() {
            self.held.retain(|(_, held)| !due.contains(held));
        }
        Ok(())
    }

    fn on_plan(
        &mut self,
        workflow: &Workflow,
        plan: &Plan,
        applied: &mut Applied,
    ) -> Result<(), String> {
        self.shard_of = plan.shard_of_tasks(self.tasks.len());
        self.positions = plan.positions();
        self.shards = vec![ShardRow::default(); plan.n_shards()];
        let zones = (0..plan.n_shards() as u32).filter_map(|shard| plan.zone_of(ShardId(shard)));
        let n_zones = zones.map(|zone| zone.index() + 1).max().unwrap_or(1);
        self.grantable = vec![BTreeSet::new(); n_zones];
        self.unplaced.clear();
        self.plan = Some(plan.clone());
        for task in workflow.tasks() {
            self.tasks[task.index()].unmet = self.count_unmet(task);
            self.count_in_shard(task, self.tasks[task.index()].state, 1);
        }
        for &task in &self.final_tasks {
            self.shards[self.shard_of[task.index()].0 as usize].is_final = true;
        }
        for shard in (0..plan.n_shards() as u32).map(ShardId) {
            self.refresh_grantable(shard);
        }
        self.find_room_for_learned(0);
        for task in workflow.tasks() {
            let row = self.tasks[task.index()];
            if row.state == TaskState::Waiting && row.unmet == 0 {
                self.unblock(workflow, task, applied)?;
            }
        }
        Ok(())
    }

    /// Whether all that a task reads has its final name; until then nothing that was made from it
    /// has one either.
    pub(crate) fn has_all_inputs(&self, task: TaskId) -> bool {
        let is_there = |state| matches!(state, TaskState::Published | TaskState::Excluded);
        self.graph.0.parents(task).all(|parent| is_there(self.tasks[parent.index()].state))
    }

    fn on_published(
        &mut self,
        workflow: &Workflow,
        task: TaskId,
        outputs: Manifest,
        applied: &mut Applied,
    ) -> Result<(), String> {
        self.outputs[task.index()] = outputs;
        let shard = self.shard_of[task.index()];
        for child in workflow.children(task) {
            let row = &mut self.tasks[child.index()];
            if self.shard_of[child.index()] == shard {
                if row.state == TaskState::Committed {
                    applied.to_publish.push(child);
                }
                continue;
            }
            row.unmet = row.unmet.checked_sub(1).ok_or("a parent was published twice")?;
            let left = u32::from(planted::is(Bug::SkipDependency));
            if row.unmet <= left && row.state == TaskState::Waiting {
                self.unblock(workflow, child, applied)?;
            }
        }
        self.unblock_inside(workflow, task, applied)
    }

    /// All parents in other shards are published: the task can run with its shard. An earlier
    /// result is only compared when every input is there, so it waits until it is known what
    /// becomes of the parents inside the shard, and is of no use if one of them runs again.
    fn unblock(
        &mut self,
        workflow: &Workflow,
        task: TaskId,
        applied: &mut Applied,
    ) -> Result<(), String> {
        if self.is_gated(task) {
            return Ok(());
        }
        let is_decided = |state| !matches!(state, TaskState::Waiting | TaskState::Checking);
        let state_of = |parent: TaskId| self.tasks[parent.index()].state;
        let has_result = self.reusable.contains(task);
        let is_hasty = planted::is(Bug::CompareTooEarly);
        if has_result && !is_hasty && !workflow.parents(task).map(state_of).all(is_decided) {
            return Ok(());
        }
        let is_reusable = has_result && (is_hasty || self.has_all_inputs(task));
        self.step(task, TaskStep::Unblocked { is_reusable })?;
        if is_reusable {
            applied.to_check.push(task);
            return Ok(());
        }
        self.unblock_inside(workflow, task, applied)
    }

    /// What waits inside the shard to learn whether `task` runs again.
    fn unblock_inside(
        &mut self,
        workflow: &Workflow,
        task: TaskId,
        applied: &mut Applied,
    ) -> Result<(), String> {
        if self.reusable.is_empty() {
            return Ok(());
        }
        for child in workflow.children(task) {
            let row = self.tasks[child.index()];
            let is_inside = self.shard_of[child.index()] == self.shard_of[task.index()];
            if is_inside && row.unmet == 0 && row.state == TaskState::Waiting {
                self.unblock(workflow, child, applied)?;
            }
        }
        Ok(())
    }

    fn skip_descendants(&mut self, workflow: &Workflow, failed: TaskId) -> Result<(), String> {
        let root = self.skipped_because.get(&failed).copied().unwrap_or(failed);
        let mut stack: Vec<TaskId> = workflow.children(failed).collect();
        while let Some(task) = stack.pop() {
            let can_skip = match self.tasks[task.index()].state {
                TaskState::Waiting | TaskState::Checking | TaskState::Ready => true,
                TaskState::Held => {
                    self.held.retain(|&(_, held)| held != task);
                    true
                }
                TaskState::Excluded
                | TaskState::Leased
                | TaskState::Committed
                | TaskState::Publishing
                | TaskState::Published
                | TaskState::Failed
                | TaskState::Skipped => false,
            };
            if can_skip {
                self.step(task, TaskStep::Skipped)?;
                self.skipped_because.insert(task, root);
                if !planted::is(Bug::SkipChildrenOnly) {
                    stack.extend(workflow.children(task));
                }
            }
        }
        Ok(())
    }

    fn on_command(
        &mut self,
        workflow: &Workflow,
        command: Command,
        applied: &mut Applied,
    ) -> Result<(), String> {
        self.advance(PhaseStep::Command(command))?;
        if command == Command::RetryFailed {
            self.failures.clear();
            self.skipped_because.clear();
            self.rearm_finals()?;
            for task in workflow.tasks() {
                let row = &mut self.tasks[task.index()];
                if matches!(row.state, TaskState::Failed | TaskState::Skipped) {
                    if !planted::is(Bug::KeepFailures) {
                        (row.failures, row.losses) = (0, 0);
                    }
                    let is_unblocked = row.unmet == 0;
                    self.give_oom_retries_back(task);
                    self.step(task, TaskStep::Reset { is_unblocked })?;
                }
            }
            // Waiting tasks without unmet parents cannot be left over: Reset looked at `unmet`.
            debug_assert!(applied.to_check.is_empty());
        }
        Ok(())
    }

    /// One step of a task's lifecycle.
    fn step(&mut self, task: TaskId, step: TaskStep) -> Result<(), String> {
        self.check_task(task)?;
        let state = self.tasks[task.index()].state;
        let next = state.next(step).map_err(|e: Impossible| format!("{task}: {e}"))?;
        self.put_state(task, next);
        Ok(())
    }

    /// The one setter of a task's state: counters and queues follow from it.
    fn put_state(&mut self, task: TaskId, state: TaskState) {
        let before = std::mem::replace(&mut self.tasks[task.index()].state, state);
        self.counts[before as usize] -= 1;
        self.counts[state as usize] += 1;
        if !self.shards.is_empty() {
            self.count_in_shard(task, before, -1);
            self.count_in_shard(task, state, 1);
            self.refresh_grantable(self.shard_of[task.index()]);
        }
    }

    fn count_in_shard(&mut self, task: TaskId, state: TaskState, change: i32) {
        let row = &mut self.shards[self.shard_of[task.index()].0 as usize];
        let counter = match state {
            TaskState::Waiting
            | TaskState::Checking
            | TaskState::Held
            | TaskState::Committed
            | TaskState::Publishing => &mut row.obstacles,
            TaskState::Ready => &mut row.ready,
            TaskState::Leased => &mut row.leased,
            TaskState::Excluded | TaskState::Published | TaskState::Failed | TaskState::Skipped => {
                return;
            }
        };
        *counter = counter.wrapping_add_signed(change);
    }

    fn refresh_grantable(&mut self, shard: ShardId) {
        let row = self.shards[shard.0 as usize];
        let Some(plan) = &self.plan else { return };
        let queue = match plan.zone_of(shard) {
            Some(zone) => &mut self.grantable[zone.index()],
            None => &mut self.unplaced,
        };
        let entry = (self.positions[shard.0 as usize], shard);
        let is_its_time = row.is_final == self.finals.is_some();
        let is_free = row.leased == 0 || planted::is(Bug::GrantTwice);
        if is_its_time && row.ready > 0 && row.obstacles == 0 && is_free {
            queue.insert(entry);
        } else {
            queue.remove(&entry);
        }
    }

    fn advance(&mut self, step: PhaseStep) -> Result<(), String> {
        let next = self.phase.next(step);
        self.phase = next.ok_or_else(|| format!("{step:?} while {:?}", self.phase))?;
        Ok(())
    }

    fn check_task(&self, task: TaskId) -> Result<(), String> {
        if task.index() < self.tasks.len() { Ok(()) } else { Err(format!("there is no {task}")) }
    }

    fn row_mut(&mut self, task: TaskId) -> Result<&mut TaskRow, String> {
        self.tasks.get_mut(task.index()).ok_or_else(|| format!("there is no {task}"))
    }
}
