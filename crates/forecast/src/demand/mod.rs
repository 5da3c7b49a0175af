//! What a task of some kind will take: how long, how much memory, how much it writes.
//!
//! Knows what earlier attempts took and how large their inputs were; answers with quantiles. Three
//! [`Relation`]s to the input's size compete: none, a power law and a line; one with size is used
//! only where it would have forecast the past better. What is left over is a mixture of the
//! residuals that were seen and of a wide prior, so that a single attempt never makes anybody sure.

mod relation;
mod replay;

pub use relation::Relation;
pub use replay::{Calibration, replay};

use relation::Fit;

/// Which amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantity {
    /// From start to exit, in seconds.
    Duration,
    /// Peak resident memory, in bytes.
    Memory,
    /// All declared outputs, in bytes.
    Output,
}

impl Quantity {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Duration, Self::Memory, Self::Output];

    /// Less than this is not told apart: a millisecond, 64 KiB, a KiB.
    #[must_use]
    pub fn least(self) -> f64 {
        match self {
            Self::Duration => 1e-3,
            Self::Memory => 65_536.0,
            Self::Output => 1_024.0,
        }
    }

    /// Where nothing at all is known.
    fn anything(self) -> f64 {
        match self {
            Self::Duration => 60.0,
            Self::Memory => f64::from(1 << 28),
            Self::Output => f64::from(1 << 20),
        }
    }
}

/// What one attempt took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// The size of all its inputs, in bytes; none where it is not known.
    pub input_bytes: Option<u64>,
    /// The amount.
    pub amount: f64,
}

/// What is believed before anything was seen: a lognormal around a centre.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prior {
    /// The median.
    pub centre: f64,
    /// The standard deviation of the logarithm.
    pub spread: f64,
}

/// Residuals are believed to lie within a factor of two, mostly, before they are seen.
const SPREAD_RESIDUAL: f64 = 0.7;
/// An author's estimate is within a factor of about three.
const SPREAD_ESTIMATED: f64 = 1.1;
/// Nothing known: within a factor of ten.
const SPREAD_ANYTHING: f64 = 2.3;

impl Prior {
    /// Of an author who has written an estimate down.
    #[must_use]
    pub fn estimated(centre: f64) -> Self {
        Self { centre, spread: SPREAD_ESTIMATED }
    }

    /// Of nobody.
    #[must_use]
    pub fn anything(quantity: Quantity) -> Self {
        Self { centre: quantity.anything(), spread: SPREAD_ANYTHING }
    }
}

/// What is believed of the spread counts as so many attempts.
const PRIOR_WEIGHT: f64 = 2.0;

/// Only so many attempts, the latest, are learned from: the world changes, and slopes between all
/// pairs are looked at.
pub const WINDOW: usize = 200;

/// How far a size beyond all that were seen widens what is forecast: a deviation of this exponent of
/// how many times it is beyond.
const STRETCH: f64 = 0.5;

/// What is known of one amount of one kind of task.
#[derive(Clone, Debug)]
pub struct Demand {
    quantity: Quantity,
    prior: Prior,
    by_size: Option<Residuals>,
    marginal: Residuals,
    /// Logarithms of the smallest and largest input seen.
    sizes: Option<(f64, f64)>,
}

/// A fit, and what it leaves over, as logarithms in order.
#[derive(Clone, Debug)]
struct Residuals {
    fit: Fit,
    left_over: Vec<f64>,
}

impl Residuals {
    fn of(fit: Fit, seen: &[(f64, f64)]) -> Self {
        let mut left_over: Vec<f64> = seen.iter().map(|&(size, log)| log - fit.at(size)).collect();
        left_over.sort_by(f64::total_cmp);
        Self { fit, left_over }
    }

    /// The quantile of the residuals mixed with a normal prior of mean `shift` and this spread.
    fn quantile(&self, level: f64, shift: f64, spread: f64) -> f64 {
        let n = self.left_over.len() as f64;
        let below = |at: f64| {
            let seen = self.left_over.partition_point(|&left| left <= at) as f64;
            (seen + PRIOR_WEIGHT * normal_below((at - shift) / spread)) / (n + PRIOR_WEIGHT)
        };
        let reach = 8.0 * spread;
        let first = self.left_over.first().copied().unwrap_or(shift);
        let last = self.left_over.last().copied().unwrap_or(shift);
        let (mut low, mut high) = (first.min(shift - reach), last.max(shift + reach));
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if below(middle) < level {
                low = middle;
            } else {
                high = middle;
            }
        }
        0.5 * (low + high)
    }
}

impl Demand {
    /// Learns from attempts, the oldest first; what is no number or negative is passed over.
    #[must_use]
    pub fn learn(quantity: Quantity, seen: &[Seen], prior: Prior) -> Self {
        let usable = |seen: &&Seen| seen.amount.is_finite() && seen.amount >= 0.0;
        let usable: Vec<Seen> = seen.iter().filter(usable).copied().collect();
        let latest = &usable[usable.len().saturating_sub(WINDOW)..];
        let log = |seen: &Seen| seen.amount.max(quantity.least()).ln();
        let all: Vec<(f64, f64)> = latest.iter().map(|seen| (0.0, log(seen))).collect();
        let sized: Vec<(f64, f64)> = latest
            .iter()
            .filter_map(|seen| Some((log_size(seen.input_bytes?), log(seen))))
            .collect();
        let relation = relation::choose(&sized);
        Self {
            quantity,
            prior,
            by_size: relation.map(|relation| Residuals::of(Fit::of(relation, &sized), &sized)),
            marginal: Residuals::of(Fit::of(Relation::Constant, &all), &all),
            sizes: bounds(sized.iter().map(|pair| pair.0)),
        }
    }

    /// How it depends on the size of the input.
    #[must_use]
    pub fn relation(&self) -> Relation {
        self.by_size.as_ref().map_or(Relation::Constant, |residuals| residuals.fit.relation())
    }

    /// How many attempts it was learned from.
    #[must_use]
    pub fn n_seen(&self) -> usize {
        self.marginal.left_over.len()
    }

    /// The amount that is not exceeded with this probability, for inputs of this size; of any size
    /// where it is not known.
    #[must_use]
    pub fn quantile(&self, input_bytes: Option<u64>, level: f64) -> f64 {
        let level = level.clamp(0.001, 0.999);
        let log = match (input_bytes, &self.by_size) {
            (Some(bytes), Some(residuals)) => {
                let size = log_size(bytes);
                let left_over = residuals.quantile(level, 0.0, SPREAD_RESIDUAL);
                // What was seen says nothing of how far a relation goes on.
                let stretch = STRETCH * self.beyond(size) * normal_quantile(level);
                residuals.fit.at(size) + left_over + stretch
            }
            _ => self.anyhow(level),
        };
        log.exp().max(self.quantity.least())
    }

    /// The logarithm of a quantile that knows no size.
    fn anyhow(&self, level: f64) -> f64 {
        let centre = self.marginal.fit.at(0.0);
        let prior = self.prior.centre.max(self.quantity.least()).ln();
        if self.n_seen() == 0 {
            return prior + self.prior.spread * normal_quantile(level);
        }
        // What is believed of where and how wide after n attempts: normal means with a normal prior
        // (Gelman et al., Bayesian Data Analysis, 2.5). A vague prior soon says nothing of where.
        let noise = SPREAD_RESIDUAL * SPREAD_RESIDUAL;
        let weight = noise / (self.prior.spread * self.prior.spread);
        let n = self.n_seen() as f64;
        let shift = (prior - centre) * weight / (n + weight);
        let spread = (noise + noise / (n + weight)).sqrt();
        centre + self.marginal.quantile(level, shift, spread)
    }

    /// By what logarithm a size is beyond all that were seen.
    fn beyond(&self, size: f64) -> f64 {
        self.sizes.map_or(0.0, |(least, most)| (least - size).max(size - most).max(0.0))
    }
}

/// Of a size in bytes; nothing counts as one byte.
fn log_size(bytes: u64) -> f64 {
    (bytes.max(1) as f64).ln()
}

fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |bounds, value| {
        let (low, high) = bounds.unwrap_or((value, value));
        Some((f64::min(low, value), f64::max(high, value)))
    })
}

/// The standard normal distribution function: Abramowitz and Stegun 26.2.17, off by 7.5e-8 at most.
fn normal_below(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let terms = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let sum = terms.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
    let above = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt() * sum;
    if z > 0.0 { 1.0 - above } else { above }
}

/// The inverse of [`normal_below`], by bisection.
fn normal_quantile(level: f64) -> f64 {
    let (mut low, mut high) = (-8.0, 8.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if normal_below(middle) < level {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LEVELS: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

    fn line(sizes: &[u64], amount: impl Fn(f64) -> f64) -> Vec<Seen> {
        let seen = |&size: &u64| Seen { input_bytes: Some(size), amount: amount(size as f64) };
        sizes.iter().map(seen).collect()
    }

    fn duration(seen: &[Seen]) -> Demand {
        Demand::learn(Quantity::Duration, seen, Prior::anything(Quantity::Duration))
    }

    proptest! {
        #[test]
        fn quantiles_rise_and_are_finite_whatever_was_seen(
            seen in prop::collection::vec((prop::option::of(0_u64..1 << 50), -1.0..1e12_f64), 0..60),
            size in prop::option::of(0_u64..u64::MAX),
        ) {
            let seen: Vec<Seen> =
                seen.into_iter().map(|(input_bytes, amount)| Seen { input_bytes, amount }).collect();
            for quantity in Quantity::ALL {
                let demand = Demand::learn(quantity, &seen, Prior::anything(quantity));
                let quantiles = LEVELS.map(|level| demand.quantile(size, level));
                prop_assert!(quantiles.is_sorted(), "{:?}", quantiles);
                prop_assert!(quantiles.iter().all(|q| q.is_finite() && *q > 0.0), "{:?}", quantiles);
            }
        }
    }

    #[test]
    fn nothing_seen_is_the_prior_and_wide() {
        let demand = duration(&[]);
        assert!((demand.quantile(None, 0.5) - 60.0).abs() < 0.1);
        assert!(demand.quantile(None, 0.95) > 30.0 * demand.quantile(None, 0.05));
        let estimated = Demand::learn(Quantity::Duration, &[], Prior::estimated(600.0));
        assert!((estimated.quantile(Some(1 << 30), 0.5) - 600.0).abs() < 1.0);
    }

    #[test]
    fn one_attempt_moves_the_median_and_makes_nobody_sure() {
        let demand = duration(&line(&[100], |_| 600.0));
        assert!((300.0..700.0).contains(&demand.quantile(None, 0.5)));
        assert!(demand.quantile(None, 0.95) > 2.0 * demand.quantile(None, 0.5));
    }

    #[test]
    fn what_grows_with_its_input_is_forecast_by_size() {
        let sizes: Vec<u64> = (1..=24).map(|i| (i * 7 % 25) << 20).collect();
        let demand = duration(&line(&sizes, |size| 10.0 + size / 1e6));
        assert_eq!(demand.relation(), Relation::Line);
        let at = |mib: u64| demand.quantile(Some(mib << 20), 0.5);
        assert!((at(12) / (10.0 + f64::from(12 << 20) / 1e6) - 1.0).abs() < 0.05, "{}", at(12));
        let width = |mib: u64| {
            demand.quantile(Some(mib << 20), 0.95) / demand.quantile(Some(mib << 20), 0.05)
        };
        assert!(width(2_400) > 2.0 * width(12), "{} and {}", width(12), width(2_400));
    }

    #[test]
    fn what_does_not_depend_on_its_input_is_not_made_to() {
        let sizes: Vec<u64> = (0..40).map(|i| ((i * 13 % 41) + 1) << 20).collect();
        let amounts = [9.0, 11.0, 10.0, 12.0, 8.0, 10.5, 9.5];
        let mut seen = line(&sizes, |_| 10.0);
        seen.iter_mut()
            .zip(amounts.iter().cycle())
            .for_each(|(seen, &amount)| seen.amount = amount);
        assert_eq!(duration(&seen).relation(), Relation::Constant);
    }

    #[test]
    fn many_attempts_leave_the_prior_behind() {
        let amounts: Vec<f64> = (0..200).map(|i| 100.0 + f64::from(i % 20)).collect();
        let seen: Vec<Seen> =
            amounts.iter().map(|&amount| Seen { input_bytes: None, amount }).collect();
        let demand = duration(&seen);
        assert!((98.0..104.0).contains(&demand.quantile(None, 0.05)));
        assert!((116.0..123.0).contains(&demand.quantile(None, 0.95)));
    }

    #[test]
    fn the_normal_distribution_is_that_of_the_tables() {
        for (z, below) in
            [(0.0, 0.5), (1.0, 0.841_344_75), (-1.96, 0.024_997_9), (3.0, 0.998_650_1)]
        {
            assert!((normal_below(z) - below).abs() < 1e-6);
            assert!((normal_quantile(below) - z).abs() < 1e-3);
        }
    }
}
