//! The timeline: one fold over the records of a run, keeping when everything was.
//!
//! Holds an [`engine::RunState`] for what states mean, and adds only what that forgets: times,
//! places and usage of every attempt, why tasks ran, what was measured. Dense by task and by
//! attempt, so that a million tasks fit in some hundred megabytes.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

use engine::cause::{FailureCause, LossCause};
use engine::event::{Event, Record};
use engine::id::{AllocationId, AttemptId, Epoch};
use engine::input::MachineUsage;
use engine::outcome::{Outcome, Usage};
use engine::ranges::TaskRanges;
use engine::run_state::{InvalidHistory, RunState};
use engine::task_state::TaskState;
use spec::resources::MilliCpus;
use spec::{Bytes, Duration, TaskId, Timestamp, Workflow, ZoneId};

/// Everything that happened in a run, by task, attempt and allocation.
#[derive(Clone, Debug)]
pub struct Timeline {
    state: RunState,
    attempts: Vec<Attempt>,
    /// By task: one more than the position of its latest attempt; 0 if it has none.
    latest: Vec<u32>,
    published_at: Vec<Option<Timestamp>>,
    origins: Vec<Origin>,
    texts: Texts,
    allocations: BTreeMap<AllocationId, AllocationSpan>,
    machine: Vec<MachineSample>,
    run: RunSpan,
    reusable: TaskRanges,
}

/// The run as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunSpan {
    /// When its first record was written.
    pub started_at: Timestamp,
    /// When it was taken over by another orchestrator.
    pub resumed: Vec<Resume>,
    /// When it ended, if it has, and how.
    pub finished: Option<(Timestamp, Outcome)>,
    /// When its last record was written.
    pub last_at: Timestamp,
}

/// Another orchestrator took over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The last sign of the orchestrator before.
    pub silent_since: Timestamp,
    /// When the new one began.
    pub at: Timestamp,
    /// The number of the new one.
    pub epoch: Epoch,
}

/// One try at a task.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// Which try.
    pub id: AttemptId,
    /// Where.
    pub allocation: AllocationId,
    /// In which of the allocation's slots it ran, from 0.
    pub slot: Option<u32>,
    /// When it was handed to the allocation.
    pub granted_at: Timestamp,
    /// When its process started.
    pub started_at: Option<Timestamp>,
    /// When its process ended, or was known to be gone.
    pub ended_at: Option<Timestamp>,
    /// When its commit was recorded.
    pub committed_at: Option<Timestamp>,
    /// If it failed: when the task may be tried again.
    pub retry_at: Option<Timestamp>,
    /// Cpu time, user and kernel; known of attempts that ended by themselves.
    pub cpu: Option<Duration>,
    /// The memory that was set aside for it, and is its limit; 0 if none.
    pub memory_granted: Bytes,
    /// Largest resident memory; known of attempts that ended by themselves.
    pub memory_peak: Option<Bytes>,
    /// How it ended.
    pub end: End,
    earlier: u32,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// It has not.
    Live,
    /// Its outputs are committed.
    Succeeded,
    /// By its own fault.
    Failed(Box<FailureCause>),
    /// By its place's fault.
    Lost(LossCause),
    /// A person stopped the run.
    Killed,
    /// Taken back before it started.
    Revoked,
}

/// Why a task ran, or did not have to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why<'a> {
    /// There was no earlier result, or none was wanted.
    New,
    /// An earlier result was there, and this has changed.
    Changed(&'a str),
    /// The result of this earlier run still stands.
    Reused(&'a str),
    /// An earlier result is there, and has not been compared yet.
    Unchecked,
}

/// Capacity, from asking for it to losing it or giving it back.
#[derive(Clone, Debug, PartialEq)]
pub struct AllocationSpan {
    /// Where.
    pub zone: ZoneId,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it was first there.
    pub up_at: Option<Timestamp>,
    /// When it was given back or lost.
    pub ended_at: Option<Timestamp>,
    /// Why it was lost, if it was.
    pub lost: Option<LossCause>,
    /// Cpus that could be used, from each time on.
    pub cpus: Vec<(Timestamp, MilliCpus)>,
    /// Since when nobody has heard of it, after a resume.
    silent_since: Option<Timestamp>,
}

/// A measurement of the machine that an allocation is on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MachineSample {
    /// By whom.
    pub allocation: AllocationId,
    /// What was seen.
    pub usage: MachineUsage,
}

impl Timeline {
    /// The timeline of a whole history, which may be of a run that is not over.
    ///
    /// # Errors
    /// The first record that does not follow from those before it.
    pub fn of<R: Borrow<Record>>(
        workflow: &Arc<Workflow>,
        records: impl IntoIterator<Item = R>,
    ) -> Result<Self, InvalidHistory> {
        let mut timeline = Self::new(workflow);
        for record in records {
            timeline.apply(record.borrow())?;
        }
        Ok(timeline)
    }

    /// Before the first record; for callers whose source of records can fail.
    #[must_use]
    pub fn new(workflow: &Arc<Workflow>) -> Self {
        let n = workflow.n_tasks();
        Self {
            state: RunState::new(Arc::clone(workflow)),
            attempts: Vec::new(),
            latest: vec![0; n],
            published_at: vec![None; n],
            origins: vec![Origin::Untold; n],
            texts: Texts::default(),
            allocations: BTreeMap::new(),
            machine: Vec::new(),
            run: RunSpan::default(),
            reusable: TaskRanges::default(),
        }
    }

    /// Takes in the next record.
    ///
    /// # Errors
    /// The record does not follow from those before it; the timeline is then not to be used.
    pub fn apply(&mut self, record: &Record) -> Result<(), InvalidHistory> {
        self.state.apply(record)?;
        let at = record.at;
        match &record.event {
            Event::RunStarted { reusable, .. } => {
                self.run.started_at = at;
                self.reusable = reusable.clone();
            }
            Event::RunResumed { epoch } => self.on_resumed(at, *epoch),
            Event::RunFinished { outcome } => self.run.finished = Some((at, *outcome)),
            Event::CommandAccepted { .. } => {
                if self.state.n_unfinished() > 0 {
                    self.run.finished = None;
                }
            }
            Event::AllocationRequested { .. }
            | Event::AllocationUp { .. }
            | Event::CapacityChanged { .. }
            | Event::AllocationLost { .. }
            | Event::AllocationEnded { .. }
            | Event::MachineMeasured { .. } => self.on_allocation_event(at, &record.event),
            Event::ShardsGranted { allocation, shards } => {
                for attempt in shards.iter().flat_map(|grant| &grant.2) {
                    self.on_granted(at, *allocation, *attempt);
                }
            }
            Event::Published { attempts } => {
                for attempt in attempts {
                    self.published_at[attempt.task().index()] = Some(at);
                }
            }
            Event::TaskReused { task, run, .. } => {
                self.published_at[task.index()] = Some(at);
                self.origins[task.index()] = Origin::Reused(self.texts.intern(run));
            }
            Event::TaskChanged { task, why } => {
                self.origins[task.index()] = Origin::Changed(self.texts.intern(why));
            }
            Event::WorkflowGrown { reusable, .. } => self.on_grown(reusable),
            Event::AttemptStarted { .. }
            | Event::AttemptCommitted { .. }
            | Event::AttemptFailed { .. }
            | Event::AttemptLost { .. }
            | Event::AttemptRevoked { .. } => self.on_attempt_event(at, &record.event),
            Event::PlanAdopted { .. }
            | Event::PlanRevised { .. }
            | Event::RetriesDue { .. }
            | Event::PublishIntended { .. }
            | Event::FinalsDue { .. }
            | Event::ForecastChanged { .. }
            | Event::RunPaused => {}
        }
        self.run.last_at = at;
        Ok(())
    }

    fn on_grown(&mut self, reusable: &TaskRanges) {
        let first_new = self.latest.len() as u32;
        let n = self.state.workflow().n_tasks();
        self.latest.resize(n, 0);
        self.published_at.resize(n, None);
        self.origins.resize(n, Origin::Untold);
        let new = reusable.iter().map(|task| TaskId(first_new + task.0));
        self.reusable =
            TaskRanges::from_sorted(self.reusable.iter().chain(new).collect::<Vec<_>>());
    }

    fn on_resumed(&mut self, at: Timestamp, epoch: Epoch) {
        let silent_since = self.run.last_at;
        self.run.resumed.push(Resume { silent_since, at, epoch });
        for span in self.allocations.values_mut().filter(|span| span.ended_at.is_none()) {
            span.silent_since.get_or_insert(silent_since);
        }
    }

    fn on_allocation_event(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::AllocationRequested { allocation, zone } => {
                self.allocations.insert(*allocation, AllocationSpan::requested(*zone, at));
            }
            Event::AllocationUp { allocation, capacity }
            | Event::CapacityChanged { allocation, capacity } => {
                let span = self.span_mut(*allocation);
                span.up_at.get_or_insert(at);
                span.silent_since = None;
                if span.cpus.last().is_none_or(|&(_, cpus)| cpus != capacity.cpus) {
                    span.cpus.push((at, capacity.cpus));
                }
            }
            Event::AllocationLost { allocation, cause } => {
                let span = self.span_mut(*allocation);
                span.ended_at = Some(span.silent_since.unwrap_or(at));
                span.lost = Some(*cause);
            }
            Event::AllocationEnded { allocation } => self.span_mut(*allocation).ended_at = Some(at),
            Event::MachineMeasured { allocation, usage } => {
                self.machine.push(MachineSample { allocation: *allocation, usage: *usage });
            }
            _ => unreachable!("only events about allocations are handed here"),
        }
    }

    fn on_granted(&mut self, at: Timestamp, allocation: AllocationId, id: AttemptId) {
        let latest = &mut self.latest[id.task().index()];
        let earlier = std::mem::replace(latest, self.attempts.len() as u32 + 1);
        let memory_granted = self.state.memory_granted(id.task());
        let granted = Attempt::granted(id, allocation, at, earlier);
        self.attempts.push(Attempt { memory_granted, ..granted });
    }

    fn on_attempt_event(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::AttemptStarted { attempt, started_at, slot } => {
                let row = self.attempt_mut(*attempt);
                row.started_at = Some(*started_at);
                row.slot = Some(*slot);
            }
            Event::AttemptCommitted { attempt, usage, .. } => {
                let row = self.attempt_mut(*attempt);
                row.committed_at = Some(at);
                row.measure(usage);
                row.end = End::Succeeded;
                if self.state.task(attempt.task()).state == TaskState::Published {
                    self.published_at[attempt.task().index()] = Some(at);
                }
            }
            Event::AttemptFailed { attempt, cause, usage, retry_at } => {
                let row = self.attempt_mut(*attempt);
                row.measure(usage);
                row.finish(at, End::Failed(Box::new(cause.clone())));
                row.retry_at = *retry_at;
            }
            Event::AttemptLost { attempt, cause } => {
                let allocation = self.attempt_mut(*attempt).allocation;
                let silent_since = self.span_mut(allocation).silent_since;
                let end = match cause {
                    LossCause::Stopped => End::Killed,
                    LossCause::KeeperDied | LossCause::MachineRestarted | LossCause::CommitLost => {
                        End::Lost(*cause)
                    }
                };
                self.attempt_mut(*attempt).finish(silent_since.unwrap_or(at), end);
            }
            Event::AttemptRevoked { attempt } => {
                self.attempt_mut(*attempt).finish(at, End::Revoked);
            }
            _ => unreachable!("only events about attempts are handed here"),
        }
    }

    fn attempt_mut(&mut self, id: AttemptId) -> &mut Attempt {
        // The run state has accepted the record, and it knows only the latest attempt of a task.
        let position = self.latest[id.task().index()] as usize - 1;
        &mut self.attempts[position]
    }

    fn span_mut(&mut self, id: AllocationId) -> &mut AllocationSpan {
        self.allocations.get_mut(&id).expect("the run state has accepted the record")
    }
}

/// What readers ask.
impl Timeline {
    /// What the records mean: states, counts, failures.
    #[must_use]
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// The run as a whole.
    #[must_use]
    pub fn run(&self) -> &RunSpan {
        &self.run
    }

    /// Every attempt, in the order in which they were granted.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The attempts at a task, the latest first.
    pub fn attempts_of(&self, task: TaskId) -> impl Iterator<Item = &Attempt> {
        let position = |number: u32| (number as usize).checked_sub(1);
        let first = position(self.latest[task.index()]).map(|i| &self.attempts[i]);
        std::iter::successors(first, move |a| position(a.earlier).map(|i| &self.attempts[i]))
    }

    /// When a task's outputs became visible, or were found to be still there.
    #[must_use]
    pub fn published_at(&self, task: TaskId) -> Option<Timestamp> {
        self.published_at[task.index()]
    }

    /// Why a task ran or did not have to.
    #[must_use]
    pub fn why(&self, task: TaskId) -> Why<'_> {
        match self.origins[task.index()] {
            Origin::Reused(run) => Why::Reused(self.texts.get(run)),
            Origin::Changed(why) => Why::Changed(self.texts.get(why)),
            Origin::Untold if self.reusable.contains(task) => Why::Unchecked,
            Origin::Untold => Why::New,
        }
    }

    /// Capacity that was ever asked for.
    #[must_use]
    pub fn allocations(&self) -> &BTreeMap<AllocationId, AllocationSpan> {
        &self.allocations
    }

    /// Measurements of whole machines, in the order they came.
    #[must_use]
    pub fn machine(&self) -> &[MachineSample] {
        &self.machine
    }

    /// The end of the last attempt that ran; the start of the run if none has.
    #[must_use]
    pub fn ended_at(&self) -> Timestamp {
        let ends = self.attempts.iter().filter(|a| a.started_at.is_some()).map(|a| self.end_of(a));
        ends.max().unwrap_or(self.run.started_at).max(self.run.started_at)
    }

    /// When an attempt ended; of one that still runs, the time of the last record.
    #[must_use]
    pub fn end_of(&self, attempt: &Attempt) -> Timestamp {
        attempt.ended_at.unwrap_or(self.run.last_at)
    }

    /// How long an attempt has run.
    #[must_use]
    pub fn elapsed(&self, attempt: &Attempt) -> Duration {
        attempt.started_at.map_or(Duration::ZERO, |start| self.end_of(attempt).since(start))
    }
}

impl Attempt {
    fn granted(id: AttemptId, allocation: AllocationId, at: Timestamp, earlier: u32) -> Self {
        Self {
            id,
            allocation,
            slot: None,
            granted_at: at,
            started_at: None,
            ended_at: None,
            committed_at: None,
            retry_at: None,
            cpu: None,
            memory_granted: Bytes(0),
            memory_peak: None,
            end: End::Live,
            earlier,
        }
    }

    /// Takes over a measurement; one without times says nothing (the keeper did not see the end).
    fn measure(&mut self, usage: &Usage) {
        if usage.ended_at == Timestamp::default() {
            return;
        }
        self.started_at = Some(usage.started_at);
        self.ended_at = Some(usage.ended_at);
        self.cpu = Some(usage.cpu_user + usage.cpu_system);
        self.memory_peak = Some(usage.memory_peak);
    }

    fn finish(&mut self, at: Timestamp, end: End) {
        if self.started_at.is_some() {
            self.ended_at.get_or_insert(at);
        }
        self.end = end;
    }
}

impl End {
    /// Whether what it did has to be done again, or never will be.
    #[must_use]
    pub fn is_lost_work(&self) -> bool {
        match self {
            Self::Failed(_) | Self::Lost(_) | Self::Killed => true,
            Self::Live | Self::Succeeded | Self::Revoked => false,
        }
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Live => f.write_str("running"),
            Self::Succeeded => f.write_str("succeeded"),
            Self::Failed(cause) => write!(f, "failed: {cause}"),
            Self::Lost(cause) => write!(f, "lost: {cause}"),
            Self::Killed => f.write_str("killed with the run"),
            Self::Revoked => f.write_str("taken back"),
        }
    }
}

impl AllocationSpan {
    fn requested(zone: ZoneId, at: Timestamp) -> Self {
        Self {
            zone,
            requested_at: at,
            up_at: None,
            ended_at: None,
            lost: None,
            cpus: Vec::new(),
            silent_since: None,
        }
    }

    /// The most cpus that could ever be used.
    #[must_use]
    pub fn cpus_max(&self) -> MilliCpus {
        self.cpus.iter().map(|&(_, cpus)| cpus).max().unwrap_or_default()
    }
}

/// [`Why`] with its texts interned: a million tasks can have run for a handful of reasons.
#[derive(Clone, Copy, Debug)]
enum Origin {
    Untold,
    Changed(u32),
    Reused(u32),
}

#[derive(Clone, Debug, Default)]
struct Texts {
    all: Vec<String>,
    positions: BTreeMap<String, u32>,
}

impl Texts {
    fn intern(&mut self, text: &str) -> u32 {
        if let Some(&position) = self.positions.get(text) {
            return position;
        }
        let position = self.all.len() as u32;
        self.all.push(text.to_owned());
        self.positions.insert(text.to_owned(), position);
        position
    }

    fn get(&self, position: u32) -> &str {
        &self.all[position as usize]
    }
}
