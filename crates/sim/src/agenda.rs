//! What will happen, in the order of time; at one time, in the order in which it was put down.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use spec::Timestamp;

/// A queue of happenings.
#[derive(Clone, Debug)]
pub(crate) struct Agenda<T> {
    heap: BinaryHeap<Entry<T>>,
    n_put: u64,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    key: Reverse<(Timestamp, u64)>,
    what: T,
}

impl<T> Agenda<T> {
    pub(crate) fn new() -> Self {
        Self { heap: BinaryHeap::new(), n_put: 0 }
    }

    pub(crate) fn put(&mut self, at: Timestamp, what: T) {
        self.n_put += 1;
        self.heap.push(Entry { key: Reverse((at, self.n_put)), what });
    }

    pub(crate) fn pop(&mut self) -> Option<(Timestamp, T)> {
        self.heap.pop().map(|entry| (entry.key.0.0, entry.what))
    }

    /// How much was ever put down.
    pub(crate) fn n_put(&self) -> u64 {
        self.n_put
    }

    /// What is still to come, in order.
    pub(crate) fn pending(&self) -> Vec<&T> {
        let mut entries: Vec<&Entry<T>> = self.heap.iter().collect();
        entries.sort_by_key(|entry| Reverse(entry.key));
        entries.into_iter().map(|entry| &entry.what).collect()
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_at_one_time_happens_in_the_order_of_putting_down() {
        let mut agenda = Agenda::new();
        for (at, what) in [(5, 'c'), (1, 'a'), (5, 'd'), (3, 'b')] {
            agenda.put(Timestamp(at), what);
        }
        let order: String = std::iter::from_fn(|| agenda.pop()).map(|(_, what)| what).collect();
        assert_eq!(order, "abcd");
    }
}
