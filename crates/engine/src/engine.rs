//! The engine: one door in, one door out.
//!
//! Call [`Engine::handle`] once, then [`Engine::poll`] until it answers [`Output::WaitUntil`],
//! then `handle` again. An event is polled before any action that follows from it; whoever
//! drives makes it durable first, as far as [`Action::needs_sync`] says. The same inputs give the
//! same outputs, byte for byte. Inputs that are stale, repeated or out of order produce nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use plan::Plan;
use spec::{TaskId, Timestamp, Workflow};

use crate::action::Action;
use crate::cause::{FailureCause, LossCause};
use crate::event::{Event, Options, Record};
use crate::forecast::ForecastSummary;
use crate::growing::Growths;
use crate::id::{AllocationId, AttemptId, Epoch};
use crate::input::{Command, Input, Observation, Report, ReuseVerdict};
use crate::memory::MemoryTerms;
use crate::outcome::{Manifest, Usage};
use crate::phase::{Phase, PhaseStep};
use crate::planted::{self, Bug};
use crate::ranges::TaskRanges;
use crate::run_state::{InvalidHistory, LiveAttempt, RunState};
use crate::task_state::TaskState;

pub(crate) type ByAllocation = BTreeMap<AllocationId, Vec<AttemptId>>;

/// What whoever drives the engine has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Write this down before going on.
    Record(Record),
    /// Do this; at least once, keyed by attempt.
    Perform(Action),
    /// Nothing more: sleep until there is an input, or until this time.
    WaitUntil(Option<Timestamp>),
}

/// What a new run is made of.
#[derive(Clone, Debug)]
pub struct Start {
    /// The first plan.
    pub plan: Plan,
    /// What the user chose.
    pub options: Options,
    /// The tasks that are wanted, with all they need.
    pub selected: TaskRanges,
    /// Wanted tasks with a result of an earlier run.
    pub reusable: TaskRanges,
    /// What attempts are granted of memory beyond what the workflow says.
    pub memory: MemoryTerms,
    /// Names of `foreach` tasks that are wanted though they are still to come; if it is empty,
    /// new tasks are wanted when all tasks are, or when one that is wanted needs them.
    pub wanted: Vec<String>,
}

/// Carries out a plan.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) state: RunState,
    pub(crate) now: Timestamp,
    outbox: VecDeque<Output>,
    to_check: Vec<TaskId>,
    to_publish: Vec<TaskId>,
    pub(crate) growth: Growths,
    /// Whether allocations were told to end, so that they are told once.
    pub(crate) is_closing: bool,
    /// Allocations that were told to end because the plan wants fewer.
    pub(crate) released: BTreeSet<AllocationId>,
}

impl Engine {
    /// A new run.
    #[must_use]
    pub fn start(workflow: Arc<Workflow>, start: Start, now: Timestamp) -> Self {
        let digest = workflow.digest();
        let mut engine = Self::with_state(RunState::new(workflow), now);
        let Start { plan, options, selected, reusable, wanted, memory } = start;
        let workflow = digest;
        engine.emit(Event::RunStarted { workflow, options, selected, reusable, memory, wanted });
        engine.emit(Event::PlanAdopted { plan });
        engine.settle();
        engine
    }

    /// Takes over a run from its records, as the orchestrator of `epoch`.
    ///
    /// # Errors
    /// The first record that does not follow from those before it; or there is no plan among them:
    /// then nothing was done yet, and the run can only be started anew.
    pub fn resume<'a>(
        workflow: Arc<Workflow>,
        records: impl IntoIterator<Item = &'a Record>,
        epoch: Epoch,
        now: Timestamp,
    ) -> Result<Self, InvalidHistory> {
        let state = RunState::replay(workflow, records)?;
        if state.plan.is_none() {
            return Err(InvalidHistory { seq: state.seq, why: "it ends before a plan".to_owned() });
        }
        Ok(Self::take_over(state, epoch, now))
    }

    /// Takes over a run whose records, a plan among them, have been replayed.
    #[must_use]
    pub fn take_over(state: RunState, epoch: Epoch, now: Timestamp) -> Self {
        let mut engine = Self::with_state(state, now);
        if matches!(engine.state.phase, Phase::Finished(_)) {
            return engine;
        }
        engine.emit(Event::RunResumed { epoch });
        for (&allocation, row) in &engine.state.allocations {
            if row.state.is_live() {
                let zone = row.zone;
                engine.outbox.push_back(Output::Perform(Action::Probe { allocation, zone }));
            }
        }
        let publishing = engine.committed_in(TaskState::Publishing);
        if !publishing.is_empty() && !planted::is(Bug::NoRepublish) {
            engine.perform(Action::Publish { attempts: publishing });
        }
        let tasks = engine.state.workflow().tasks();
        engine.to_check =
            tasks.filter(|&t| engine.state.task(t).state == TaskState::Checking).collect();
        engine.to_publish =
            engine.committed_in(TaskState::Committed).into_iter().map(AttemptId::task).collect();
        if planted::is(Bug::ForgetChecks) {
            engine.to_check.clear();
        }
        if planted::is(Bug::ForgetCommits) {
            engine.to_publish.clear();
        }
        if engine.state.phase == Phase::Cancelling {
            engine.kill_all();
        } else if engine.is_failing_fast() {
            engine.revoke_waiting();
        }
        engine.settle();
        engine
    }

    fn with_state(state: RunState, now: Timestamp) -> Self {
        Self {
            state,
            now,
            outbox: VecDeque::new(),
            to_check: Vec::new(),
            to_publish: Vec::new(),
            growth: Growths::default(),
            is_closing: false,
            released: BTreeSet::new(),
        }
    }

    /// Takes in one input.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        self.now = now;
        match input {
            Input::Command(command) => self.on_command(command),
            Input::Observations(observations) => {
                for observation in observations {
                    self.on_observation(observation);
                }
            }
            Input::PlanProposed(revision) => self.on_proposal(revision),
            Input::ForecastChanged(forecast) => self.on_forecast(forecast),
            Input::Wake => {}
        }
        self.settle();
    }

    /// Keeps a forecast that is news to a run that goes on.
    fn on_forecast(&mut self, forecast: ForecastSummary) {
        let is_over = matches!(self.state.phase(), Phase::Paused | Phase::Finished(_));
        let is_news = self.state.forecast() != Some(&forecast) && forecast.is_sound();
        if self.state.seq() > 0 && !is_over && is_news {
            self.emit(Event::ForecastChanged { forecast });
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Output {
        if let Some(output) = self.outbox.pop_front() {
            return output;
        }
        // In other phases a retry that is due stays due: nobody is to be woken for it.
        let next = self.retries().next().filter(|_| !planted::is(Bug::ForgetRetry));
        Output::WaitUntil(next.map(|(at, _)| at))
    }

    /// What is known of the run.
    #[must_use]
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Records a fact: the state changes now, the record is polled later.
    pub(crate) fn emit(&mut self, event: Event) {
        let record = Record { seq: self.state.seq + 1, at: self.now, event };
        let applied = self.state.fold(&record);
        let applied = applied.expect("the engine only decides what its own lifecycles allow");
        self.to_check.extend(applied.to_check);
        self.to_publish.extend(applied.to_publish);
        self.outbox.push_back(Output::Record(record));
    }

    pub(crate) fn perform(&mut self, action: Action) {
        self.outbox.push_back(Output::Perform(action));
    }

    /// What follows from any input: retries that are due, commits to publish, results to compare,
    /// shards to grant, and the end.
    fn settle(&mut self) {
        self.release_retries();
        self.publish_commits();
        if !self.to_check.is_empty() {
            let tasks = std::mem::take(&mut self.to_check);
            self.perform(Action::CheckReuse { tasks });
        }
        self.dispatch();
        if self.conclude() {
            self.dispatch();
        }
    }

    fn release_retries(&mut self) {
        let due = self.retries().take_while(|&(at, _)| at <= self.now || planted::is(Bug::NoPause));
        let tasks: Vec<TaskId> = due.map(|(_, task)| task).collect();
        if !tasks.is_empty() {
            self.emit(Event::RetriesDue { tasks });
        }
    }

    /// The retries that are waited for, the next one first.
    pub(crate) fn retries(&self) -> impl Iterator<Item = (Timestamp, TaskId)> {
        let are_due = matches!(self.state.phase, Phase::Running | Phase::Finishing(_));
        let is_finishing = self.state.finals().is_some();
        let held = self.state.held.iter().copied().filter(move |_| are_due);
        held.filter(move |&(_, task)| self.state.is_final(task) == is_finishing)
    }

    fn publish_commits(&mut self) {
        let mut tasks = std::mem::take(&mut self.to_publish);
        tasks.sort_unstable();
        tasks.dedup();
        tasks.retain(|&task| {
            self.state.task(task).state == TaskState::Committed
                && (self.state.has_all_inputs(task) || planted::is(Bug::PublishTooEarly))
        });
        self.ask_for_growth(&mut tasks);
        let number = |task: &TaskId| self.state.committed[task].number;
        let attempts: Vec<_> = tasks.iter().map(|task| AttemptId(*task, number(task))).collect();
        if !attempts.is_empty() {
            self.emit(Event::PublishIntended { attempts: attempts.clone() });
            self.perform(Action::Publish { attempts });
        }
    }

    fn committed_in(&self, state: TaskState) -> Vec<AttemptId> {
        if self.state.count(state) == 0 {
            return Vec::new();
        }
        let committed = self.state.committed.iter();
        let wanted = committed.filter(|(task, _)| self.state.task(**task).state == state);
        wanted.map(|(&task, commit)| AttemptId(task, commit.number)).collect()
    }

    fn on_command(&mut self, command: Command) {
        if self.state.phase.next(PhaseStep::Command(command)).is_none() {
            return;
        }
        self.emit(Event::CommandAccepted { command });
        match command {
            Command::Drain => self.revoke_waiting(),
            Command::Stop | Command::Cancel => self.kill_all(),
            Command::RetryFailed => self.is_closing = false,
        }
    }

    pub(crate) fn revoke_waiting(&mut self) {
        for (allocation, attempts) in self.live_by_allocation(|live| live.started.is_none()) {
            self.perform(Action::Revoke { allocation, attempts });
        }
    }

    fn kill_all(&mut self) {
        for (allocation, attempts) in self.live_by_allocation(|_| true) {
            self.perform(Action::Kill { allocation, attempts });
        }
    }

    fn live_by_allocation(&self, is_wanted: impl Fn(&LiveAttempt) -> bool) -> ByAllocation {
        let mut by_allocation = ByAllocation::new();
        for (&task, live) in &self.state.live {
            if is_wanted(live) {
                let attempt = AttemptId(task, live.number);
                by_allocation.entry(live.allocation).or_default().push(attempt);
            }
        }
        by_allocation
    }

    fn on_observation(&mut self, observation: Observation) {
        match observation {
            Observation::AllocationUp { allocation, capacity, known } => {
                self.on_allocation_up(allocation, capacity, &known);
            }
            Observation::AllocationLost { allocation, cause, not_started } => {
                self.on_allocation_lost(allocation, cause, &not_started);
            }
            Observation::AllocationEnded { allocation } => self.on_allocation_ended(allocation),
            Observation::Reported { allocation, report } => self.on_report(allocation, report),
            Observation::Published { attempt } => {
                if self.is_publishing(attempt) || planted::is(Bug::PublishTwice) {
                    self.emit(Event::Published { attempts: vec![attempt] });
                }
            }
            Observation::PublishFailed { attempt, is_lost, why } => {
                self.on_publish_failed(attempt, is_lost, why);
            }
            Observation::ReuseChecked { task, verdict } => self.on_reuse_checked(task, verdict),
            Observation::GrowthRead { task, attempt, verdict } => {
                self.on_growth_read(task, attempt, verdict);
            }
        }
    }

    fn on_report(&mut self, allocation: AllocationId, report: Report) {
        match report {
            Report::Started { attempt, at, slot, .. } => {
                if self.live_in(attempt, allocation).is_some_and(|live| live.started.is_none()) {
                    self.emit(Event::AttemptStarted { attempt, started_at: at, slot });
                }
            }
            Report::Committed { attempt, usage, outputs } => {
                if self.live_in(attempt, allocation).is_some() {
                    self.on_commit(attempt, usage, outputs);
                }
            }
            Report::Failed { attempt, cause, usage } => {
                if self.live_in(attempt, allocation).is_some() {
                    self.fail(attempt, cause, usage);
                }
            }
            Report::Returned { .. } if planted::is(Bug::LoseRevoked) => {}
            Report::Returned { attempt } => {
                if self.live_in(attempt, allocation).is_some() {
                    self.emit(Event::AttemptRevoked { attempt });
                }
            }
            Report::Killed { attempt, .. } => {
                if self.live_in(attempt, allocation).is_some() {
                    self.lose(attempt, LossCause::Stopped, false);
                }
            }
            Report::Capacity { capacity } => {
                let row = self.state.allocations.get(&allocation);
                if row.is_some_and(|row| row.state.is_live() && row.capacity != capacity) {
                    self.emit(Event::CapacityChanged { allocation, capacity });
                }
            }
            Report::Measured { usage } => {
                let row = self.state.allocations.get(&allocation);
                if row.is_some_and(|row| row.measured.is_none_or(|last| last.at < usage.at)) {
                    self.emit(Event::MachineMeasured { allocation, usage });
                }
            }
        }
    }

    fn on_commit(&mut self, attempt: AttemptId, usage: Usage, outputs: Manifest) {
        if self.stands_on_firm_ground(attempt.task()) {
            let generation = self.state.task(attempt.task()).generation;
            self.emit(Event::AttemptCommitted { attempt, generation, usage, outputs });
        } else {
            self.lose(attempt, LossCause::CommitLost, false);
        }
    }

    /// The live attempt, if `attempt` is the current one and lives in `allocation`.
    fn live_in(&self, attempt: AttemptId, allocation: AllocationId) -> Option<&LiveAttempt> {
        let live = self.state.live.get(&attempt.task())?;
        let is_current = live.number == attempt.number() && live.allocation == allocation;
        (is_current || planted::is(Bug::AcceptLateResult)).then_some(live)
    }

    fn is_publishing(&self, attempt: AttemptId) -> bool {
        let commit = self.state.committed.get(&attempt.task());
        commit.is_some_and(|commit| commit.number == attempt.number())
            && self.state.task(attempt.task()).state == TaskState::Publishing
    }

    pub(crate) fn fail(&mut self, attempt: AttemptId, cause: FailureCause, usage: Usage) {
        if let FailureCause::OutOfMemory { granted, used, .. } = cause {
            return self.run_out_of_memory(attempt, (granted, used), usage);
        }
        let retries = self.state.workflow().retries(attempt.task());
        let used = self.state.task(attempt.task()).failures;
        let more = u16::from(planted::is(Bug::OneRetryMore));
        let can_retry =
            used < retries.count + more && !matches!(cause, FailureCause::MayHaveRun(_));
        let pause = retries.pause(u32::from(used) + 1);
        let retry_at = can_retry.then(|| self.now + pause);
        self.give_up_what_built_on(attempt.task());
        self.record_failure(attempt, cause, usage, retry_at);
    }

    /// What the task needs was not known: it is tried again at once with more, if it can get any.
    fn run_out_of_memory(
        &mut self,
        attempt: AttemptId,
        (granted, used): (spec::Bytes, spec::Bytes),
        usage: Usage,
    ) {
        let bound = self.state.memory_bound(attempt.task());
        let retry_at = bound.is_none().then_some(self.now);
        let cause = FailureCause::OutOfMemory { granted, used, bound };
        self.give_up_what_built_on(attempt.task());
        self.record_failure(attempt, cause, usage, retry_at);
    }

    fn record_failure(
        &mut self,
        attempt: AttemptId,
        cause: FailureCause,
        usage: Usage,
        retry_at: Option<Timestamp>,
    ) {
        let usage = if planted::is(Bug::ForgetUsage) { Usage::default() } else { usage };
        self.emit(Event::AttemptFailed { attempt, cause, usage, retry_at });
        if self.is_failing_fast() && retry_at.is_none() {
            self.revoke_waiting();
        }
    }

    /// The place failed the task. `was_idle`: it certainly had not started.
    fn lose(&mut self, attempt: AttemptId, cause: LossCause, was_idle: bool) {
        self.give_up_what_built_on(attempt.task());
        self.lose_alone(attempt, cause, was_idle);
    }

    pub(crate) fn lose_alone(&mut self, attempt: AttemptId, cause: LossCause, was_idle: bool) {
        if planted::is(Bug::ChargeLoss) && cause == LossCause::KeeperDied {
            return self.fail(attempt, FailureCause::Signal(9), Usage::default());
        }
        let task = attempt.task();
        let losses = u32::from(self.state.task(task).losses);
        let is_worn_out = losses >= self.state.options.losses_max
            && cause.is_held_against_task()
            && !planted::is(Bug::LoseForEver);
        let final_cause = if !self.state.workflow().template(task).idempotent
            && !was_idle
            && !planted::is(Bug::RepeatDoubtful)
        {
            Some(FailureCause::MayHaveRun(cause))
        } else {
            is_worn_out.then_some(FailureCause::LostTooOften(losses + 1))
        };
        if let Some(cause) = final_cause {
            self.record_failure(attempt, cause, Usage::default(), None);
        } else {
            self.emit(Event::AttemptLost { attempt, cause });
        }
    }

    /// A committed task can perhaps be published now.
    pub(crate) fn publish_soon(&mut self, task: TaskId) {
        self.to_publish.push(task);
    }

    fn on_publish_failed(&mut self, attempt: AttemptId, is_lost: bool, why: String) {
        if !self.is_publishing(attempt) || planted::is(Bug::IgnorePublishFailure) {
            return;
        }
        let running = self.running_on(attempt.task());
        if is_lost {
            self.lose(attempt, LossCause::CommitLost, false);
        } else {
            self.fail(attempt, FailureCause::CannotPublish(why), Usage::default());
        }
        for (allocation, attempts) in running {
            self.perform(Action::Kill { allocation, attempts });
        }
    }

    fn on_reuse_checked(&mut self, task: TaskId, verdict: ReuseVerdict) {
        let row = self.state.tasks.get(task.index());
        if row.is_none_or(|row| row.state != TaskState::Checking) {
            return;
        }
        match verdict {
            ReuseVerdict::Unchanged { run, outputs } if self.state.workflow().grows(task) => {
                self.ask_for_growth_of_reused(task, run, outputs);
            }
            ReuseVerdict::Unchanged { run, outputs } => {
                self.emit(Event::TaskReused { task, run, outputs });
            }
            ReuseVerdict::Changed { why } => self.emit(Event::TaskChanged { task, why }),
        }
    }
}

/// What becomes of allocations.
impl Engine {
    fn on_allocation_up(
        &mut self,
        allocation: AllocationId,
        capacity: spec::Resources,
        known: &[AttemptId],
    ) {
        let step = crate::allocation_state::AllocationStep::Up;
        let row = self.state.allocations.get(&allocation);
        if row.is_none_or(|row| row.state.next(step).is_none()) {
            return;
        }
        self.emit(Event::AllocationUp { allocation, capacity });
        let known: BTreeSet<&AttemptId> = known.iter().collect();
        let unknown: Vec<AttemptId> = self
            .state
            .live
            .iter()
            .filter(|(_, live)| live.allocation == allocation)
            .map(|(&task, live)| AttemptId(task, live.number))
            .filter(|attempt| !known.contains(attempt))
            .collect();
        if !self.may_start() {
            // It was never sent them, and it never will be.
            for attempt in unknown {
                self.emit(Event::AttemptRevoked { attempt });
            }
        } else if !unknown.is_empty() && !planted::is(Bug::NoResend) {
            let leases = unknown.into_iter().map(|attempt| self.lease(attempt)).collect();
            self.perform(Action::Lease { allocation, leases });
        }
        self.is_closing = false;
    }

    fn on_allocation_lost(
        &mut self,
        allocation: AllocationId,
        cause: LossCause,
        not_started: &[AttemptId],
    ) {
        if self.state.allocations.get(&allocation).is_none_or(|row| !row.state.is_live()) {
            return;
        }
        if !planted::is(Bug::LoseAllocationOnly) {
            self.lose_all_of(allocation, cause, not_started);
        }
        self.emit(Event::AllocationLost { allocation, cause });
    }

    fn on_allocation_ended(&mut self, allocation: AllocationId) {
        if self.state.allocations.get(&allocation).is_none_or(|row| !row.state.is_live()) {
            return;
        }
        // It promised to end with nothing left; whatever it did not report never ran.
        let left: Vec<AttemptId> =
            self.live_by_allocation(|_| true).remove(&allocation).unwrap_or_default();
        for attempt in left {
            self.emit(Event::AttemptRevoked { attempt });
        }
        self.emit(Event::AllocationEnded { allocation });
    }

    fn lose_all_of(
        &mut self,
        allocation: AllocationId,
        cause: LossCause,
        not_started: &[AttemptId],
    ) {
        let lost = self.live_by_allocation(|_| true).remove(&allocation).unwrap_or_default();
        for attempt in lost {
            self.lose(
                attempt,
                cause,
                not_started.contains(&attempt) || planted::is(Bug::TrustSilence),
            );
        }
    }

    /// What a task published, for whoever stages it as an input.
    #[must_use]
    pub fn outputs(&self, task: TaskId) -> &Manifest {
        self.state.outputs(task)
    }
}
