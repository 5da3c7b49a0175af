//! How good probabilities were, once it is known what came true.
//!
//! Knows pairs of a probability and an outcome. Brier (1950): mean squared distance. Skill: the
//! share of a reference's Brier score that was taken away. ECE: over ten equal bins of the
//! probability, the mean distance between what was said and what came true, weighted by rows.

use serde::Serialize;

/// Bins of the reliability diagram.
pub const BINS: usize = 10;
/// Log loss is of probabilities kept this far from 0 and 1.
const CLIP: f64 = 1e-3;

/// Sums over forecasts whose outcome is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Score {
    rows: f64,
    came_true: f64,
    squares: f64,
    log_loss: f64,
    bins: [Bin; BINS],
}

/// One bin of a reliability diagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Bin {
    /// How many forecasts fell into it.
    pub rows: f64,
    /// The sum of their probabilities.
    pub said: f64,
    /// How many came true.
    pub came_true: f64,
}

impl Score {
    /// Takes a forecast and its outcome.
    pub fn add(&mut self, p: f64, label: bool) {
        let y = f64::from(u8::from(label));
        self.rows += 1.0;
        self.came_true += y;
        self.squares += (p - y).powi(2);
        let clipped = p.clamp(CLIP, 1.0 - CLIP);
        self.log_loss -= if label { clipped.ln() } else { (1.0 - clipped).ln() };
        let bin = &mut self.bins[((p * BINS as f64) as usize).min(BINS - 1)];
        bin.rows += 1.0;
        bin.said += p;
        bin.came_true += y;
    }

    /// Adds the sums of another.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.came_true += other.came_true;
        self.squares += other.squares;
        self.log_loss += other.log_loss;
        for (bin, other) in self.bins.iter_mut().zip(&other.bins) {
            bin.rows += other.rows;
            bin.said += other.said;
            bin.came_true += other.came_true;
        }
    }

    /// How many forecasts there were.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows as usize
    }

    /// The share that came true; NaN of nothing, as all that follows.
    #[must_use]
    pub fn base_rate(&self) -> f64 {
        self.came_true / self.rows
    }

    /// Mean squared distance.
    #[must_use]
    pub fn brier(&self) -> f64 {
        self.squares / self.rows
    }

    /// The share of a reference's Brier score that was taken away.
    #[must_use]
    pub fn skill(&self, reference: &Self) -> f64 {
        if reference.squares > 0.0 { 1.0 - self.brier() / reference.brier() } else { 0.0 }
    }

    /// Mean log loss, in nats.
    #[must_use]
    pub fn log_loss(&self) -> f64 {
        self.log_loss / self.rows
    }

    /// Expected calibration error.
    #[must_use]
    pub fn ece(&self) -> f64 {
        self.bins.iter().map(|bin| (bin.said - bin.came_true).abs()).sum::<f64>() / self.rows
    }

    /// The reliability diagram.
    #[must_use]
    pub fn reliability(&self) -> &[Bin; BINS] {
        &self.bins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_a_calculation_by_hand() {
        let mut score = Score::default();
        for (p, label) in [(0.9, true), (0.8, false), (0.1, false), (0.85, true)] {
            score.add(p, label);
        }
        let by_hand = (0.01 + 0.64 + 0.01 + 0.0225) / 4.0;
        assert!((score.brier() - by_hand).abs() < 1e-12);
        assert!((score.base_rate() - 0.5).abs() < 1e-12);
        // Bins: 0.1 in the second, 0.8 and 0.85 in the ninth, 0.9 in the tenth.
        let ece = (0.1 + (1.65_f64 - 1.0).abs() + 0.1) / 4.0;
        assert!((score.ece() - ece).abs() < 1e-12);
        let log_loss = -(0.9_f64.ln() + 0.2_f64.ln() + 0.9_f64.ln() + 0.85_f64.ln()) / 4.0;
        assert!((score.log_loss() - log_loss).abs() < 1e-12);
    }

    #[test]
    fn sums_of_parts_are_the_sum_of_the_whole() {
        let (mut whole, mut one, mut other) = <(Score, Score, Score)>::default();
        for i in 0..100 {
            let (p, label) = (f64::from(i) / 100.0, i % 3 == 0);
            whole.add(p, label);
            if i < 40 { one.add(p, label) } else { other.add(p, label) }
        }
        one.merge(&other);
        assert_eq!(one.rows(), whole.rows());
        assert!((one.brier() - whole.brier()).abs() < 1e-12);
        assert!((one.ece() - whole.ece()).abs() < 1e-12);
    }

    #[test]
    fn skill_is_what_was_taken_from_the_reference() {
        let (mut sharp, mut flat) = <(Score, Score)>::default();
        for i in 0..10 {
            sharp.add(if i < 5 { 0.9 } else { 0.1 }, i < 5);
            flat.add(0.5, i < 5);
        }
        assert!((sharp.skill(&flat) - 0.96).abs() < 1e-12);
    }
}
