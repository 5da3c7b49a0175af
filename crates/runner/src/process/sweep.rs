//! Makes a whole set of processes end, even one that grows while it is being killed.

use std::time::{Duration, Instant};

use engine::AllocationId;
use rustix::process::Signal;

use super::identity::{signal_if, start_ticks};
use super::mark::{Mark, allocation_mark};
use super::pid_of;
use super::stat::{Stat, all};

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
/// Each is stopped before any is killed: a process that multiplies gets no chance to do so while
/// others are being killed. What appears meanwhile is met in the next round.
pub fn freeze_and_kill(is_member: impl Fn(&Stat) -> bool) -> Vec<u32> {
    let own = std::process::id();
    let members = || -> Vec<Stat> {
        all()
            .into_iter()
            .filter(|stat| stat.pid != own && !stat.is_dead() && is_member(stat))
            .collect()
    };
    let started = Instant::now();
    loop {
        let found = freeze(&members);
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

/// Stops members until a look finds none that still runs; returns all that it found then.
fn freeze(members: &impl Fn() -> Vec<Stat>) -> Vec<Stat> {
    /// A set that outgrows this many looks is killed as far as it is known, and met again.
    const ROUNDS_MAX: u32 = 16;
    let mut found = members();
    for _ in 0..ROUNDS_MAX {
        let running: Vec<&Stat> = found.iter().filter(|stat| !is_stopped(stat)).collect();
        // One alone is killed as fast as it is stopped.
        if running.is_empty() || found.len() == 1 {
            break;
        }
        for stat in running {
            send(stat, Signal::STOP);
        }
        found = members();
    }
    found
}

fn is_stopped(stat: &Stat) -> bool {
    matches!(stat.state, b'T' | b't' | b'D')
}

fn send(stat: &Stat, signal: Signal) {
    let Some(pid) = pid_of(stat.pid) else { return };
    signal_if(pid, signal, || start_ticks(stat.pid) == Some(stat.start_ticks));
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::super::mark::ALLOCATION_MARK;
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
