//! What scores from many starts say, and how sure it is.
//!
//! Starts that lie close meet the same weather and are one observation, not many. So differences
//! are resampled by blocks: disjoint windows of time, each at least as long as a run may take, are
//! drawn with replacement (block bootstrap; Künsch, Annals of Statistics 17(3), 1989, with blocks
//! that do not overlap). With few windows an interval is wide or there is none, and that is so.

use spec::{Duration, Timestamp};

use crate::chance::{Purpose, Stream};

/// The middle and the ends of what was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Half of them are less.
    pub median: f64,
    /// One in twenty is less.
    pub low: f64,
    /// One in twenty is more.
    pub high: f64,
}

/// How one policy differs from another from the same starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The mean of the differences.
    pub mean: f64,
    /// In which the mean lies with 95 %; none with fewer than two windows.
    pub interval: Option<(f64, f64)>,
}

/// By start: the number of its window. Windows are disjoint and `length` long.
#[must_use]
pub fn windows(starts: &[Timestamp], length: Duration) -> Vec<u64> {
    let length = length.0.max(1);
    starts.iter().map(|start| start.0.unsigned_abs() / length).collect()
}

/// How many windows have a start in them.
#[must_use]
pub fn n_windows(windows: &[u64]) -> usize {
    let mut all = windows.to_vec();
    all.sort_unstable();
    all.dedup();
    all.len()
}

/// The middle and the ends; nothing is no spread, and is 0.
#[must_use]
pub fn spread(values: impl IntoIterator<Item = f64>) -> Spread {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    Spread {
        median: quantile(&values, 0.5),
        low: quantile(&values, 0.05),
        high: quantile(&values, 0.95),
    }
}

/// Between the two values that are nearest, in proportion.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = share * last as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (at - below as f64) * (sorted[above] - sorted[below])
}

const RESAMPLES: usize = 2_000;

/// The mean of paired differences, and where it lies.
#[must_use]
pub fn difference(differences: &[f64], windows: &[u64], seed: u64) -> Difference {
    let mean = differences.iter().sum::<f64>() / differences.len().max(1) as f64;
    let mut numbers = windows.to_vec();
    numbers.sort_unstable();
    numbers.dedup();
    // By window: the sum of its differences, and how many there are.
    let mut blocks = vec![(0.0, 0_usize); numbers.len()];
    for (value, window) in differences.iter().zip(windows) {
        let block = numbers.partition_point(|number| number < window);
        blocks[block].0 += value;
        blocks[block].1 += 1;
    }
    if blocks.len() < 2 {
        return Difference { mean, interval: None };
    }
    let mut stream = Stream::new(seed, Purpose::Case, 2);
    let mut resample = || {
        let (mut sum, mut n) = (0.0, 0);
        for _ in 0..blocks.len() {
            let (of_block, in_block) = stream.pick(&blocks);
            sum += of_block;
            n += in_block;
        }
        sum / n.max(1) as f64
    };
    let mut means: Vec<f64> = (0..RESAMPLES).map(|_| resample()).collect();
    means.sort_by(f64::total_cmp);
    Difference { mean, interval: Some((quantile(&means, 0.025), quantile(&means, 0.975))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_their_neighbours() {
        let seen = spread([4.0, 1.0, 2.0, 3.0, 5.0]);
        assert_eq!((seen.median, seen.low), (3.0, 1.2));
        assert_eq!(spread([]).median, 0.0);
    }

    #[test]
    fn starts_in_one_window_are_one_observation() {
        let hours = |h: u64| Timestamp((h * 3_600_000_000) as i64);
        let starts = [0, 1, 2, 30, 31].map(hours);
        let windows = windows(&starts, Duration::from_secs(24 * 3_600));
        assert_eq!(n_windows(&windows), 2);
        let certain = difference(&[1.0; 5], &windows, 1);
        assert_eq!(certain, Difference { mean: 1.0, interval: Some((1.0, 1.0)) });
        assert_eq!(difference(&[1.0, 3.0], &[7, 7], 1).interval, None);
    }

    #[test]
    fn correlated_starts_make_an_interval_no_narrower() {
        // Four windows of opposite sign; a hundred starts in each are no hundred observations.
        let windows: Vec<u64> = (0..400).map(|i| i / 100).collect();
        let values: Vec<f64> =
            windows.iter().map(|w| if w % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let Some((low, high)) = difference(&values, &windows, 3).interval else { panic!() };
        assert!(low < -0.4 && high > 0.4, "{low} to {high}");
    }
}
