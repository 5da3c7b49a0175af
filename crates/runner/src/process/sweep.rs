//! Makes a whole set of processes end, even one that grows while it is being killed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use engine::AllocationId;
use rustix::process::Signal;

use super::identity::{signal_if, start_ticks};
use super::mark::{Mark, allocation_mark};
use super::pid_of;
use super::stat::{Stat, pids};

/// Killed processes that do not end in this time hang in the kernel, and nobody can help them.
const DEATH_PATIENCE: Duration = Duration::from_secs(10);

/// From a process's birth to its own program.
const START_PATIENCE: Duration = Duration::from_millis(50);

/// How often one that was killed is looked at again.
const PAUSE: Duration = Duration::from_millis(2);

/// Kills every process that a keeper of this allocation has started, and waits until all are
/// dead. For use after the keeper's own death: its tasks die with it.
///
/// Returns the processes that could not be made to end; they hang in the kernel.
pub fn kill_allocation(run: &str, allocation: AllocationId) -> Vec<u32> {
    let mark = allocation_mark(run, allocation);
    let is_member = |stat: &Stat| Mark::of(stat.pid).allocation.as_deref() == Some(&*mark);
    let left = freeze_and_kill(is_member);
    // A process that the keeper was starting when it died still had the keeper's environment,
    // and may have got its own only after the last look.
    std::thread::sleep(START_PATIENCE);
    if left.is_empty() { freeze_and_kill(is_member) } else { left }
}

/// Kills every process of a set, and waits until all are dead; returns those that hang.
///
/// All are stopped before any is killed: a process that multiplies gets no chance to do so while
/// others are being killed. What appears meanwhile is met in the next round. A set that forks
/// faster than this can look at it is beaten only by a control group.
pub fn freeze_and_kill(is_member: impl Fn(&Stat) -> bool) -> Vec<u32> {
    let started = Instant::now();
    loop {
        let found = freeze(&is_member);
        if found.is_empty() {
            return Vec::new();
        }
        for stat in &found {
            send(stat, Signal::KILL);
        }
        if started.elapsed() > DEATH_PATIENCE {
            return found.iter().map(|stat| stat.pid).collect();
        }
        std::thread::sleep(PAUSE);
    }
}

/// Stops members until a look finds no new one; returns them.
fn freeze(is_member: &impl Fn(&Stat) -> bool) -> Vec<Stat> {
    /// A set that outgrows this many looks is killed as far as it is known, and met again.
    const LOOKS_MAX: u32 = 64;
    let mut found = Vec::new();
    // Each process is looked at once: later looks cost only what is new, and so catch up with a
    // set that grows. What has stopped cannot end, so its number stays its own.
    let mut known = BTreeSet::from([std::process::id()]);
    for _ in 0..LOOKS_MAX {
        let known_before = found.len();
        for pid in pids() {
            if !known.insert(pid) {
                continue;
            }
            let Some(stat) = Stat::of(pid) else { continue };
            if !stat.is_dead() && is_member(&stat) {
                send(&stat, Signal::STOP);
                found.push(stat);
            }
        }
        if found.len() == known_before {
            break;
        }
    }
    found
}

fn send(stat: &Stat, signal: Signal) {
    let Some(pid) = pid_of(stat.pid) else { return };
    signal_if(pid, signal, || start_ticks(stat.pid) == Some(stat.start_ticks));
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::super::mark::ALLOCATION_MARK;
    use super::super::stat::all;
    use super::*;

    fn marked(script: &str, run: &str) -> Child {
        Command::new("/bin/sh")
            .args(["-c", script])
            .env(ALLOCATION_MARK, allocation_mark(run, AllocationId(1)))
            .stdin(Stdio::null())
            .spawn()
            .unwrap()
    }

    #[test]
    fn what_an_allocation_left_is_killed_and_nothing_else() {
        let run = format!("sweep-{}", std::process::id());
        let mut ours = marked("setsid sleep 600 & setsid sleep 600 & wait", &run);
        let mut other = marked("exec sleep 600", &format!("{run}-other"));
        let mark = allocation_mark(&run, AllocationId(1));
        let is_ours = |stat: &Stat| Mark::of(stat.pid).allocation.as_deref() == Some(&*mark);
        while all().iter().filter(|stat| is_ours(stat)).count() < 3 {
            std::thread::sleep(PAUSE);
        }
        assert!(kill_allocation(&run, AllocationId(1)).is_empty());
        assert!(!all().iter().any(|stat| !stat.is_dead() && is_ours(stat)));
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
        ours.wait().unwrap();
    }
}
