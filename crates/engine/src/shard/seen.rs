//! A set of attempts that stays small however many it has held.

use std::collections::BTreeMap;

use crate::id::AttemptId;

/// Attempts by number, as ranges of tasks: a million first attempts are one entry.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(BTreeMap<u32, BTreeMap<u32, u32>>);

impl Seen {
    /// Adds an attempt; false if it was there.
    pub(super) fn insert(&mut self, attempt: AttemptId) -> bool {
        let ranges = self.0.entry(attempt.number()).or_default();
        let task = attempt.task().0;
        let before = ranges.range(..=task).next_back().map(|(&start, &end)| (start, end));
        if before.is_some_and(|(_, end)| task < end) {
            return false;
        }
        let start = before.filter(|&(_, end)| end == task).map_or(task, |(start, _)| start);
        let end = ranges.remove(&(task + 1)).unwrap_or(task + 1);
        ranges.insert(start, end);
        true
    }

    /// Whether an attempt is in it.
    pub(super) fn contains(&self, attempt: AttemptId) -> bool {
        let Some(ranges) = self.0.get(&attempt.number()) else { return false };
        let before = ranges.range(..=attempt.task().0).next_back();
        before.is_some_and(|(_, &end)| attempt.task().0 < end)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use spec::TaskId;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_a_plain_set_holds(ids in prop::collection::vec((0_u32..40, 1_u32..4), 0..200)) {
            let (mut seen, mut plain) = (Seen::default(), BTreeSet::new());
            for (task, number) in ids {
                let attempt = AttemptId(TaskId(task), number);
                prop_assert_eq!(seen.insert(attempt), plain.insert(attempt));
            }
            for task in 0..41 {
                let attempt = AttemptId(TaskId(task), 1);
                prop_assert_eq!(seen.contains(attempt), plain.contains(&attempt));
            }
        }
    }

    #[test]
    fn neighbours_become_one_entry() {
        let mut seen = Seen::default();
        for task in [3, 1, 0, 2, 4] {
            seen.insert(AttemptId(TaskId(task), 1));
        }
        assert_eq!(seen.0[&1].len(), 1);
    }
}
