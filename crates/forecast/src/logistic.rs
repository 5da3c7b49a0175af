//! Logistic regression with a ridge that pulls to given coefficients, by Newton steps.
//!
//! Knows standardised columns, targets, weights and offsets. Weighted rows, a centre other than 0
//! and warm starts are what a blend and a recalibration need; the same code serves all three.

use crate::odds::{sigmoid_f32, softplus};

/// What is fitted.
#[derive(Clone, Copy, Debug)]
pub struct Lesson<'a> {
    /// Row after row, `width` columns each; every value finite.
    pub rows: &'a [f32],
    /// Columns of a row.
    pub width: usize,
    /// 0 or 1 for each row.
    pub targets: &'a [f32],
    /// How much each row counts.
    pub weights: &'a [f32],
    /// Log-odds each row starts from; empty for 0.
    pub offsets: &'a [f32],
    /// For each column, how strongly its coefficient is held.
    pub ridge: &'a [f64],
    /// For each column, where its coefficient is held.
    pub centre: &'a [f64],
}

/// The most Newton steps.
const STEPS: usize = 12;

/// Coefficients that make the penalised log loss least, started from `start`. Deterministic; where
/// the loss cannot be lowered any more, or a matrix is not definite, the best so far is kept.
#[must_use]
pub fn fit(lesson: &Lesson<'_>, start: &[f64]) -> Vec<f64> {
    let mut best = start.to_vec();
    let mut loss = loss_of(lesson, &best);
    for _ in 0..STEPS {
        let (gradient, mut hessian) = slopes(lesson, &best);
        let Some(step) = solve(&mut hessian, &gradient) else { break };
        let mut share = 1.0;
        let before = loss;
        while share > 1e-3 {
            let trial: Vec<f64> =
                best.iter().zip(&step).map(|(value, step)| value - share * step).collect();
            let trial_loss = loss_of(lesson, &trial);
            if trial_loss <= loss {
                (best, loss) = (trial, trial_loss);
                break;
            }
            share /= 4.0;
        }
        if before - loss <= 1e-6 * before.abs().max(1.0) {
            break;
        }
    }
    best
}

/// The penalised log loss.
#[must_use]
pub fn loss_of(lesson: &Lesson<'_>, coefficients: &[f64]) -> f64 {
    let narrow: Vec<f32> = coefficients.iter().map(|&c| c as f32).collect();
    let mut loss = 0.0;
    for (i, row) in lesson.rows.chunks_exact(lesson.width).enumerate() {
        let odds = f64::from(dot(row, &narrow) + offset(lesson, i));
        loss +=
            f64::from(lesson.weights[i]) * (softplus(odds) - f64::from(lesson.targets[i]) * odds);
    }
    loss + penalties(lesson, coefficients)
}

fn penalties(lesson: &Lesson<'_>, coefficients: &[f64]) -> f64 {
    let held = lesson.ridge.iter().zip(lesson.centre).zip(coefficients);
    held.map(|((ridge, centre), value)| 0.5 * ridge * (value - centre).powi(2)).sum()
}

fn offset(lesson: &Lesson<'_>, i: usize) -> f32 {
    lesson.offsets.get(i).copied().unwrap_or(0.0)
}

/// Sum of products, in eight lanes.
#[must_use]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    let (a_chunks, b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..8 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// Gradient, and the lower half of the Hessian, of the penalised loss.
fn slopes(lesson: &Lesson<'_>, coefficients: &[f64]) -> (Vec<f64>, Vec<f64>) {
    const BLOCK: usize = 256;
    let width = lesson.width;
    let narrow: Vec<f32> = coefficients.iter().map(|&c| c as f32).collect();
    let (mut gradient, mut hessian) = (vec![0.0; width], vec![0.0; width * width]);
    // Sums in single precision stay exact enough over a block; blocks add up in double.
    let (mut block_gradient, mut block_hessian) =
        (vec![0.0_f32; width], vec![0.0_f32; width * width]);
    for (i, row) in lesson.rows.chunks_exact(width).enumerate() {
        let p = sigmoid_f32(dot(row, &narrow) + offset(lesson, i));
        let error = lesson.weights[i] * (p - lesson.targets[i]);
        let curvature = lesson.weights[i] * (p * (1.0 - p)).max(1e-6);
        for (sum, value) in block_gradient.iter_mut().zip(row) {
            *sum += error * value;
        }
        for a in 0..width {
            let scaled = curvature * row[a];
            let sums = &mut block_hessian[a * width..=a * width + a];
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += scaled * value;
            }
        }
        if (i + 1) % BLOCK == 0 {
            flush(&mut gradient, &mut block_gradient);
            flush(&mut hessian, &mut block_hessian);
        }
    }
    flush(&mut gradient, &mut block_gradient);
    flush(&mut hessian, &mut block_hessian);
    for a in 0..width {
        gradient[a] += lesson.ridge[a] * (coefficients[a] - lesson.centre[a]);
        hessian[a * width + a] += lesson.ridge[a];
    }
    (gradient, hessian)
}

fn flush(into: &mut [f64], from: &mut [f32]) {
    for (into, from) in into.iter_mut().zip(from) {
        *into += f64::from(*from);
        *from = 0.0;
    }
}

/// Solves `matrix x = right` for a symmetric matrix given by its lower half (Cholesky, in place);
/// none where it is not positive definite.
#[must_use]
pub fn solve(matrix: &mut [f64], right: &[f64]) -> Option<Vec<f64>> {
    let n = right.len();
    for a in 0..n {
        for b in 0..=a {
            let (head, tail) = matrix.split_at(a * n);
            let row_b = if b == a { &tail[..b] } else { &head[b * n..b * n + b] };
            let sum: f64 = tail[..b].iter().zip(row_b).map(|(x, y)| x * y).sum();
            let value = matrix[a * n + b] - sum;
            matrix[a * n + b] = if a == b {
                if value.is_nan() || value <= 1e-12 {
                    return None;
                }
                value.sqrt()
            } else {
                value / matrix[b * n + b]
            };
        }
    }
    let mut x = right.to_vec();
    for a in 0..n {
        let sum: f64 = (0..a).map(|b| matrix[a * n + b] * x[b]).sum();
        x[a] = (x[a] - sum) / matrix[a * n + a];
    }
    for a in (0..n).rev() {
        let sum: f64 = (a + 1..n).map(|b| matrix[b * n + a] * x[b]).sum();
        x[a] = (x[a] - sum) / matrix[a * n + a];
    }
    Some(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Stream;
    use proptest::prelude::*;

    struct Made {
        rows: Vec<f32>,
        targets: Vec<f32>,
        weights: Vec<f32>,
        offsets: Vec<f32>,
    }

    fn made(n: usize, width: usize, seed: u64) -> Made {
        let mut stream = Stream::new(seed);
        let mut draws = |n: usize| (0..n).map(|_| stream.uniform() as f32).collect::<Vec<_>>();
        let rows: Vec<f32> = draws(n * width).iter().map(|u| 2.0 * u - 1.0).collect();
        let coins = draws(n);
        let targets = (0..n)
            .map(|i| {
                let odds = 2.0 * rows[i * width] - 1.0;
                f32::from(u8::from(coins[i] < 1.0 / (1.0 + (-odds).exp())))
            })
            .collect();
        Made { targets, weights: draws(n), offsets: draws(n), rows }
    }

    fn lesson<'a>(made: &'a Made, width: usize, ridge: &'a [f64], centre: &'a [f64]) -> Lesson<'a> {
        let Made { rows, targets, weights, offsets } = made;
        Lesson { rows, width, targets, weights, offsets, ridge, centre }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_gradient_is_the_slope_of_the_loss(seed: u64, at in prop::collection::vec(-1.5..1.5, 3)) {
            let made = made(60, 3, seed);
            let lesson = lesson(&made, 3, &[0.5, 1.0, 0.0], &[0.0, 1.0, 0.0]);
            let (gradient, _) = slopes(&lesson, &at);
            for a in 0..3 {
                let moved = |step: f64| {
                    let mut at = at.clone();
                    at[a] += step;
                    loss_of(&lesson, &at)
                };
                let slope = (moved(0.01) - moved(-0.01)) / 0.02;
                prop_assert!((slope - gradient[a]).abs() < 2e-3 * (1.0 + slope.abs()));
            }
        }

        #[test]
        fn nothing_near_the_fit_is_better(seed: u64) {
            let made = made(200, 3, seed);
            let lesson = lesson(&made, 3, &[1.0; 3], &[0.0; 3]);
            let fitted = fit(&lesson, &[0.0; 3]);
            let least = loss_of(&lesson, &fitted);
            for a in 0..3 {
                for step in [-0.05, 0.05] {
                    let mut other = fitted.clone();
                    other[a] += step;
                    prop_assert!(loss_of(&lesson, &other) > least);
                }
            }
        }
    }

    #[test]
    fn a_strong_ridge_holds_coefficients_at_their_centre() {
        let made = made(100, 2, 3);
        let fitted = fit(&lesson(&made, 2, &[1e9; 2], &[0.7, -0.2]), &[0.0; 2]);
        assert!((fitted[0] - 0.7).abs() < 1e-5 && (fitted[1] + 0.2).abs() < 1e-5);
    }

    #[test]
    fn planted_coefficients_are_found() {
        let mut made = made(20_000, 2, 4);
        // The truth is 2 x - 1: give the constant a column.
        made.rows.iter_mut().skip(1).step_by(2).for_each(|value| *value = 1.0);
        made.offsets.clear();
        made.weights.fill(1.0);
        let fitted = fit(&lesson(&made, 2, &[0.01; 2], &[0.0; 2]), &[0.0; 2]);
        assert!((fitted[0] - 2.0).abs() < 0.12 && (fitted[1] + 1.0).abs() < 0.08, "{fitted:?}");
    }

    #[test]
    fn a_matrix_that_is_not_definite_is_refused() {
        assert_eq!(solve(&mut [0.0], &[1.0]), None);
        let solved = solve(&mut [4.0, 0.0, 2.0, 3.0], &[8.0, 7.0]).expect("definite");
        assert!((solved[0] - 1.25).abs() < 1e-12 && (solved[1] - 1.5).abs() < 1e-12);
    }
}
