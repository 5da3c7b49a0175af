//! Actions: what the engine asks the outside to do. At least once, keyed by attempt.

use plan::ShardId;
use spec::{Resources, TaskId, ZoneId};

use crate::id::{AllocationId, AttemptId};
use crate::outcome::Manifest;
use crate::planted::{self, Bug};

/// An order. Carried out after the events polled before it have been recorded.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Get capacity.
    Allocate {
        /// Its name.
        allocation: AllocationId,
        /// Where.
        zone: ZoneId,
    },
    /// After a resume: find out what became of an allocation, and of what it was sent.
    Probe {
        /// Which.
        allocation: AllocationId,
        /// Where.
        zone: ZoneId,
    },
    /// Hand over shards; the allocation starts their tasks as they fit, lowest position first.
    Lease {
        /// To whom.
        allocation: AllocationId,
        /// What.
        leases: Vec<Lease>,
    },
    /// Take back attempts that have not started.
    Revoke {
        /// From whom.
        allocation: AllocationId,
        /// Which.
        attempts: Vec<AttemptId>,
    },
    /// Kill attempts, started or not.
    Kill {
        /// Where.
        allocation: AllocationId,
        /// Which.
        attempts: Vec<AttemptId>,
    },
    /// Let an allocation finish what it has and end.
    Close {
        /// Which.
        allocation: AllocationId,
    },
    /// Give commits their final names.
    Publish {
        /// Which.
        attempts: Vec<AttemptId>,
    },
    /// Look at what tasks made, as far as the graph depends on it.
    ReadGrowth {
        /// Which tasks, and where.
        grown: Vec<Grown>,
    },
    /// Compare earlier results with what would be run now.
    CheckReuse {
        /// Of which tasks.
        tasks: Vec<TaskId>,
    },
}

/// Where to look for what a task adds to the graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Grown {
    /// Which task.
    pub task: TaskId,
    /// The commit that holds its outputs; none if they are an earlier run's and have their names.
    pub attempt: Option<AttemptId>,
    /// What it made.
    pub outputs: Manifest,
}

/// Permission to run one attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Lease {
    /// Which try.
    pub attempt: AttemptId,
    /// The shard it belongs to, and the epoch of the shard attempt.
    pub shard: (ShardId, u32),
    /// Attempts of the same shard that must be committed before.
    pub after: Vec<AttemptId>,
    /// Lower starts first.
    pub position: u32,
    /// What is set aside for it.
    pub granted: Resources,
    /// Whether its start must not be lost: it waits for the sync.
    pub is_idempotent: bool,
}

impl Action {
    /// Whether the action can outlive the machine, so that its record must be synced before;
    /// otherwise written is enough, because the action dies with the machine.
    #[must_use]
    pub fn needs_sync(&self) -> bool {
        match self {
            Self::Publish { .. } => !planted::is(Bug::PublishUnsynced),
            Self::Lease { leases, .. } => {
                let is_delicate = leases.iter().any(|lease| !lease.is_idempotent);
                is_delicate && !planted::is(Bug::StartUnsynced)
            }
            Self::Allocate { .. }
            | Self::Probe { .. }
            | Self::Revoke { .. }
            | Self::Kill { .. }
            | Self::Close { .. }
            | Self::ReadGrowth { .. }
            | Self::CheckReuse { .. } => false,
        }
    }
}
