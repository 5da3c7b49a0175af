//! Samples as they came, put in order: numbers only, times that can be, each moment once.
//!
//! Knows times and values; does not know what they measure. Takes samples in the order in which
//! they arrived, for that tells a clock that was set back from samples that came late.

use spec::Timestamp;

use crate::recording::{Flaw, Sample};

/// 2200-01-01, in microseconds: no clock means a time beyond.
const LATEST: i64 = 7_258_118_400_000_000;

/// A step back by more than so many usual intervals is the clock's, not a sample's that came late.
const JUMP_INTERVALS: i64 = 10;

/// Samples in order of time, each moment once, and what was wrong with them.
#[must_use]
pub fn tidy(samples: &[Sample]) -> (Vec<Sample>, Vec<Flaw>) {
    let mut flaws = Vec::new();
    let numbers: Vec<Sample> = samples.iter().filter(|s| s.value.is_finite()).copied().collect();
    let count = samples.len() - numbers.len();
    flaws.extend((count > 0).then_some(Flaw::NotANumber { count }));
    let mut kept: Vec<Sample> =
        numbers.iter().filter(|s| (0..=LATEST).contains(&s.at.0)).copied().collect();
    if newest_first(&kept) {
        kept.reverse();
    }
    let far = JUMP_INTERVALS * usual_interval(&kept);
    drop_excursions(&mut kept, far);
    let count = numbers.len() - kept.len();
    flaws.extend((count > 0).then_some(Flaw::BadTime { count }));
    flaws.extend(order_flaws(&kept, far));
    kept.sort_by_key(|sample| sample.at);
    flaws.extend(once_each(&mut kept));
    (kept, flaws)
}

/// Leaves out what lies outside these bounds.
pub fn bound(samples: &mut Vec<Sample>, min: f64, max: f64) -> Option<Flaw> {
    // Shares are quotients of measurements; one a hair above 1 is 1.
    let slack = if max.is_finite() { max * 0.005 } else { 0.0 };
    let before = samples.len();
    samples.retain(|sample| (min..=max + slack).contains(&sample.value));
    samples.iter_mut().for_each(|sample| sample.value = sample.value.min(max));
    let count = before - samples.len();
    (count > 0).then_some(Flaw::OutOfRange { count })
}

/// The median time from one sample to the next, in microseconds; 0 where there are no two.
#[must_use]
pub fn usual_interval(samples: &[Sample]) -> i64 {
    let mut gaps: Vec<i64> = samples
        .windows(2)
        .map(|pair| (pair[1].at.0 - pair[0].at.0).abs())
        .filter(|gap| *gap > 0)
        .collect();
    if gaps.is_empty() {
        return 0;
    }
    let middle = gaps.len() / 2;
    *gaps.select_nth_unstable(middle).1
}

fn newest_first(samples: &[Sample]) -> bool {
    let falls = samples.windows(2).filter(|pair| pair[1].at < pair[0].at).count();
    falls > samples.len() / 2
}

/// Leaves out single samples whose time is far from that of both neighbours, which fit each other.
fn drop_excursions(samples: &mut Vec<Sample>, far: i64) {
    if far == 0 || samples.len() < 3 {
        return;
    }
    let at = |i: usize| samples[i].at.0;
    let is_off = |i: usize| {
        let (before, after) = (at(i - 1), at(i + 1));
        let is_outside = at(i) > before.max(after) || at(i) < before.min(after);
        let distance = (at(i) - before).abs().min((at(i) - after).abs());
        is_outside && distance > far && before <= after && after - before <= far
    };
    let keep: Vec<bool> =
        (0..samples.len()).map(|i| i == 0 || i + 1 == samples.len() || !is_off(i)).collect();
    let mut kept = keep.iter();
    samples.retain(|_| kept.next().copied().unwrap_or(true));
}

fn order_flaws(samples: &[Sample], far: i64) -> Vec<Flaw> {
    let (mut late, mut jumps) = (0, 0);
    let mut latest = Timestamp(i64::MIN);
    for pair in samples.windows(2) {
        latest = latest.max(pair[0].at);
        late += usize::from(pair[1].at < latest);
        jumps += usize::from(pair[0].at.0 - pair[1].at.0 > far);
    }
    let mut flaws = Vec::new();
    flaws.extend((jumps > 0).then_some(Flaw::ClockJump { count: jumps }));
    flaws.extend((late > 0).then_some(Flaw::OutOfOrder { count: late }));
    flaws
}

/// Takes of samples of one moment the one that came last.
fn once_each(samples: &mut Vec<Sample>) -> Vec<Flaw> {
    let (mut twice, mut conflicts) = (0, 0);
    let mut once: Vec<Sample> = Vec::with_capacity(samples.len());
    for sample in samples.drain(..) {
        match once.last_mut() {
            Some(last) if last.at == sample.at => {
                let is_same = last.value.eq(&sample.value);
                twice += usize::from(is_same);
                conflicts += usize::from(!is_same);
                *last = sample;
            }
            _ => once.push(sample),
        }
    }
    *samples = once;
    let mut flaws = Vec::new();
    flaws.extend((twice > 0).then_some(Flaw::Duplicates { count: twice }));
    flaws.extend((conflicts > 0).then_some(Flaw::Conflicts { count: conflicts }));
    flaws
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64, value: f64) -> Sample {
        Sample { at: Timestamp(seconds * 1_000_000), value }
    }

    fn times(samples: &[Sample]) -> Vec<i64> {
        samples.iter().map(|sample| sample.at.0 / 1_000_000).collect()
    }

    #[test]
    fn what_is_no_number_and_what_is_no_time_is_left_out() {
        let samples = [at(1, f64::NAN), at(2, f64::INFINITY), at(-5, 1.0), at(3, 7.0)];
        let (kept, flaws) = tidy(&samples);
        assert_eq!(kept, [at(3, 7.0)]);
        assert_eq!(flaws, [Flaw::NotANumber { count: 2 }, Flaw::BadTime { count: 1 }]);
    }

    #[test]
    fn of_several_values_for_one_moment_the_last_to_come_counts() {
        let (kept, flaws) = tidy(&[at(1, 1.0), at(2, 2.0), at(2, 2.0), at(3, 3.0), at(3, 4.0)]);
        assert_eq!(kept, [at(1, 1.0), at(2, 2.0), at(3, 4.0)]);
        assert_eq!(flaws, [Flaw::Duplicates { count: 1 }, Flaw::Conflicts { count: 1 }]);
    }

    #[test]
    fn a_late_sample_is_put_in_order_and_a_clock_that_was_set_back_is_told_apart() {
        let (kept, flaws) = tidy(&[at(10, 1.0), at(30, 1.0), at(20, 1.0), at(40, 1.0)]);
        assert_eq!(times(&kept), [10, 20, 30, 40]);
        assert_eq!(flaws, [Flaw::OutOfOrder { count: 1 }]);
        let clock = (0..50).chain(20..60).map(|i| at(i * 10, 1.0));
        let (_, flaws) = tidy(&clock.collect::<Vec<_>>());
        assert_eq!(flaws[0], Flaw::ClockJump { count: 1 });
    }

    #[test]
    fn a_single_stamp_from_which_the_clock_came_back_is_left_out() {
        let mut samples: Vec<Sample> = (1..40).map(|i| at(1_700_000_000 + i * 10, 1.0)).collect();
        samples[7].at = Timestamp(0);
        samples[20].at = Timestamp(4_000_000_000_000_000);
        let (kept, flaws) = tidy(&samples);
        assert_eq!(kept.len(), 37);
        assert_eq!(flaws, [Flaw::BadTime { count: 2 }]);
    }

    #[test]
    fn newest_first_is_an_order_like_another() {
        let samples: Vec<Sample> = (0..9).rev().map(|i| at(i, i as f64)).collect();
        let (kept, flaws) = tidy(&samples);
        assert_eq!(times(&kept), (0..9).collect::<Vec<_>>());
        assert!(flaws.is_empty());
    }

    #[test]
    fn a_share_a_hair_above_one_is_one() {
        let mut samples = vec![at(1, 1.002), at(2, 1.1), at(3, 0.4)];
        assert_eq!(bound(&mut samples, 0.0, 1.0), Some(Flaw::OutOfRange { count: 1 }));
        assert_eq!(samples, [at(1, 1.0), at(3, 0.4)]);
    }
}
