//! Processes of this machine: who they are, how they end, and how to make them end.
//!
//! Knows `/proc`, signals and `wait4`. Does not know attempts, shards or protocols; of those it
//! knows only the marks that a keeper leaves in the environment of what it starts.
//!
//! The one module that is allowed unsafe code: a single call, in [`wait`].

mod identity;
mod mark;
mod stat;
mod sweep;
pub mod wait;

pub use identity::{boot_id, host, is_alive, kill, start_ticks};
pub use mark::{ALLOCATION_MARK, ATTEMPT_MARK, Mark, allocation_mark};
pub use stat::{Stat, all, proportional_memory};
pub use sweep::{freeze_and_kill, kill_allocation};

/// The library's type for a process id, if `pid` is one.
pub(crate) fn pid_of(pid: u32) -> Option<rustix::process::Pid> {
    rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)
}
