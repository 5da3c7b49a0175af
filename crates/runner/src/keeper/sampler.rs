//! Looks at what runs, a few times a second, and stops what goes beyond its limits.
//!
//! Where an attempt has a control group, the kernel holds it to its memory, and the sampler only
//! sees to it that the rest of it ends too. Without one, its memory is what its processes are
//! seen to hold together. The limits on log and processes protect the machine, not the budget.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use engine::cause::FailureCause;
use engine::shard::HostInput;
use spec::Bytes;

use super::Keep;
use super::running::Running;
use crate::process::{Stat, all, proportional_memory};

/// How often is looked, if looking is cheap.
const INTERVAL: Duration = Duration::from_millis(250);

/// Looking may take up one part in so many of one cpu.
const SHARE: u32 = 50;

/// What is over sooner is not looked at.
const AGE_MIN: spec::Duration = spec::Duration::from_millis(200);

/// The most that one attempt may write to its standard output and error together.
pub(super) const LOG_MAX: Bytes = Bytes(1 << 30);

/// The most processes that one attempt may run at once.
pub(super) const PROCESSES_MAX: u32 = 4_096;

/// Looks for as long as the keeper lives.
pub(super) fn run(keep: &Keep) {
    let mut pause = INTERVAL;
    loop {
        std::thread::sleep(pause);
        let started = Instant::now();
        look(keep);
        pause = INTERVAL.max(started.elapsed() * SHARE);
    }
}

fn look(keep: &Keep) {
    keep.leftovers.identify(&keep.hub);
    let now = keep.hub.clock.now();
    let mut running = keep.hub.running();
    running.retain(|running| now.since(running.started_at) >= AGE_MIN);
    if running.is_empty() {
        return;
    }
    let stats = all();
    let families = Families::of(&stats);
    let orphans = keep.leftovers.known();
    for running in &running {
        let roots = orphans.iter().filter(|(_, owner)| *owner == running.work.attempt);
        let members = families.members(running.pid, roots.map(|&(pid, _)| pid));
        let memory = memory(&members);
        running.saw_memory(memory.0);
        let log = Bytes(running.log.length());
        let cause = killed_by_kernel(running)
            .or_else(|| excess(watched_limit(running), memory, log, members.len()));
        if let Some(cause) = cause {
            keep.hub.tell(HostInput::OverLimit(running.work.attempt, cause));
        }
    }
}

/// What the kernel has done already: version 1 of control groups kills one process of several.
fn killed_by_kernel(running: &Running) -> Option<FailureCause> {
    running.group.as_ref().filter(|group| group.was_out_of_memory())?;
    Some(out_of_memory(running))
}

/// The failure of an attempt that reached its limit.
pub(super) fn out_of_memory(running: &Running) -> FailureCause {
    let granted = running.work.granted.memory;
    let used = Bytes(running.memory_peak()).max(granted);
    FailureCause::OutOfMemory { granted, used, bound: None }
}

/// The limit on memory that is ours to watch: none if the kernel does it.
fn watched_limit(running: &Running) -> Bytes {
    match &running.group {
        Some(group) if group.was_entered() => Bytes(0),
        Some(_) | None => running.work.granted.memory,
    }
}

/// The limit that is exceeded, if one is. None granted is no limit on memory.
fn excess(granted: Bytes, used: Bytes, log: Bytes, n_processes: usize) -> Option<FailureCause> {
    let n_processes = u32::try_from(n_processes).unwrap_or(u32::MAX);
    if granted.0 > 0 && used > granted {
        Some(FailureCause::OutOfMemory { granted, used, bound: None })
    } else if log > LOG_MAX {
        Some(FailureCause::LogTooLong(LOG_MAX))
    } else if n_processes > PROCESSES_MAX {
        Some(FailureCause::TooManyProcesses(PROCESSES_MAX))
    } else {
        None
    }
}

/// Memory of one process is what is resident. Several share pages, and those count once.
fn memory(members: &[Stat]) -> Bytes {
    Bytes(match members {
        [alone] => alone.resident(),
        many => {
            let of = |stat: &Stat| proportional_memory(stat.pid).unwrap_or(stat.resident());
            many.iter().map(of).sum()
        }
    })
}

/// Who descends from whom, at one moment.
struct Families<'a> {
    by_pid: BTreeMap<u32, &'a Stat>,
    children: BTreeMap<u32, Vec<u32>>,
    groups: BTreeMap<u32, Vec<u32>>,
}

impl<'a> Families<'a> {
    fn of(stats: &'a [Stat]) -> Self {
        let mut families =
            Self { by_pid: BTreeMap::new(), children: BTreeMap::new(), groups: BTreeMap::new() };
        for stat in stats.iter().filter(|stat| !stat.is_dead()) {
            families.by_pid.insert(stat.pid, stat);
            families.children.entry(stat.parent).or_default().push(stat.pid);
            families.groups.entry(stat.group).or_default().push(stat.pid);
        }
        families
    }

    /// The group of `pid`, `orphans`, and all their descendants.
    fn members(&self, pid: u32, orphans: impl Iterator<Item = u32>) -> Vec<Stat> {
        let of =
            |map: &BTreeMap<u32, Vec<u32>>, key: u32| map.get(&key).cloned().unwrap_or_default();
        let mut members = BTreeSet::new();
        let mut stack = of(&self.groups, pid);
        stack.push(pid);
        stack.extend(orphans);
        while let Some(pid) = stack.pop() {
            if self.by_pid.contains_key(&pid) && members.insert(pid) {
                stack.extend(of(&self.children, pid));
            }
        }
        members.iter().map(|pid| *self.by_pid[pid]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(pid: u32, parent: u32, group: u32) -> Stat {
        let (state, session) = (b'S', 1);
        Stat { pid, state, parent, group, session, start_ticks: 0, resident_pages: 1 }
    }

    #[test]
    fn each_limit_is_exceeded_only_above_it() {
        let (granted, gib) = (Bytes(100), Bytes(1 << 30));
        assert_eq!(excess(granted, granted, gib, 4_096), None);
        assert_eq!(excess(Bytes(0), gib, Bytes(0), 1), None);
        let used = Bytes(101);
        let cause = FailureCause::OutOfMemory { granted, used, bound: None };
        assert_eq!(excess(granted, used, Bytes(0), 1), Some(cause));
        let log = Bytes((1 << 30) + 1);
        assert_eq!(excess(granted, granted, log, 1), Some(FailureCause::LogTooLong(gib)));
        let cause = FailureCause::TooManyProcesses(4_096);
        assert_eq!(excess(granted, granted, gib, 4_097), Some(cause));
    }

    #[test]
    fn an_attempt_is_its_group_its_orphans_and_what_descends_from_them() {
        // 10 is the task; 11 is its child in a group of its own, 12 that one's child; 13 is in
        // the group of the task with its parent gone; 20 is an orphan with a child 21.
        let stats = [
            stat(10, 1, 10),
            stat(11, 10, 11),
            stat(12, 11, 11),
            stat(13, 1, 10),
            stat(20, 1, 20),
            stat(21, 20, 20),
            stat(30, 1, 30),
        ];
        let members = Families::of(&stats).members(10, [20].into_iter());
        let pids: Vec<u32> = members.iter().map(|stat| stat.pid).collect();
        assert_eq!(pids, [10, 11, 12, 13, 20, 21]);
    }
}
