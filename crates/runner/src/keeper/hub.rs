//! Where everything meets: the shard's state machine and what its outputs are turned into.
//!
//! Any thread that has news locks the hub, hands the news to the [`ShardHost`] and carries out
//! what comes back before it lets go: reports are appended in the order they were made, signals
//! are sent, starts and commits are queued. Nothing slow happens under the lock.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::cause::FailureCause;
use engine::input::Report;
use engine::shard::{End, HostInput, HostOutput, HostedLease, ShardHost};
use engine::{AttemptId, Manifest, Usage};
use spec::{Resources, Timestamp};

use super::clock::Clock;
use super::progress::Pending;
use super::running::Running;
use super::share::{at_least, at_most};
use crate::protocol::{Errand, Order, Progress, Work, WorkPlace};

/// State, and who is woken by what.
pub(super) struct Hub {
    state: Mutex<State>,
    pub(super) clock: Clock,
    /// Slot threads wait here for something to start.
    starts: Condvar,
    /// Committers wait here.
    commits: Condvar,
    /// The writer waits here for lines.
    lines: Condvar,
    /// Whoever needs a line to be in the file waits here.
    pub(super) written: Condvar,
    /// The main thread waits here for a time or the end.
    wakes: Condvar,
    /// The housekeeper waits here: more is wanted.
    wishes: Condvar,
}

/// What the lock protects.
pub(super) struct State {
    pub(super) host: ShardHost,
    /// What was leased and has not been reported as ended.
    works: BTreeMap<AttemptId, Arc<Work>>,
    running: BTreeMap<AttemptId, Arc<Running>>,
    starts: VecDeque<Start>,
    commits: VecDeque<Arc<Work>>,
    pub(super) progress: Pending,
    wake_at: Option<Timestamp>,
    /// The most that may ever be used, and the most of it that was wanted of late.
    limit: Resources,
    wish: Resources,
    slot_threads: Crowd,
    committers: Crowd,
    must_end: bool,
}

/// An attempt to be started in a slot.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) work: Arc<Work>,
    pub(super) slot: u32,
}

/// A kind of thread.
#[derive(Clone, Copy, Debug)]
pub(super) enum Crew {
    Slots,
    Committers,
}

/// Threads of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct Crowd {
    threads: usize,
    /// Those that wait for something to do, or are about to.
    free: usize,
}

/// Waiting for disks needs few threads; more only make them queue inside the kernel.
const COMMITTERS_MAX: usize = 8;

impl Hub {
    /// A hub without threads, for a host that may get up to `limit`.
    pub(super) fn new(host: ShardHost, limit: Resources, clock: Clock) -> Self {
        let state = State {
            host,
            works: BTreeMap::new(),
            running: BTreeMap::new(),
            starts: VecDeque::new(),
            commits: VecDeque::new(),
            progress: Pending::default(),
            wake_at: None,
            wish: limit.clone(),
            limit,
            slot_threads: Crowd::default(),
            committers: Crowd::default(),
            must_end: false,
        };
        Self {
            state: Mutex::new(state),
            clock,
            starts: Condvar::new(),
            commits: Condvar::new(),
            lines: Condvar::new(),
            written: Condvar::new(),
            wakes: Condvar::new(),
            wishes: Condvar::new(),
        }
    }

    /// A panic in one thread must not take the keeper's other tasks with it.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the host something and carries out what it says.
    pub(super) fn tell(&self, input: HostInput) {
        let mut state = self.lock();
        self.handle(&mut state, input);
    }

    /// Takes in an order.
    pub(super) fn obey(&self, order: Order) {
        let epoch = order.epoch;
        let mut state = self.lock();
        let input = match order.what {
            Errand::Lease(works) => {
                let leases = works.iter().map(lease).collect();
                for work in works {
                    state.works.entry(work.attempt).or_insert_with(|| Arc::new(work));
                }
                HostInput::Lease(epoch, leases)
            }
            Errand::Revoke(attempts) => HostInput::Revoke(epoch, attempts),
            Errand::Kill(attempts) => HostInput::Kill(epoch, attempts),
            Errand::Close => HostInput::Close(epoch),
        };
        self.handle(&mut state, input);
    }

    /// A process of ours runs.
    pub(super) fn spawned(&self, running: &Arc<Running>) {
        let mut state = self.lock();
        let attempt = running.work.attempt;
        state.running.insert(attempt, Arc::clone(running));
        self.handle(&mut state, HostInput::Spawned(attempt, running.pid));
    }

    /// A process of ours and everything it left behind are dead. What it has made is not fit to
    /// be taken if `cause` says so.
    ///
    /// Returns what the calling thread is to start next: handing the slot's next attempt to
    /// another thread would cost two switches of context for each task.
    pub(super) fn exited(
        &self,
        attempt: AttemptId,
        end: End,
        usage: Usage,
        cause: Option<FailureCause>,
    ) -> Option<Start> {
        let mut state = self.lock();
        state.running.remove(&attempt);
        if let Some(cause) = cause {
            self.handle(&mut state, HostInput::OverLimit(attempt, cause));
        }
        state.host.handle(self.clock.now(), HostInput::Exited(attempt, end, usage));
        self.take_own_start(&mut state)
    }

    /// An attempt could not be started. Returns what to start instead.
    pub(super) fn cannot_start(&self, attempt: AttemptId, why: String) -> Option<Start> {
        let mut state = self.lock();
        state.host.handle(self.clock.now(), HostInput::CannotStart(attempt, why));
        self.take_own_start(&mut state)
    }

    /// Announces an attempt that must not be repeated lightly; returns once the line is in the file.
    pub(super) fn announce(&self, attempt: AttemptId) {
        let mut state = self.lock();
        self.append(&mut state, &Progress::Starting(attempt));
        let end = state.progress.end();
        while !state.progress.is_written(end) {
            state = self.written.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for something to start. For a slot thread that is free: new, or told by
    /// [`Hub::exited`] or [`Hub::cannot_start`] that there is nothing.
    pub(super) fn wait_for_start(&self) -> Start {
        let mut state = self.lock();
        loop {
            if let Some(start) = state.starts.pop_front() {
                state.slot_threads.free -= 1;
                return start;
            }
            state = self.starts.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for something to commit. For a committer that is free: new, or after
    /// [`Hub::committed`].
    pub(super) fn wait_for_commit(&self) -> Arc<Work> {
        let mut state = self.lock();
        loop {
            if let Some(work) = state.commits.pop_front() {
                state.committers.free -= 1;
                return work;
            }
            state = self.commits.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A committer is done with an attempt.
    pub(super) fn committed(&self, attempt: AttemptId, result: Result<Manifest, FailureCause>) {
        let mut state = self.lock();
        state.committers.free += 1;
        self.handle(&mut state, HostInput::Committed(attempt, result));
    }

    /// Waits while `must_wait` says so of the lines that are not written yet.
    pub(super) fn wait_for_lines(
        &self,
        mut must_wait: impl FnMut(&mut Pending) -> bool,
    ) -> MutexGuard<'_, State> {
        let state = self.lock();
        let waited = self.lines.wait_while(state, |state| must_wait(&mut state.progress));
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    /// Fires timers and returns once all has ended, threads are missing, or `patience` is over.
    pub(super) fn wait_for_wake(&self, patience: Duration) -> (Vec<Crew>, bool) {
        let mut state = self.lock();
        let now = self.clock.now();
        if state.wake_at.is_some_and(|at| at <= now) {
            self.handle(&mut state, HostInput::Wake);
        }
        let mut missing = state.hire();
        if missing.is_empty() && !state.has_ended() {
            let until_wake = state.wake_at.map(|at| at.since(now).to_std());
            let patience = until_wake.map_or(patience, |span| span.min(patience));
            let waited = self.wakes.wait_timeout(state, patience);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            missing = state.hire();
        }
        (missing, state.has_ended())
    }

    /// Waits until more is wanted than was of late, or `patience` is over.
    pub(super) fn wait_for_wish(&self, patience: Duration) {
        let waited = self.wishes.wait_timeout(self.lock(), patience);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// The most that was wanted since a call that was to `forget` it, and what is in use. Wishes
    /// grow at once and shrink at intervals: a chain of tasks wants nothing after each.
    pub(super) fn wish(&self, forget: bool) -> (Resources, Resources) {
        let mut state = self.lock();
        let wish = state.wish.clone();
        if forget {
            state.wish = at_most(&state.host.wanted(), &state.limit);
        }
        (wish, state.host.in_use().clone())
    }

    /// Every attempt with a process.
    pub(super) fn running(&self) -> Vec<Arc<Running>> {
        self.lock().running.values().map(Arc::clone).collect()
    }

    /// Whether an attempt has a process.
    pub(super) fn is_running(&self, attempt: AttemptId) -> bool {
        self.lock().running.contains_key(&attempt)
    }

    /// Whether nothing is leased.
    pub(super) fn is_idle(&self) -> bool {
        self.lock().host.is_idle()
    }

    /// A thread that was counted as there could not be started.
    pub(super) fn not_hired(&self, crew: Crew) {
        let mut state = self.lock();
        let crowd = match crew {
            Crew::Slots => &mut state.slot_threads,
            Crew::Committers => &mut state.committers,
        };
        crowd.threads -= 1;
        crowd.free -= 1;
    }

    /// Ends as soon as nothing is left, if nothing is left now.
    pub(super) fn end_if_idle(&self) {
        let mut state = self.lock();
        state.must_end |= state.host.is_idle();
        self.wakes.notify_all();
    }

    /// Adds the last line and lets the writer finish.
    pub(super) fn say_bye(&self) {
        let mut state = self.lock();
        self.append(&mut state, &Progress::Bye);
        state.progress.close();
        self.lines.notify_all();
    }

    /// Shows that the keeper is there.
    pub(super) fn beat(&self) {
        let at = self.clock.now();
        let mut state = self.lock();
        self.append(&mut state, &Progress::Heartbeat { at });
    }

    fn take_own_start(&self, state: &mut State) -> Option<Start> {
        self.carry_out(state);
        let own = state.starts.pop_front();
        if own.is_none() {
            state.slot_threads.free += 1;
        }
        self.wake_crews(state);
        own
    }

    fn handle(&self, state: &mut State, input: HostInput) {
        state.host.handle(self.clock.now(), input);
        self.carry_out(state);
        self.wake_crews(state);
    }

    /// Carries out the host's outputs, in their order.
    fn carry_out(&self, state: &mut State) {
        loop {
            match state.host.poll() {
                HostOutput::Report(report) => self.report(state, report),
                HostOutput::Start(attempt, slot) => {
                    let work = state.works.get(&attempt).map(Arc::clone);
                    let work = work.expect("what the host starts was leased to it");
                    state.starts.push_back(Start { work, slot });
                }
                HostOutput::Signal(attempt, urgency) => {
                    if let Some(running) = state.running.get(&attempt) {
                        running.signal(urgency);
                    }
                }
                HostOutput::Commit(attempt) => {
                    let work = state.works.get(&attempt).map(Arc::clone);
                    state.commits.push_back(work.expect("what the host commits was leased to it"));
                }
                HostOutput::WaitUntil(at) => {
                    let is_earlier = at.is_some_and(|at| state.wake_at.is_none_or(|old| at < old));
                    state.wake_at = at;
                    if is_earlier || state.has_ended() {
                        self.wakes.notify_all();
                    }
                    break;
                }
            }
        }
        let wanted = at_most(&state.host.wanted(), &state.limit);
        if !wanted.fits(&state.wish) {
            state.wish = at_least(&state.wish, &wanted);
            self.wishes.notify_all();
        }
        if state.host.is_idle() {
            // Leases that the host had seen before were put here for nothing.
            state.works.clear();
        }
    }

    fn report(&self, state: &mut State, report: Report) {
        match &report {
            Report::Committed { attempt, .. }
            | Report::Failed { attempt, .. }
            | Report::Returned { attempt }
            | Report::Killed { attempt, .. } => {
                state.works.remove(attempt);
            }
            Report::Started { .. } | Report::Capacity { .. } | Report::Measured { .. } => {}
        }
        self.append(state, &Progress::Report(report));
    }

    fn append(&self, state: &mut State, line: &Progress) {
        if state.progress.append(line) {
            self.lines.notify_one();
        }
    }

    fn wake_crews(&self, state: &State) {
        for _ in 0..state.starts.len().min(state.slot_threads.free) {
            self.starts.notify_one();
        }
        for _ in 0..state.commits.len().min(state.committers.free) {
            self.commits.notify_one();
        }
        if state.starts.len() > state.slot_threads.free
            || (state.commits.len() > state.committers.free
                && state.committers.threads < COMMITTERS_MAX)
        {
            self.wakes.notify_all();
        }
    }
}

impl State {
    fn has_ended(&self) -> bool {
        self.host.has_ended() || (self.must_end && self.host.is_idle())
    }

    /// The threads that are missing. They count as there from now on: the caller starts them.
    fn hire(&mut self) -> Vec<Crew> {
        let slots = self.starts.len().saturating_sub(self.slot_threads.free);
        self.slot_threads.add(slots);
        let committers = self.commits.len().saturating_sub(self.committers.free);
        let committers = committers.min(COMMITTERS_MAX - self.committers.threads);
        self.committers.add(committers);
        let slots = std::iter::repeat_n(Crew::Slots, slots);
        slots.chain(std::iter::repeat_n(Crew::Committers, committers)).collect()
    }
}

impl Crowd {
    fn add(&mut self, n: usize) {
        self.threads += n;
        self.free += n;
    }
}

fn lease(work: &Work) -> HostedLease {
    let has_outputs = match &work.place {
        WorkPlace::Project(_) => false,
        WorkPlace::Private { outputs, .. } => !outputs.is_empty(),
    };
    HostedLease {
        attempt: work.attempt,
        after: work.after.clone(),
        position: work.position,
        granted: work.granted.clone(),
        timeout: work.timeout,
        has_outputs,
    }
}
