//! The orchestrator: the real engine, a journal in memory, syncs, crashes, resumes, zombies.

use engine::action::{Grown, Lease};
use engine::engine::Start;
use engine::input::ReuseVerdict;
use engine::outcome::{Manifest, PublishedFile};
use engine::phase::Phase;
use engine::ranges::TaskRanges;
use engine::shard::{HostInput, HostedLease};
use engine::{Action, AttemptId, Engine, Epoch, Event, Input, Observation, Output, Record};
use spec::{Bytes, Digest, Duration, Resources, TaskId, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;

use super::{Happening, World};
use crate::faults::Fault;
use crate::site::Delay;

/// The engine and what surrounds it.
#[derive(Debug)]
pub(super) struct Orchestrator {
    /// None while the orchestrator is down.
    pub(super) engine: Option<Engine>,
    pub(super) life: u32,
    pub(super) epoch: Epoch,
    /// Empty where no journal is kept.
    pub(super) journal: Vec<Record>,
    keeps_journal: bool,
    n_written: usize,
    n_synced: usize,
    /// Seen at this moment, to be taken in at its end.
    pending: Vec<Observation>,
    is_flush_due: bool,
    /// Whether it has settled since it last began.
    has_settled: bool,
    zombie: Option<(Engine, Epoch, Option<Action>)>,
    /// It is to be woken then; other wakes are no longer meant.
    wake: Option<Timestamp>,
    /// By so many microseconds is its clock ahead.
    ahead: i64,
    /// What its clock said last: within a life, time never runs backwards.
    last_time: Timestamp,
    /// Until then no record can be written.
    full_until: Timestamp,
    /// What waits for a sync, and the record after which it comes.
    for_sync: VecDeque<(usize, Action)>,
}

/// How long an orchestrator stays away.
const ABSENCE_MAX: Duration = Duration::from_secs(20);
/// How far a clock jumps ahead, in microseconds.
const CLOCK_JUMP_MAX: u64 = 3_600_000_000;
/// How far it is set back.
const CLOCK_BACK_MAX: u64 = 600_000_000;
/// How long a disk stays full, in microseconds.
const FULL_MAX: u64 = 600_000_000;
/// How long a sync takes, in microseconds.
const SYNC_MAX: u64 = 10_000_000;
/// How long a slow store takes to give outputs their final names, in microseconds.
const SLOW_STORE_MAX: u64 = 300_000_000;
/// How long a zombie sleeps.
const SLEEP_MAX: Duration = Duration::from_secs(120);

impl Orchestrator {
    pub(super) fn new(keeps_journal: bool) -> Self {
        Self {
            engine: None,
            life: 0,
            epoch: Epoch(0),
            journal: Vec::new(),
            keeps_journal,
            n_written: 0,
            n_synced: 0,
            pending: Vec::new(),
            is_flush_due: false,
            has_settled: false,
            zombie: None,
            wake: None,
            ahead: 0,
            last_time: Timestamp(i64::MIN),
            full_until: Timestamp(i64::MIN),
            for_sync: VecDeque::new(),
        }
    }
}

impl World<'_> {
    /// A new life: from the journal, or from nothing if nothing was done.
    pub(super) fn restart(&mut self) {
        self.orchestrator.epoch.0 += 1;
        self.orchestrator.has_settled = false;
        let workflow = Arc::clone(&self.first_workflow);
        let now = self.read_clock();
        let journal = &mut self.orchestrator.journal;
        let engine = if journal.len() < 2 {
            journal.clear();
            (self.orchestrator.n_written, self.orchestrator.n_synced) = (0, 0);
            let checked = self.watcher.replayed(&[]);
            let n = workflow.n_tasks();
            let start = Start {
                plan: self.first_plan.clone(),
                options: self.options.run.clone(),
                selected: self.options.selected.clone().unwrap_or_else(|| TaskRanges::all(n)),
                reusable: self.options.reusable.clone(),
                memory: self.options.memory.clone(),
                wanted: Vec::new(),
            };
            self.hold(checked);
            Engine::start(workflow, start, now)
        } else {
            let epoch = self.orchestrator.epoch;
            match Engine::resume(workflow, &*journal, epoch, now) {
                Ok(engine) => engine,
                Err(error) => {
                    let why = format!("a journal cannot be replayed: {error}");
                    return self.hold(Err(crate::watch::Violation::of("S10", why)));
                }
            }
        };
        self.orchestrator.engine = Some(engine);
        self.follow_the_graph();
        self.drive();
        self.decide_soon();
    }

    pub(super) fn tell(&mut self, input: Input) {
        self.set_the_clock();
        let now = self.read_clock();
        if let Some(engine) = &mut self.orchestrator.engine {
            engine.handle(now, input);
            self.drive();
        }
    }

    fn set_the_clock(&mut self) {
        let jump = if self.strikes(Fault::ClockJump) {
            self.how_much(Fault::ClockJump, 1, CLOCK_JUMP_MAX) as i64
        } else if self.strikes(Fault::ClockBack) {
            -(self.how_much(Fault::ClockBack, 1, CLOCK_BACK_MAX) as i64)
        } else {
            return;
        };
        self.orchestrator.ahead += jump;
        // What it waits for is looked up on the clock as it is now.
        self.orchestrator.wake = None;
    }

    /// What the orchestrator takes the time to be.
    fn read_clock(&mut self) -> Timestamp {
        let time = Timestamp(self.now.0 + self.orchestrator.ahead);
        self.orchestrator.last_time = self.orchestrator.last_time.max(time);
        self.orchestrator.last_time
    }

    /// Takes in what was seen at this moment.
    pub(super) fn flush(&mut self) {
        self.orchestrator.is_flush_due = false;
        let pending = std::mem::take(&mut self.orchestrator.pending);
        if !pending.is_empty() {
            self.tell(Input::Observations(pending));
        }
    }

    fn drive(&mut self) {
        while self.violation.is_none() {
            let Some(engine) = &mut self.orchestrator.engine else { return };
            match engine.poll() {
                Output::Record(_) if self.is_disk_full() => {
                    let with_machine = self.strikes(Fault::MachineCrash);
                    return self.die(with_machine, None);
                }
                Output::Record(record) => self.on_record(record),
                Output::Perform(action) => {
                    self.orchestrator.n_written = self.orchestrator.journal.len();
                    // Between deciding to end something and doing it is where others act first.
                    let is_end = matches!(action, Action::Kill { .. } | Action::Revoke { .. });
                    let n_chances = if is_end { 8 } else { 1 };
                    if (0..n_chances).any(|_| self.strikes(Fault::OrchestratorCrash)) {
                        return self.crash(Some(action));
                    }
                    let checked = self.watcher.action(&action);
                    self.hold(checked);
                    self.carry_out(action);
                }
                Output::WaitUntil(at) => {
                    self.settled(at);
                    break;
                }
            }
            if self.strikes(Fault::OrchestratorCrash) {
                return self.crash(None);
            }
        }
        let engine = self.orchestrator.engine.as_ref();
        if engine.is_some_and(|engine| engine.state().phase() == Phase::Paused) {
            self.end_life();
            self.soon(Duration::from_secs(30), Happening::Restart);
        }
    }

    /// Whether the next record can not be written, nor any other for a while.
    fn is_disk_full(&mut self) -> bool {
        if self.strikes(Fault::DiskFull) {
            let span = self.how_much(Fault::DiskFull, 1, FULL_MAX);
            self.orchestrator.full_until = self.now + Duration(span);
        }
        self.now < self.orchestrator.full_until
    }

    /// What needs its records synced waits until they are, one after the other; what does not need
    /// it goes ahead.
    fn carry_out(&mut self, action: Action) {
        let (epoch, written) = (self.orchestrator.epoch, self.orchestrator.n_written);
        if !action.needs_sync() {
            return self.perform(action, epoch);
        }
        if self.orchestrator.for_sync.is_empty() {
            if !self.strikes(Fault::SlowSync) {
                self.orchestrator.n_synced = written;
                return self.perform(action, epoch);
            }
            let delay = Duration(self.how_much(Fault::SlowSync, 1, SYNC_MAX));
            self.after(delay, Happening::Synced(self.orchestrator.life));
        }
        self.orchestrator.for_sync.push_back((written, action));
    }

    /// What waited for a sync is carried out.
    pub(super) fn synced(&mut self) {
        for (written, action) in std::mem::take(&mut self.orchestrator.for_sync) {
            self.orchestrator.n_synced = written;
            if self.strikes(Fault::OrchestratorCrash) {
                return self.crash(Some(action));
            }
            self.perform(action, self.orchestrator.epoch);
        }
    }

    fn on_record(&mut self, record: Record) {
        self.accounts.n_records += 1;
        if let Event::ShardsGranted { shards, .. } = &record.event {
            self.accounts.jobs += shards.len() as u64;
        }
        let checked = self.watcher.record(&record);
        self.hold(checked);
        let checked = self.s24_usage_is_what_was_measured(&record.event);
        self.hold(checked);
        if matches!(record.event, Event::WorkflowGrown { .. }) {
            self.follow_the_graph();
        }
        self.note_for_policy(&record.event);
        if self.orchestrator.keeps_journal {
            self.orchestrator.journal.push(record);
        }
    }

    fn settled(&mut self, wake: Option<Timestamp>) {
        self.orchestrator.n_written = self.orchestrator.journal.len();
        self.orchestrator.has_settled = true;
        if let Some(engine) = &self.orchestrator.engine {
            let now = self.orchestrator.last_time;
            let checked = self.watcher.settled(now, engine.state(), wake);
            self.hold(checked);
        }
        if self.orchestrator.wake != wake {
            self.orchestrator.wake = wake;
            if let Some(at) = wake {
                let at = Timestamp(at.0 - self.orchestrator.ahead);
                self.put(at, Happening::Wake(self.orchestrator.life));
            }
        }
    }

    pub(super) fn end_life(&mut self) {
        self.orchestrator.engine = None;
        self.orchestrator.life += 1;
        self.orchestrator.pending.clear();
        self.orchestrator.is_flush_due = false;
        self.orchestrator.wake = None;
        self.orchestrator.last_time = Timestamp(i64::MIN);
        self.orchestrator.for_sync.clear();
    }

    /// What was not written is lost; with the machine, what was not synced, and every keeper.
    fn crash(&mut self, at_hand: Option<Action>) {
        let with_machine = self.strikes(Fault::MachineCrash);
        let n_chances = if at_hand.is_some() { 4 } else { 1 };
        let is_pause = !with_machine && (0..n_chances).any(|_| self.strikes(Fault::Zombie));
        self.die(with_machine, is_pause.then_some(at_hand));
    }

    /// The end of a life; `paused` is one that will wake up with what it has at hand.
    fn die(&mut self, with_machine: bool, paused: Option<Option<Action>>) {
        if !self.orchestrator.has_settled && self.orchestrator.epoch.0 > 1 {
            self.hits.count(Fault::CrashInRecovery);
        }
        let written = self.orchestrator.journal.len();
        let floor =
            if with_machine { self.orchestrator.n_synced } else { self.orchestrator.n_written };
        let floor = if paused.is_some() { written } else { floor };
        let kept = self.how_much(Fault::OrchestratorCrash, floor as u64, written as u64) as usize;
        self.orchestrator.journal.truncate(kept);
        self.orchestrator.n_written = kept;
        let checked = self.watcher.replayed(&self.orchestrator.journal);
        self.hold(checked);
        if with_machine {
            self.orchestrator.n_synced = kept;
            self.machine_goes();
        }
        self.finish_what_was_under_way();
        if let Some(at_hand) = paused {
            let engine = self.orchestrator.engine.take();
            let epoch = self.orchestrator.epoch;
            self.orchestrator.zombie = engine.map(|engine| (engine, epoch, at_hand));
            self.soon(SLEEP_MAX, Happening::ZombieWakes);
        }
        self.end_life();
        self.soon(ABSENCE_MAX, Happening::Restart);
    }

    /// A rename that was under way when the orchestrator died may have been done.
    fn finish_what_was_under_way(&mut self) {
        let life = self.orchestrator.life;
        let publishing = |what: &&Happening| match what {
            Happening::Publishing(of, attempt) if *of == life => Some(*attempt),
            _ => None,
        };
        let under_way: Vec<AttemptId> =
            self.agenda.pending().iter().filter_map(publishing).collect();
        for attempt in under_way {
            if self.pace.chance(0.5) {
                self.publish(attempt);
            }
        }
    }

    /// It goes on where it was: carries out what was recorded, until it would have to record
    /// something. The journal is no longer its own by then.
    pub(super) fn zombie_wakes(&mut self) {
        let Some((mut engine, epoch, at_hand)) = self.orchestrator.zombie.take() else { return };
        let mut next = at_hand;
        while let Some(action) = next.take().or_else(|| match engine.poll() {
            Output::Perform(action) => Some(action),
            Output::Record(_) | Output::WaitUntil(_) => None,
        }) {
            // Whoever publishes or asks for capacity looks whether the run is still its own, and
            // nobody hears what comes of it.
            let is_ours = epoch == self.orchestrator.epoch;
            if is_ours && action.needs_sync() {
                self.orchestrator.n_synced = self.orchestrator.n_written;
            }
            match action {
                Action::Publish { attempts } if is_ours => {
                    for attempt in attempts {
                        self.publish(attempt);
                    }
                }
                Action::Publish { .. } | Action::CheckReuse { .. } | Action::ReadGrowth { .. } => {}
                Action::Allocate { .. } | Action::Probe { .. } if !is_ours => {}
                action => self.perform(action, epoch),
            }
        }
    }

    fn perform(&mut self, action: Action, epoch: Epoch) {
        match action {
            Action::Allocate { allocation, zone } => self.allocate(allocation, zone),
            Action::Probe { allocation, .. } => self.probe(allocation),
            Action::Lease { allocation, leases } => {
                let sent: Vec<(AttemptId, Resources)> = if self.remembers {
                    leases.iter().map(|lease| (lease.attempt, lease.granted.clone())).collect()
                } else {
                    Vec::new()
                };
                let hosted = leases.into_iter().map(|lease| self.hosted(lease)).collect();
                if self.order(allocation, HostInput::Lease(epoch, hosted)) {
                    let keeper = self.keeper_of[&allocation] as usize;
                    let memory = &mut self.keepers[keeper].memory;
                    // As the keeper: what an older orchestrator says after a newer one counts for nothing.
                    if epoch < memory.ordered_by {
                        return;
                    }
                    memory.known.extend(sent.iter().map(|&(attempt, _)| attempt));
                    memory.granted.extend(sent);
                }
            }
            Action::Revoke { allocation, attempts } => {
                self.order(allocation, HostInput::Revoke(epoch, attempts));
            }
            Action::Kill { allocation, attempts } => {
                self.order(allocation, HostInput::Kill(epoch, attempts));
            }
            Action::Close { allocation } => {
                self.order(allocation, HostInput::Close(epoch));
            }
            Action::Publish { attempts } => self.begin_publishing(attempts),
            Action::ReadGrowth { grown } => {
                for Grown { task, attempt, .. } in grown {
                    let verdict = self.read_growth(task, attempt.is_some());
                    self.observe(vec![Observation::GrowthRead { task, attempt, verdict }]);
                }
            }
            Action::CheckReuse { tasks } => {
                for task in tasks {
                    let verdict = self.reuse_verdict(task);
                    self.observe(vec![Observation::ReuseChecked { task, verdict }]);
                }
            }
        }
    }

    fn hosted(&self, lease: Lease) -> HostedLease {
        let task = lease.attempt.task();
        HostedLease {
            attempt: lease.attempt,
            after: lease.after,
            position: lease.position,
            granted: lease.granted,
            timeout: self.workflow.template(task).timeout,
            has_outputs: self.has_outputs(task),
        }
    }

    fn reuse_verdict(&self, task: TaskId) -> ReuseVerdict {
        if self.truth.script(task).is_some_and(|script| script.is_unchanged) {
            let outputs = self.manifest(AttemptId(task, 0), false);
            ReuseVerdict::Unchanged { run: "earlier".to_owned(), outputs }
        } else {
            ReuseVerdict::Changed { why: "its command".to_owned() }
        }
    }

    fn begin_publishing(&mut self, attempts: Vec<AttemptId>) {
        for attempt in attempts {
            let mut delay = self.site.paces.publish.draw(&mut self.pace);
            if self.strikes(Fault::SlowStore) {
                delay = Duration(self.how_much(Fault::SlowStore, 1, SLOW_STORE_MAX));
            }
            if delay > Duration::ZERO {
                self.after(delay, Happening::Publishing(self.orchestrator.life, attempt));
            } else if let Some(told) = self.publish(attempt) {
                self.observe(vec![told]);
            }
        }
    }

    /// What an attempt leaves. Outputs are a function of the task, unless they are wrong.
    pub(super) fn manifest(&self, attempt: AttemptId, is_wrong: bool) -> Manifest {
        let task = attempt.task();
        let files = self.workflow.outputs(task).iter().map(|&file| {
            let wrong = if is_wrong { attempt.number() } else { 0 };
            let mut digest = [0; 32];
            digest[..4].copy_from_slice(&file.0.to_le_bytes());
            digest[4..8].copy_from_slice(&wrong.to_le_bytes());
            PublishedFile {
                path: self.workflow.files().path(file).to_owned(),
                size: Bytes(self.truth.size(file).0),
                digest: Digest(digest),
                is_directory: false,
            }
        });
        files.collect()
    }

    pub(super) fn publish(&mut self, attempt: AttemptId) -> Option<Observation> {
        let task = attempt.task();
        if !self.has_outputs(task) {
            return Some(Observation::Published { attempt });
        }
        let there = self.store[task.index()];
        if there == attempt.number() {
            return Some(Observation::Published { attempt });
        }
        if there != 0 {
            let what = format!("{attempt} is published over attempt {there}");
            self.hold(Err(crate::watch::Violation::of("S1", what)));
            return None;
        }
        let why = "no space left".to_owned();
        if self.strikes(Fault::CommitLost) {
            return Some(Observation::PublishFailed { attempt, is_lost: true, why });
        }
        let failures = self.watcher.publish_failures(task);
        if self.truth.script(task).is_some_and(|script| failures < script.publish_failures) {
            self.hits.count(Fault::PublishFailure);
            return Some(Observation::PublishFailed { attempt, is_lost: false, why });
        }
        self.store[task.index()] = attempt.number();
        Some(Observation::Published { attempt })
    }

    /// Something is seen, and told after a while; perhaps late, twice, or not at all.
    pub(super) fn observe(&mut self, what: Vec<Observation>) {
        let tell = self.site.paces.tell;
        if tell == Delay::NONE && self.options.faults.is_none() {
            self.orchestrator.pending.extend(what);
            if !std::mem::replace(&mut self.orchestrator.is_flush_due, true) {
                self.put(self.now, Happening::Flush(self.orchestrator.life));
            }
            return;
        }
        let mut delay = tell.draw(&mut self.pace);
        if self.strikes(Fault::ObservationLate) {
            delay = Duration(self.how_much(Fault::ObservationLate, 1, 60_000_000));
        }
        let life = self.orchestrator.life;
        if self.strikes(Fault::ObservationDoubled) {
            let again = Duration(self.how_much(Fault::ObservationDoubled, 1, 60_000_000));
            self.after(again, Happening::Told(life, what.clone().into()));
        }
        self.after(delay, Happening::Told(life, what.into()));
    }
}
