//! The inside of an allocation: a pure state machine that every keeper hosts.
//!
//! Starts leased attempts as they fit, lowest position first; enforces time limits; reports every
//! change before anyone acts on it. Knows neither processes nor files: a keeper carries out its
//! [`HostOutput`]s, a simulator pretends to. Orders of an older epoch are refused, so that two
//! orchestrators can never both be obeyed.

mod queue;
mod seen;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use spec::{Duration, Resources, Timestamp};

use crate::cause::FailureCause;
use crate::id::{AttemptId, Epoch};
use crate::input::{MachineUsage, Report};
use crate::outcome::{Manifest, Usage};
use crate::planted::{self, Bug};
use queue::Queue;
use seen::Seen;

/// Between asking a process to end and killing it.
pub const KILL_GRACE: Duration = Duration::from_secs(5);

/// Permission to run one attempt, as far as the host needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct HostedLease {
    /// Which try.
    pub attempt: AttemptId,
    /// Attempts that must be committed before.
    pub after: Vec<AttemptId>,
    /// Lower starts first.
    pub position: u32,
    /// What is set aside while it runs.
    pub granted: Resources,
    /// How long it may run.
    pub timeout: Option<Duration>,
    /// Whether there are outputs to commit.
    pub has_outputs: bool,
}

/// What a host can be told.
#[derive(Clone, Debug, PartialEq)]
pub enum HostInput {
    /// More work.
    Lease(Epoch, Vec<HostedLease>),
    /// Give back what has not started.
    Revoke(Epoch, Vec<AttemptId>),
    /// Kill, whether started or not.
    Kill(Epoch, Vec<AttemptId>),
    /// Finish what is there, then end.
    Close(Epoch),
    /// How much may be used from now on.
    Capacity(Resources),
    /// A process was started.
    Spawned(AttemptId, u32),
    /// A process could not be started.
    CannotStart(AttemptId, String),
    /// A process ended, and everything it left behind is dead.
    Exited(AttemptId, End, Usage),
    /// A process is beyond a limit and must not go on.
    OverLimit(AttemptId, FailureCause),
    /// Outputs were checked, hashed and synced, or cannot be.
    Committed(AttemptId, Result<Manifest, FailureCause>),
    /// The machine was measured.
    Measured(MachineUsage),
    /// The time that was waited for has come.
    Wake,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this code.
    Exit(i32),
    /// By this signal.
    Signal(i32),
}

/// What a keeper has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum HostOutput {
    /// Append this to the progress file before going on.
    Report(Report),
    /// Start the process of an attempt in a slot.
    Start(AttemptId, u32),
    /// Ask it to end, or kill it.
    Signal(AttemptId, Urgency),
    /// Check, hash and sync its outputs.
    Commit(AttemptId),
    /// Nothing more until there is an input, or until this time.
    WaitUntil(Option<Timestamp>),
}

/// How a process is made to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// It may clean up.
    Terminate,
    /// At once.
    Kill,
}

/// The state machine.
#[derive(Clone, Debug)]
pub struct ShardHost {
    epoch: Epoch,
    now: Timestamp,
    capacity: Resources,
    in_use: Resources,
    queue: Queue,
    seen: Seen,
    committed: Seen,
    active: BTreeMap<AttemptId, Active>,
    slots: BTreeSet<u32>,
    n_slots: u32,
    timers: BTreeSet<(Timestamp, AttemptId)>,
    outbox: VecDeque<HostOutput>,
    is_closing: bool,
}

/// An attempt that has left the queue and has not been reported as ended.
#[derive(Clone, Debug)]
struct Active {
    lease: HostedLease,
    slot: u32,
    stage: Stage,
    timer: Option<Timestamp>,
}

#[derive(Clone, Debug)]
enum Stage {
    Starting,
    Running,
    /// Being made to end; what to report then.
    Ending(Why),
    Committing(Usage),
}

#[derive(Clone, Debug)]
enum Why {
    Asked,
    Failed(FailureCause),
}

impl ShardHost {
    /// A host that may use `capacity`, for orders of `epoch` or later.
    #[must_use]
    pub fn new(epoch: Epoch, capacity: Resources) -> Self {
        let in_use = Resources {
            countables: capacity.countables.keys().map(|name| (name.clone(), 0)).collect(),
            ..Resources::default()
        };
        Self {
            epoch,
            now: Timestamp::default(),
            capacity,
            in_use,
            queue: Queue::default(),
            seen: Seen::default(),
            committed: Seen::default(),
            active: BTreeMap::new(),
            slots: BTreeSet::new(),
            n_slots: 0,
            timers: BTreeSet::new(),
            outbox: VecDeque::new(),
            is_closing: false,
        }
    }

    /// Takes in one input.
    pub fn handle(&mut self, now: Timestamp, input: HostInput) {
        self.now = now;
        match input {
            HostInput::Lease(epoch, leases) => self.on_lease(epoch, leases),
            HostInput::Revoke(epoch, attempts) => self.on_revoke(epoch, &attempts),
            HostInput::Kill(epoch, attempts) => self.on_kill(epoch, &attempts),
            HostInput::Close(epoch) => self.is_closing |= self.admits(epoch),
            HostInput::Capacity(capacity) => self.on_capacity(capacity),
            HostInput::Spawned(attempt, pid) => self.on_spawned(attempt, pid),
            HostInput::CannotStart(attempt, why) => {
                let cause = FailureCause::CannotStart(why);
                self.end_with(attempt, Report::Failed { attempt, cause, usage: Usage::default() });
            }
            HostInput::Exited(attempt, end, usage) => self.on_exited(attempt, end, usage),
            HostInput::OverLimit(attempt, cause) => {
                self.make_end(attempt, Why::Failed(cause), Urgency::Kill);
            }
            HostInput::Committed(attempt, result) => self.on_committed(attempt, result),
            HostInput::Measured(usage) => self.report(Report::Measured { usage }),
            HostInput::Wake => {}
        }
        self.fire_timers();
        self.start_what_fits();
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> HostOutput {
        let wait = || HostOutput::WaitUntil(self.timers.first().map(|&(at, _)| at));
        self.outbox.pop_front().unwrap_or_else(wait)
    }

    /// Whether it was told to end and nothing is left.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.is_closing && self.is_idle()
    }

    /// Whether nothing is queued, running or being committed.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.active.is_empty() && self.queue.is_empty()
    }

    /// What running attempts hold.
    #[must_use]
    pub fn in_use(&self) -> &Resources {
        &self.in_use
    }

    /// What running and queued attempts would hold if all could run.
    #[must_use]
    pub fn wanted(&self) -> Resources {
        let mut total = self.queue.total().clone();
        add(&mut total, &self.in_use);
        total
    }

    /// The newest orchestrator that gave orders.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether orders of `epoch` are obeyed; a newer one takes over.
    fn admits(&mut self, epoch: Epoch) -> bool {
        if epoch > self.epoch {
            self.epoch = epoch;
            self.is_closing = false;
        }
        epoch == self.epoch || planted::is(Bug::DropEpochCheck)
    }

    fn on_lease(&mut self, epoch: Epoch, leases: Vec<HostedLease>) {
        if !self.admits(epoch) {
            return;
        }
        // All are known before any is queued: a child may come before its parent.
        let is_new =
            |lease: &HostedLease| self.seen.insert(lease.attempt) || planted::is(Bug::StartAgain);
        let new: Vec<HostedLease> = leases.into_iter().filter(is_new).collect();
        let attempts: Vec<AttemptId> = new.iter().map(|lease| lease.attempt).collect();
        for lease in new {
            // A parent that was never leased here is published: it is not ours to wait for.
            let is_awaited = |&parent: &AttemptId| {
                self.seen.contains(parent)
                    && !self.committed.contains(parent)
                    && !planted::is(Bug::StartTooEarly)
            };
            let blockers: Vec<AttemptId> = lease.after.iter().copied().filter(is_awaited).collect();
            self.queue.push(lease, &blockers);
        }
        for attempt in attempts {
            self.return_if_hopeless(attempt);
        }
    }

    /// Gives an attempt back that waits for one that has ended without a commit.
    fn return_if_hopeless(&mut self, attempt: AttemptId) {
        let Some(after) = self.queue.after(attempt) else { return };
        let is_gone = |&parent: &AttemptId| {
            self.seen.contains(parent)
                && !self.committed.contains(parent)
                && !self.active.contains_key(&parent)
                && !self.queue.contains(parent)
        };
        if after.iter().any(is_gone) {
            self.give_back(attempt);
        }
    }

    /// Gives an attempt back that has not started, and what waits for it.
    fn give_back(&mut self, attempt: AttemptId) {
        if self.queue.remove(attempt).is_some() {
            self.report(Report::Returned { attempt });
            self.return_dependents(attempt);
        }
    }

    fn on_revoke(&mut self, epoch: Epoch, attempts: &[AttemptId]) {
        if !self.admits(epoch) {
            return;
        }
        for &attempt in attempts {
            // The order to start it may wait for a sync, and come after this one.
            if !planted::is(Bug::StartRevoked) && self.seen.insert(attempt) {
                self.report(Report::Returned { attempt });
            }
            self.give_back(attempt);
        }
    }

    fn on_kill(&mut self, epoch: Epoch, attempts: &[AttemptId]) {
        self.on_revoke(epoch, attempts);
        if epoch == self.epoch {
            for &attempt in attempts {
                self.make_end(attempt, Why::Asked, Urgency::Terminate);
            }
        }
    }

    fn on_capacity(&mut self, capacity: Resources) {
        if capacity != self.capacity {
            self.capacity = capacity.clone();
            self.report(Report::Capacity { capacity });
        }
    }

    fn on_spawned(&mut self, attempt: AttemptId, pid: u32) {
        let Some(active) = self.active.get_mut(&attempt) else { return };
        let (slot, at) = (active.slot, self.now);
        let is_ending = matches!(active.stage, Stage::Ending(_));
        if matches!(active.stage, Stage::Starting) {
            active.stage = Stage::Running;
        }
        let timeout = active.lease.timeout;
        self.report(Report::Started { attempt, at, slot, pid });
        if is_ending {
            // It was told to end before there was a process to tell.
            self.signal(attempt, Urgency::Terminate);
        } else if let Some(limit) = timeout {
            self.set_timer(attempt, self.now + limit);
        }
    }

    fn on_exited(&mut self, attempt: AttemptId, end: End, usage: Usage) {
        let Some(active) = self.active.get_mut(&attempt) else { return };
        let stage = std::mem::replace(&mut active.stage, Stage::Committing(usage));
        let has_outputs = active.lease.has_outputs;
        match (stage, end) {
            (Stage::Committing(before), _) => active.stage = Stage::Committing(before),
            (Stage::Ending(Why::Asked), _) => {
                self.end_with(attempt, Report::Killed { attempt, usage });
            }
            (Stage::Ending(Why::Failed(cause)), _) => {
                self.end_with(attempt, Report::Failed { attempt, cause, usage });
            }
            (Stage::Starting | Stage::Running, End::Exit(0))
                if has_outputs && !planted::is(Bug::SkipCommit) =>
            {
                self.release(attempt);
                self.outbox.push_back(HostOutput::Commit(attempt));
            }
            (Stage::Starting | Stage::Running, End::Exit(0)) => {
                let outputs = Manifest::new();
                self.end_with(attempt, Report::Committed { attempt, usage, outputs });
            }
            (Stage::Starting | Stage::Running, End::Exit(code)) => {
                let cause = FailureCause::Exit(code);
                self.end_with(attempt, Report::Failed { attempt, cause, usage });
            }
            (Stage::Starting | Stage::Running, End::Signal(signal)) => {
                let cause = FailureCause::Signal(signal);
                self.end_with(attempt, Report::Failed { attempt, cause, usage });
            }
        }
    }

    fn on_committed(&mut self, attempt: AttemptId, result: Result<Manifest, FailureCause>) {
        let Some(Active { stage: Stage::Committing(usage), .. }) = self.active.get(&attempt) else {
            return;
        };
        let usage = *usage;
        self.end_with(
            attempt,
            match result {
                Ok(outputs) => Report::Committed { attempt, usage, outputs },
                Err(cause) => Report::Failed { attempt, cause, usage },
            },
        );
    }

    /// Makes a running attempt end, and remembers what to report when it has.
    fn make_end(&mut self, attempt: AttemptId, why: Why, urgency: Urgency) {
        let Some(active) = self.active.get_mut(&attempt) else { return };
        let is_running = matches!(active.stage, Stage::Running);
        if !is_running && !matches!(active.stage, Stage::Starting) {
            return;
        }
        active.stage = Stage::Ending(why);
        if is_running {
            self.signal(attempt, urgency);
        }
    }

    fn signal(&mut self, attempt: AttemptId, urgency: Urgency) {
        self.outbox.push_back(HostOutput::Signal(attempt, urgency));
        if urgency == Urgency::Terminate {
            self.set_timer(attempt, self.now + KILL_GRACE);
        }
    }

    /// Reports how an attempt ended and forgets it.
    fn end_with(&mut self, attempt: AttemptId, report: Report) {
        if !self.active.contains_key(&attempt) {
            return;
        }
        self.release(attempt);
        self.active.remove(&attempt);
        let is_committed = matches!(report, Report::Committed { .. });
        self.report(report);
        if is_committed {
            self.committed.insert(attempt);
            self.queue.release(attempt, &self.committed);
        } else {
            self.return_dependents(attempt);
        }
    }

    /// What waits inside the shard for an attempt that did not commit goes back.
    fn return_dependents(&mut self, failed: AttemptId) {
        if planted::is(Bug::ForgetDependents) {
            return;
        }
        let mut stack = vec![failed];
        while let Some(failed) = stack.pop() {
            for attempt in self.queue.take_waiting_for(failed) {
                self.queue.remove(attempt);
                self.report(Report::Returned { attempt });
                stack.push(attempt);
            }
        }
    }

    /// Frees slot and resources; harmless if they are free already.
    fn release(&mut self, attempt: AttemptId) {
        let Some(active) = self.active.get_mut(&attempt) else { return };
        if let Some(at) = active.timer.take() {
            self.timers.remove(&(at, attempt));
        }
        let slot = std::mem::replace(&mut active.slot, u32::MAX);
        if slot != u32::MAX {
            self.slots.insert(slot);
            if !planted::is(Bug::LeakSlot) {
                self.in_use.take(&active.lease.granted);
            }
        }
    }

    fn set_timer(&mut self, attempt: AttemptId, at: Timestamp) {
        let Some(active) = self.active.get_mut(&attempt) else { return };
        if let Some(before) = active.timer.replace(at) {
            self.timers.remove(&(before, attempt));
        }
        self.timers.insert((at, attempt));
    }

    fn fire_timers(&mut self) {
        while let Some(&(at, attempt)) = self.timers.first().filter(|&&(at, _)| at <= self.now) {
            self.timers.remove(&(at, attempt));
            let Some(active) = self.active.get_mut(&attempt) else { continue };
            active.timer = None;
            if planted::is(Bug::NeverTimeOut) && matches!(active.stage, Stage::Running) {
                continue;
            }
            if matches!(active.stage, Stage::Running) {
                let limit = active.lease.timeout.unwrap_or_default();
                let why = Why::Failed(FailureCause::Timeout(limit));
                self.make_end(attempt, why, Urgency::Terminate);
            } else if matches!(active.stage, Stage::Ending(_)) && !planted::is(Bug::NeverKill) {
                self.signal(attempt, Urgency::Kill);
            }
        }
    }

    fn start_what_fits(&mut self) {
        let mut free = self.capacity.clone();
        if !planted::is(Bug::OverCommit) {
            free.take(&self.in_use);
        }
        while let Some(lease) = self.queue.pop_fitting(&free) {
            free.take(&lease.granted);
            add(&mut self.in_use, &lease.granted);
            let slot = self.slots.pop_first().unwrap_or_else(|| {
                self.n_slots += 1;
                self.n_slots - 1
            });
            let attempt = lease.attempt;
            let active = Active { lease, slot, stage: Stage::Starting, timer: None };
            self.active.insert(attempt, active);
            self.outbox.push_back(HostOutput::Start(attempt, slot));
        }
    }

    fn report(&mut self, report: Report) {
        self.outbox.push_back(HostOutput::Report(report));
    }
}

fn add(total: &mut Resources, part: &Resources) {
    for name in part.countables.keys() {
        total.countables.entry(name.clone()).or_default();
    }
    total.put(part);
}

#[cfg(test)]
mod tests;
