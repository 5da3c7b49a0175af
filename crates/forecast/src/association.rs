//! How amounts go together and how long they last, beyond what forecasts say of each.
//!
//! Knows where outcomes fell in what had been said of them: as ranks, which no unit or season is in,
//! because forecasts know these. Ranks of two series at the same origins and horizon show whether
//! what one forecast missed, the other missed too; ranks of one series at two horizons from the same
//! origin, how long a miss lasts. Both are read as correlations of normal variables (a Gaussian
//! copula), from those of ranks (Pearson, 1907).

/// The least horizon by which series are compared, where there is one that far.
const COMPARED_MINUTES: u32 = 60;
/// Independent origins at which a correlation between series is drawn to 0 by half.
const HALF_KNOWN: f64 = 4.0;
/// Independent origins at which what lasts of a series is drawn to that of all by half.
const HALF_OWN: f64 = 10.0;
/// What lasts over an hour where nothing is known of it.
const LASTING: f64 = 0.8;
/// The most that lasts from one horizon to the next.
const LASTING_MOST: f64 = 0.995;

/// Where outcomes fell in what had been said of them so many minutes ahead.
#[derive(Clone, Debug)]
pub struct Outcomes {
    /// How far ahead.
    pub minutes: u32,
    /// Which origin is the first.
    pub first: usize,
    /// What of an origin does not repeat the one before.
    pub news: f64,
    /// By series, by origin from the first: the rank from 0 to 1, NaN where it is not known.
    pub ranks: Vec<Vec<f32>>,
}

/// What outcomes of several series show.
#[derive(Clone, Debug, PartialEq)]
pub struct Association {
    n: usize,
    between: Vec<f64>,
    stretches: Vec<Stretch>,
}

/// From one horizon to the next.
#[derive(Clone, Debug, PartialEq)]
struct Stretch {
    from: u32,
    to: u32,
    /// By series: the correlation of a miss at one and at the other.
    lasting: Vec<f64>,
}

impl Association {
    /// Of `n` series that have nothing to do with each other.
    #[must_use]
    pub fn none(n: usize) -> Self {
        let between = (0..n * n).map(|k| f64::from(u8::from(k / n == k % n))).collect();
        Self { n, between, stretches: Vec::new() }
    }

    /// As outcomes of `n` series have it, in ascending order of horizons.
    #[must_use]
    pub fn of(outcomes: &[Outcomes], n: usize) -> Self {
        let far = |outcomes: &&Outcomes| outcomes.minutes >= COMPARED_MINUTES;
        let compared: Vec<&Outcomes> = if outcomes.iter().any(|o| far(&o)) {
            outcomes.iter().filter(far).collect()
        } else {
            outcomes.iter().collect()
        };
        let mut found = Self::none(n);
        for i in 0..n {
            for j in 0..i {
                let mut sum = Weighted::default();
                for horizon in &compared {
                    let ranks = |i: usize| horizon.ranks.get(i).map_or(&[][..], Vec::as_slice);
                    sum.add(correlation(ranks(i), ranks(j)), horizon.news);
                }
                let r = normal(sum.mean_drawn_to(0.0, HALF_KNOWN));
                (found.between[i * n + j], found.between[j * n + i]) = (r, r);
            }
        }
        found.stretches = outcomes.windows(2).map(|pair| stretch(&pair[0], &pair[1], n)).collect();
        found
    }

    /// How many series.
    #[must_use]
    pub fn series(&self) -> usize {
        self.n
    }

    /// The correlation between what forecasts of two series miss.
    #[must_use]
    pub fn between(&self, i: usize, j: usize) -> f64 {
        self.between[i * self.n + j]
    }

    /// The correlation of what the forecast of a series misses so many minutes ahead with what it
    /// misses later.
    #[must_use]
    pub fn lasting(&self, i: usize, from: u32, to: u32) -> f64 {
        let Some((first, last)) = self.stretches.first().zip(self.stretches.last()) else {
            return LASTING.powf(f64::from(to.saturating_sub(from)) / 60.0);
        };
        let each = self.stretches.iter().map(|stretch| {
            // The outermost hold on.
            let least = if stretch.from == first.from { 0 } else { stretch.from };
            let most = if stretch.to == last.to { u32::MAX } else { stretch.to };
            let common = to.min(most).saturating_sub(from.max(least));
            let share = f64::from(common) / f64::from((stretch.to - stretch.from).max(1));
            if common == 0 { 1.0 } else { stretch.lasting[i].powf(share) }
        });
        each.product()
    }
}

/// What lasts of each series, drawn to that of all.
fn stretch(near: &Outcomes, far: &Outcomes, n: usize) -> Stretch {
    let first = near.first.max(far.first);
    let of = |outcomes: &Outcomes, i: usize| -> Vec<f32> {
        let ranks = outcomes.ranks.get(i).map_or(&[][..], Vec::as_slice);
        ranks.iter().skip(first - outcomes.first).copied().collect()
    };
    let mut all = Weighted::default();
    let each: Vec<Weighted> = (0..n)
        .map(|i| {
            let mut own = Weighted::default();
            let found = correlation(&of(near, i), &of(far, i));
            own.add(found, far.news);
            all.add(found, far.news);
            own
        })
        .collect();
    let hours = f64::from(far.minutes.saturating_sub(near.minutes)) / 60.0;
    let common = all.mean_drawn_to(LASTING.powf(hours), HALF_OWN);
    let lasting = each.iter().map(|own| {
        let drawn = own.mean_drawn_to(common, HALF_OWN);
        normal(drawn).clamp(0.0, LASTING_MOST)
    });
    Stretch { from: near.minutes, to: far.minutes, lasting: lasting.collect() }
}

/// Correlations, each weighed by the independent origins that it is of.
#[derive(Clone, Copy, Debug, Default)]
struct Weighted {
    sum: f64,
    origins: f64,
}

impl Weighted {
    /// A correlation and the number of origins that it is of.
    fn add(&mut self, (r, origins): (f64, f64), news: f64) {
        self.sum += r * origins * news;
        self.origins += origins * news;
    }

    fn mean_drawn_to(&self, prior: f64, half_known: f64) -> f64 {
        (self.sum + half_known * prior) / (self.origins + half_known)
    }
}

/// The correlation of normal variables whose ranks have this one.
fn normal(of_ranks: f64) -> f64 {
    2.0 * (std::f64::consts::PI / 6.0 * of_ranks.clamp(-1.0, 1.0)).sin()
}

/// Over the origins known to both, and how many these are; 0 where one does not vary.
fn correlation(a: &[f32], b: &[f32]) -> (f64, f64) {
    let [mut aa, mut bb, mut ab, mut sa, mut sb, mut n] = [0.0_f64; 6];
    for (&a, &b) in a.iter().zip(b).filter(|(a, b)| !(**a + **b).is_nan()) {
        let (a, b) = (f64::from(a) - 0.5, f64::from(b) - 0.5);
        (aa, bb, ab) = (aa + a * a, bb + b * b, ab + a * b);
        (sa, sb, n) = (sa + a, sb + b, n + 1.0);
    }
    let spread = ((n * aa - sa * sa) * (n * bb - sb * sb)).max(0.0).sqrt();
    (if spread > 1e-9 { ((n * ab - sa * sb) / spread).clamp(-1.0, 1.0) } else { 0.0 }, n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Stream;

    fn outcomes(minutes: u32, ranks: Vec<Vec<f32>>) -> Outcomes {
        Outcomes { minutes, first: 3, news: 0.5, ranks }
    }

    #[test]
    fn series_that_are_missed_together_and_misses_that_last_are_found() {
        let mut stream = Stream::new(1);
        let mut dice = || stream.uniform() as f32;
        let (mut near, mut far) = (vec![Vec::new(); 3], vec![Vec::new(); 3]);
        for _ in 0..4000 {
            let (common, own) = (dice(), [dice(), dice(), dice()]);
            let is_common = dice() < 0.5;
            for z in 0..3 {
                let rank = if z < 2 && is_common { common } else { own[z] };
                near[z].push(rank);
                far[z].push(if dice() < 0.3 { rank } else { dice() });
            }
        }
        let found = Association::of(&[outcomes(60, near), outcomes(180, far)], 3);
        // Ranks agree half of the time near, and half of a tenth far.
        let wanted = normal(0.5 * (0.5 + 0.5 * 0.09));
        assert!((found.between(0, 1) - wanted).abs() < 0.04, "{}", found.between(0, 1));
        assert!(found.between(0, 2).abs() < 0.04, "{}", found.between(0, 2));
        let lasting = found.lasting(0, 60, 180);
        assert!((lasting - normal(0.3)).abs() < 0.04, "{lasting}");
        let halves = found.lasting(0, 60, 120) * found.lasting(0, 120, 180);
        assert!((halves - lasting).abs() < 1e-9);
        assert!(found.lasting(0, 600, 1200) < lasting, "the last stretch holds on");
    }

    #[test]
    fn what_is_not_known_goes_with_nothing_and_lasts_some_hours() {
        let none = Association::of(&[], 2);
        assert_eq!(none, Association::none(2));
        assert!((none.lasting(1, 60, 120) - 0.8).abs() < 1e-9);
        let unknown = vec![vec![f32::NAN; 50]; 2];
        let found = Association::of(&[outcomes(60, unknown.clone()), outcomes(120, unknown)], 2);
        assert_eq!(found.between(0, 1), 0.0);
        assert!((found.lasting(0, 60, 120) - normal(0.8)).abs() < 1e-9);
    }
}
