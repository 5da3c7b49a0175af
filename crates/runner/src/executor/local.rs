//! Local zones: one keeper process each, in a session of its own, on this machine.
//!
//! The keeper outlives this process; a later one finds it by its progress file. Its death is
//! the loss of the allocation: whatever it ran is killed then, found by a mark in the
//! environment.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use engine::cause::LossCause;
use engine::{AllocationId, AttemptId, Epoch, Observation};
use spec::Resources;

use super::{Error, Executor, GiveUp, Observe};
use crate::follow::Follower;
use crate::keeper;
use crate::process;
use crate::protocol::{Errand, Keeper, LineReader, Order, Progress, Work, read_line, write_line};
use crate::run_dir::{AllocationDir, RunDir};

/// How often a silent keeper is looked at.
const LIVENESS_INTERVAL: Duration = Duration::from_millis(250);

/// How long a keeper may take from its start to its first line.
const HELLO_PATIENCE: Duration = Duration::from_secs(30);

/// Keepers on this machine.
pub struct LocalExecutor {
    run_dir: RunDir,
    project: PathBuf,
    epoch: Epoch,
    /// The program that is a keeper when called with `shard-exec`: this one.
    program: PathBuf,
    ledger: Option<PathBuf>,
    observe: Observe,
    give_up: GiveUp,
    orders: BTreeMap<AllocationId, File>,
}

impl LocalExecutor {
    /// Keepers of one run, under one orchestrator.
    #[must_use]
    pub fn new(
        run_dir: RunDir,
        project: PathBuf,
        epoch: Epoch,
        program: PathBuf,
        ledger: Option<PathBuf>,
        (observe, give_up): (Observe, GiveUp),
    ) -> Self {
        let orders = BTreeMap::new();
        Self { run_dir, project, epoch, program, ledger, observe, give_up, orders }
    }

    fn spawn_keeper(
        &self,
        allocation: AllocationId,
        capacity: &Resources,
    ) -> std::io::Result<(AllocationDir, File, Child)> {
        let dir = self.run_dir.allocation(allocation);
        std::fs::create_dir_all(dir.path())?;
        let orders = OpenOptions::new().create(true).append(true).open(dir.orders())?;
        let log = OpenOptions::new().create(true).append(true).open(dir.keeper_log())?;
        let mut command = Command::new(&self.program);
        command.arg(keeper::ROLE);
        command.arg("--run-dir").arg(self.run_dir.path());
        command.arg("--project").arg(&self.project);
        command.arg("--allocation").arg(allocation.0.to_string());
        command.arg("--epoch").arg(self.epoch.0.to_string());
        let capacity = serde_json::to_string(capacity).expect("plain values serialize");
        command.arg("--capacity").arg(capacity);
        if let Some(ledger) = &self.ledger {
            command.arg("--ledger").arg(ledger);
        }
        // Also on the keeper itself: a child caught between fork and exec is then found by it.
        let mark = process::allocation_mark(&self.run_dir.id(), allocation);
        command.env(process::ALLOCATION_MARK, mark);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        Ok((dir, orders, command.spawn()?))
    }

    fn send(&mut self, allocation: AllocationId, what: Errand) -> Result<(), Error> {
        let Some(orders) = self.orders.get_mut(&allocation) else { return Ok(()) };
        let mut line = Vec::new();
        write_line(&mut line, &Order { epoch: self.epoch, what });
        orders.write_all(&line).map_err(|source| Error::Orders { allocation, source })
    }

    fn watch(&self, allocation: AllocationId, dir: AllocationDir, child: Option<Child>) {
        let watch = Watch {
            run: self.run_dir.id(),
            allocation,
            dir,
            child,
            observe: self.observe.clone(),
            give_up: self.give_up.clone(),
            announced: BTreeSet::new(),
        };
        std::thread::Builder::new()
            .name(format!("watch-{allocation}"))
            .spawn(move || watch.run())
            .expect("the system has room for one more thread");
    }
}

impl Executor for LocalExecutor {
    fn allocate(&mut self, allocation: AllocationId, capacity: &Resources) -> Result<(), Error> {
        // Power went, and with it the records of an allocation of this number: what its keeper has
        // left must not be taken for news of this one.
        if self.run_dir.allocation(allocation).progress().exists() {
            let (cause, not_started) = (LossCause::MachineRestarted, Vec::new());
            (self.observe)(vec![Observation::AllocationLost { allocation, cause, not_started }]);
            return Ok(());
        }
        let spawned = self.spawn_keeper(allocation, capacity);
        let (dir, orders, child) = spawned.map_err(|source| Error::Spawn { allocation, source })?;
        self.orders.insert(allocation, orders);
        self.watch(allocation, dir, Some(child));
        Ok(())
    }

    fn probe(&mut self, allocation: AllocationId) -> Result<(), Error> {
        let dir = self.run_dir.allocation(allocation);
        let claim = || -> std::io::Result<File> {
            std::fs::create_dir_all(dir.path())?;
            // A keeper makes this file or does not begin: with ours there, none ever will.
            match OpenOptions::new().create_new(true).write(true).open(dir.progress()) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            let mut orders = OpenOptions::new().create(true).append(true).open(dir.orders())?;
            // The last orchestrator may have died within a line; readers pass over a torn one.
            orders.write_all(b"\n")?;
            Ok(orders)
        };
        let orders = claim().map_err(|source| Error::Orders { allocation, source })?;
        self.orders.insert(allocation, orders);
        // The keeper hears of this orchestrator before anything else: one that was only paused, and
        // wakes up with orders at hand, is refused from here on.
        self.send(allocation, Errand::Lease(Vec::new()))?;
        self.watch(allocation, dir, None);
        Ok(())
    }

    fn submit(&mut self, allocation: AllocationId, work: Vec<Work>) -> Result<(), Error> {
        self.send(allocation, Errand::Lease(work))
    }

    fn revoke(&mut self, allocation: AllocationId, attempts: Vec<AttemptId>) -> Result<(), Error> {
        self.send(allocation, Errand::Revoke(attempts))
    }

    fn cancel(&mut self, allocation: AllocationId, attempts: Vec<AttemptId>) -> Result<(), Error> {
        self.send(allocation, Errand::Kill(attempts))
    }

    fn close(&mut self, allocation: AllocationId) -> Result<(), Error> {
        self.send(allocation, Errand::Close)
    }
}

/// Follows one keeper from its first line to its end.
struct Watch {
    run: String,
    allocation: AllocationId,
    dir: AllocationDir,
    /// Of a keeper that this process started; an older one is known by its first line.
    child: Option<Child>,
    observe: Observe,
    give_up: GiveUp,
    /// Attempts that are not idempotent and whose start was announced.
    announced: BTreeSet<AttemptId>,
}

/// How a keeper's file ended.
enum Ending {
    InOrder,
    Dead(LossCause),
    /// It was started by this process and never said anything.
    StillBorn,
}

impl Watch {
    fn run(mut self) {
        let ending = self.follow();
        let allocation = self.allocation;
        if !matches!(ending, Ending::InOrder) {
            process::kill_allocation(&self.run, allocation);
        }
        if let Some(child) = &mut self.child {
            // It has said its last; reaping it leaves no zombie behind.
            let _ = child.wait();
        }
        match ending {
            Ending::InOrder => (self.observe)(vec![Observation::AllocationEnded { allocation }]),
            Ending::Dead(cause) => {
                let not_started = self.not_started(cause);
                let lost = Observation::AllocationLost { allocation, cause, not_started };
                (self.observe)(vec![lost]);
            }
            Ending::StillBorn => {
                let log = std::fs::read_to_string(self.dir.keeper_log()).unwrap_or_default();
                let said = log.lines().next_back().unwrap_or("it said nothing").to_owned();
                (self.give_up)(Error::StillBorn { allocation, said });
            }
        }
    }

    fn follow(&mut self) -> Ending {
        let Some(file) = self.wait_for_progress() else { return Ending::StillBorn };
        let mut follower = Follower::new(&self.dir.progress());
        let mut lines = LineReader::new(file);
        let mut keeper: Option<Keeper> = None;
        loop {
            // Liveness is asked before reading: what a dead keeper wrote is then all there.
            let is_alive = self.is_alive(keeper.as_ref());
            let Ok(batch) = lines.read::<Progress>() else {
                // A damaged line ends what can be believed. Everything else it did is lost.
                self.kill_keeper(keeper.as_ref());
                return Ending::Dead(LossCause::KeeperDied);
            };
            let is_silent = batch.is_empty();
            let (observations, has_ended) = self.translate(batch, &mut keeper);
            if !observations.is_empty() {
                (self.observe)(observations);
            }
            if has_ended {
                return Ending::InOrder;
            }
            if is_silent {
                if let Err(cause) = is_alive {
                    let never_spoke = keeper.is_none() && self.child.is_some();
                    return if never_spoke { Ending::StillBorn } else { Ending::Dead(cause) };
                }
                follower.wait(LIVENESS_INTERVAL);
            }
        }
    }

    /// The progress file, once the keeper has made it.
    fn wait_for_progress(&mut self) -> Option<File> {
        let mut waited = Duration::ZERO;
        loop {
            if let Ok(file) = File::open(self.dir.progress()) {
                return Some(file);
            }
            if waited > HELLO_PATIENCE || self.child_has_exited() {
                return None;
            }
            let pause = Duration::from_millis(2);
            std::thread::sleep(pause);
            waited += pause;
        }
    }

    fn child_has_exited(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)))
    }

    fn is_alive(&mut self, keeper: Option<&Keeper>) -> Result<(), LossCause> {
        if self.child.is_some() {
            return if self.child_has_exited() { Err(LossCause::KeeperDied) } else { Ok(()) };
        }
        match keeper {
            // Without a first line there is no keeper: `probe` made the file itself, or the
            // keeper died before it wrote anything.
            None => Err(LossCause::KeeperDied),
            Some(keeper) if keeper.boot_id != process::boot_id() => {
                Err(LossCause::MachineRestarted)
            }
            Some(keeper) if process::is_alive(keeper.pid, keeper.start_ticks) => Ok(()),
            Some(_) => Err(LossCause::KeeperDied),
        }
    }

    fn kill_keeper(&mut self, keeper: Option<&Keeper>) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
        } else if let Some(keeper) = keeper {
            process::kill(keeper.pid, keeper.start_ticks);
        }
    }

    fn translate(
        &mut self,
        lines: Vec<Progress>,
        keeper: &mut Option<Keeper>,
    ) -> (Vec<Observation>, bool) {
        let allocation = self.allocation;
        let mut observations = Vec::with_capacity(lines.len());
        let mut has_ended = false;
        for line in lines {
            match line {
                Progress::Hello(hello) => {
                    let capacity = hello.capacity.clone();
                    let known = self.ordered();
                    observations.push(Observation::AllocationUp { allocation, capacity, known });
                    *keeper = Some(hello);
                }
                Progress::Starting(attempt) => {
                    self.announced.insert(attempt);
                }
                Progress::Report(report) => {
                    observations.push(Observation::Reported { allocation, report });
                }
                Progress::Heartbeat { .. } => {}
                Progress::Bye => has_ended = true,
            }
        }
        (observations, has_ended)
    }

    /// Every attempt that was ever ordered; the keeper, too, passes over a torn line, and over what an
    /// orchestrator ordered that had been replaced by then.
    fn ordered(&self) -> Vec<AttemptId> {
        let Ok(file) = File::open(self.dir.orders()) else { return Vec::new() };
        let lines = BufReader::new(file).split(b'\n').map_while(Result::ok);
        let orders = lines.filter_map(|line| read_line::<Order>(&line).ok());
        let mut newest = Epoch(0);
        let leases = orders.filter_map(|order| {
            newest = newest.max(order.epoch);
            match order.what {
                Errand::Lease(work) if order.epoch == newest => Some(work),
                Errand::Lease(_) | Errand::Revoke(_) | Errand::Kill(_) | Errand::Close => None,
            }
        });
        leases.flatten().map(|work| work.attempt).collect()
    }

    /// Attempts that certainly never started, because every start that matters is announced.
    /// After the loss of power the announcement may be lost too, and nothing is certain.
    fn not_started(&self, cause: LossCause) -> Vec<AttemptId> {
        if cause == LossCause::MachineRestarted {
            return Vec::new();
        }
        let ordered = self.ordered().into_iter();
        ordered.filter(|attempt| !self.announced.contains(attempt)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn what_a_forgotten_allocation_left_is_not_taken_for_news_of_one_of_its_number() {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = RunDir::new(dir.path().join("run"));
        let forgotten = run_dir.allocation(AllocationId(1));
        std::fs::create_dir_all(forgotten.path()).unwrap();
        std::fs::write(forgotten.progress(), "what a keeper said before power went\n").unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&seen);
        let observe: Observe = Arc::new(move |more| told.lock().unwrap().extend(more));
        let give_up: GiveUp = Arc::new(|error| panic!("{error}"));
        let mut executor = LocalExecutor::new(
            run_dir,
            dir.path().to_owned(),
            Epoch(2),
            PathBuf::from("/bin/false"),
            None,
            (observe, give_up),
        );
        executor.allocate(AllocationId(1), &Resources::default()).unwrap();
        let lost = Observation::AllocationLost {
            allocation: AllocationId(1),
            cause: LossCause::MachineRestarted,
            not_started: Vec::new(),
        };
        assert_eq!(*seen.lock().unwrap(), [lost]);
    }
}
