//! The drive loop: joins engine, journal and executors.
//!
//! One input, all its outputs, the next input. Records go to the journal as they are polled; an
//! action is carried out once the records before it are written, or synced where the action can
//! outlive the machine. The loop never waits for the disk itself: it goes on with other inputs
//! and picks the action up when the journal says how far it is.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use engine::action::{Grown, Lease};
use engine::cause::FailureCause;
use engine::forecast::ForecastSummary;
use engine::input::Report;
use engine::phase::Phase;
use engine::{
    Action, AllocationId, AttemptId, Command, Engine, Event, Input, Observation, Outcome, Output,
    Record, RunState, Usage,
};
use journal::{Journal, Seq, lease};
use spec::{Site, TaskId, Timestamp};

use crate::artifact;
use crate::demand::Observed;
use crate::executor::{self, Executor};
use crate::growing::Grower;
use crate::inbox;
use crate::publishing::{PublishJob, Publishing};
use crate::results::{Past, Results, Verification};
use crate::reuse::{self, Environment, Keys};
use crate::run_dir::{Project, RunDir};
use crate::start;
use crate::work::WorkMaker;

/// How often the inbox is looked at and the lease is thought of.
const TICK: Duration = Duration::from_millis(200);

/// How often results are handed to the history while the run goes on.
const RESULTS_INTERVAL: Duration = Duration::from_secs(5);

/// What the loop can be told.
#[derive(Debug)]
pub enum Message {
    /// By executors, the publisher, the comparison of results.
    Observed(Vec<Observation>),
    /// By an executor that cannot go on.
    Broken(executor::Error),
    /// By the journal.
    Journal(journal::Progress),
    /// By the person at the terminal.
    Command(Command),
    /// By whoever forecasts.
    Forecast(ForecastSummary),
}

/// Someone who looks on: a progress display.
pub trait Observer {
    /// A record was made; the state is as after it, or later.
    fn recorded(&mut self, record: &Record, state: &RunState);

    /// A moment passed.
    fn tick(&mut self, state: &RunState, now: Timestamp);

    /// Something that people should know and that no record tells, when the run has ended.
    fn notice(&mut self, text: &str) {
        let _ = text;
    }
}

/// Why a run could not go on. Its journal is sound, and it can be resumed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal stopped.
    #[error("the journal stopped: {0}")]
    Journal(String),
    /// The lease was taken over, or cannot be renewed.
    #[error("failed to keep the lease of the run")]
    Lease(#[source] lease::Error),
    /// An executor cannot be reached.
    #[error(transparent)]
    Executor(#[from] executor::Error),
}

/// Everything the loop works with.
pub struct Drive {
    /// Decides.
    pub engine: Engine,
    /// Remembers.
    pub journal: Journal,
    /// Says that the run is ours.
    pub lease: lease::Lease,
    /// Carries out.
    pub executor: Box<dyn Executor>,
    /// Gives outputs their final names.
    pub publishing: Publishing,
    /// Compares and remembers results.
    pub results: Results,
    /// Fills in commands.
    pub maker: WorkMaker,
    /// Of `env_from`.
    pub environment: Environment,
    /// The places.
    pub site: Site,
    /// The folder that paths are relative to.
    pub project: Project,
    /// What earlier runs left.
    pub past: Past,
    /// Where everything lies.
    pub run_dir: RunDir,
    /// All that is said to the loop.
    pub messages: Receiver<Message>,
}

/// An action that waits for the journal.
#[derive(Debug)]
struct Pending {
    after: Seq,
    action: Action,
}

/// The parts of the loop that change as it runs.
struct Loop<'a> {
    drive: Drive,
    observer: &'a mut dyn Observer,
    /// Wait until their record is written.
    for_write: VecDeque<Pending>,
    /// Wait until their record is synced.
    for_sync: VecDeque<Pending>,
    written: Seq,
    synced: Seq,
    last: Seq,
    now: Timestamp,
    /// Commands taken in, whose files go when their answer is synced.
    commands: Vec<(Seq, PathBuf)>,
    finished: Vec<TaskId>,
    observed: Observed,
    results_at: Instant,
    tick_at: Instant,
}

/// Runs until the run has ended or paused, and everything about it is synced.
///
/// # Errors
/// Why the run could not go on.
pub fn drive(drive: Drive, observer: &mut dyn Observer) -> Result<Phase, Error> {
    let synced = drive.journal.synced();
    let mut looping = Loop {
        drive,
        observer,
        for_write: VecDeque::new(),
        for_sync: VecDeque::new(),
        written: synced,
        synced,
        last: synced,
        now: clock(),
        commands: Vec::new(),
        finished: Vec::new(),
        observed: Observed::default(),
        results_at: Instant::now(),
        tick_at: Instant::now(),
    };
    let phase = looping.run()?;
    looping.save_results(true);
    if phase == Phase::Finished(Outcome::Succeeded) {
        // What is left in private folders is of attempts that came to nothing.
        let _ = artifact::discard(&looping.drive.run_dir.attempts());
    }
    Ok(phase)
}

impl Loop<'_> {
    fn run(&mut self) -> Result<Phase, Error> {
        self.drain()?;
        // What was said before the loop began counts also for a run that is over: it may be
        // asked to try again what failed.
        let mut observations = Vec::new();
        self.take_all(&mut observations)?;
        let now = self.advance_clock();
        self.drive.engine.handle(now, Input::Observations(observations));
        let mut wake_at = self.drain()?;
        loop {
            let phase = self.drive.engine.state().phase();
            if matches!(phase, Phase::Finished(_) | Phase::Paused) && self.synced >= self.last {
                return Ok(phase);
            }
            let observations = self.wait(wake_at)?;
            let now = self.advance_clock();
            if observations.is_empty() {
                self.drive.engine.handle(now, Input::Wake);
            } else {
                self.drive.engine.handle(now, Input::Observations(observations));
            }
            self.tick()?;
            wake_at = self.drain()?;
        }
    }

    /// Waits for news, and takes in all that has come.
    fn wait(&mut self, wake_at: Option<Timestamp>) -> Result<Vec<Observation>, Error> {
        let mut patience = TICK;
        if let Some(at) = wake_at {
            patience = patience.min(at.since(clock()).to_std().max(Duration::from_millis(1)));
        }
        let mut observations = Vec::new();
        match self.drive.messages.recv_timeout(patience) {
            Ok(message) => self.take(message, &mut observations)?,
            Err(RecvTimeoutError::Timeout) => return Ok(observations),
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(patience),
        }
        self.take_all(&mut observations)?;
        Ok(observations)
    }

    /// Takes in all that has come.
    fn take_all(&mut self, observations: &mut Vec<Observation>) -> Result<(), Error> {
        while let Ok(message) = self.drive.messages.try_recv() {
            self.take(message, observations)?;
        }
        Ok(())
    }

    fn take(&mut self, message: Message, observations: &mut Vec<Observation>) -> Result<(), Error> {
        match message {
            Message::Observed(more) => observations.extend(more),
            Message::Broken(error) => return Err(error.into()),
            Message::Journal(journal::Progress::Written(seq)) => self.written = seq,
            Message::Journal(journal::Progress::Synced(seq)) => self.synced = seq,
            Message::Journal(journal::Progress::Failed(failure)) => {
                return Err(Error::Journal(failure.to_string()));
            }
            Message::Forecast(forecast) => {
                let now = self.advance_clock();
                self.drive.engine.handle(now, Input::ForecastChanged(forecast));
                self.drain()?;
            }
            Message::Command(command) => {
                let now = self.advance_clock();
                self.drive.engine.handle(now, Input::Command(command));
                self.drain()?;
            }
        }
        Ok(())
    }

    /// Takes all outputs of the engine; says when it wants to be woken.
    fn drain(&mut self) -> Result<Option<Timestamp>, Error> {
        let wake_at = loop {
            match self.drive.engine.poll() {
                Output::Record(record) => self.record(&record),
                Output::Perform(action) => {
                    let after = self.last;
                    let queue =
                        if action.needs_sync() { &mut self.for_sync } else { &mut self.for_write };
                    queue.push_back(Pending { after, action });
                }
                Output::WaitUntil(at) => break at,
            }
        };
        self.drive.journal.flush().map_err(|error| Error::Journal(error.to_string()))?;
        if let Some(pending) = self.for_sync.back() {
            self.drive.journal.want_sync(pending.after);
        }
        if matches!(self.drive.engine.state().phase(), Phase::Finished(_) | Phase::Paused) {
            self.drive.journal.want_sync(self.last);
        }
        self.perform_due()?;
        Ok(wake_at)
    }

    fn record(&mut self, record: &Record) {
        let text = serde_json::to_string(record).expect("plain values serialize");
        self.last = self.drive.journal.append(&text);
        debug_assert_eq!(self.last.0, record.seq);
        match &record.event {
            Event::WorkflowGrown { .. } => {
                let workflow = self.drive.engine.state().workflow();
                self.drive.environment = start::environment(workflow);
            }
            Event::AttemptCommitted { attempt, outputs, .. } if outputs.is_empty() => {
                self.finished.push(attempt.task());
            }
            Event::Published { attempts } => {
                self.finished.extend(attempts.iter().map(|attempt| attempt.task()));
            }
            _ => {}
        }
        self.observed.note(self.drive.engine.state().workflow(), &record.event);
        self.observer.recorded(record, self.drive.engine.state());
    }

    fn perform_due(&mut self) -> Result<(), Error> {
        while self.for_write.front().is_some_and(|pending| pending.after <= self.written) {
            let pending = self.for_write.pop_front().expect("just looked at");
            self.perform(pending.action)?;
        }
        while self.for_sync.front().is_some_and(|pending| pending.after <= self.synced) {
            let pending = self.for_sync.pop_front().expect("just looked at");
            self.perform(pending.action)?;
        }
        let synced = self.synced;
        self.commands.retain(|(answer, path)| {
            let is_safe = *answer <= synced;
            if is_safe {
                let _ = std::fs::remove_file(path);
            }
            !is_safe
        });
        Ok(())
    }

    fn perform(&mut self, action: Action) -> Result<(), Error> {
        let drive = &mut self.drive;
        match action {
            Action::Allocate { allocation, zone } => {
                let capacity = drive.site.zone(zone).capacity();
                drive.executor.allocate(allocation, &capacity)?;
            }
            Action::Probe { allocation, .. } => drive.executor.probe(allocation)?,
            Action::Lease { allocation, leases } => self.submit(allocation, &leases)?,
            Action::Revoke { allocation, attempts } => {
                drive.executor.revoke(allocation, attempts)?;
            }
            Action::Kill { allocation, attempts } => drive.executor.cancel(allocation, attempts)?,
            Action::Close { allocation } => drive.executor.close(allocation)?,
            Action::Publish { attempts } => self.publish(&attempts),
            Action::ReadGrowth { grown } => self.read_growth(&grown),
            Action::CheckReuse { tasks } => self.check_reuse(&tasks),
        }
        Ok(())
    }

    fn submit(&mut self, allocation: AllocationId, leases: &[Lease]) -> Result<(), Error> {
        let mut work = Vec::with_capacity(leases.len());
        let mut refused = Vec::new();
        let state = self.drive.engine.state();
        let zone = state.allocations()[&allocation].zone;
        for lease in leases {
            match self.drive.maker.make(state.workflow(), state, lease, zone) {
                Ok(one) => work.push(one),
                Err(why) => refused.push(cannot_start(allocation, lease.attempt, why)),
            }
        }
        if !work.is_empty() {
            self.drive.executor.submit(allocation, work)?;
        }
        if !refused.is_empty() {
            self.drive.results.observe(refused);
        }
        Ok(())
    }

    fn publish(&mut self, attempts: &[AttemptId]) {
        let committed = self.drive.engine.state().committed();
        let jobs = attempts.iter().filter_map(|&attempt| {
            let commit = committed.get(&attempt.task())?;
            let root = self.drive.run_dir.attempt(attempt);
            Some(PublishJob { attempt, root, outputs: commit.outputs.clone() })
        });
        self.drive.publishing.submit(jobs.collect());
    }

    fn read_growth(&mut self, grown: &[Grown]) {
        let drive = &mut self.drive;
        let grower = Grower {
            project: &drive.project,
            run_dir: &drive.run_dir,
            site: &drive.site,
            past: &drive.past,
        };
        let workflow = drive.engine.state().workflow();
        let told = grown.iter().map(|one| grower.read(workflow, &mut drive.maker, one));
        let told = told.collect();
        drive.results.observe(told);
    }

    fn check_reuse(&mut self, tasks: &[TaskId]) {
        let state = self.drive.engine.state();
        let keys = Keys {
            workflow: state.workflow(),
            maker: &self.drive.maker,
            environment: &self.drive.environment,
        };
        let checks = tasks.iter().map(|&task| Verification {
            task,
            name: state.workflow().task_name(task),
            key: keys.of(state, task),
        });
        self.drive.results.verify(checks.collect());
    }

    fn tick(&mut self) -> Result<(), Error> {
        if self.tick_at.elapsed() < TICK {
            return Ok(());
        }
        self.tick_at = Instant::now();
        self.drive.lease.renew().map_err(Error::Lease)?;
        for (path, command) in inbox::receive(&self.drive.run_dir.inbox()) {
            if self.commands.iter().any(|(_, known)| *known == path) {
                continue;
            }
            let now = self.advance_clock();
            self.drive.engine.handle(now, Input::Command(command));
            self.drain()?;
            self.commands.push((self.last, path));
        }
        if self.results_at.elapsed() >= RESULTS_INTERVAL {
            self.save_results(false);
        }
        self.observer.tick(self.drive.engine.state(), self.now);
        Ok(())
    }

    /// Hands results to the history. It is never the truth: what is not saved is made again.
    fn save_results(&mut self, wait: bool) {
        self.results_at = Instant::now();
        let state = self.drive.engine.state();
        let keys = Keys {
            workflow: state.workflow(),
            maker: &self.drive.maker,
            environment: &self.drive.environment,
        };
        let finished = std::mem::take(&mut self.finished);
        let workflow = state.workflow();
        // A result that is never compared would only fill the history, row by row.
        let worth_keeping = finished.into_iter().filter(|&t| reuse::can_be_reused(workflow, t));
        let results = worth_keeping.filter_map(|task| {
            let key = keys.of(state, task).ok()?;
            Some((workflow.task_name(task), key, state.outputs(task).clone()))
        });
        self.drive.results.save(results.collect(), self.now);
        let observed = self.observed.take(state, |task| self.drive.maker.input_bytes(state, task));
        self.drive.results.learn(observed);
        if wait {
            self.drive.results.finish();
        }
    }

    /// Time never runs backwards within a run, whatever the machine's clock does.
    fn advance_clock(&mut self) -> Timestamp {
        self.now = self.now.max(clock());
        self.now
    }
}

fn cannot_start(allocation: AllocationId, attempt: AttemptId, why: String) -> Observation {
    let (cause, usage) = (FailureCause::CannotStart(why), Usage::default());
    Observation::Reported { allocation, report: Report::Failed { attempt, cause, usage } }
}

/// The wall clock.
#[must_use]
pub fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
