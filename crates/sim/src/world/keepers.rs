//! Virtual keepers at work: orders, processes, commits, reports.

use engine::cause::{FailureCause, LossCause};
use engine::input::Report;
use engine::outcome::Usage;
use engine::shard::{End, HostInput, HostOutput, Urgency};
use engine::{AllocationId, AttemptId, Epoch, Observation};
use spec::resources::MilliCpus;
use spec::{Bytes, Duration, Resources, Timestamp};

use super::{Happening, World};
use crate::faults::Fault;
use crate::keeper::{Keeper, Process, Stage};
use crate::site::Delay;
use crate::truth::Failure;
use crate::watch::Violation;

/// A process that is asked to end does so within this time, unless it is stubborn.
const LEAVE_MAX: Duration = Duration::from_secs(4);
/// A killed process is gone within this time.
const DEATH_MAX: Duration = Duration::from_millis(50);
/// A partition lasts so long at most, in microseconds.
const PARTITION_MAX: u64 = 300_000_000;
/// An order that comes again comes within this time.
const ORDER_AGAIN_MAX: Duration = Duration::from_secs(60);
/// An observation that was lost is made up for within this time.
const REREAD_MAX: u64 = 120_000_000;

fn epoch_of(order: &HostInput) -> Option<Epoch> {
    match order {
        HostInput::Lease(epoch, _)
        | HostInput::Revoke(epoch, _)
        | HostInput::Kill(epoch, _)
        | HostInput::Close(epoch) => Some(*epoch),
        _ => None,
    }
}

/// How long a task runs at a speed.
fn runtime_at(runtime: Duration, speed: f64) -> Duration {
    if (speed - 1.0).abs() < f64::EPSILON { runtime } else { runtime.mul_f64(1.0 / speed) }
}

impl World<'_> {
    /// Appends an order for a keeper; false if nobody is there to read it.
    pub(super) fn order(&mut self, allocation: AllocationId, order: HostInput) -> bool {
        let Some(&keeper) = self.keeper_of.get(&allocation) else { return false };
        let row = &mut self.keepers[keeper as usize];
        if !row.is_alive() {
            return false;
        }
        row.heard = self.now;
        if row.stage == Stage::Waiting && matches!(order, HostInput::Close(_)) {
            self.end_keeper(keeper);
            return true;
        }
        if let Some(epoch) = epoch_of(&order) {
            row.memory.ordered_by = row.memory.ordered_by.max(epoch);
        }
        if self.strikes(Fault::OrderDoubled) {
            let again = Box::new(order.clone());
            self.soon(ORDER_AGAIN_MAX, Happening::OrderAgain(keeper, again));
        }
        self.keepers[keeper as usize].orders.push_back(order);
        let delay = self.site.paces.order.draw(&mut self.pace);
        if delay == Duration::ZERO {
            self.take_orders(keeper);
        } else {
            self.after(delay, Happening::Orders(keeper));
        }
        true
    }

    pub(super) fn order_again(&mut self, keeper: u32, order: HostInput) {
        if self.keepers[keeper as usize].is_alive() {
            self.keepers[keeper as usize].orders.push_back(order);
            self.take_orders(keeper);
        }
    }

    pub(super) fn take_orders(&mut self, keeper: u32) {
        if self.now < self.keepers[keeper as usize].cut_off_until {
            return;
        }
        while self.keepers[keeper as usize].stage == Stage::Up {
            let Some(order) = self.keepers[keeper as usize].orders.pop_front() else { break };
            let newest = self.keepers[keeper as usize].host.epoch();
            let is_stale = epoch_of(&order).is_some_and(|epoch| epoch < newest);
            if is_stale && !self.options.faults.is_none() {
                let checked = self.s7_stale_orders_do_nothing(keeper, order);
                self.hold(checked);
            } else {
                self.note_what_is_taken_back(keeper, &order);
                self.tell_keeper(keeper, order);
            }
        }
    }

    fn note_what_is_taken_back(&mut self, keeper: u32, order: &HostInput) {
        if let HostInput::Revoke(_, attempts) | HostInput::Kill(_, attempts) = order
            && self.remembers
        {
            self.keepers[keeper as usize].memory.taken_back.extend(attempts);
        }
    }

    fn s7_stale_orders_do_nothing(
        &mut self,
        keeper: u32,
        order: HostInput,
    ) -> Result<(), Violation> {
        let row = &mut self.keepers[keeper as usize];
        let before = (row.host.wanted(), row.host.has_ended());
        let epoch = row.host.epoch();
        row.host.handle(row.clock(self.now), order);
        let after = (row.host.wanted(), row.host.has_ended());
        let is_silent = matches!(row.host.poll(), HostOutput::WaitUntil(_));
        if is_silent && before == after && row.host.epoch() == epoch {
            return Ok(());
        }
        Err(Violation::of("S7", format!("an order older than {epoch:?} is obeyed")))
    }

    pub(super) fn keeper_up(&mut self, keeper: u32) {
        let now = self.now;
        let row = &mut self.keepers[keeper as usize];
        if row.stage != Stage::Launching {
            return;
        }
        row.stage = Stage::Up;
        row.up = Some(now);
        row.idle_since = Some(now);
        let capacity = row.capacity.clone();
        row.host.handle(row.clock(now), HostInput::Capacity(capacity));
        let zone = row.zone;
        if let Some(walltime) = self.site.zone(zone).walltime {
            self.after(walltime, Happening::TimeUp(keeper));
        }
        let up = self.up_observation(keeper);
        self.observe(vec![up]);
        self.take_orders(keeper);
        let checked = self.check_room(zone);
        self.hold(checked);
    }

    pub(super) fn up_observation(&self, keeper: u32) -> Observation {
        let row = &self.keepers[keeper as usize];
        let (allocation, capacity) = (row.allocation, row.capacity.clone());
        Observation::AllocationUp { allocation, capacity, known: row.memory.known.clone() }
    }

    pub(super) fn all_progress(&self, keeper: u32) -> Vec<Observation> {
        let row = &self.keepers[keeper as usize];
        let told = |report: &Report| Observation::Reported {
            allocation: row.allocation,
            report: report.clone(),
        };
        row.memory.progress.iter().map(told).collect()
    }

    pub(super) fn report_end(&mut self, keeper: u32) {
        let mut all = self.all_progress(keeper);
        let allocation = self.keepers[keeper as usize].allocation;
        all.push(Observation::AllocationEnded { allocation });
        self.observe(all);
    }

    /// The progress file may be gone with the keeper, or be read to its end, before or after.
    pub(super) fn report_death(&mut self, keeper: u32) {
        let is_read = self.remembers && self.pace.chance(0.5);
        if is_read {
            let progress = self.all_progress(keeper);
            self.observe(progress);
        }
        let row = &self.keepers[keeper as usize];
        let allocation = row.allocation;
        let mut not_started = Vec::new();
        let mut cause = LossCause::KeeperDied;
        if self.remembers && !row.is_disowned {
            if self.pace.chance(0.5) {
                not_started = self.keepers[keeper as usize].not_started();
            }
            cause = self.pace.pick(&[LossCause::KeeperDied, LossCause::MachineRestarted]);
        }
        self.observe(vec![Observation::AllocationLost { allocation, cause, not_started }]);
    }

    fn tell_keeper(&mut self, keeper: u32, input: HostInput) {
        if self.keepers[keeper as usize].stage != Stage::Up || self.violation.is_some() {
            return;
        }
        if self.strikes(Fault::KeeperDeath) {
            return self.kill_keeper(keeper);
        }
        self.handle_at_keeper(keeper, input);
        if self.keepers[keeper as usize].stage == Stage::Up && !self.options.faults.is_none() {
            self.trouble(keeper);
        }
    }

    fn handle_at_keeper(&mut self, keeper: u32, input: HostInput) {
        let row = &mut self.keepers[keeper as usize];
        row.host.handle(row.clock(self.now), input);
        self.drive_keeper(keeper);
    }

    /// What can go wrong at a keeper whenever it does something.
    fn trouble(&mut self, keeper: u32) {
        if self.strikes(Fault::FalseLoss) {
            self.disown(keeper);
        }
        if self.strikes(Fault::Partition) {
            let span = Duration(self.how_much(Fault::Partition, 1, PARTITION_MAX));
            self.keepers[keeper as usize].cut_off_until = self.now + span;
            self.after(span, Happening::Orders(keeper));
            self.after(span, Happening::Reread(self.orchestrator.life, keeper));
        }
        let row = &self.keepers[keeper as usize];
        if row.is_doomed || row.stage != Stage::Up {
            return;
        }
        let node = &self.site.zone(row.zone).node;
        let is_less = row.capacity != *node;
        if self.now >= self.options.faults.until && is_less {
            let node = node.clone();
            self.change_capacity(keeper, node);
        } else if self.strikes(Fault::CapacityFlap) {
            let cpus = self.how_much(Fault::CapacityFlap, 0, 4) as u32;
            let memory = Bytes(u64::from(cpus) << 30);
            let cpus = MilliCpus::whole(cpus);
            self.change_capacity(keeper, Resources { cpus, memory, ..Resources::default() });
        }
    }

    pub(super) fn change_capacity(&mut self, keeper: u32, capacity: Resources) {
        let row = &mut self.keepers[keeper as usize];
        row.capacity = capacity.clone();
        if row.stage == Stage::Up {
            self.handle_at_keeper(keeper, HostInput::Capacity(capacity));
        }
    }

    fn drive_keeper(&mut self, keeper: u32) {
        let mut reports = Vec::new();
        loop {
            match self.keepers[keeper as usize].host.poll() {
                HostOutput::Report(report) => {
                    if self.remembers {
                        let memory = &mut self.keepers[keeper as usize].memory;
                        if let Report::Committed { attempt, .. } = report {
                            memory.committed.insert(attempt);
                        }
                        memory.progress.push(report.clone());
                    }
                    reports.push(report);
                }
                HostOutput::Start(attempt, slot) => self.start(keeper, attempt, slot),
                HostOutput::Signal(attempt, urgency) => self.signal(keeper, attempt, urgency),
                HostOutput::Commit(attempt) => self.begin_commit(keeper, attempt),
                HostOutput::WaitUntil(at) => {
                    let row = &mut self.keepers[keeper as usize];
                    if let Some(input) = row.inbox.pop_front() {
                        row.host.handle(row.clock(self.now), input);
                    } else {
                        self.await_keeper(keeper, at);
                        break;
                    }
                }
            }
        }
        self.tell_reports(keeper, reports);
        let row = &mut self.keepers[keeper as usize];
        let is_idle = row.host.is_idle();
        row.idle_since = row.idle_since.or(Some(self.now)).filter(|_| is_idle);
        if row.host.has_ended() {
            self.end_keeper(keeper);
        }
    }

    fn await_keeper(&mut self, keeper: u32, at: Option<Timestamp>) {
        let row = &mut self.keepers[keeper as usize];
        // Also when faults end, so that lost capacity comes back.
        let until = self.options.faults.until;
        let end = (self.now < until).then_some(until);
        let at = at.map(|at| row.real(at)).into_iter().chain(end).min();
        if row.wake != at {
            row.wake = at;
            if let Some(at) = at {
                self.put(at, Happening::KeeperWake(keeper, at));
            }
        }
    }

    pub(super) fn wake_keeper(&mut self, keeper: u32, at: Timestamp) {
        if self.keepers[keeper as usize].wake == Some(at) {
            self.keepers[keeper as usize].wake = None;
            self.tell_keeper(keeper, HostInput::Wake);
        }
    }

    fn tell_reports(&mut self, keeper: u32, reports: Vec<Report>) {
        let allocation = self.keepers[keeper as usize].allocation;
        let told = |report| Observation::Reported { allocation, report };
        if self.options.faults.is_none() {
            if !reports.is_empty() {
                self.observe(reports.into_iter().map(told).collect());
            }
            return;
        }
        if self.now < self.keepers[keeper as usize].cut_off_until {
            return;
        }
        for report in reports {
            let is_lost = self.strikes(Fault::ObservationLost);
            let is_unknown = !is_lost && self.strikes(Fault::Unknown);
            if is_lost || is_unknown {
                let fault = if is_lost { Fault::ObservationLost } else { Fault::Unknown };
                let after = Duration(self.how_much(fault, 1, REREAD_MAX));
                self.after(after, Happening::Reread(self.orchestrator.life, keeper));
            } else {
                self.observe(vec![told(report)]);
            }
        }
        if self.strikes(Fault::ObservationStale) {
            let old = self.all_progress(keeper);
            let from = self.fault_streams[Fault::ObservationStale as usize].below(old.len());
            self.observe(old[from..].to_vec());
        }
    }

    /// The executor reads again what it has missed. One that begins reads everything anyway.
    pub(super) fn reread(&mut self, keeper: u32) {
        // A history that was lost may have had an allocation of the same name.
        let Keeper { allocation, cut_off_until, .. } = self.keepers[keeper as usize];
        if self.now >= cut_off_until && self.keeper_of.get(&allocation) == Some(&keeper) {
            let progress = self.all_progress(keeper);
            self.observe(progress);
        }
    }

    fn start(&mut self, keeper: u32, attempt: AttemptId, slot: u32) {
        let task = attempt.task();
        let checked = self.check_start(keeper, attempt);
        self.hold(checked);
        self.accounts.attempts += 1;
        let failures = self.watcher.own_failures(task);
        let failure =
            self.truth.script(task).and_then(|script| script.failures.get(failures)).copied();
        let mut process = Process {
            granted: self.granted(keeper, attempt),
            slot,
            since: self.now,
            spawned: None,
            failure,
            is_wrong: false,
        };
        let zone = self.keepers[keeper as usize].zone;
        process.is_wrong =
            self.reads_wrong(task) || self.corrupts(zone) || self.is_mercurial(keeper);
        let row = &mut self.keepers[keeper as usize];
        if self.remembers {
            row.memory.started.insert(attempt);
        }
        row.processes.insert(attempt, process);
        if self.remembers {
            let (held, there) = (row.held(), row.capacity.clone());
            if !held.fits(&there) {
                let what = format!("{attempt} starts: {held} is granted, {there} is there");
                self.hold(Err(Violation::of("S9", what)));
            }
        }
        self.fetch_inputs(keeper, attempt);
    }

    fn granted(&self, keeper: u32, attempt: AttemptId) -> Resources {
        let sent = self.keepers[keeper as usize].memory.granted.get(&attempt).cloned();
        let state = self.orchestrator.engine.as_ref().map(engine::Engine::state);
        let known = || state.map(|state| state.granted(attempt.task()));
        sent.or_else(known).unwrap_or_else(|| self.workflow.resources(attempt.task()).clone())
    }

    /// What a task cannot do without.
    fn needs(&self, attempt: AttemptId) -> Bytes {
        self.truth.script(attempt.task()).map_or(Bytes(0), |script| script.needs)
    }

    fn reads_wrong(&self, task: spec::TaskId) -> bool {
        self.workflow.parents(task).any(|parent| self.accounts.is_wrong(parent))
    }

    fn corrupts(&mut self, zone: spec::ZoneId) -> bool {
        let probability = self.site.zone(zone).corruption;
        let is_wrong = probability > 0.0
            && self.now < self.options.faults.until.max(self.options.start + self.options.give_up)
            && self.fault_streams[Fault::Corruption as usize].chance(probability);
        if is_wrong {
            self.hits.count(Fault::Corruption);
        }
        is_wrong
    }

    fn is_mercurial(&mut self, keeper: u32) -> bool {
        let probability = self.keepers[keeper as usize].corruption;
        probability > 0.0 && self.fault_streams[Fault::MercurialNode as usize].chance(probability)
    }

    /// All inputs are there: the process starts.
    pub(super) fn inputs_are_there(&mut self, keeper: u32, attempt: AttemptId) {
        let delay = self.site.paces.spawn.draw(&mut self.pace);
        if delay == Duration::ZERO {
            if let Some(input) = self.spawned(keeper, attempt) {
                self.keepers[keeper as usize].inbox.push_back(input);
            }
        } else {
            self.after(delay, Happening::Spawning(keeper, attempt));
        }
    }

    pub(super) fn spawn(&mut self, keeper: u32, attempt: AttemptId) {
        if let Some(input) = self.spawned(keeper, attempt) {
            self.tell_keeper(keeper, input);
        }
    }

    fn spawned(&mut self, keeper: u32, attempt: AttemptId) -> Option<HostInput> {
        let needs = self.needs(attempt);
        let row = &mut self.keepers[keeper as usize];
        let process = row.processes.get_mut(&attempt)?;
        let is_short = process.is_short(needs);
        let failure = process.failure.filter(|_| !is_short);
        if is_short {
            self.hits.count(Fault::OutOfMemory);
        } else if failure.is_some() {
            let is_hang = failure == Some(Failure::Hang);
            self.hits.count(if is_hang { Fault::TaskHang } else { Fault::TaskFailure });
        }
        if failure == Some(Failure::CannotStart) {
            if let Some(process) = row.processes.remove(&attempt) {
                self.book_process(keeper, attempt, &process, false);
            }
            return Some(HostInput::CannotStart(attempt, "no such program".to_owned()));
        }
        process.spawned = Some(self.now);
        let speed = self.site.zone(row.zone).speed;
        // Who has a time limit is not slowed down: it would fail, and not by its script.
        let is_limited = self.workflow.template(attempt.task()).timeout.is_some();
        let slowness = if is_limited { 1.0 } else { row.slowness };
        let runtime = self.truth.runtimes[attempt.task().index()];
        let runtime = runtime_at(runtime, speed / slowness);
        let ending = |end| Happening::Ending(keeper, attempt, end);
        let what = match failure {
            _ if is_short => Happening::Bursting(keeper, attempt),
            Some(Failure::Exit) => ending(End::Exit(7)),
            Some(Failure::Signal) => ending(End::Signal(11)),
            Some(Failure::OverLimit) => Happening::Bursting(keeper, attempt),
            Some(Failure::Hang | Failure::CannotStart) => {
                return Some(HostInput::Spawned(attempt, 4_711));
            }
            Some(Failure::BadOutput | Failure::BadGrowth) | None => ending(End::Exit(0)),
        };
        self.after(runtime, what);
        Some(HostInput::Spawned(attempt, 4_711))
    }

    pub(super) fn burst(&mut self, keeper: u32, attempt: AttemptId) {
        let needs = self.needs(attempt);
        let process = self.keepers[keeper as usize].processes.get(&attempt);
        let cause = match process.filter(|process| process.is_short(needs)) {
            Some(Process { granted, .. }) => {
                let (granted, used) = (granted.memory, granted.memory);
                FailureCause::OutOfMemory { granted, used, bound: None }
            }
            None => FailureCause::LogTooLong(Bytes(1)),
        };
        self.tell_keeper(keeper, HostInput::OverLimit(attempt, cause));
    }

    fn signal(&mut self, keeper: u32, attempt: AttemptId, urgency: Urgency) {
        let script = self.truth.script(attempt.task());
        let is_stubborn = script.is_some_and(|script| script.is_stubborn);
        match urgency {
            Urgency::Terminate if is_stubborn => {}
            Urgency::Terminate => {
                self.soon(LEAVE_MAX, Happening::Ending(keeper, attempt, End::Signal(15)));
            }
            Urgency::Kill => {
                self.soon(DEATH_MAX, Happening::Ending(keeper, attempt, End::Signal(9)));
            }
        }
    }

    pub(super) fn end_process(&mut self, keeper: u32, attempt: AttemptId, end: End) {
        let row = &mut self.keepers[keeper as usize];
        let Some(process) = row.processes.remove(&attempt) else { return };
        let clock = row.clock(self.now);
        let started_at = row.clock(process.spawned.unwrap_or(self.now));
        let cpu_user = Duration::from_secs_f64(process.work(self.now));
        let usage = Usage { started_at, ended_at: clock, cpu_user, ..Usage::default() };
        if self.remembers {
            self.usages.entry(attempt).or_default().push(usage);
        }
        let is_done = end == End::Exit(0);
        self.book_process(keeper, attempt, &process, is_done);
        if is_done {
            let zone = self.keepers[keeper as usize].zone;
            self.moving.made(attempt.task(), zone, self.now);
            self.accounts.done(attempt.task(), process.work(self.now), process.is_wrong);
        }
        self.tell_keeper(keeper, HostInput::Exited(attempt, end, usage));
    }

    fn begin_commit(&mut self, keeper: u32, attempt: AttemptId) {
        if self.site.paces.commit == Delay::NONE {
            let input = self.committed(attempt);
            self.keepers[keeper as usize].inbox.push_back(input);
        } else {
            let delay = self.site.paces.commit.draw(&mut self.pace);
            self.after(delay, Happening::Committing(keeper, attempt));
        }
    }

    pub(super) fn commit(&mut self, keeper: u32, attempt: AttemptId) {
        if self.keepers[keeper as usize].stage == Stage::Up {
            let input = self.committed(attempt);
            self.tell_keeper(keeper, input);
        }
    }

    fn committed(&mut self, attempt: AttemptId) -> HostInput {
        let task = attempt.task();
        let failures = self.watcher.own_failures(task);
        let failure = self.truth.script(task).and_then(|script| script.failures.get(failures));
        let result = match failure {
            Some(Failure::BadOutput) => Err(FailureCause::MissingOutput(vec!["o".to_owned()])),
            _ => Ok(self.manifest(attempt, self.accounts.is_wrong(task))),
        };
        HostInput::Committed(attempt, result)
    }
}
