//! What boosting lowers: the loss of a score, its slope and its curvature.
//!
//! Knows one target and one score at a time. Scores are log-odds for [`Logistic`], the quantity
//! itself for [`Pinball`].

use crate::odds::sigmoid_f32;

/// A loss of a score against a target.
pub trait Loss {
    /// The best constant score.
    fn start(&self, targets: &[f32], weights: &[f32]) -> f64;

    /// First and second derivative of the loss with respect to the score.
    fn slope(&self, target: f32, score: f32) -> (f32, f32);

    /// The step that lowers the loss most for these residuals (target minus score) and their
    /// weights, for losses whose curvature does not tell; may reorder them.
    fn leaf(&self, _residuals: &mut [(f32, f32)]) -> Option<f32> {
        None
    }
}

/// Logarithmic loss of a probability given as log-odds; targets are 0 or 1.
#[derive(Clone, Copy, Debug)]
pub struct Logistic;

impl Loss for Logistic {
    fn start(&self, targets: &[f32], weights: &[f32]) -> f64 {
        let mut ups = 1e-3;
        let mut all = 2e-3;
        for (&target, &weight) in targets.iter().zip(weights) {
            ups += f64::from(target * weight);
            all += f64::from(weight);
        }
        (ups / (all - ups)).ln()
    }

    fn slope(&self, target: f32, score: f32) -> (f32, f32) {
        let p = sigmoid_f32(score);
        (p - target, (p * (1.0 - p)).max(1e-6))
    }
}

/// Pinball loss of the `level` quantile (Koenker and Bassett, 1978). It has no curvature: leaves
/// take the quantile of their residuals, as in LightGBM.
#[derive(Clone, Copy, Debug)]
pub struct Pinball {
    level: f32,
}

impl Pinball {
    /// Of the quantile at `level`, in (0, 1).
    #[must_use]
    pub fn new(level: f64) -> Self {
        Self { level: level.clamp(1e-6, 1.0 - 1e-6) as f32 }
    }
}

impl Loss for Pinball {
    fn start(&self, targets: &[f32], weights: &[f32]) -> f64 {
        let mut pairs: Vec<_> = targets.iter().copied().zip(weights.iter().copied()).collect();
        f64::from(weighted_quantile(&mut pairs, self.level))
    }

    fn slope(&self, target: f32, score: f32) -> (f32, f32) {
        (if target > score { -self.level } else { 1.0 - self.level }, 1.0)
    }

    fn leaf(&self, residuals: &mut [(f32, f32)]) -> Option<f32> {
        Some(weighted_quantile(residuals, self.level))
    }
}

/// The smallest value with at least `level` of the weight at or below it; 0 of nothing.
fn weighted_quantile(pairs: &mut [(f32, f32)], level: f32) -> f32 {
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = pairs.iter().map(|pair| f64::from(pair.1)).sum();
    let mut below = 0.0;
    for &(value, weight) in &*pairs {
        below += f64::from(weight);
        if below >= f64::from(level) * total {
            return value;
        }
    }
    pairs.last().map_or(0.0, |pair| pair.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logistic(target: f32, score: f64) -> f64 {
        let p = 1.0 / (1.0 + (-score).exp());
        if target > 0.5 { -p.ln() } else { -(1.0 - p).ln() }
    }

    #[test]
    fn slopes_are_those_of_the_loss() {
        for target in [0.0, 1.0] {
            for score in [-3.0_f32, -0.2, 0.0, 1.5] {
                let at = |step: f64| logistic(target, f64::from(score) + step);
                let (gradient, curvature) = Logistic.slope(target, score);
                let first = (at(1e-4) - at(-1e-4)) / 2e-4;
                let second = (at(1e-3) - 2.0 * at(0.0) + at(-1e-3)) / 1e-6;
                assert!((f64::from(gradient) - first).abs() < 1e-5);
                assert!((f64::from(curvature) - second).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn the_quantile_has_its_share_of_weight_below() {
        let mut pairs = [(3.0, 1.0), (1.0, 1.0), (2.0, 2.0)];
        assert_eq!(weighted_quantile(&mut pairs, 0.25).to_bits(), 1.0_f32.to_bits());
        assert_eq!(weighted_quantile(&mut pairs, 0.5).to_bits(), 2.0_f32.to_bits());
        assert_eq!(weighted_quantile(&mut pairs, 0.99).to_bits(), 3.0_f32.to_bits());
        assert_eq!(weighted_quantile(&mut [], 0.5).to_bits(), 0.0_f32.to_bits());
    }
}
