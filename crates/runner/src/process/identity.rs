//! Who a process is, beyond its number, which the system uses again.

use rustix::process::{Pid, PidfdFlags, Signal};

use super::pid_of;
use super::stat::Stat;

/// When a process started, in clock ticks since boot; none if there is no such process.
#[must_use]
pub fn start_ticks(pid: u32) -> Option<u64> {
    Stat::of(pid).map(|stat| stat.start_ticks)
}

/// Names this boot of the machine: numbers and start times mean nothing across two of them.
#[must_use]
pub fn boot_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

/// The name of this machine.
#[must_use]
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Whether the process that started then still runs; a zombie does not.
#[must_use]
pub fn is_alive(pid: u32, start_ticks: u64) -> bool {
    Stat::of(pid).is_some_and(|stat| stat.start_ticks == start_ticks && !stat.is_dead())
}

/// Kills the process that started then, and no other that has its number now.
pub fn kill(pid: u32, start_ticks: u64) {
    let Some(raw) = pid_of(pid) else { return };
    signal_if(raw, Signal::KILL, || is_alive(pid, start_ticks));
}

/// Sends a signal if the process is still the one that is meant.
///
/// The check comes between taking hold of the process and signalling it. Kernels before 5.3
/// have nothing to take hold with; there a number could be used again in between.
pub(super) fn signal_if(pid: Pid, signal: Signal, is_meant: impl FnOnce() -> bool) {
    let handle = rustix::process::pidfd_open(pid, PidfdFlags::empty());
    if !is_meant() {
        return;
    }
    // A process that is gone already is what was wanted.
    let _ = match handle {
        Ok(handle) => rustix::process::pidfd_send_signal(handle, signal),
        Err(_) => rustix::process::kill_process(pid, signal),
    };
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_alive_until_it_ends_and_never_under_another_start_time() {
        let mut child = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
        let start = start_ticks(child.id()).unwrap();
        assert!(is_alive(child.id(), start));
        assert!(!is_alive(child.id(), start + 1));
        kill(child.id(), start + 1);
        assert!(is_alive(child.id(), start));
        kill(child.id(), start);
        child.wait().unwrap();
        assert!(!is_alive(child.id(), start));
    }

    #[test]
    fn this_boot_has_a_name() {
        assert_eq!(boot_id().len(), 36);
    }
}
