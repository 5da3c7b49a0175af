//! What a task leaves behind when its process has ended: daemons, orphans, whole families.
//!
//! The keeper is a subreaper: whoever loses its parent becomes a child of the keeper, and the
//! kernel lists it with the children of the main thread. The main thread starts no process, so
//! that list holds orphans and nothing else, and is empty most of the time: looking costs
//! one system call for each task.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use engine::AttemptId;
use rustix::process::Signal;

use super::hub::Hub;
use crate::process::{Mark, Stat, freeze_and_kill, pid_of, wait};

/// Killed processes that do not end in this time hang in the kernel.
const DEATH_PATIENCE: Duration = Duration::from_secs(10);

/// How often killed processes are looked at again.
const PAUSE: Duration = Duration::from_millis(1);

/// So many looks kill orphan by orphan. What is still there then multiplies, and is frozen.
const PLAIN_ROUNDS: u32 = 4;

/// Finds, kills and reaps orphans.
pub(super) struct Leftovers {
    /// `/proc/self/task/<main thread>/children`. Kernels can be built without it; there, every
    /// process of the machine is looked at after each task.
    children: Option<File>,
    own: Stat,
    mark: String,
    /// Guarded as one: an orphan's number stays its own until somebody holding this reaps it.
    owners: Mutex<BTreeMap<u32, Owner>>,
}

/// Whose an orphan is.
#[derive(Clone, Debug)]
enum Owner {
    Attempt(AttemptId),
    /// It hides where it comes from. It is one of these, which ran when it was first seen.
    OneOf(BTreeSet<AttemptId>),
}

impl Leftovers {
    /// None without `/proc`: nothing can be cleared away there.
    pub(super) fn new(mark: String) -> Option<Self> {
        let own = std::process::id();
        let children = File::open(format!("/proc/self/task/{own}/children")).ok();
        let own = Stat::of(own)?;
        Some(Self { children, own, mark, owners: Mutex::new(BTreeMap::new()) })
    }

    /// Makes everything end that an attempt left, whose process was `pid` and is reaped.
    /// Returns the processes that cannot be made to end.
    pub(super) fn clear(&self, hub: &Hub, attempt: AttemptId, pid: u32) -> Vec<u32> {
        if self.children.is_none() {
            return self.freeze_and_kill(attempt, pid);
        }
        if !has_group(pid) && self.look().is_empty() {
            return Vec::new();
        }
        let started = Instant::now();
        let mut rounds = 0;
        loop {
            let left = self.kill_of(hub, attempt, pid);
            if left.is_empty() && !has_group(pid) {
                return left;
            }
            if started.elapsed() > DEATH_PATIENCE {
                eprintln!("{attempt} left processes that cannot be killed: {left:?}");
                return left;
            }
            rounds += 1;
            if rounds > PLAIN_ROUNDS && !left.is_empty() {
                self.freeze_and_kill(attempt, pid);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Orphans that were identified, with their attempt.
    pub(super) fn known(&self) -> Vec<(u32, AttemptId)> {
        let owners = self.owners();
        let known = owners.iter().filter_map(|(&pid, owner)| match owner {
            Owner::Attempt(attempt) => Some((pid, *attempt)),
            Owner::OneOf(_) => None,
        });
        known.collect()
    }

    /// Reaps orphans that have ended and finds out whose the others are.
    pub(super) fn identify(&self, hub: &Hub) {
        let mut owners = self.owners();
        for orphan in self.orphans() {
            if !reap_if_dead(&mut owners, orphan) {
                self.owner(&mut owners, hub, orphan, None);
            }
        }
    }

    /// Kills the attempt's orphans and returns those that were still there.
    fn kill_of(&self, hub: &Hub, attempt: AttemptId, pid: u32) -> Vec<u32> {
        let mut left = Vec::new();
        let mut owners = self.owners();
        for orphan in self.orphans() {
            if reap_if_dead(&mut owners, orphan) {
                continue;
            }
            let is_mine = match self.owner(&mut owners, hub, orphan, Some((attempt, pid))) {
                Owner::Attempt(owner) => *owner == attempt,
                // The last of those it can belong to takes it along.
                Owner::OneOf(suspects) => {
                    suspects.iter().all(|&other| other == attempt || !hub.is_running(other))
                }
            };
            if is_mine {
                self.kill(orphan);
                left.push(orphan);
            }
        }
        left
    }

    fn owner<'a>(
        &self,
        owners: &'a mut BTreeMap<u32, Owner>,
        hub: &Hub,
        orphan: u32,
        ended: Option<(AttemptId, u32)>,
    ) -> &'a Owner {
        owners.entry(orphan).or_insert_with(|| {
            let mark = Mark::of(orphan);
            if mark.allocation.as_deref() == Some(&*self.mark)
                && let Some(attempt) = mark.attempt.and_then(|text| text.parse().ok())
            {
                return Owner::Attempt(attempt);
            }
            let running = hub.running();
            let group = Stat::of(orphan).map(|stat| stat.group);
            let is_group = |pid: u32| Some(pid) == group;
            if let Some((attempt, _)) = ended.filter(|&(_, pid)| is_group(pid)) {
                return Owner::Attempt(attempt);
            }
            if let Some(running) = running.iter().find(|running| is_group(running.pid)) {
                return Owner::Attempt(running.work.attempt);
            }
            let ended = ended.map(|(attempt, _)| attempt);
            let running = running.iter().map(|running| running.work.attempt);
            Owner::OneOf(running.chain(ended).collect())
        })
    }

    /// Kills an orphan and the group that it leads or joined. It is a child of ours and not
    /// reaped, so its number is its own.
    fn kill(&self, orphan: u32) {
        let Some(pid) = pid_of(orphan) else { return };
        let _ = rustix::process::kill_process(pid, Signal::KILL);
        let leads_group = Stat::of(orphan).is_some_and(|stat| stat.group == orphan);
        if leads_group && orphan != self.own.group {
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        }
    }

    fn freeze_and_kill(&self, attempt: AttemptId, pid: u32) -> Vec<u32> {
        let name = attempt.to_string();
        freeze_and_kill(|stat| {
            let mark = Mark::of(stat.pid);
            let is_marked = mark.allocation.as_deref() == Some(&*self.mark)
                && mark.attempt.as_deref() == Some(&*name);
            is_marked || (stat.group == pid && stat.session == self.own.session)
        })
    }

    fn owners(&self) -> MutexGuard<'_, BTreeMap<u32, Owner>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The orphans of the moment; none may be reaped meanwhile, or the kernel skips some.
    fn look(&self) -> Vec<u32> {
        let _nobody_reaps = self.owners();
        self.orphans()
    }

    fn orphans(&self) -> Vec<u32> {
        let Some(children) = &self.children else { return Vec::new() };
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = children.read_at(&mut buffer, text.len() as u64) {
            text.extend_from_slice(&buffer[..n]);
        }
        let text = std::str::from_utf8(&text).unwrap_or_default();
        text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    }
}

fn has_group(pid: u32) -> bool {
    pid_of(pid).is_some_and(|pid| rustix::process::test_kill_process_group(pid).is_ok())
}

fn reap_if_dead(owners: &mut BTreeMap<u32, Owner>, orphan: u32) -> bool {
    let is_dead = wait::is_dead(orphan);
    if is_dead {
        let _ = wait::reap(orphan);
        owners.remove(&orphan);
    }
    is_dead
}
