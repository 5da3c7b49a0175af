//! A virtual keeper: the real `ShardHost`, with processes that are only pretended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use engine::input::Report;
use engine::shard::{HostInput, ShardHost};
use engine::{AllocationId, AttemptId, Epoch};
use spec::{Bytes, Resources, Timestamp, ZoneId};

use crate::case::Failure;

/// Where a keeper stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Launching,
    Up,
    Ended,
    Dead,
}

/// One keeper of one allocation.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) allocation: AllocationId,
    pub(crate) zone: ZoneId,
    pub(crate) host: ShardHost,
    pub(crate) capacity: Resources,
    pub(crate) stage: Stage,
    /// Appended by orchestrators, not yet taken in.
    pub(crate) orders: VecDeque<HostInput>,
    /// Attempts it was ever sent.
    pub(crate) known: Vec<AttemptId>,
    /// What they were granted.
    pub(crate) granted: BTreeMap<AttemptId, Resources>,
    pub(crate) started: BTreeSet<AttemptId>,
    /// Attempts committed here.
    pub(crate) committed: BTreeSet<AttemptId>,
    pub(crate) processes: BTreeMap<AttemptId, Process>,
    /// Its progress file.
    pub(crate) progress: Vec<Report>,
    /// When it is to be woken; other wakes are no longer meant.
    pub(crate) wake: Option<Timestamp>,
}

/// A process that was asked for and has not ended.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) granted: Resources,
    pub(crate) started_at: Timestamp,
    /// How it will fail; none if it will succeed.
    pub(crate) failure: Option<Failure>,
}

impl Process {
    /// Whether it has a limit and needs more.
    pub(crate) fn is_short(&self, needs: Bytes) -> bool {
        self.granted.memory.0 > 0 && needs > self.granted.memory
    }
}

impl Keeper {
    pub(crate) fn new(
        allocation: AllocationId,
        zone: ZoneId,
        epoch: Epoch,
        capacity: Resources,
    ) -> Self {
        Self {
            allocation,
            zone,
            host: ShardHost::new(epoch, capacity.clone()),
            capacity,
            stage: Stage::Launching,
            orders: VecDeque::new(),
            known: Vec::new(),
            granted: BTreeMap::new(),
            started: BTreeSet::new(),
            committed: BTreeSet::new(),
            processes: BTreeMap::new(),
            progress: Vec::new(),
            wake: None,
        }
    }

    /// Attempts that it was sent and that certainly never started.
    pub(crate) fn not_started(&self) -> Vec<AttemptId> {
        self.known.iter().copied().filter(|attempt| !self.started.contains(attempt)).collect()
    }

    /// What its processes hold.
    pub(crate) fn held(&self) -> Resources {
        let mut held = Resources::default();
        for process in self.processes.values() {
            held.put(&process.granted);
        }
        held
    }
}
