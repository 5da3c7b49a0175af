//! Nineteen quantiles as one value, and the loss they are judged by.
//!
//! Knows numbers only: levels 0.05 to 0.95, the empirical quantiles of a window that slides, and the
//! pinball loss (Koenker and Bassett, 1978) averaged over levels, which is half the integrand of the
//! CRPS on that grid.

use std::collections::VecDeque;

/// How many levels there are.
pub const LEVELS: usize = 19;
/// The index of the median.
pub const MEDIAN: usize = 9;
/// The indices of the ends of the 80 % interval.
pub const INTERVAL: (usize, usize) = (1, 17);

/// Quantiles at levels 0.05, 0.10, … 0.95, ascending.
pub type Quantiles = [f64; LEVELS];

/// The level of an index.
#[must_use]
pub fn level(i: usize) -> f64 {
    0.05 * (i + 1) as f64
}

/// Twice the mean pinball loss of quantiles, in the unit of the value.
#[must_use]
pub fn loss(quantiles: &Quantiles, value: f64) -> f64 {
    let each = quantiles.iter().enumerate().map(|(i, &q)| pinball(i, q, value));
    each.sum::<f64>() * (2.0 / LEVELS as f64)
}

/// The pinball loss of one quantile, by its index.
#[must_use]
pub fn pinball(i: usize, quantile: f64, value: f64) -> f64 {
    let distance = value - quantile;
    (level(i) * distance).max((level(i) - 1.0) * distance)
}

/// Quantiles of ascending values, interpolated between them; none of nothing.
#[must_use]
pub fn of_sorted(sorted: &[f32]) -> Option<Quantiles> {
    let last = sorted.len().checked_sub(1)?;
    Some(std::array::from_fn(|i| {
        let at = level(i) * last as f64;
        let (below, part) = (at as usize, at.fract());
        let above = (below + 1).min(last);
        f64::from(sorted[below]) * (1.0 - part) + f64::from(sorted[above]) * part
    }))
}

/// The last values seen, in order of time and of size.
#[derive(Clone, Debug)]
pub struct Window {
    in_time: VecDeque<f32>,
    sorted: Vec<f32>,
    capacity: usize,
}

impl Window {
    /// A window that keeps so many values.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { in_time: VecDeque::new(), sorted: Vec::new(), capacity: capacity.max(1) }
    }

    /// Takes a value, and forgets the oldest when full.
    pub fn push(&mut self, value: f32) {
        if self.in_time.len() == self.capacity
            && let Some(oldest) = self.in_time.pop_front()
        {
            let at = self.sorted.partition_point(|v| v.total_cmp(&oldest).is_lt());
            self.sorted.remove(at);
        }
        let at = self.sorted.partition_point(|v| v.total_cmp(&value).is_lt());
        self.sorted.insert(at, value);
        self.in_time.push_back(value);
    }

    /// The values, ascending.
    #[must_use]
    pub fn sorted(&self) -> &[f32] {
        &self.sorted
    }

    /// How many values it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// The quantile at a level, interpolated; none of nothing.
    #[must_use]
    pub fn quantile(&self, level: f64) -> Option<f64> {
        let last = self.sorted.len().checked_sub(1)?;
        let at = level.clamp(0.0, 1.0) * last as f64;
        let (below, part) = (at as usize, at.fract());
        let above = (below + 1).min(last);
        Some(f64::from(self.sorted[below]) * (1.0 - part) + f64::from(self.sorted[above]) * part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_is_that_of_a_calculation_by_hand() {
        let quantiles: Quantiles = std::array::from_fn(level);
        // Of a value above all: the sum over levels of level x (2 - level).
        let by_hand: f64 = (0..LEVELS).map(|i| level(i) * (2.0 - level(i))).sum();
        assert!((loss(&quantiles, 2.0) - 2.0 * by_hand / 19.0).abs() < 1e-12);
        assert!(loss(&[3.0; LEVELS], 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_window_holds_the_last_values_in_order_of_size() {
        let mut window = Window::new(4);
        assert_eq!(window.quantile(0.5), None);
        [5.0, 1.0, 4.0, 1.0, 3.0, 2.0].into_iter().for_each(|value| window.push(value));
        assert_eq!(window.sorted(), [1.0, 2.0, 3.0, 4.0]);
        assert!((window.quantile(0.5).expect("it is full") - 2.5).abs() < 1e-9);
        let quantiles = of_sorted(window.sorted()).expect("it is full");
        assert!((quantiles[MEDIAN] - 2.5).abs() < 1e-9 && quantiles[18] < 4.0);
    }
}
