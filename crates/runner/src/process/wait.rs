//! How a child ended, and what it took.

use engine::shard::End;
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions};
use spec::{Bytes, Duration};

use super::pid_of;

/// What the kernel counted for a child and the children that it waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Cpu time in user mode.
    pub cpu_user: Duration,
    /// Cpu time in the kernel.
    pub cpu_system: Duration,
    /// Largest resident memory of any one process.
    ///
    /// A child starts as a copy of the keeper's address space for a moment, so this is never
    /// below what the keeper itself had.
    pub memory_peak: Bytes,
}

/// Waits until a child has ended and leaves it there: its number is not used again before
/// [`reap`], so whatever is sent to it cannot hit another process.
pub fn until_dead(pid: u32) {
    let Some(raw) = pid_of(pid) else { return };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(Errno::INTR) = rustix::process::waitid(WaitId::Pid(raw), options) {}
}

/// Whether a child has ended; it is left there.
#[must_use]
pub fn is_dead(pid: u32) -> bool {
    let Some(raw) = pid_of(pid) else { return true };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    !matches!(rustix::process::waitid(WaitId::Pid(raw), options), Ok(None))
}

/// Takes an ended child away. None if there is no such child.
#[must_use]
pub fn reap(pid: u32) -> Option<(End, Taken)> {
    let (status, usage) = wait4(pid_of(pid)?)?;
    let end = if libc::WIFSIGNALED(status) {
        End::Signal(libc::WTERMSIG(status))
    } else {
        End::Exit(libc::WEXITSTATUS(status))
    };
    let taken = Taken {
        cpu_user: duration(usage.ru_utime),
        cpu_system: duration(usage.ru_stime),
        memory_peak: Bytes(u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024),
    };
    Some((end, taken))
}

#[expect(unsafe_code, reason = "no safe interface returns the resources that a child has used")]
fn wait4(pid: Pid) -> Option<(i32, libc::rusage)> {
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both pointers are valid for writes of their types for the length of the call.
        let waited =
            unsafe { libc::wait4(pid.as_raw_pid(), &raw mut status, 0, usage.as_mut_ptr()) };
        if waited > 0 {
            // SAFETY: all bytes zero is a value of `rusage`, and the kernel has filled it in.
            return Some((status, unsafe { usage.assume_init() }));
        }
        if std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted {
            return None;
        }
    }
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let micros = u64::try_from(time.tv_usec).unwrap_or(0);
    Duration(seconds * 1_000_000 + micros)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn shell(script: &str) -> u32 {
        Command::new("/bin/sh").args(["-c", script]).spawn().unwrap().id()
    }

    #[test]
    fn a_dead_child_stays_until_it_is_reaped_and_tells_how_it_ended() {
        let exits = shell("exit 7");
        until_dead(exits);
        assert!(is_dead(exits));
        assert_eq!(reap(exits).unwrap().0, End::Exit(7));
        assert_eq!(reap(exits), None);
        let dies = shell("kill -9 $$");
        until_dead(dies);
        let (end, taken) = reap(dies).unwrap();
        assert_eq!(end, End::Signal(9));
        assert!(taken.memory_peak.0 > 0);
    }
}
