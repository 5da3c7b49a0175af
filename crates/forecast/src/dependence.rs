//! How zones fare together, beyond what each one's own state says.
//!
//! Knows what states were and what forecasts had said of them, nothing of how these were made. Two
//! zones were up and down at the same times for two reasons: what a forecast of each knows (their
//! states, the time of day), and what it does not. A sampled future must add only the second, or it
//! would count the first twice: over many origins, the covariance of states in futures is that of
//! forecasts plus, in the mean, that within an origin (the law of total covariance). So what is asked
//! of futures is what the covariance that states had leaves after that of forecasts. Were forecasts
//! perfect, this would be the covariance of their errors; where they exaggerate or lag, errors also
//! go with forecasts, and only the difference makes futures as correlated as history was.
//!
//! Where forecasts are sure, states can hardly go together, whatever is asked (Fréchet, 1951): what
//! cannot be had there is asked of the other origins.

/// From here on zones are as correlated as they get, and horizons are taken together.
pub const LATE_MINUTES: u32 = 180;
/// Moments below which correlations are drawn to 0 by half: those of half a day.
const HALF_KNOWN: f64 = 48.0;
/// How near futures come to what states can at most do together.
pub(crate) const REACHED: f64 = 0.9;
/// Halvings after which a correlation is exact to a thousandth.
const BISECTIONS: usize = 12;
/// Forecasts that leave less open than this, in the mean, leave nothing to go together.
const OPEN_LEAST: f64 = 1e-4;

/// What was said of every zone so many minutes ahead, and what came, by zone and by origin; NaN where
/// that is not known.
#[derive(Clone, Debug)]
pub struct Said {
    /// How far ahead.
    pub minutes: u32,
    /// The probability to be up.
    pub said: Vec<Vec<f32>>,
    /// 1 where it was up then, 0 where it was down.
    pub came: Vec<Vec<f32>>,
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
        let mut late: Vec<f64> =
            late.into_iter().map(|r| if r.is_finite() { r } else { 0.0 }).collect();
        late.resize(n * n, 0.0);
        Self { n, late, early: Vec::new() }
    }

    /// As it was said and came, in ascending order of horizons; for `n` zones.
    #[must_use]
    pub fn of(said: &[Said], n: usize) -> Self {
        let is_late = said.partition_point(|horizon| horizon.minutes < LATE_MINUTES);
        let (early, late) = said.split_at(is_late);
        let mut late = left_open(if late.is_empty() { early } else { late }, n);
        (0..n).for_each(|z| late[z * n + z] = 1.0);
        let share = |horizon: &Said| {
            (horizon.minutes, share(&left_open(std::slice::from_ref(horizon), n), &late, n))
        };
        let early = early.iter().map(share).collect();
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

/// Of all pairs of zones.
fn pairs(n: usize, mut of: impl FnMut(usize, usize) -> f64) -> Vec<f64> {
    let mut found = vec![0.0; n * n];
    for a in 0..n {
        for b in 0..a {
            let r = of(a, b);
            (found[a * n + b], found[b * n + a]) = (r, r);
        }
    }
    found
}

/// What correlation of what is left open gives states the correlation that they had, once that of
/// forecasts is there; drawn to 0 as far as little is known.
fn left_open(horizons: &[Said], n: usize) -> Vec<f64> {
    let weights = weights(horizons);
    let known = |zones: &[Vec<f32>], z: usize| zones.get(z).map_or(0, Vec::len);
    pairs(n, |a, b| {
        let each = horizons.iter().flat_map(|horizon| {
            [a, b].map(|z| known(&horizon.said, z).min(known(&horizon.came, z)))
        });
        let mut moments = Moments::default();
        for origin in 0..each.min().unwrap_or(0) {
            moments.add(horizons.iter().zip(&weights).map(|(horizon, &weight)| {
                let of = |zones: &[Vec<f32>]| [a, b].map(|z| f64::from(zones[z][origin]));
                (weight, of(&horizon.said), of(&horizon.came))
            }));
        }
        moments.left_open()
    })
}

/// What part of the time each horizon stands for, as those around it lie; they sum to 1.
fn weights(horizons: &[Said]) -> Vec<f64> {
    let at = |i: usize| f64::from(horizons[i].minutes);
    let last = horizons.len().saturating_sub(1);
    let part = |i: usize| (at((i + 1).min(last)) - at(i.saturating_sub(1))).max(1.0);
    let parts: Vec<f64> = (0..horizons.len()).map(part).collect();
    let all: f64 = parts.iter().sum();
    parts.into_iter().map(|part| part / all).collect()
}

/// Sums for a covariance.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    each: [f64; 2],
    both: f64,
}

impl Pair {
    fn add(&mut self, weight: f64, [a, b]: [f64; 2]) {
        self.each[0] += weight * a;
        self.each[1] += weight * b;
        self.both += weight * a * b;
    }

    /// The covariance, and the spread that states with these means have.
    fn of(&self, weight: f64) -> (f64, f64) {
        let [a, b] = self.each.map(|sum| sum / weight);
        (self.both / weight - a * b, (a * (1.0 - a) * b * (1.0 - b)).max(0.0).sqrt())
    }
}

/// Of two zones, over all origins and horizons.
#[derive(Clone, Debug, Default)]
struct Moments {
    weight: f64,
    said: Pair,
    came: Pair,
    open: Vec<Open>,
}

/// What forecasts of two zones leave open at an origin.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// The geometric mean of both variances.
    spread: f64,
    /// The least and the most that states can vary together.
    bounds: [f64; 2],
}

/// The least and the most covariance of two states with these probabilities (Fréchet).
pub(crate) fn bounds(a: f64, b: f64) -> [f64; 2] {
    [(a + b - 1.0).max(0.0) - a * b, a.min(b) - a * b]
}

impl Moments {
    /// All horizons of an origin: how much each weighs, what was said and what came.
    fn add(&mut self, horizons: impl Iterator<Item = (f64, [f64; 2], [f64; 2])>) {
        let (mut own, mut limits, mut weight) = ([0.0; 2], [0.0; 2], 0.0);
        for (w, said, came) in horizons {
            if (said[0] + said[1] + came[0] + came[1]).is_nan() {
                continue;
            }
            weight += w;
            self.said.add(w, said);
            self.came.add(w, came);
            let bounds = bounds(said[0], said[1]);
            for i in 0..2 {
                own[i] += w * said[i] * (1.0 - said[i]);
                limits[i] += w * bounds[i];
            }
        }
        self.weight += weight;
        if weight > 0.0 {
            let spread = (own[0] * own[1]).max(0.0).sqrt();
            self.open.push(Open { spread, bounds: limits });
        }
    }

    fn left_open(&self) -> f64 {
        let open: f64 = self.open.iter().map(|open| open.spread).sum();
        let (had, spread) = self.came.of(self.weight);
        if open <= OPEN_LEAST * self.weight || self.weight <= 0.0 || spread <= 1e-9 {
            return 0.0;
        }
        // States of which forecasts are the means spread as these say, not as those that came did.
        let (of_forecasts, expected) = self.said.of(self.weight);
        let wanted = (had / spread * expected - of_forecasts) * self.weight;
        let origins = self.open.len() as f64;
        self.reaching(wanted) * origins / (origins + HALF_KNOWN)
    }

    /// The correlation with which, over all origins, this covariance is reached, or as near as can be.
    fn reaching(&self, wanted: f64) -> f64 {
        let reached = |r: f64| {
            let each = self.open.iter().map(|open| {
                (r * open.spread).clamp(REACHED * open.bounds[0], REACHED * open.bounds[1])
            });
            each.sum::<f64>()
        };
        let (mut low, mut high) = (-1.0, 1.0);
        for _ in 0..BISECTIONS {
            let middle = 0.5 * (low + high);
            if reached(middle) < wanted { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Stream;

    /// Of two zones under one load that forecasts do not know, and one that is alone. Forecasts know a
    /// level of the first two, and say `exaggerated` times as much of it.
    fn regional(minutes: u32, load: f32, exaggerated: f32) -> Said {
        let mut stream = Stream::new(u64::from(minutes));
        let (mut said, mut came) = (vec![Vec::new(); 3], vec![Vec::new(); 3]);
        for _ in 0..20_000 {
            let mut dice = || stream.uniform() as f32;
            let level = 0.3 * (dice() - 0.5);
            let is_common = dice() < load;
            let common = dice();
            for z in 0..3 {
                let p = if z < 2 { 0.5 + level } else { 0.5 };
                let own = dice();
                let luck = if z < 2 && is_common { common } else { own };
                came[z].push(f32::from(u8::from(luck < p)));
                said[z].push(if z < 2 { 0.5 + exaggerated * level } else { 0.5 });
            }
        }
        Said { minutes, said, came }
    }

    #[test]
    fn zones_under_one_load_are_found_and_one_that_is_alone_is_left_alone() {
        let found = Dependence::of(&[regional(15, 0.1, 1.0), regional(360, 0.5, 1.0)], 3);
        // The load is there at half of the moments, for both.
        assert!((found.between(0, 1) - 0.5).abs() < 0.03, "{}", found.between(0, 1));
        assert!(found.between(0, 2).abs() < 0.03, "{}", found.between(0, 2));
        assert!(found.share_at(15) < 0.3 && found.share_at(15) < found.share_at(120));
        assert!((found.share_at(600) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_forecasts_exaggerate_in_common_is_not_asked_of_futures_again() {
        let at = |exaggerated| Dependence::of(&[regional(360, 0.3, exaggerated)], 3).between(0, 1);
        let (honest, loud, silent) = (at(1.0), at(2.0), at(0.0));
        // Of a variance of 0.25, 0.0075 is known; said twice as loud it is four times as much.
        assert!((honest - 0.3).abs() < 0.03 && (loud - 0.22).abs() < 0.03, "{honest} {loud}");
        assert!((silent - 0.32).abs() < 0.03, "{silent}");
    }

    #[test]
    fn what_is_not_known_or_never_surprised_has_no_correlation() {
        let zones = |three: [f32; 3]| three.map(|x| vec![x; 600]).to_vec();
        let said = zones([1.0, 0.5, f32::NAN]);
        let found = Dependence::of(&[Said { minutes: 360, said, came: zones([1.0; 3]) }], 3);
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            assert_eq!(found.between(a, b), 0.0);
        }
        assert_eq!(Dependence::of(&[], 2), Dependence::none(2));
    }

    #[test]
    fn little_that_is_known_says_little() {
        let said = vec![vec![0.5; 4]; 2];
        let came = vec![vec![1.0, 0.0, 1.0, 0.0]; 2];
        assert!(Dependence::of(&[Said { minutes: 360, said, came }], 2).between(0, 1) < 0.1);
    }
}
