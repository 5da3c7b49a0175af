//! A unit that changed midway: values that from one sample on are greater or less by a factor that
//! lies between units, and stay so.
//!
//! Knows samples in order of time. Cautious: what varies as much by itself is left alone.

use crate::recording::Sample;

/// What lies between units: percent, thousands and millions. That 1024 counts as 1000 is within the
/// tolerance: what varies cannot tell them apart.
const FACTORS: [f64; 3] = [100.0, 1000.0, 1e6];

/// Samples on either side that are compared.
const WINDOW: usize = 24;

/// Samples on either side without which nothing is said.
const LEAST: usize = 8;

/// The medians of both sides may be off the factor by so much.
const TOLERANCE: f64 = 1.25;

/// Where a unit changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnitChange {
    /// The first sample in the new unit.
    pub index: usize,
    /// By what the values were multiplied.
    pub factor: f64,
}

/// The last change of unit, if there is one.
#[must_use]
pub fn find(samples: &[Sample]) -> Option<UnitChange> {
    let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
    (1..values.len()).rev().find_map(|index| change_at(&values, index))
}

fn change_at(values: &[f64], index: usize) -> Option<UnitChange> {
    let leap = values[index] / values[index - 1];
    let is_leap = leap.is_finite() && leap > 0.0 && leap.ln().abs() > FACTORS[0].ln() / 2.0;
    if !is_leap {
        return None;
    }
    let before = Spread::of(&values[index.saturating_sub(WINDOW)..index])?;
    let after = Spread::of(&values[index..values.len().min(index + WINDOW)])?;
    let ratio = after.median / before.median;
    let nearest = FACTORS
        .iter()
        .flat_map(|factor| [*factor, 1.0 / factor])
        .min_by(|a, b| (ratio / a).ln().abs().total_cmp(&(ratio / b).ln().abs()))?;
    let is_near = (ratio / nearest).ln().abs() <= TOLERANCE.ln();
    // The two sides must not meet, not even half way.
    let apart = if ratio > 1.0 { after.min / before.max } else { before.min / after.max };
    let stays = apart.ln() > nearest.ln().abs() / 2.0;
    (is_near && stays).then_some(UnitChange { index, factor: nearest })
}

/// Of some positive values; zeros have no unit.
struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Option<Self> {
        let mut positive: Vec<f64> = values.iter().copied().filter(|value| *value > 0.0).collect();
        if positive.len() < LEAST {
            return None;
        }
        positive.sort_by(f64::total_cmp);
        let last = positive.len() - 1;
        Some(Self { min: positive[0], median: positive[positive.len() / 2], max: positive[last] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(values: impl Iterator<Item = f64>) -> Option<UnitChange> {
        let stamp = |(i, value)| Sample { at: spec::Timestamp(i as i64), value };
        find(&values.enumerate().map(stamp).collect::<Vec<_>>())
    }

    fn load(i: usize) -> f64 {
        40.0 + (i * 31 % 17) as f64
    }

    #[test]
    fn a_factor_between_units_that_stays_is_found_where_it_begins() {
        for factor in [1024.0, 1.0 / 1000.0, 100.0] {
            let values = (0..100).map(|i| load(i) * if i < 60 { 1.0 } else { factor });
            let change = found(values).expect("a change");
            assert_eq!(change.index, 60);
            assert!((change.factor / factor).ln().abs() < 0.05);
        }
    }

    #[test]
    fn what_comes_back_or_varies_as_much_by_itself_is_no_change_of_unit() {
        assert_eq!(found((0..100).map(load)), None);
        let burst = (0..100).map(|i| load(i) * if i == 60 { 1000.0 } else { 1.0 });
        assert_eq!(found(burst), None);
        let wild = (0..200).map(|i| 10_f64.powf(f64::from(i * 31 % 17) / 4.0));
        assert_eq!(found(wild), None);
        let busier = (0..100).map(|i| load(i) * if i < 60 { 1.0 } else { 30.0 });
        assert_eq!(found(busier), None);
    }

    #[test]
    fn a_few_samples_say_nothing() {
        assert_eq!(found([1.0, 1.0, 1000.0, 1000.0].into_iter()), None);
        assert_eq!(found([0.0; 50].into_iter().chain([1000.0; 50])), None);
    }
}
