//! Waits until a file grows: inotify where the kernel has it, a pause where it has not.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;

/// Without inotify, a file is looked at this often.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Wakes when a file is written to.
#[derive(Debug)]
pub(crate) struct Follower(Option<OwnedFd>);

impl Follower {
    /// Watches a file that exists.
    #[must_use]
    pub(crate) fn new(path: &Path) -> Self {
        let watch = || -> rustix::io::Result<OwnedFd> {
            let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
            let fd = inotify::init(flags)?;
            inotify::add_watch(&fd, path, inotify::WatchFlags::MODIFY)?;
            Ok(fd)
        };
        Self(watch().ok())
    }

    /// Returns when the file may have grown, or after `patience`.
    pub(crate) fn wait(&mut self, patience: Duration) {
        let Some(fd) = &self.0 else {
            std::thread::sleep(patience.min(POLL_INTERVAL));
            return;
        };
        let timeout = Timespec::try_from(patience).ok();
        let mut fds = [PollFd::new(fd, PollFlags::IN)];
        if poll(&mut fds, timeout.as_ref()).is_ok_and(|n| n > 0) {
            // The events say nothing that reading the file does not; they are taken off.
            let mut buffer = [0; 4096];
            while rustix::io::read(fd, &mut buffer).is_ok_and(|n| n > 0) {}
        }
    }
}
