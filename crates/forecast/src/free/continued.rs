//! Nineteen quantiles as a whole distribution: straight between levels, exponential beyond them.
//!
//! Knows one set of quantiles. What rank an amount has in it, and which amount has a rank; each is the
//! other's inverse, except where a single amount has many ranks.

use std::f64::consts::LN_2;

use super::levels::{self, LEVELS, Quantiles};

/// No rank is nearer to 0 or 1.
const EDGE: f64 = 1e-4;
/// The level of the first quantile, and of what lies beyond the last.
const TAIL: f64 = 0.05;

/// The amount of a rank from 0 to 1. Beyond the outer levels amounts fall off exponentially, as fast
/// as they do between the two outermost.
#[must_use]
pub fn amount(quantiles: &Quantiles, rank: f64) -> f64 {
    let rank = rank.clamp(EDGE, 1.0 - EDGE);
    let [scale_below, scale_above] = scales(quantiles);
    if rank < TAIL {
        return quantiles[0] - scale_below * (TAIL / rank).ln();
    }
    if rank > 1.0 - TAIL {
        return quantiles[LEVELS - 1] + scale_above * (TAIL / (1.0 - rank)).ln();
    }
    let at = (rank - TAIL) / TAIL;
    let below = (at as usize).min(LEVELS - 2);
    quantiles[below] + (quantiles[below + 1] - quantiles[below]) * (at - below as f64)
}

/// The rank of an amount; the middle of all its ranks where it has many.
#[must_use]
pub fn rank(quantiles: &Quantiles, amount: f64) -> f64 {
    let below = quantiles.partition_point(|&q| q < amount);
    let upto = quantiles.partition_point(|&q| q <= amount);
    let [scale_below, scale_above] = scales(quantiles);
    let rank = if upto > below {
        let least = if below == 0 { 0.0 } else { levels::level(below) };
        let most = if upto == LEVELS { 1.0 } else { levels::level(upto - 1) };
        0.5 * (least + most)
    } else if below == 0 {
        TAIL * (-(quantiles[0] - amount) / scale_below.max(f64::MIN_POSITIVE)).exp()
    } else if below == LEVELS {
        let beyond = (amount - quantiles[LEVELS - 1]) / scale_above.max(f64::MIN_POSITIVE);
        1.0 - TAIL * (-beyond).exp()
    } else {
        let (from, to) = (quantiles[below - 1], quantiles[below]);
        levels::level(below - 1) + TAIL * (amount - from) / (to - from)
    };
    rank.clamp(EDGE, 1.0 - EDGE)
}

/// How fast amounts fall off below and above.
fn scales(quantiles: &Quantiles) -> [f64; 2] {
    let between = |i: usize| (quantiles[i + 1] - quantiles[i]).max(0.0) / LN_2;
    [between(0), between(LEVELS - 2)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_ranks_are_each_other_s_inverse_far_beyond_the_levels_too() {
        let quantiles: Quantiles = std::array::from_fn(|i| (i as f64).powi(2));
        for rank in [0.001, 0.02, 0.05, 0.31, 0.5, 0.949, 0.95, 0.97, 0.999] {
            let amount = amount(&quantiles, rank);
            assert!(
                (super::rank(&quantiles, amount) - rank).abs() < 1e-9 || rank == 0.05,
                "{rank}"
            );
        }
        assert!(amount(&quantiles, 0.999) > quantiles[LEVELS - 1] + 100.0);
        assert_eq!(rank(&quantiles, 1e9), 1.0 - EDGE);
    }

    #[test]
    fn an_amount_that_has_many_ranks_has_the_middle_one() {
        let mut quantiles: Quantiles = std::array::from_fn(|i| i as f64);
        quantiles[..10].fill(0.0);
        assert!((rank(&quantiles, 0.0) - 0.25).abs() < 1e-12);
        assert!((rank(&[3.0; LEVELS], 3.0) - 0.5).abs() < 1e-12);
        assert!(rank(&[3.0; LEVELS], 2.0) < 0.01 && rank(&[3.0; LEVELS], 4.0) > 0.99);
        assert!((amount(&[3.0; LEVELS], 0.99) - 3.0).abs() < 1e-12);
    }
}
