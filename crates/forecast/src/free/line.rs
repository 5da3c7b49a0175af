//! A straight line through what is known at an origin: ridge regression that forgets.
//!
//! Knows rows of a few numbers in the unit of the spread. Normal equations with exponential
//! forgetting, held to coefficients of 0: with nothing seen it forecasts no change.

/// How many numbers a row has.
pub(super) const WIDTH: usize = 9;
/// What holds each coefficient, in rows.
const RIDGE: f64 = 8.0;

/// Sums over rows, and the line through them.
#[derive(Clone, Debug)]
pub(super) struct Line {
    keep: f64,
    weight: f64,
    products: [[f64; WIDTH]; WIDTH],
    moments: [f64; WIDTH],
    coefficients: [f64; WIDTH],
    since: usize,
    news: f64,
    every: usize,
}

impl Line {
    /// A line that halves what a row counts after so many rows, and counts each as `news` rows.
    pub(super) fn new(half_life: f64, news: f64, every: usize) -> Self {
        Self {
            keep: 0.5_f64.powf(1.0 / half_life.max(1.0)),
            weight: 0.0,
            products: [[0.0; WIDTH]; WIDTH],
            moments: [0.0; WIDTH],
            coefficients: [0.0; WIDTH],
            since: 0,
            news,
            every: every.max(1),
        }
    }

    /// Takes a row and what it was followed by.
    pub(super) fn learn(&mut self, row: &[f64; WIDTH], target: f64) {
        self.weight = self.weight * self.keep + self.news;
        for (i, &a) in row.iter().enumerate() {
            for (j, &b) in row.iter().enumerate().take(i + 1) {
                self.products[i][j] = self.products[i][j] * self.keep + self.news * a * b;
            }
            self.moments[i] = self.moments[i] * self.keep + self.news * a * target;
        }
        self.since += 1;
        if self.since >= self.every || self.since.is_power_of_two() && self.weight < 20.0 {
            self.since = 0;
            self.solve();
        }
    }

    /// What the row is followed by.
    pub(super) fn at(&self, row: &[f64; WIDTH]) -> f64 {
        row.iter().zip(&self.coefficients).map(|(a, b)| a * b).sum()
    }

    /// Cholesky; products are held away from being singular by the ridge.
    fn solve(&mut self) {
        let mut l = [[0.0; WIDTH]; WIDTH];
        for i in 0..WIDTH {
            for j in 0..=i {
                let below: f64 = (0..j).map(|k| l[i][k] * l[j][k]).sum();
                let sum = self.products[i][j] - below;
                l[i][j] = if i == j { (sum + RIDGE).max(1e-9).sqrt() } else { sum / l[j][j] };
            }
        }
        let mut forward = [0.0; WIDTH];
        for i in 0..WIDTH {
            let done: f64 = (0..i).map(|k| l[i][k] * forward[k]).sum();
            forward[i] = (self.moments[i] - done) / l[i][i];
        }
        for i in (0..WIDTH).rev() {
            let done: f64 = (i + 1..WIDTH).map(|k| l[k][i] * self.coefficients[k]).sum();
            self.coefficients[i] = (forward[i] - done) / l[i][i];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Stream;

    #[test]
    fn a_planted_line_is_found() {
        let mut stream = Stream::new(1);
        let mut line = Line::new(1e9, 1.0, 10);
        let truth = |row: &[f64; WIDTH]| 0.5 * row[1] - 2.0 * row[4];
        let mut draw = || std::array::from_fn(|_| stream.uniform() - 0.5);
        for _ in 0..5000 {
            let row = draw();
            line.learn(&row, truth(&row));
        }
        let row = draw();
        assert!((line.at(&row) - truth(&row)).abs() < 0.05);
    }
}
