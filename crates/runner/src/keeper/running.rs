//! A process of ours, and the one safe way to signal it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use engine::shard::Urgency;
use rustix::process::Signal;
use spec::Timestamp;

use super::cgroup::Group;
use super::slot_log::SlotLog;
use crate::process::pid_of;
use crate::protocol::Work;

/// An attempt with a process.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) work: Arc<Work>,
    /// Also the number of its process group.
    pub(super) pid: u32,
    pub(super) started_at: Timestamp,
    pub(super) log: Arc<SlotLog>,
    /// The control group that limits its memory, if there is one.
    pub(super) group: Option<Group>,
    /// Largest memory that the sampler has seen all its processes use together, in bytes.
    memory_peak: AtomicU64,
    /// Once true, the process may be reaped and its number belong to another.
    has_ended: Mutex<bool>,
}

impl Running {
    pub(super) fn new(
        work: Arc<Work>,
        pid: u32,
        started_at: Timestamp,
        log: Arc<SlotLog>,
        group: Option<Group>,
    ) -> Arc<Self> {
        let (memory_peak, has_ended) = (AtomicU64::new(0), Mutex::new(false));
        Arc::new(Self { work, pid, started_at, log, group, memory_peak, has_ended })
    }

    /// Signals the process group, unless its process has ended.
    pub(super) fn signal(&self, urgency: Urgency) {
        let has_ended = self.has_ended.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pid) = pid_of(self.pid).filter(|_| !*has_ended) else { return };
        let signal = match urgency {
            Urgency::Terminate => Signal::TERM,
            Urgency::Kill => Signal::KILL,
        };
        // A group that is gone already is what was wanted. The kernel signals a group as a whole:
        // no member can fork its way out in between. What left the group is met by `Leftovers`.
        let _ = rustix::process::kill_process_group(pid, signal);
        if urgency == Urgency::Kill {
            // The process itself may have joined another group.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// The process has ended and is not reaped yet: kills the rest of its group, and from now on
    /// nothing is sent to its number any more.
    pub(super) fn close(&self) {
        let mut has_ended = self.has_ended.lock().unwrap_or_else(PoisonError::into_inner);
        *has_ended = true;
        if let Some(pid) = pid_of(self.pid) {
            let _ = rustix::process::kill_process_group(pid, Signal::KILL);
        }
    }

    pub(super) fn memory_peak(&self) -> u64 {
        self.memory_peak.load(Ordering::Relaxed)
    }

    pub(super) fn saw_memory(&self, bytes: u64) {
        self.memory_peak.fetch_max(bytes, Ordering::Relaxed);
    }
}
