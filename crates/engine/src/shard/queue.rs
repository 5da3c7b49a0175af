//! What waits in an allocation, lowest position first, with bounded overtaking.

use std::collections::BTreeMap;

use spec::Resources;

use super::HostedLease;
use super::seen::Seen;
use crate::id::AttemptId;

/// How many entries behind the first are looked at for one that fits.
const LOOK_AHEAD_MAX: usize = 64;

/// How often the first may be overtaken before everything waits for it: small tasks may use
/// what a large one leaves, but not starve it.
const OVERTAKEN_MAX: u32 = 256;

/// Leases that have not started.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    /// Those that can start when they fit.
    by_position: BTreeMap<(u32, AttemptId), HostedLease>,
    positions: BTreeMap<AttemptId, u32>,
    /// Those that must not start before another attempt is committed.
    blocked: BTreeMap<AttemptId, HostedLease>,
    /// By attempt: those blocked by it, and perhaps some that have left.
    waiting: BTreeMap<AttemptId, Vec<AttemptId>>,
    total: Resources,
    overtaken: (Option<AttemptId>, u32),
}

impl Queue {
    /// Adds a lease; `blockers` are the attempts it waits for.
    pub(super) fn push(&mut self, lease: HostedLease, blockers: &[AttemptId]) {
        super::add(&mut self.total, &lease.granted);
        for &blocker in blockers {
            self.waiting.entry(blocker).or_default().push(lease.attempt);
        }
        if blockers.is_empty() {
            self.enqueue(lease);
        } else {
            self.blocked.insert(lease.attempt, lease);
        }
    }

    fn enqueue(&mut self, lease: HostedLease) {
        self.positions.insert(lease.attempt, lease.position);
        self.by_position.insert((lease.position, lease.attempt), lease);
    }

    pub(super) fn remove(&mut self, attempt: AttemptId) -> Option<HostedLease> {
        let lease = match self.positions.remove(&attempt) {
            Some(position) => self.by_position.remove(&(position, attempt))?,
            None => self.blocked.remove(&attempt)?,
        };
        self.total.take(&lease.granted);
        Some(lease)
    }

    /// What a blocked attempt has to wait for, or had to.
    pub(super) fn after(&self, attempt: AttemptId) -> Option<&[AttemptId]> {
        self.blocked.get(&attempt).map(|lease| lease.after.as_slice())
    }

    pub(super) fn contains(&self, attempt: AttemptId) -> bool {
        self.positions.contains_key(&attempt) || self.blocked.contains_key(&attempt)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.positions.is_empty() && self.blocked.is_empty()
    }

    /// What all of them would hold.
    pub(super) fn total(&self) -> &Resources {
        &self.total
    }

    /// Those that wait for `attempt`, which will never be committed.
    pub(super) fn take_waiting_for(&mut self, attempt: AttemptId) -> Vec<AttemptId> {
        let mut waiting = self.waiting.remove(&attempt).unwrap_or_default();
        waiting.retain(|attempt| self.blocked.contains_key(attempt));
        waiting
    }

    /// `attempt` is committed: what waited for nothing else can start.
    pub(super) fn release(&mut self, attempt: AttemptId, committed: &Seen) {
        for waiting in self.take_waiting_for(attempt) {
            let is_last = |lease: &&HostedLease| {
                let mut others = lease.after.iter();
                others.all(|&other| committed.contains(other) || !self.waiting.contains_key(&other))
            };
            if self.blocked.get(&waiting).filter(is_last).is_some()
                && let Some(lease) = self.blocked.remove(&waiting)
            {
                self.enqueue(lease);
            }
        }
    }

    /// Takes out the first lease that may start and fits into `free`.
    pub(super) fn pop_fitting(&mut self, free: &Resources) -> Option<HostedLease> {
        if free.cpus.0 == 0 {
            return None;
        }
        let mut first_waiting = None;
        let mut found = None;
        for lease in self.by_position.values().take(LOOK_AHEAD_MAX) {
            if lease.granted.fits(free) {
                found = Some(lease.attempt);
                break;
            }
            let first = *first_waiting.get_or_insert(lease.attempt);
            if self.overtaken == (Some(first), OVERTAKEN_MAX) {
                return None;
            }
        }
        let found = found?;
        if let Some(first) = first_waiting {
            let times = if self.overtaken.0 == Some(first) { self.overtaken.1 + 1 } else { 1 };
            self.overtaken = (Some(first), times);
        }
        self.remove(found)
    }
}
