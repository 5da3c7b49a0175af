//! The keeper: owns the processes of one allocation, and outlives its orchestrator.
//!
//! Hosts the shard's state machine ([`engine::shard`]): what that decides is done here, what
//! happens here is told to it. Orders come in and progress goes out by two files
//! ([`crate::protocol`]). Commits outputs; never publishes them. Does not know the workflow.
//!
//! Reading order: [`run`], `hub` (where everything meets), `slot_thread` (the life of an
//! attempt), `launch`, `secrets`, `mask` and `pump` (what tasks are given and nobody may read),
//! `cgroup` and `sampler` (limits), `leftovers` (nothing outlives its task), `progress` and
//! `orders` (the two files), `housekeeper`.

mod cgroup;
mod clock;
mod committer;
mod housekeeper;
mod hub;
mod launch;
mod leftovers;
mod machine;
mod mask;
mod orders;
mod programs;
mod progress;
mod pump;
mod running;
mod sampler;
mod secrets;
mod session;
mod share;
mod slot_log;
mod slot_thread;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use engine::shard::ShardHost;
use engine::{AllocationId, Epoch};
use journal::lease::Lease;
use spec::Resources;

use crate::process;
use crate::protocol::{Keeper, Progress, write_line};
use crate::run_dir::{AllocationDir, RunDir};
use cgroup::Groups;
use clock::Clock;
use hub::Hub;
use launch::Launcher;
use leftovers::Leftovers;
use secrets::Vault;
pub(crate) use secrets::look_up;
pub use share::{CapacityShare, LedgerShare, WholeMachine};
use slot_log::SlotLogs;

/// How often the main thread looks whether it was asked to end.
const PATIENCE: Duration = Duration::from_millis(250);

/// Slot threads hold little on their stacks, and there can be hundreds of them.
const SLOT_STACK: usize = 256 * 1024;

/// Committers go down into every folder of an output, and there are few of them.
const COMMITTER_STACK: usize = 4 * 1024 * 1024;

/// The first word that a program is started with to be a keeper.
pub const ROLE: &str = "shard-exec";

/// What a keeper is started with.
#[derive(Clone, Debug)]
pub struct KeeperOptions {
    /// The folder of the run; absolute.
    pub run_dir: PathBuf,
    /// The folder of the project; absolute.
    pub project: PathBuf,
    /// Which allocation it keeps.
    pub allocation: AllocationId,
    /// Of the orchestrator that started it.
    pub epoch: Epoch,
    /// The most it may use.
    pub capacity: Resources,
    /// The machine's ledger; without one, the machine is its own.
    pub ledger: Option<PathBuf>,
}

/// Why a keeper does not begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the allocation cannot be made or written.
    #[error("failed to open {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The allocation was kept before, or was given up before this keeper began.
    #[error("{allocation} has a keeper already, or was given up")]
    Taken {
        /// Which.
        allocation: AllocationId,
    },
    /// The process cannot be set up to own others.
    #[error("failed to {what}")]
    Setup {
        /// What could not be done.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// It was asked to end, and killed what it ran.
    #[error("asked to end by signal {0}")]
    Ended(usize),
}

/// What all threads of a keeper share.
struct Keep {
    /// The signal by which the keeper was asked to end; 0 before.
    asked_to_end: Arc<AtomicUsize>,
    run_dir: RunDir,
    hub: Hub,
    launcher: Launcher,
    groups: Groups,
    leftovers: Leftovers,
    logs: SlotLogs,
    vault: Vault,
}

/// Keeps an allocation until it is closed or abandoned.
///
/// The calling process becomes a keeper for good: it gets a session of its own, adopts orphans,
/// and does not end on an interrupt from a terminal.
///
/// # Errors
/// Before the first line is in the progress file: why it cannot begin. After: only that it was
/// asked to end by a signal; everything it ran is dead then.
pub fn run(options: KeeperOptions) -> Result<(), Error> {
    let run_dir = options.run_dir.clone();
    let is_orchestrator_alive = move || match Lease::read(&run_dir) {
        Ok(seen) => seen.is_some_and(|seen| seen.alive),
        // What cannot be read says nothing; ending for nothing would lose the allocation.
        Err(_) => true,
    };
    let share = share_of(&options);
    run_with(options, share, Box::new(is_orchestrator_alive))
}

fn share_of(options: &KeeperOptions) -> Box<dyn CapacityShare> {
    let alone = Box::new(WholeMachine(options.capacity.clone()));
    let Some(ledger) = &options.ledger else { return alone };
    let run = RunDir::new(options.run_dir.clone()).id();
    let machine = share::machine(&options.capacity);
    match LedgerShare::open(ledger, &machine, &run, options.allocation) {
        Ok(share) => Box::new(share),
        Err(error) => {
            // Too much on one machine makes work slow; none at all would not be better.
            eprintln!("going on without the ledger of this machine: {error}");
            alone
        }
    }
}

/// Like [`run`], with a share of the machine and a way to know whether an orchestrator lives.
///
/// # Errors
/// As [`run`].
pub fn run_with(
    options: KeeperOptions,
    mut share: Box<dyn CapacityShare>,
    is_orchestrator_alive: Box<dyn Fn() -> bool + Send>,
) -> Result<(), Error> {
    let asked_to_end = session::begin()?;
    let run_dir = RunDir::new(options.run_dir);
    let dir = run_dir.allocation(options.allocation);
    let capacity = share.update(&options.capacity, &Resources::default());
    let (orders, mut progress) = open(&run_dir, &dir, options.allocation, &capacity)?;
    let mark = process::allocation_mark(&run_dir.id(), options.allocation);
    let keep = Arc::new(Keep {
        asked_to_end,
        hub: Hub::new(ShardHost::new(options.epoch, capacity), options.capacity, Clock::start()),
        vault: Vault::new(options.project.clone()),
        launcher: Launcher::new(run_dir.clone(), options.project, options.allocation),
        groups: Groups::find(),
        leftovers: Leftovers::new(mark).ok_or_else(no_proc)?,
        logs: SlotLogs::new(run_dir.clone(), dir.clone()),
        run_dir,
    });
    let writer = start("progress", &keep, move |keep| progress::write(&keep.hub, &mut progress))?;
    start("orders", &keep, move |keep| orders::follow(&keep.hub, &dir.orders(), orders))?;
    start("sampler", &keep, sampler::run)?;
    start("housekeeper", &keep, move |keep| {
        housekeeper::run(keep, share, &*is_orchestrator_alive);
    })?;
    loop {
        let (missing, has_ended) = keep.hub.wait_for_wake(PATIENCE);
        hire(&keep, missing);
        let signal = keep.asked_to_end.load(Ordering::Relaxed);
        if signal != 0 {
            // Never let go: that we kill its process must not be reported as a task's failure.
            std::mem::forget(keep.hub.lock());
            process::kill_allocation(&keep.run_dir.id(), options.allocation);
            return Err(Error::Ended(signal));
        }
        if has_ended {
            break;
        }
    }
    keep.hub.say_bye();
    // A writer that panicked has written what it could.
    let _ = writer.join();
    Ok(())
}

/// Makes the files of an allocation and says hello.
fn open(
    run_dir: &RunDir,
    dir: &AllocationDir,
    allocation: AllocationId,
    capacity: &Resources,
) -> Result<(File, File), Error> {
    let attempts = run_dir.path().join("attempts");
    for path in [dir.path(), &run_dir.logs(), &attempts] {
        std::fs::create_dir_all(path)
            .map_err(|source| Error::File { path: path.into(), source })?;
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::AlreadyExists => Error::Taken { allocation },
            _ => Error::File { path, source },
        }
    };
    let path = dir.orders();
    let orders = OpenOptions::new().create(true).append(true).read(true).open(&path);
    let orders = orders.map_err(failed(&path))?;
    // Whoever makes this file has the allocation: a keeper, or an orchestrator that gives it up.
    let path = dir.progress();
    let progress = OpenOptions::new().create_new(true).append(true).open(&path);
    let mut progress = progress.map_err(failed(&path))?;
    let pid = std::process::id();
    let hello = Progress::Hello(Keeper {
        pid,
        start_ticks: process::start_ticks(pid).ok_or_else(no_proc)?,
        boot_id: process::boot_id(),
        host: process::host(),
        capacity: capacity.clone(),
    });
    let mut line = Vec::new();
    write_line(&mut line, &hello);
    progress.write_all(&line).map_err(failed(&path))?;
    Ok((orders, progress))
}

/// Starts the threads that are missing. What cannot be started is tried again: meanwhile, what
/// it was for waits for a thread that is done.
fn hire(keep: &Arc<Keep>, missing: Vec<hub::Crew>) {
    for crew in missing {
        let (name, stack, work): (_, _, fn(&Keep)) = match crew {
            hub::Crew::Slots => ("slot", SLOT_STACK, slot_thread::run),
            hub::Crew::Committers => ("committer", COMMITTER_STACK, committer::run),
        };
        if let Err(error) = start_with(stack, name, keep, work) {
            eprintln!("{error}");
            keep.hub.not_hired(crew);
            std::thread::sleep(PATIENCE);
        }
    }
}

fn start(
    name: &'static str,
    keep: &Arc<Keep>,
    work: impl FnOnce(&Keep) + Send + 'static,
) -> Result<std::thread::JoinHandle<()>, Error> {
    start_with(SLOT_STACK, name, keep, work)
}

fn start_with(
    stack: usize,
    name: &'static str,
    keep: &Arc<Keep>,
    work: impl FnOnce(&Keep) + Send + 'static,
) -> Result<std::thread::JoinHandle<()>, Error> {
    let keep = Arc::clone(keep);
    let thread = std::thread::Builder::new().name(name.to_owned()).stack_size(stack);
    let started = thread.spawn(move || work(&keep));
    started.map_err(|source| Error::Setup { what: "start a thread", source })
}

fn no_proc() -> Error {
    Error::Setup { what: "read /proc", source: std::io::ErrorKind::NotFound.into() }
}
