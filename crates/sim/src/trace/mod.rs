//! Recorded and generated availability: how many could be held in a zone, and at what price.
//!
//! What a file says is read by [`forecast::trace`]. There, what is not known stays so; here it counts as
//! not there: a simulation must not live on gaps in the records. Parts of a count are none, too.

mod generated;

use forecast::trace::Recorded;
use spec::{Duration, Timestamp};

use crate::steps::Steps;

pub use forecast::trace::Error;
pub use generated::{Daily, Outages, Runs};

/// A zone over time. It begins at zero, and again when it is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// How many could be held, from a time on; the first from the begin.
    pub counts: Vec<(Duration, u32)>,
    /// Money per hour of one of them, from a time on; empty where the site gives the price.
    pub prices: Vec<(Duration, f64)>,
    /// How long it was recorded.
    pub length: Duration,
}

impl Trace {
    /// Reads either form.
    ///
    /// # Errors
    /// The text is not a trace.
    pub fn parse(text: &str) -> Result<Self, Error> {
        forecast::trace::read(text).map(Self::from)
    }

    /// One count per `gap`; none if there are none.
    #[must_use]
    pub fn ticks(gap: Duration, counts: impl IntoIterator<Item = u32>) -> Option<Self> {
        let mut changes: Vec<(Duration, u32)> = Vec::new();
        let mut n = 0;
        for count in counts {
            if changes.last().is_none_or(|&(_, last)| last != count) {
                changes.push((times(gap, n), count));
            }
            n += 1;
        }
        (n > 0).then(|| Self { counts: changes, prices: Vec::new(), length: times(gap, n) })
    }

    /// How many could be held at a time within the trace.
    #[must_use]
    pub fn count_at(&self, at: Duration) -> u32 {
        let after = self.counts.partition_point(|&(change, _)| change <= at);
        self.counts.get(after.saturating_sub(1)).map_or(0, |&(_, count)| count)
    }

    /// Room over time from `start` on, a count being `each` allocations, so many times over.
    #[must_use]
    pub fn available(&self, start: Timestamp, each: u32, rounds: u32) -> Steps<u32> {
        self.steps(&self.counts, start, rounds, |count| count.saturating_mul(each))
    }

    /// The price over time; none where the trace says nothing of it.
    #[must_use]
    pub fn price(&self, start: Timestamp, rounds: u32) -> Option<Steps<f64>> {
        (!self.prices.is_empty()).then(|| self.steps(&self.prices, start, rounds, |price| price))
    }

    fn steps<T: Copy + PartialEq>(
        &self,
        changes: &[(Duration, T)],
        start: Timestamp,
        rounds: u32,
        value: impl Fn(T) -> T,
    ) -> Steps<T> {
        let round = |n: u32| start + times(self.length, n as usize);
        let all = (0..rounds.max(1))
            .flat_map(|n| changes.iter().map(move |&(at, value)| (round(n) + at, value)));
        Steps::new(all.map(|(at, counted)| (at, value(counted))))
    }
}

/// So many spans, one after the other.
pub(crate) fn times(span: Duration, n: usize) -> Duration {
    Duration(span.0.saturating_mul(n as u64))
}

impl From<Recorded> for Trace {
    fn from(Recorded { counts, prices, length, .. }: Recorded) -> Self {
        let there = |count: Option<f64>| count.map_or(0, |count| count as u32);
        let mut counts: Vec<_> = counts.into_iter().map(|(at, n)| (at, there(n))).collect();
        counts.dedup_by_key(|&mut (_, count)| count);
        Self { counts, prices, length }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_not_known_counts_as_not_there() {
        let json = r#"{"metadata": {"gap_seconds": 10}, "data": [null, 0, 2, 2, -1, 1]}"#;
        let trace = Trace::parse(json).unwrap();
        let said = [(0, 0), (20, 2), (40, 0), (50, 1)];
        assert_eq!(trace.counts, said.map(|(s, n)| (seconds(s), n)));
        assert_eq!([0, 39, 40, 59].map(|s| trace.count_at(seconds(s))), [0, 2, 0, 1]);
    }

    #[test]
    fn prices_hold_until_they_change() {
        let json = r#"{"metadata": {"gap_seconds": 60}, "data": [1, 1, 1], "prices": [3, 3, 2.5]}"#;
        let price = Trace::parse(json).unwrap().price(Timestamp(0), 2).unwrap();
        assert_eq!([0, 120, 180].map(|s| price.at(Timestamp(0) + seconds(s))), [3.0, 2.5, 3.0]);
    }

    #[test]
    fn a_trace_begins_again_when_it_is_over_and_a_count_stands_for_several() {
        let trace = Trace::ticks(seconds(10), [1, 0]).unwrap();
        let room = trace.available(Timestamp(0), 4, 2);
        let at = |s| room.at(Timestamp(0) + seconds(s));
        assert_eq!([0, 10, 20, 30, 99].map(at), [4, 0, 4, 0, 0]);
    }
}
