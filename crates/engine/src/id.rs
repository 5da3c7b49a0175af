//! Names of tries and of capacity.

use serde::{Deserialize, Serialize};
use spec::TaskId;

/// One try at a task, numbered from 1. Prints as `t12.2`; serialized as `[12, 2]`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptId(pub TaskId, pub u32);

impl AttemptId {
    /// The task it is a try at.
    #[must_use]
    pub fn task(self) -> TaskId {
        self.0
    }

    /// 1 for the first try.
    #[must_use]
    pub fn number(self) -> u32 {
        self.1
    }
}

impl std::fmt::Display for AttemptId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl std::fmt::Debug for AttemptId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for AttemptId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (task, number) =
            text.strip_prefix('t').unwrap_or(text).split_once('.').unwrap_or(("", ""));
        Ok(Self(TaskId(task.parse()?), number.parse()?))
    }
}

/// Capacity held in a zone for a while. Prints as `a3`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AllocationId(pub u32);

impl std::fmt::Display for AllocationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a{}", self.0)
    }
}

impl std::fmt::Debug for AllocationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Which publication of a task this is, numbered from 1. A task is published at most once in a
/// generation; only a rollback begins the next, and makes commits of the one before worthless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u32);

impl Generation {
    /// Of a task that was never rolled back.
    pub const FIRST: Self = Self(1);

    pub(crate) fn is_first(&self) -> bool {
        *self == Self::FIRST
    }
}

impl Default for Generation {
    fn default() -> Self {
        Self::FIRST
    }
}

/// Which orchestrator in a row owns the run; orders of an older one are refused.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);
