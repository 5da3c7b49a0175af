//! Totals since some start: recognised by never falling, but for rare new beginnings.
//!
//! Knows samples in order of time. A total that begins anew is counted on from 0, as Prometheus'
//! `increase` does.

use crate::recording::Sample;
use crate::tidy;

/// Usual intervals over which the change of a counter is still told: its mean is right over any,
/// but of a longer time nothing else is known.
pub const INTERVALS_TOLD: i64 = 3;

/// Fewer samples prove nothing: a gauge may rise a dozen times in a row.
const LEAST_SAMPLES: usize = 24;

/// Fewer steps up may be a level that somebody set.
const LEAST_RISES: usize = 3;

/// One step in so many may be a new beginning.
const STEPS_PER_RESET: usize = 50;

/// A new beginning falls below this share of what was reached.
const RESET_SHARE: f64 = 0.5;

/// Whether these are readings of a counter.
#[must_use]
pub fn is_counter(samples: &[Sample]) -> bool {
    if samples.len() < LEAST_SAMPLES || samples.iter().any(|sample| sample.value < 0.0) {
        return false;
    }
    let (mut rises, mut resets) = (0, 0);
    for pair in samples.windows(2) {
        let (before, after) = (pair[0].value, pair[1].value);
        if after > before {
            rises += 1;
        } else if after < before {
            if after > before * RESET_SHARE {
                return false;
            }
            resets += 1;
        }
    }
    rises >= LEAST_RISES && resets <= samples.len() / STEPS_PER_RESET
}

/// How often a counter began anew.
#[must_use]
pub fn resets(samples: &[Sample]) -> usize {
    samples.windows(2).filter(|pair| pair[1].value < pair[0].value).count()
}

/// By how much a counter rose from one reading to the next.
#[must_use]
pub fn increase(before: f64, after: f64) -> f64 {
    if after < before { after } else { after - before }
}

/// The change per second from each reading to the next, at the time of the first of both: from then
/// on it was so. Nothing where the next is far away.
#[must_use]
pub fn rates(samples: &[Sample]) -> Vec<Sample> {
    let longest = INTERVALS_TOLD * tidy::usual_interval(samples);
    let mut rates = Vec::with_capacity(samples.len());
    for pair in samples.windows(2) {
        let micros = pair[1].at.0 - pair[0].at.0;
        if micros > 0 && micros <= longest {
            let value = increase(pair[0].value, pair[1].value) / (micros as f64 / 1e6);
            // Readings a microsecond apart can differ by more per second than numbers hold.
            rates.extend(value.is_finite().then_some(Sample { at: pair[0].at, value }));
        }
    }
    rates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_counter_of(values: impl IntoIterator<Item = f64>) -> bool {
        let stamp = |(i, value): (usize, f64)| Sample { at: spec::Timestamp(i as i64), value };
        is_counter(&values.into_iter().enumerate().map(stamp).collect::<Vec<_>>())
    }

    #[test]
    fn a_total_is_a_counter_also_when_it_began_anew() {
        let total = |i: u32| f64::from(i) * 3.0;
        assert!(is_counter_of((0..100).map(total)));
        assert!(is_counter_of((0..80).chain(0..80).map(total)));
        assert!(is_counter_of((0..100).map(|i| total(i / 25))), "idle most of the time");
    }

    #[test]
    fn a_gauge_is_no_counter() {
        assert!(!is_counter_of((0..100).map(|i| f64::from(i * 37 % 11))));
        assert!(!is_counter_of((0..20).map(f64::from)), "too few to say");
        assert!(!is_counter_of((0..100).map(|i| 100.0 + f64::from(i) - 2.0 * f64::from(i % 9))));
        assert!(!is_counter_of((0..100).map(|i| f64::from(i / 50))), "a level that was set once");
        assert!(!is_counter_of((0..100).map(|i| f64::from(i % 12))), "it falls too often");
    }

    #[test]
    fn rates_are_told_from_reading_to_reading_but_not_over_a_gap() {
        let at = |seconds: i64, value| Sample { at: spec::Timestamp(seconds * 1_000_000), value };
        let readings = [at(0, 10.0), at(10, 30.0), at(20, 5.0), at(30, 5.0), at(300, 90.0)];
        assert_eq!(rates(&readings), [at(0, 2.0), at(10, 0.5), at(20, 0.0)]);
    }

    #[test]
    fn a_total_becomes_a_rate_over_its_new_beginnings() {
        let mut total = 9e9;
        let mut samples = Vec::new();
        for i in 0..60 {
            total = if i == 40 { 300.0 } else { total + 600.0 };
            samples.push(Sample { at: spec::Timestamp(i * 300_000_000), value: total });
        }
        assert!(is_counter(&samples));
        assert_eq!(resets(&samples), 1);
        let rates = rates(&samples);
        assert_eq!(rates.len(), 59);
        assert!(
            rates.iter().enumerate().all(|(i, rate)| rate.value == if i == 39 { 1.0 } else { 2.0 })
        );
    }

    #[test]
    fn a_new_beginning_counts_from_nothing() {
        assert_eq!(increase(5.0, 7.0).to_bits(), 2.0_f64.to_bits());
        assert_eq!(increase(5.0, 3.0).to_bits(), 3.0_f64.to_bits());
    }
}
