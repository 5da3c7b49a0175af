//! What makes a process a keeper: a session of its own, orphans adopted, signals caught.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM};

use super::Error;
use crate::process::{Stat, pid_of};

/// Sets up the calling process. The result holds the signal by which it is asked to end, once it is.
pub(super) fn begin() -> Result<Arc<AtomicUsize>, Error> {
    let setup = |what| move |source| Error::Setup { what, source };
    // Caught and forgotten, not ignored: tasks would inherit a signal that is ignored.
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGPIPE] {
        let caught = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal, caught).map_err(setup("catch signals"))?;
    }
    let asked_to_end = Arc::new(AtomicUsize::new(0));
    let end = usize::try_from(SIGTERM).unwrap_or(15);
    signal_hook::flag::register_usize(SIGTERM, Arc::clone(&asked_to_end), end)
        .map_err(setup("catch signals"))?;
    leave_session().map_err(|errno| setup("leave the session")(errno.into()))?;
    let own = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(own))
        .map_err(|errno| setup("adopt orphans")(errno.into()))?;
    Ok(asked_to_end)
}

/// Only who leads no group can leave its session: one that was made a leader when it was
/// started joins its parent's group for a moment.
///
/// `/proc` is asked, not `getsid` and `getpgid`: a session or group of another pid namespace,
/// where this one's first process came from, is number 0 here, which is no process id.
fn leave_session() -> Result<(), Errno> {
    let own = rustix::process::getpid();
    let Some(stat) = Stat::of(own.as_raw_pid().unsigned_abs()) else {
        return rustix::process::setsid().map(drop);
    };
    if stat.session == stat.pid {
        return Ok(());
    }
    if stat.group == stat.pid {
        // A parent elsewhere has no group to join; one's own group is enough there, for it is
        // groups that a terminal interrupts.
        let Some(group) = Stat::of(stat.parent).and_then(|parent| pid_of(parent.group)) else {
            return Ok(());
        };
        rustix::process::setpgid(None, Some(group))?;
    }
    rustix::process::setsid().map(drop)
}
