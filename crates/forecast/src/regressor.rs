//! An external series laid over the steps of a zone: load, price, weather, whatever may help.
//!
//! Knows samples at instants, when each is known, and that any may be missing. What it has to do
//! with a zone is left to the models.

use spec::Timestamp;

use crate::calendar::Axis;

/// The most steps that a series is laid over.
const STEPS_MAX: usize = 2_000_000;
/// A value holds for so many of the series' usual intervals, then it is not known.
const HOLDS_INTERVALS: i64 = 3;
/// Both sides of a change of unit are at least so many samples.
const UNIT_SAMPLES: usize = 12;
/// A level that goes up or down at once by this much for good is another unit, not another level.
const UNIT_FACTOR: f64 = 50.0;

/// When a value is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Long before: a published plan, a forecast.
    Ahead,
    /// So many seconds after the instant it is of.
    Late(u32),
}

/// Why a series is not used, or less than it could be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Flaw {
    /// No sample is a number.
    #[error("it holds no number")]
    Empty,
    /// Its level changed by a factor at once, as it does when its unit is another.
    #[error(
        "its values change by a factor of {factor:.0} for good after sample {sample}: the unit may be another from there on"
    )]
    UnitChanged {
        /// The last sample of the old unit, from 1.
        sample: usize,
        /// How many times larger the values are on the larger side.
        factor: f64,
    },
}

/// An external series over the steps of a zone; NaN where it is not known.
#[derive(Clone, Debug)]
pub struct Regressor {
    known: Known,
    step_seconds: u32,
    first: i64,
    values: Vec<f32>,
    /// Sums of, and how many, known values before each step.
    sums: Vec<(f64, u32)>,
}

impl Regressor {
    /// A series of samples in any order; the last of several at one instant counts. Values that are
    /// no number are not known.
    ///
    /// # Errors
    /// It should be left out.
    pub fn new(axis: Axis, known: Known, samples: &[(Timestamp, f64)]) -> Result<Self, Flaw> {
        let mut samples: Vec<(Timestamp, f64)> =
            samples.iter().copied().filter(|sample| sample.1.is_finite()).collect();
        samples.sort_by_key(|sample| sample.0);
        let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
            return Err(Flaw::Empty);
        };
        if let Some(flaw) = unit_change(&samples) {
            return Err(flaw);
        }
        let holds = HOLDS_INTERVALS.saturating_mul(usual_interval(&samples));
        let until = axis.step_from(Timestamp(last.0.0.saturating_add(holds)));
        // The latest steps are those that matter.
        let from = axis.step_from(first.0).max(until - STEPS_MAX as i64 + 1);
        let steps = usize::try_from(until - from + 1).unwrap_or(1);
        let mut values = Vec::with_capacity(steps);
        let mut next = 0;
        for step in 0..steps {
            let at = axis.at(from + step as i64);
            while samples.get(next).is_some_and(|sample| sample.0 <= at) {
                next += 1;
            }
            let held = next.checked_sub(1).map(|i| samples[i]);
            let held = held.filter(|sample| at.0.saturating_sub(sample.0.0) <= holds);
            values.push(held.map_or(f32::NAN, |sample| sample.1 as f32));
        }
        let mut sum = (0.0, 0);
        let mut sums = vec![sum];
        for &value in &values {
            if !value.is_nan() {
                sum = (sum.0 + f64::from(value), sum.1 + 1);
            }
            sums.push(sum);
        }
        Ok(Self { known, step_seconds: axis.step_seconds, first: from, values, sums })
    }

    /// The same series, of which nothing is ever known: for a zone that it is not about.
    #[must_use]
    pub fn silent(&self) -> Self {
        Self { values: Vec::new(), sums: vec![(0.0, 0)], ..*self }
    }

    /// When its values are known.
    #[must_use]
    pub fn known(&self) -> Known {
        self.known
    }

    /// Names of its columns, after its own.
    pub(crate) fn columns(&self) -> &'static [&'static str] {
        match self.known {
            Known::Ahead => &["at the target", "3 h to the target", "on the way", "now"],
            Known::Late(_) => &["last known", "an hour before", "last 3 h", "last day"],
        }
    }

    /// What is known at step `origin` about step `origin + k`.
    pub(crate) fn row(&self, origin: i64, k: i64) -> [f32; 4] {
        let steps = |seconds: u32| i64::from(seconds.div_ceil(self.step_seconds));
        let until = |step: i64, seconds: u32| self.mean(step + 1 - steps(seconds), step + 1);
        match self.known {
            Known::Ahead => {
                let target = origin + k;
                let way = self.mean(origin + 1, target + 1);
                [self.at(target), until(target, 10_800), way, self.at(origin)]
            }
            Known::Late(seconds) => {
                let last = origin - steps(seconds);
                let before = self.at(last - steps(3600));
                [self.at(last), before, until(last, 10_800), until(last, 86_400)]
            }
        }
    }

    fn at(&self, step: i64) -> f32 {
        let i = usize::try_from(step - self.first).ok();
        i.and_then(|i| self.values.get(i).copied()).unwrap_or(f32::NAN)
    }

    /// Mean of the known values of steps `from..to`.
    fn mean(&self, from: i64, to: i64) -> f32 {
        let end = self.values.len() as i64;
        let bound = |step: i64| self.sums[(step - self.first).clamp(0, end) as usize];
        let (from, to) = (bound(from), bound(to));
        let known = to.1 - from.1;
        if known == 0 { f32::NAN } else { ((to.0 - from.0) / f64::from(known)) as f32 }
    }
}

/// The median of the intervals between samples, in microseconds.
fn usual_interval(samples: &[(Timestamp, f64)]) -> i64 {
    let mut intervals: Vec<i64> = samples
        .windows(2)
        .map(|pair| pair[1].0.0.saturating_sub(pair[0].0.0))
        .filter(|&interval| interval > 0)
        .collect();
    let middle = intervals.len() / 2;
    // A single sample holds for an hour.
    if intervals.is_empty() { 1_200_000_000 } else { *intervals.select_nth_unstable(middle).1 }
}

/// Where all values after a sample are on another scale than all before it.
fn unit_change(samples: &[(Timestamp, f64)]) -> Option<Flaw> {
    let sizes: Vec<f64> = samples.iter().map(|sample| sample.1.abs()).collect();
    let n = sizes.len();
    if n < 2 * UNIT_SAMPLES {
        return None;
    }
    // Least and largest of what comes after; values of 0 have no scale.
    let mut after = vec![(f64::INFINITY, 0.0_f64); n + 1];
    for i in (0..n).rev() {
        let (least, most) = after[i + 1];
        let size = sizes[i];
        after[i] = if size > 0.0 { (least.min(size), most.max(size)) } else { after[i + 1] };
    }
    let mut before = (f64::INFINITY, 0.0_f64);
    for i in 0..n - UNIT_SAMPLES {
        if sizes[i] > 0.0 {
            before = (before.0.min(sizes[i]), before.1.max(sizes[i]));
        }
        let (least, most) = after[i + 1];
        if i + 1 < UNIT_SAMPLES || before.1 <= 0.0 || most <= 0.0 {
            continue;
        }
        let factor = (least / before.1).max(before.0 / most);
        if factor >= UNIT_FACTOR {
            return Some(Flaw::UnitChanged { sample: i + 1, factor });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const AXIS: Axis = Axis { start: Timestamp(0), step_seconds: 300 };

    fn hourly(values: &[f64]) -> Vec<(Timestamp, f64)> {
        let at = |i: usize| Timestamp(i as i64 * 3_600_000_000);
        values.iter().enumerate().map(|(i, &value)| (at(i), value)).collect()
    }

    #[test]
    fn a_value_holds_until_the_next_and_not_for_ever() {
        let mut samples = hourly(&[1.0, 2.0, 3.0, 4.0]);
        samples.push((Timestamp(20 * 3_600_000_000), 9.0));
        let feed = Regressor::new(AXIS, Known::Ahead, &samples).expect("sound");
        assert_eq!([feed.at(0), feed.at(11), feed.at(12)], [1.0, 1.0, 2.0]);
        assert_eq!(feed.at(3 * 12 + 36), 4.0);
        assert!(feed.at(3 * 12 + 37).is_nan(), "three intervals later it is not known");
        assert!(feed.at(-1).is_nan());
        assert_eq!(feed.at(20 * 12), 9.0);
    }

    #[test]
    fn what_is_known_ahead_is_that_of_the_target_and_what_is_late_that_of_before_the_origin() {
        let samples = hourly(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let ahead = Regressor::new(AXIS, Known::Ahead, &samples).expect("sound");
        let way = (11.0 + 24.0 + 3.0) / 24.0;
        let row = ahead.row(0, 24);
        assert_eq!([row[0], row[2], row[3]], [3.0, way, 1.0]);
        assert_eq!(ahead.row(12, 36)[1], (11.0 * 2.0 + 12.0 * 3.0 + 12.0 * 4.0 + 5.0) / 36.0);
        let late = Regressor::new(AXIS, Known::Late(3600), &samples).expect("sound");
        for k in [1, 12, 36] {
            assert_eq!(late.row(4 * 12, k)[..2], [4.0, 3.0], "whatever the target");
        }
    }

    #[test]
    fn numbers_that_are_none_are_gaps() {
        let mut samples = hourly(&[1.0, f64::NAN, f64::INFINITY, 4.0]);
        samples.reverse();
        let feed = Regressor::new(AXIS, Known::Ahead, &samples).expect("sound");
        assert_eq!(feed.at(12), 1.0, "the last known value holds");
        let none = Regressor::new(AXIS, Known::Ahead, &hourly(&[f64::NAN]));
        assert_eq!(none.expect_err("nothing there"), Flaw::Empty);
    }

    #[test]
    fn another_unit_midway_is_named_and_a_busy_series_is_not_taken_for_one() {
        let value = |i: u32| 40.0 + f64::from(i * 7 % 11);
        let changed: Vec<f64> =
            (0..60).map(|i| if i < 30 { value(i) } else { value(i) * 1024.0 }).collect();
        let flaw = Regressor::new(AXIS, Known::Ahead, &hourly(&changed)).expect_err("changed");
        assert!(matches!(flaw, Flaw::UnitChanged { sample: 30, factor } if factor > 800.0));
        let busy: Vec<f64> =
            (0..60).map(|i| if i % 9 == 0 { 0.0 } else { f64::from(1 << (i % 12)) }).collect();
        assert!(Regressor::new(AXIS, Known::Ahead, &hourly(&busy)).is_ok());
    }

    #[test]
    fn two_samples_a_century_apart_are_bounded() {
        let year = 31_557_600_000_000;
        let samples = [(Timestamp(0), 1.0), (Timestamp(100 * year), 2.0)];
        let feed = Regressor::new(AXIS, Known::Ahead, &samples).expect("sound");
        assert!(feed.values.len() <= STEPS_MAX);
        assert_eq!(feed.values.last(), Some(&2.0));
    }
}
