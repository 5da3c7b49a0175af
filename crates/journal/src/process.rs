//! Telling whether a process still lives, on this machine, when its number may have been reused.

use std::fs;

use serde::{Deserialize, Serialize};

/// A process among all that ever ran: its number, when it started, and in which life of the
/// machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessStamp {
    /// The process number.
    pub pid: u32,
    /// Clock ticks from the machine's start to the process's.
    pub started: u64,
    /// The kernel's name for the time since the machine's start.
    pub boot: String,
}

impl ProcessStamp {
    /// The stamp of a process that runs now; `None` if there is none with this number, or it has
    /// ended and only waits to be reaped.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let boot = boot_id()?;
        let (state, started) = state_and_start(&fs::read_to_string(stat_path(pid)).ok()?)?;
        let ended = matches!(state, 'Z' | 'X' | 'x');
        (!ended).then_some(Self { pid, started, boot })
    }

    /// The stamp of the calling process.
    ///
    /// # Panics
    /// There is no `/proc`.
    #[must_use]
    pub fn own() -> Self {
        Self::of(std::process::id()).expect("a running process is in /proc")
    }

    /// Whether this very process still runs on this machine.
    #[must_use]
    pub fn lives(&self) -> bool {
        Self::of(self.pid).is_some_and(|now| now == *self)
    }
}

fn stat_path(pid: u32) -> String {
    format!("/proc/{pid}/stat")
}

/// The kernel's identifier of the current boot.
pub(crate) fn boot_id() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

/// Fields 3 and 22 of `/proc/<pid>/stat`; the name in field 2 may contain anything.
fn state_and_start(stat: &str) -> Option<(char, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let started = fields.nth(18)?.parse().ok()?;
    Some((state, started))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_shift_the_fields() {
        let stat = "7 (a) Z (b c) S 1 7 7 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 4711 1000";
        assert_eq!(state_and_start(stat), Some(('S', 4711)));
    }

    #[test]
    fn a_process_lives_and_one_that_reuses_its_number_is_another() {
        let own = ProcessStamp::own();
        assert!(own.lives());
        assert!(!ProcessStamp { started: own.started + 1, ..own.clone() }.lives());
        assert!(!ProcessStamp { boot: "another".into(), ..own }.lives());
    }

    #[test]
    fn a_process_that_waits_to_be_reaped_is_dead() {
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let stamp = ProcessStamp::of(child.id()).unwrap();
        assert!(stamp.lives());
        drop(child.stdin.take());
        // `waitid` with WNOWAIT would tell the moment; reading its end of a closed pipe does too.
        while stamp.lives() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
    }
}
