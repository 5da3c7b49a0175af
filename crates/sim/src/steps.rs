//! Step functions of time: capacity, prices.

use std::sync::Arc;

use spec::Timestamp;

/// A value that changes at given times; the first holds before its time, too. Cheap to copy.
#[derive(Clone, Debug, PartialEq)]
pub struct Steps<T>(Arc<[(Timestamp, T)]>);

impl<T: Copy + PartialEq> Steps<T> {
    /// The same for ever.
    #[must_use]
    pub fn constant(value: T) -> Self {
        Self(Arc::new([(Timestamp(i64::MIN), value)]))
    }

    /// From times and values in the order of time; what does not change is left out.
    ///
    /// # Panics
    /// There is no value, or times run backwards.
    #[must_use]
    pub fn new(changes: impl IntoIterator<Item = (Timestamp, T)>) -> Self {
        let mut steps: Vec<(Timestamp, T)> = Vec::new();
        for (at, value) in changes {
            match steps.last() {
                Some(&(before, _)) if before > at => panic!("times run backwards"),
                Some(&(_, last)) if last == value => {}
                _ => steps.push((at, value)),
            }
        }
        assert!(!steps.is_empty(), "a step function has a value");
        Self(steps.into())
    }

    /// One value per `tick` from `start` on, as traces are recorded.
    #[must_use]
    pub fn from_ticks(
        start: Timestamp,
        tick: spec::Duration,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let mut at = start;
        Self::new(values.into_iter().map(|value| {
            let change = (at, value);
            at = at + tick;
            change
        }))
    }

    /// Other values at the same times.
    #[must_use]
    pub fn map(&self, value: impl Fn(T) -> T) -> Self {
        Self::new(self.0.iter().map(|&(at, before)| (at, value(before))))
    }

    /// The value at a time.
    #[must_use]
    pub fn at(&self, time: Timestamp) -> T {
        self.0[self.position(time)].1
    }

    /// The first change after a time, and the value from then on.
    #[must_use]
    pub fn next_after(&self, time: Timestamp) -> Option<(Timestamp, T)> {
        let after = self.0.partition_point(|&(at, _)| at <= time);
        self.0.get(after).copied()
    }

    /// All changes up to a time, the one in force last.
    #[must_use]
    pub fn until(&self, time: Timestamp) -> &[(Timestamp, T)] {
        &self.0[..=self.position(time)]
    }

    fn position(&self, time: Timestamp) -> usize {
        self.0.partition_point(|&(at, _)| at <= time).saturating_sub(1)
    }
}

impl Steps<f64> {
    /// The integral over time, in value times hours.
    #[must_use]
    pub fn integral_hours(&self, from: Timestamp, to: Timestamp) -> f64 {
        let mut sum = 0.0;
        let mut now = from;
        while now < to {
            let next = self.next_after(now).map_or(to, |(at, _)| at.min(to));
            sum += self.at(now) * next.since(now).as_secs_f64() / 3_600.0;
            now = next;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use spec::Duration;

    use super::*;

    #[test]
    fn values_hold_until_the_next_change() {
        let hour = Duration::from_secs(3_600);
        let steps = Steps::from_ticks(Timestamp(0), hour, [2.0, 2.0, 0.5]);
        let at = |hours: i64| Timestamp(hours * 3_600_000_000);
        assert_eq!([-1, 0, 1, 2, 9].map(|hours| steps.at(at(hours))), [2.0, 2.0, 2.0, 0.5, 0.5]);
        assert_eq!(steps.next_after(at(0)), Some((at(2), 0.5)));
        assert_eq!(steps.until(at(1)).len(), 1);
        assert!((steps.integral_hours(at(1), at(4)) - 3.0).abs() < 1e-12);
    }
}
