//! Sets of tasks as sorted ranges: small on disk, whatever the size of the workflow.

use serde::{Deserialize, Serialize};
use spec::TaskId;

/// Sorted, disjoint, half-open ranges of task numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskRanges(Vec<(u32, u32)>);

impl TaskRanges {
    /// All of the first `n` tasks.
    #[must_use]
    pub fn all(n: usize) -> Self {
        Self::from_sorted((0..n).map(TaskId::from_index))
    }

    /// Of ids in increasing order.
    #[must_use]
    pub fn from_sorted(tasks: impl IntoIterator<Item = TaskId>) -> Self {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for task in tasks {
            match ranges.last_mut() {
                Some((_, end)) if *end == task.0 => *end += 1,
                _ => ranges.push((task.0, task.0 + 1)),
            }
        }
        Self(ranges)
    }

    /// Adds another set, whose numbers count from `first`, beyond all that are here.
    pub(crate) fn extend_from(&mut self, first: u32, more: &Self) {
        let shifted = more.iter().map(|task| TaskId(first + task.0));
        *self = Self::from_sorted(self.iter().chain(shifted).collect::<Vec<_>>());
    }

    /// Whether `task` is in the set.
    #[must_use]
    pub fn contains(&self, task: TaskId) -> bool {
        let after = self.0.partition_point(|&(start, _)| start <= task.0);
        after > 0 && task.0 < self.0[after - 1].1
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = TaskId> {
        self.0.iter().flat_map(|&(start, end)| (start..end).map(TaskId))
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|&(start, end)| (end - start) as usize).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
