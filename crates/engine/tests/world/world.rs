//! Virtual time around the real engine and real shard hosts, with faults.
//!
//! Knows what an orchestrator, keepers, a disk and a person do, and when. Decides nothing of its
//! own: what must hold at every step is in `checks`, what must come out in `reference`.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::action::Lease;
use engine::cause::{FailureCause, LossCause};
use engine::engine::Start;
use engine::input::{Command, Report, ReuseVerdict};
use engine::outcome::{Manifest, Outcome, PublishedFile, Usage};
use engine::phase::Phase;
use engine::shard::{End, HostInput, HostOutput, HostedLease, Urgency};
use engine::task_state::TaskState;
use engine::{Action, AllocationId, AttemptId, Engine, Epoch, Input, Observation, Output, Record};
use spec::{Bytes, Digest, Duration, Resources, TaskId, Timestamp, ZoneId};

use crate::case::{Case, Failure, cpus};
use crate::checks::Checks;
use crate::keeper::{Keeper, Process, Stage};
use crate::rng::Rng;

/// A run that came to its end.
pub(crate) struct Ran {
    pub(crate) case: Case,
    pub(crate) records: Vec<Record>,
    pub(crate) checks: Checks,
    /// What has a final name.
    pub(crate) store: BTreeMap<TaskId, AttemptId>,
    /// What each attempt read: by parent, the attempt that made it (0: an earlier run).
    pub(crate) read: BTreeMap<AttemptId, Vec<AttemptId>>,
}

/// Something that will happen. A number in front says in which life of the orchestrator, or to
/// which keeper.
#[derive(Clone, Debug)]
enum Happening {
    Restart,
    Wake(u32),
    Told(u32, Vec<Observation>),
    Publishing(u32, AttemptId),
    Asked(Command),
    KeeperUp(usize),
    Orders(usize),
    KeeperWake(usize, Timestamp),
    Spawning(usize, AttemptId),
    Ending(usize, AttemptId, End),
    Bursting(usize, AttemptId),
    Committing(usize, AttemptId),
}

/// The world itself.
pub(crate) struct World {
    case: Case,
    rng: Rng,
    now: Timestamp,
    queue: BTreeMap<(Timestamp, u64), Happening>,
    n_queued: u64,
    /// None while the orchestrator is down.
    engine: Option<Engine>,
    life: u32,
    epoch: Epoch,
    journal: Vec<Record>,
    n_written: usize,
    n_synced: usize,
    checks: Checks,
    keepers: Vec<Keeper>,
    keeper_of: BTreeMap<AllocationId, usize>,
    store: BTreeMap<TaskId, AttemptId>,
    last_start: BTreeMap<TaskId, AttemptId>,
    /// What each attempt read: by parent, the attempt that made it (0: an earlier run).
    read: BTreeMap<AttemptId, Vec<AttemptId>>,
    retries_of_run: u32,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let case = Case::random(&mut rng);
        let checks = Checks::new(&case);
        let retries_of_run = case.retries_of_run;
        Self {
            case,
            rng,
            now: Timestamp(0),
            queue: BTreeMap::new(),
            n_queued: 0,
            engine: None,
            life: 0,
            epoch: Epoch(0),
            journal: Vec::new(),
            n_written: 0,
            n_synced: 0,
            checks,
            keepers: Vec::new(),
            keeper_of: BTreeMap::new(),
            store: BTreeMap::new(),
            last_start: BTreeMap::new(),
            read: BTreeMap::new(),
            retries_of_run,
        }
    }

    /// Lets everything happen, until the run is over.
    pub(crate) fn run(mut self) -> Ran {
        for (at, command) in self.case.commands.clone() {
            self.put(at, Happening::Asked(command));
        }
        self.restart();
        while !self.is_over() {
            let next = self.queue.pop_first();
            let ((at, _), what) = next.unwrap_or_else(|| panic!("L3: nothing is awaited"));
            self.checks.l1_ends_in_time(at, self.n_queued);
            self.now = at;
            self.happen(what);
        }
        let Self { case, journal: records, checks, store, read, .. } = self;
        Ran { case, records, checks, store, read }
    }

    fn is_over(&mut self) -> bool {
        let Some(engine) = &self.engine else { return false };
        match engine.state().phase() {
            Phase::Finished(Outcome::Failed) if self.retries_of_run > 0 => {
                self.retries_of_run -= 1;
                // Final tasks run at each end, and there will be another.
                for task in self.case.workflow.final_tasks() {
                    if engine.state().task(task).state == TaskState::Published {
                        self.last_start.remove(&task);
                    }
                }
                if self.rng.chance(500) {
                    self.end_life();
                    self.restart();
                }
                self.tell(Input::Command(Command::RetryFailed));
                self.is_over()
            }
            Phase::Finished(_) => true,
            Phase::Running
            | Phase::Draining { .. }
            | Phase::Paused
            | Phase::Cancelling
            | Phase::Finishing(_) => false,
        }
    }

    fn put(&mut self, at: Timestamp, what: Happening) {
        self.n_queued += 1;
        self.queue.insert((at, self.n_queued), what);
    }

    fn soon(&mut self, most: Duration, what: Happening) {
        let delay = Duration(self.rng.between(1, most.0));
        self.put(self.now + delay, what);
    }

    /// Whether a fault strikes now.
    fn strikes(&mut self, per_mille: u32) -> bool {
        self.now < self.case.faults.until && self.rng.chance(per_mille)
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Restart => self.restart(),
            Happening::Wake(life) if life == self.life => self.tell(Input::Wake),
            Happening::Told(life, what) if life == self.life => {
                self.tell(Input::Observations(what));
            }
            Happening::Publishing(life, attempt) if life == self.life => {
                let told = self.publish(attempt);
                self.observe(vec![told]);
            }
            Happening::Wake(_) | Happening::Told(..) | Happening::Publishing(..) => {}
            Happening::Asked(command) => self.tell(Input::Command(command)),
            Happening::KeeperUp(keeper) => self.keeper_up(keeper),
            Happening::Orders(keeper) => self.take_orders(keeper),
            Happening::KeeperWake(keeper, at) => {
                if self.keepers[keeper].wake == Some(at) {
                    self.tell_keeper(keeper, HostInput::Wake);
                }
            }
            Happening::Spawning(keeper, attempt) => self.spawn(keeper, attempt),
            Happening::Ending(keeper, attempt, end) => self.end_process(keeper, attempt, end),
            Happening::Bursting(keeper, attempt) => {
                let cause = self.excess(keeper, attempt);
                self.tell_keeper(keeper, HostInput::OverLimit(attempt, cause));
            }
            Happening::Committing(keeper, attempt) => self.commit(keeper, attempt),
        }
    }
}

/// The orchestrator.
impl World {
    /// A new life: from the journal, or from nothing if nothing was done.
    fn restart(&mut self) {
        self.epoch.0 += 1;
        let workflow = Arc::clone(&self.case.workflow);
        let engine = if self.journal.len() < 2 {
            self.journal.clear();
            self.checks = self.checks.replayed(&self.case, &[]);
            let start = Start {
                plan: self.case.plan.clone(),
                options: self.case.options.clone(),
                selected: self.case.selected.clone(),
                reusable: self.case.reusable.clone(),
                memory: self.case.memory.clone(),
                wanted: Vec::new(),
            };
            Engine::start(workflow, start, self.now)
        } else {
            let engine = Engine::resume(workflow, &self.journal, self.epoch, self.now);
            engine.expect("what was written can be replayed")
        };
        self.engine = Some(engine);
        self.drive();
    }

    fn tell(&mut self, input: Input) {
        if let Some(engine) = &mut self.engine {
            engine.handle(self.now, input);
            self.drive();
        }
    }

    fn drive(&mut self) {
        while let Some(engine) = &mut self.engine {
            match engine.poll() {
                Output::Record(record) => {
                    self.checks.record(&self.case, &record);
                    self.journal.push(record);
                }
                Output::Perform(action) => {
                    self.n_written = self.journal.len();
                    if action.needs_sync() {
                        self.n_synced = self.n_written;
                    }
                    if self.strikes(self.case.faults.crash) {
                        return self.crash();
                    }
                    self.checks.action(&self.case, &action);
                    self.perform(action);
                }
                Output::WaitUntil(at) => {
                    self.n_written = self.journal.len();
                    self.checks.settled(self.now, engine.state(), at);
                    if let Some(at) = at {
                        self.put(at, Happening::Wake(self.life));
                    }
                    break;
                }
            }
            if self.strikes(self.case.faults.crash) {
                return self.crash();
            }
        }
        let phase = self.engine.as_ref().map(|engine| engine.state().phase());
        if phase == Some(Phase::Paused) {
            self.end_life();
            self.soon(Duration::from_secs(30), Happening::Restart);
        }
    }

    fn end_life(&mut self) {
        self.engine = None;
        self.life += 1;
    }

    /// What was not written is lost; with the machine, what was not synced, and every keeper.
    fn crash(&mut self) {
        let with_machine = self.rng.chance(self.case.faults.machine);
        let floor = if with_machine { self.n_synced } else { self.n_written };
        let kept = self.rng.between(floor as u64, self.journal.len() as u64) as usize;
        self.journal.truncate(kept);
        self.n_written = kept;
        self.checks = self.checks.replayed(&self.case, &self.journal);
        if with_machine {
            self.n_synced = kept;
            self.keepers.iter_mut().filter(|k| k.stage != Stage::Ended).for_each(|keeper| {
                keeper.stage = Stage::Dead;
                keeper.processes.clear();
            });
        }
        let under_way: Vec<AttemptId> =
            self.queue.values().filter_map(under_way(self.life)).collect();
        for attempt in under_way {
            if self.rng.chance(500) {
                self.publish(attempt);
            }
        }
        self.end_life();
        self.soon(Duration::from_secs(20), Happening::Restart);
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Allocate { allocation, zone } => self.allocate(allocation, zone),
            Action::Probe { allocation, .. } => self.probe(allocation),
            Action::Lease { allocation, leases } => {
                let granted: Vec<(AttemptId, Resources)> =
                    leases.iter().map(|l| (l.attempt, l.granted.clone())).collect();
                let hosted = leases.into_iter().map(|lease| self.hosted(lease)).collect();
                if self.order(allocation, HostInput::Lease(self.epoch, hosted)) {
                    let keeper = &mut self.keepers[self.keeper_of[&allocation]];
                    keeper.known.extend(granted.iter().map(|&(attempt, _)| attempt));
                    keeper.granted.extend(granted);
                }
            }
            Action::Revoke { allocation, attempts } => {
                self.order(allocation, HostInput::Revoke(self.epoch, attempts));
            }
            Action::Kill { allocation, attempts } => {
                self.order(allocation, HostInput::Kill(self.epoch, attempts));
            }
            Action::Close { allocation } => {
                self.order(allocation, HostInput::Close(self.epoch));
            }
            Action::Publish { attempts } => {
                for attempt in attempts {
                    let what = Happening::Publishing(self.life, attempt);
                    self.soon(self.case.publishing, what);
                }
            }
            Action::ReadGrowth { .. } => unreachable!("the graphs here do not grow"),
            Action::CheckReuse { tasks } => {
                for task in tasks {
                    let verdict = if self.case.scripts[task.index()].is_unchanged {
                        let outputs = self.manifest(AttemptId(task, 0));
                        ReuseVerdict::Unchanged { run: "earlier".to_owned(), outputs }
                    } else {
                        ReuseVerdict::Changed { why: "its command".to_owned() }
                    };
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
            timeout: self.case.workflow.template(task).timeout,
            has_outputs: self.case.has_outputs(task),
        }
    }

    fn allocate(&mut self, allocation: AllocationId, zone: ZoneId) {
        let has_one = self.keeper_of.get(&allocation).map(|&keeper| self.keepers[keeper].stage);
        if matches!(has_one, Some(Stage::Launching | Stage::Up)) {
            return;
        }
        let there = self.case.capacities[zone.index()].clone();
        self.keepers.push(Keeper::new(allocation, zone, self.epoch, there));
        let keeper = self.keepers.len() - 1;
        self.keeper_of.insert(allocation, keeper);
        if self.strikes(self.case.faults.launch_failure) {
            self.kill_keeper(keeper);
        } else {
            self.soon(Duration::from_secs(10), Happening::KeeperUp(keeper));
        }
    }

    fn probe(&mut self, allocation: AllocationId) {
        let Some(&keeper) = self.keeper_of.get(&allocation) else {
            let (cause, not_started) = (LossCause::MachineRestarted, Vec::new());
            return self.observe(vec![Observation::AllocationLost {
                allocation,
                cause,
                not_started,
            }]);
        };
        match self.keepers[keeper].stage {
            Stage::Launching => {}
            Stage::Up => {
                let up = self.up(keeper);
                if self.rng.chance(500) {
                    self.observe(vec![up]);
                    self.observe(self.all_progress(keeper));
                } else {
                    let mut all = vec![up];
                    all.extend(self.all_progress(keeper));
                    self.observe(all);
                }
            }
            Stage::Ended => self.report_end(keeper),
            Stage::Dead => self.report_death(keeper),
        }
    }

    /// Appends an order for a keeper; false if nobody is there to read it.
    fn order(&mut self, allocation: AllocationId, order: HostInput) -> bool {
        let Some(&keeper) = self.keeper_of.get(&allocation) else { return false };
        if !matches!(self.keepers[keeper].stage, Stage::Launching | Stage::Up) {
            return false;
        }
        self.keepers[keeper].orders.push_back(order);
        self.soon(Duration::from_secs(2), Happening::Orders(keeper));
        true
    }

    fn manifest(&self, attempt: AttemptId) -> Manifest {
        if !self.case.has_outputs(attempt.task()) {
            return Manifest::new();
        }
        let text = attempt.to_string();
        let digest = Digest::of(text.as_bytes());
        vec![PublishedFile { path: text, size: Bytes(1), digest, is_directory: false }]
    }

    fn publish(&mut self, attempt: AttemptId) -> Observation {
        let task = attempt.task();
        if !self.case.has_outputs(task) {
            return Observation::Published { attempt };
        }
        match self.store.get(&task) {
            Some(&there) if there == attempt => return Observation::Published { attempt },
            Some(there) => panic!("S1: {attempt} is published over {there}"),
            None => {}
        }
        let failures = self.checks.publish_failures(task);
        let why = "no".to_owned();
        if self.strikes(self.case.faults.lost_commit) {
            Observation::PublishFailed { attempt, is_lost: true, why }
        } else if failures < self.case.scripts[task.index()].publish_failures {
            Observation::PublishFailed { attempt, is_lost: false, why }
        } else {
            self.store.insert(task, attempt);
            Observation::Published { attempt }
        }
    }

    /// Something is seen, and told after a while; perhaps late, perhaps twice.
    fn observe(&mut self, what: Vec<Observation>) {
        let late = self.strikes(self.case.faults.delay);
        let most = Duration::from_millis(if late { 60_000 } else { 500 });
        if self.strikes(self.case.faults.duplicate) {
            self.soon(most, Happening::Told(self.life, what.clone()));
        }
        self.soon(most, Happening::Told(self.life, what));
    }
}

fn under_way(life: u32) -> impl Fn(&Happening) -> Option<AttemptId> {
    move |what| match what {
        Happening::Publishing(of, attempt) if *of == life => Some(*attempt),
        _ => None,
    }
}

/// The keepers.
impl World {
    fn keeper_up(&mut self, keeper: usize) {
        if self.keepers[keeper].stage == Stage::Launching {
            self.keepers[keeper].stage = Stage::Up;
            let up = self.up(keeper);
            self.observe(vec![up]);
            self.take_orders(keeper);
        }
    }

    fn take_orders(&mut self, keeper: usize) {
        while self.keepers[keeper].stage != Stage::Launching {
            let Some(order) = self.keepers[keeper].orders.pop_front() else { break };
            self.tell_keeper(keeper, order);
        }
    }

    fn up(&self, keeper: usize) -> Observation {
        let Keeper { allocation, capacity, known, .. } = &self.keepers[keeper];
        let (allocation, capacity, known) = (*allocation, capacity.clone(), known.clone());
        Observation::AllocationUp { allocation, capacity, known }
    }

    fn all_progress(&self, keeper: usize) -> Vec<Observation> {
        let Keeper { allocation, progress, .. } = &self.keepers[keeper];
        let told = |report: &Report| Observation::Reported {
            allocation: *allocation,
            report: report.clone(),
        };
        progress.iter().map(told).collect()
    }

    fn report_end(&mut self, keeper: usize) {
        let mut all = self.all_progress(keeper);
        let allocation = self.keepers[keeper].allocation;
        all.push(Observation::AllocationEnded { allocation });
        self.observe(all);
    }

    /// The progress file may be gone with the keeper, or be read to its end, before or after.
    fn report_death(&mut self, keeper: usize) {
        if self.rng.chance(500) {
            let progress = self.all_progress(keeper);
            self.observe(progress);
        }
        let allocation = self.keepers[keeper].allocation;
        let cause = self.rng.pick(&[LossCause::KeeperDied, LossCause::MachineRestarted]);
        let not_started =
            if self.rng.chance(500) { self.keepers[keeper].not_started() } else { Vec::new() };
        self.observe(vec![Observation::AllocationLost { allocation, cause, not_started }]);
    }

    fn kill_keeper(&mut self, keeper: usize) {
        self.keepers[keeper].stage = Stage::Dead;
        self.keepers[keeper].processes.clear();
        self.report_death(keeper);
    }

    fn tell_keeper(&mut self, keeper: usize, input: HostInput) {
        if self.keepers[keeper].stage != Stage::Up {
            return;
        }
        if self.strikes(self.case.faults.keeper_death) {
            return self.kill_keeper(keeper);
        }
        self.keepers[keeper].host.handle(self.now, input);
        self.drive_keeper(keeper);
        if let Some(now) = self.changed_capacity(keeper) {
            self.keepers[keeper].capacity = now.clone();
            self.keepers[keeper].host.handle(self.now, HostInput::Capacity(now));
            self.drive_keeper(keeper);
        }
    }

    /// Capacity comes and goes; when faults have stopped, all of it is there again.
    fn changed_capacity(&mut self, keeper: usize) -> Option<Resources> {
        let Keeper { zone, stage, ref capacity, .. } = self.keepers[keeper];
        if stage != Stage::Up {
            return None;
        }
        let before = capacity.clone();
        let now = if self.strikes(self.case.faults.capacity) {
            cpus(self.rng.between(0, 3) as u32)
        } else if self.now >= self.case.faults.until {
            self.case.capacities[zone.index()].clone()
        } else {
            return None;
        };
        (now != before).then_some(now)
    }

    fn drive_keeper(&mut self, keeper: usize) {
        let mut reports = Vec::new();
        loop {
            match self.keepers[keeper].host.poll() {
                HostOutput::Report(report) => {
                    if let Report::Committed { attempt, .. } = report {
                        self.keepers[keeper].committed.insert(attempt);
                    }
                    self.keepers[keeper].progress.push(report.clone());
                    reports.push(report);
                }
                HostOutput::Start(attempt, _) => self.start(keeper, attempt),
                HostOutput::Signal(attempt, urgency) => self.signal(keeper, attempt, urgency),
                HostOutput::Commit(attempt) => {
                    self.soon(Duration::from_secs(3), Happening::Committing(keeper, attempt));
                }
                HostOutput::WaitUntil(at) => {
                    self.wake_keeper(keeper, at);
                    break;
                }
            }
        }
        self.tell_reports(keeper, reports);
        if self.keepers[keeper].host.has_ended() {
            self.keepers[keeper].stage = Stage::Ended;
            self.report_end(keeper);
        }
    }

    fn wake_keeper(&mut self, keeper: usize, at: Option<Timestamp>) {
        // Also when faults end, so that lost capacity comes back.
        let end = (self.now < self.case.faults.until).then_some(self.case.faults.until);
        let at = at.into_iter().chain(end).min();
        if self.keepers[keeper].wake != at {
            self.keepers[keeper].wake = at;
            if let Some(at) = at {
                self.put(at, Happening::KeeperWake(keeper, at));
            }
        }
    }

    fn tell_reports(&mut self, keeper: usize, reports: Vec<Report>) {
        let allocation = self.keepers[keeper].allocation;
        for report in reports {
            self.observe(vec![Observation::Reported { allocation, report }]);
        }
        if self.strikes(self.case.faults.stale) {
            let old = self.all_progress(keeper);
            let from = self.rng.below(old.len());
            self.observe(old[from..].to_vec());
        }
    }

    fn start(&mut self, keeper: usize, attempt: AttemptId) {
        let task = attempt.task();
        let granted = self.keepers[keeper].granted[&attempt].clone();
        let read = self.checks.s2_parents_are_there(&self.case, &self.keepers[keeper], attempt);
        self.read.insert(attempt, read);
        self.checks.s3_is_not_published(attempt);
        self.check_s7_one_owner(task);
        self.check_n1_never_run_in_doubt(attempt);
        let failures = self.checks.own_failures(task);
        let failure = self.case.scripts[task.index()].failures.get(failures).copied();
        let process = Process { granted, started_at: self.now, failure };
        let keeper_row = &mut self.keepers[keeper];
        keeper_row.started.insert(attempt);
        keeper_row.processes.insert(attempt, process);
        let (held, there) = (keeper_row.held(), &keeper_row.capacity);
        assert!(held.fits(there), "S9: {held} is granted, {there} is there");
        self.soon(Duration::from_millis(200), Happening::Spawning(keeper, attempt));
    }

    fn check_s7_one_owner(&self, task: TaskId) {
        for keeper in self.keepers.iter().filter(|keeper| keeper.stage == Stage::Up) {
            let other = keeper.processes.keys().find(|attempt| attempt.task() == task);
            assert!(other.is_none(), "S7: {other:?} runs when another attempt starts");
        }
    }

    /// Not idempotent means: after a start nobody starts it again, unless it failed by itself.
    fn check_n1_never_run_in_doubt(&mut self, attempt: AttemptId) {
        let last = self.last_start.insert(attempt.task(), attempt);
        if let Some(last) = last.filter(|_| !self.case.workflow.template(attempt.task()).idempotent)
        {
            assert!(self.checks.has_failed(last), "N1: {attempt} starts, {last} may have run");
        }
    }

    fn spawn(&mut self, keeper: usize, attempt: AttemptId) {
        let Some(process) = self.keepers[keeper].processes.get(&attempt).cloned() else { return };
        let is_short = process.is_short(self.case.scripts[attempt.task().index()].needs);
        if process.failure == Some(Failure::CannotStart) && !is_short {
            self.keepers[keeper].processes.remove(&attempt);
            return self.tell_keeper(keeper, HostInput::CannotStart(attempt, "no".to_owned()));
        }
        let duration = self.case.scripts[attempt.task().index()].duration;
        let at = self.now + duration;
        let end = |end| Happening::Ending(keeper, attempt, end);
        match process.failure {
            _ if is_short => self.put(at, Happening::Bursting(keeper, attempt)),
            Some(Failure::Exit) => self.put(at, end(End::Exit(7))),
            Some(Failure::Signal) => self.put(at, end(End::Signal(11))),
            Some(Failure::OverLimit) => self.put(at, Happening::Bursting(keeper, attempt)),
            Some(Failure::TooSlow | Failure::CannotStart) => {}
            Some(Failure::BadOutput) | None => self.put(at, end(End::Exit(0))),
        }
        self.tell_keeper(keeper, HostInput::Spawned(attempt, 4_711));
    }

    fn excess(&self, keeper: usize, attempt: AttemptId) -> FailureCause {
        let needs = self.case.scripts[attempt.task().index()].needs;
        let process = self.keepers[keeper].processes.get(&attempt);
        match process.filter(|process| process.is_short(needs)) {
            Some(Process { granted, .. }) => {
                let (granted, used) = (granted.memory, granted.memory);
                FailureCause::OutOfMemory { granted, used, bound: None }
            }
            None => FailureCause::LogTooLong(Bytes(1)),
        }
    }

    fn signal(&mut self, keeper: usize, attempt: AttemptId, urgency: Urgency) {
        let is_stubborn = self.case.scripts[attempt.task().index()].is_stubborn;
        match urgency {
            Urgency::Terminate if is_stubborn => {}
            Urgency::Terminate => {
                let what = Happening::Ending(keeper, attempt, End::Signal(15));
                self.soon(Duration::from_secs(4), what);
            }
            Urgency::Kill => {
                let what = Happening::Ending(keeper, attempt, End::Signal(9));
                self.soon(Duration::from_millis(50), what);
            }
        }
    }

    fn end_process(&mut self, keeper: usize, attempt: AttemptId, end: End) {
        if let Some(process) = self.keepers[keeper].processes.remove(&attempt) {
            let (started_at, ended_at) = (process.started_at, self.now);
            let usage = Usage { started_at, ended_at, ..Usage::default() };
            self.tell_keeper(keeper, HostInput::Exited(attempt, end, usage));
        }
    }

    fn commit(&mut self, keeper: usize, attempt: AttemptId) {
        let failures = self.checks.own_failures(attempt.task());
        let script = &self.case.scripts[attempt.task().index()];
        let result = match script.failures.get(failures) {
            Some(Failure::BadOutput) => Err(FailureCause::MissingOutput(vec!["o".to_owned()])),
            _ => Ok(self.manifest(attempt)),
        };
        self.tell_keeper(keeper, HostInput::Committed(attempt, result));
    }
}
