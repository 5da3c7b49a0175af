//! How zones fare together, beyond what each one's own state says.
//!
//! Knows what forecasts left open, nothing of how they were made. Two zones were up and down at
//! the same times for two reasons: what a forecast of each knows (their states, the time of day),
//! and what it does not. A sampled future must add only the second, or it would count the first
//! twice: over many origins, the covariance of states is that of forecasts plus that of what
//! forecasts left open (the law of total covariance). So what counts here is the correlation of
//! residuals: of what came, less what had been said before it came.

/// From here on zones are as correlated as they get, and horizons are taken together.
pub const LATE_MINUTES: u32 = 180;
/// Residuals below which correlations are drawn to 0 by half: those of half a day.
const HALF_KNOWN: f64 = 48.0;

/// What forecasts of every zone left open so many minutes ahead, at the same times; NaN where it is
/// not known.
#[derive(Clone, Debug)]
pub struct Residuals {
    /// How far ahead.
    pub minutes: u32,
    /// By zone, by time.
    pub zones: Vec<Vec<f32>>,
}

/// Correlations between zones.
#[derive(Clone, Debug, PartialEq)]
pub struct Dependence {
    n: usize,
    late: Vec<f64>,
    early: Vec<(u32, f64)>,
}

impl Dependence {
    /// Of zones that have nothing to do with each other.
    #[must_use]
    pub fn none(n: usize) -> Self {
        let late = (0..n * n).map(|k| f64::from(u8::from(k / n == k % n))).collect();
        Self { n, late, early: Vec::new() }
    }

    /// Of zones with these correlations, `n` rows of `n`, at every horizon.
    #[must_use]
    pub fn given(late: Vec<f64>, n: usize) -> Self {
        let mut late = late;
        late.resize(n * n, 0.0);
        Self { n, late, early: Vec::new() }
    }

    /// As residuals have it, in ascending order of horizons; for `n` zones.
    #[must_use]
    pub fn of(residuals: &[Residuals], n: usize) -> Self {
        let (mut late, mut counted) = (vec![0.0; n * n], 0.0);
        let mut shorter = Vec::new();
        for horizon in residuals {
            let found = correlations(&horizon.zones, n);
            if horizon.minutes < LATE_MINUTES {
                shorter.push((horizon.minutes, found));
            } else {
                late.iter_mut().zip(found).for_each(|(sum, r)| *sum += r);
                counted += 1.0;
            }
        }
        if counted > 0.0 {
            late.iter_mut().for_each(|sum| *sum /= counted);
        }
        (0..n).for_each(|z| late[z * n + z] = 1.0);
        let early = shorter.into_iter().map(|(minutes, found)| (minutes, share(&found, &late, n)));
        let early = early.collect();
        Self { n, late, early }
    }

    /// How many zones.
    #[must_use]
    pub fn zones(&self) -> usize {
        self.n
    }

    /// The correlation of what forecasts of two zones leave open, hours ahead.
    #[must_use]
    pub fn between(&self, a: usize, b: usize) -> f64 {
        self.late[a * self.n + b]
    }

    /// What share of that there is so many minutes ahead.
    #[must_use]
    pub fn share_at(&self, minutes: u32) -> f64 {
        let points = self.early.iter().copied().chain([(LATE_MINUTES, 1.0)]);
        let mut before = (0, None);
        for (at, share) in points {
            if minutes <= at {
                let from = before.1.unwrap_or(share);
                let part = f64::from(minutes - before.0) / f64::from((at - before.0).max(1));
                return from + (share - from) * part;
            }
            before = (at, Some(share));
        }
        1.0
    }
}

/// How large correlations are, by least squares, beside those hours ahead.
fn share(found: &[f64], late: &[f64], n: usize) -> f64 {
    let pairs = (0..n * n).filter(|k| k / n != k % n);
    let (both, own) = pairs
        .fold((0.0, 0.0), |(both, own), k| (both + found[k] * late[k], own + late[k] * late[k]));
    if own > 0.0 { (both / own).clamp(0.0, 1.0) } else { 1.0 }
}

/// Of all pairs, over what both know, drawn to 0 as far as that is little.
fn correlations(residuals: &[Vec<f32>], n: usize) -> Vec<f64> {
    let n_known = n.min(residuals.len());
    let mut found = vec![0.0; n * n];
    for i in 0..n_known {
        for j in 0..i {
            let r = correlation(&residuals[i], &residuals[j]);
            (found[i * n + j], found[j * n + i]) = (r, r);
        }
    }
    found
}

fn correlation(a: &[f32], b: &[f32]) -> f64 {
    let [mut aa, mut bb, mut ab, mut n] = [0.0_f64; 4];
    for (&a, &b) in a.iter().zip(b) {
        // The mean of residuals is 0, or else forecasts were wrong together, which counts.
        if (a * b).is_nan() {
            continue;
        }
        aa += f64::from(a * a);
        bb += f64::from(b * b);
        ab += f64::from(a * b);
        n += 1.0;
    }
    let spread = (aa * bb).sqrt();
    if spread > 1e-9 { ab / spread * n / (n + HALF_KNOWN) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Stream;

    /// Of two zones under one load and one that is alone; the load shows later.
    fn regional(minutes: u32, load: f32) -> Residuals {
        let mut stream = Stream::new(u64::from(minutes));
        let mut zones = vec![Vec::new(); 3];
        for _ in 0..4000 {
            let mut dice = || stream.uniform() as f32 - 0.5;
            let common = load * dice();
            zones[0].push(common + dice());
            zones[1].push(common + dice());
            zones[2].push(dice());
        }
        Residuals { minutes, zones }
    }

    #[test]
    fn zones_under_one_load_are_found_and_one_that_is_alone_is_left_alone() {
        let found = Dependence::of(&[regional(15, 0.3), regional(360, 1.0)], 3);
        assert!((found.between(0, 1) - 0.5).abs() < 0.05, "{}", found.between(0, 1));
        assert!(found.between(0, 2).abs() < 0.05, "{}", found.between(0, 2));
        assert!(found.share_at(15) < 0.3 && found.share_at(15) < found.share_at(120));
        assert!((found.share_at(600) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_not_known_or_never_surprised_has_no_correlation() {
        let zones = vec![vec![0.0; 600], vec![f32::NAN; 600], vec![0.5; 600]];
        let found = Dependence::of(&[Residuals { minutes: 360, zones }], 3);
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            assert_eq!(found.between(a, b), 0.0);
        }
        assert_eq!(Dependence::of(&[], 2), Dependence::none(2));
    }

    #[test]
    fn little_that_is_known_says_little() {
        let zones = vec![vec![0.5, -0.5, 0.25, -0.25]; 2];
        let found = Dependence::of(&[Residuals { minutes: 360, zones }], 2);
        assert!(found.between(0, 1) < 0.1);
    }
}
