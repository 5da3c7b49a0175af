//! How an amount goes with the size of an input.
//!
//! Fits are robust: the slope is the median of the slopes between all pairs (Theil 1950; Sen,
//! Journal of the American Statistical Association 63, 1968), so that one attempt on a busy machine
//! moves little. A [`Relation`] with size must have forecast the later part of what was seen from
//! the earlier one better than none.

/// How an amount goes with the size of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// Not at all.
    Constant,
    /// Amount = a · sizeᵇ.
    Power,
    /// Amount = a + b · size.
    Line,
}

impl Relation {
    /// As people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Power => "power law",
            Self::Line => "line",
        }
    }
}

/// Fewer attempts with different sizes say nothing of sizes.
const ENOUGH: usize = 6;

/// How much better it must have been: sizes that say nothing win by luck, too.
const MARGIN: f64 = 0.9;

/// A relation with its numbers. Sizes and amounts are logarithms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    relation: Relation,
    /// Of the logarithm of the amount for a constant and a power law, of the amount for a line.
    intercept: f64,
    slope: f64,
    /// A line is never read off below the least that was seen to be taken.
    floor: f64,
}

impl Fit {
    /// The relation that fits pairs of size and amount best.
    pub(super) fn of(relation: Relation, seen: &[(f64, f64)]) -> Self {
        let floor = seen.iter().map(|pair| pair.1).fold(f64::INFINITY, f64::min);
        let (intercept, slope) = match relation {
            Relation::Constant => (median(seen.iter().map(|pair| pair.1)), 0.0),
            Relation::Power => theil_sen(seen),
            Relation::Line => {
                let plain: Vec<_> = seen.iter().map(|pair| (pair.0.exp(), pair.1.exp())).collect();
                theil_sen(&plain)
            }
        };
        Self { relation, intercept, slope, floor }
    }

    pub(super) fn relation(&self) -> Relation {
        self.relation
    }

    /// The logarithm of the amount for the logarithm of a size.
    pub(super) fn at(&self, size: f64) -> f64 {
        match self.relation {
            Relation::Constant => self.intercept,
            Relation::Power => self.intercept + self.slope * size,
            Relation::Line => {
                let amount = self.intercept + self.slope * size.exp();
                amount.max(self.floor.exp() * 0.5).ln()
            }
        }
    }

    fn error(&self, seen: &[(f64, f64)]) -> f64 {
        seen.iter().map(|&(size, log)| (log - self.at(size)).abs()).sum()
    }
}

/// The relation with size that would have forecast the later half from the earlier best, if it
/// would have done so clearly better than none.
pub(super) fn choose(seen: &[(f64, f64)]) -> Option<Relation> {
    let mut sizes: Vec<u64> = seen.iter().map(|pair| pair.0.to_bits()).collect();
    sizes.sort_unstable();
    sizes.dedup();
    if seen.len() < ENOUGH || sizes.len() < ENOUGH / 2 {
        return None;
    }
    let error = |relation| {
        let cuts = [seen.len() / 2, seen.len() * 3 / 4];
        cuts.iter().map(|&cut| Fit::of(relation, &seen[..cut]).error(&seen[cut..])).sum::<f64>()
    };
    let constant = error(Relation::Constant);
    let by_size = [Relation::Power, Relation::Line].map(|relation| (error(relation), relation));
    let best = by_size.into_iter().min_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 < MARGIN * constant).then_some(best.1)
}

/// Intercept and slope. Who is given more does not take less: the slope is never negative.
fn theil_sen(seen: &[(f64, f64)]) -> (f64, f64) {
    let mut slopes = Vec::new();
    for (i, a) in seen.iter().enumerate() {
        let others = seen[i + 1..].iter().filter(|b| b.0 != a.0);
        slopes.extend(others.map(|b| (b.1 - a.1) / (b.0 - a.0)));
    }
    let slope = median(slopes.into_iter()).max(0.0);
    (median(seen.iter().map(|pair| pair.1 - slope * pair.0)), slope)
}

/// The middle; 0 of nothing.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if below.len() == middle && values.len() % 2 == 1 {
        return upper;
    }
    let lower = values[..middle].iter().copied().fold(f64::NEG_INFINITY, f64::max);
    0.5 * (lower + upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(median(std::iter::empty()), 0.0);
    }

    #[test]
    fn one_wild_attempt_moves_a_slope_little() {
        let mut seen: Vec<(f64, f64)> =
            (1..=20).map(|i| (f64::from(i), 2.0 * f64::from(i))).collect();
        seen[7].1 = 1e6;
        let (intercept, slope) = theil_sen(&seen);
        assert!((slope - 2.0).abs() < 1e-9 && intercept.abs() < 1e-9);
    }
}
