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
    by_position: BTreeMap<(u32, AttemptId), HostedLease>,
    positions: BTreeMap<AttemptId, u32>,
    total: Resources,
    overtaken: (Option<AttemptId>, u32),
}

impl Queue {
    pub(super) fn push(&mut self, lease: HostedLease) {
        super::add(&mut self.total, &lease.granted);
        self.positions.insert(lease.attempt, lease.position);
        self.by_position.insert((lease.position, lease.attempt), lease);
    }

    pub(super) fn remove(&mut self, attempt: AttemptId) -> Option<HostedLease> {
        let position = self.positions.remove(&attempt)?;
        let lease = self.by_position.remove(&(position, attempt))?;
        self.total.take(&lease.granted);
        Some(lease)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_position.is_empty()
    }

    /// What all of them would hold.
    pub(super) fn total(&self) -> &Resources {
        &self.total
    }

    /// Those that must not start before `attempt` is committed.
    pub(super) fn waiting_for(&self, attempt: AttemptId) -> Vec<AttemptId> {
        let waits = |lease: &&HostedLease| lease.after.contains(&attempt);
        self.by_position.values().filter(waits).map(|lease| lease.attempt).collect()
    }

    /// Takes out the first lease that may start and fits into `free`.
    pub(super) fn pop_fitting(
        &mut self,
        free: &Resources,
        committed: &Seen,
        seen: &Seen,
    ) -> Option<HostedLease> {
        if free.cpus.0 == 0 {
            return None;
        }
        // A parent that was never leased here is published: it is not ours to wait for.
        let is_blocked = |lease: &HostedLease| {
            lease.after.iter().any(|&parent| seen.contains(parent) && !committed.contains(parent))
        };
        let mut first_waiting = None;
        let mut found = None;
        for lease in self.by_position.values().take(LOOK_AHEAD_MAX) {
            if is_blocked(lease) {
                continue;
            }
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
