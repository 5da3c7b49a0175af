//! Correlation matrices that are measured pair by pair, made into ones that can be drawn from.
//!
//! Knows symmetric matrices as rows on end. What is measured pair by pair need not be a correlation
//! matrix of anything; the nearest thing that is comes from cutting off negative eigenvalues
//! (Higham, 2002, its first step), the diagonal set back to 1.

/// Sweeps after which eigenvalues of any matrix of this kind have long settled.
const SWEEPS: usize = 12;
/// An off-diagonal that is taken for 0.
const NEGLIGIBLE: f64 = 1e-9;
/// An eigenvalue that is left out.
const LEAST: f64 = 1e-4;

/// Weights of independent standard variables, `width` for each row, whose weighted sums have this
/// correlation.
#[derive(Clone, Debug)]
pub(crate) struct Loadings {
    weights: Vec<f32>,
    width: usize,
}

impl Loadings {
    /// Of `n` variables with these correlations, `n` rows of `n`.
    pub(crate) fn of(correlation: &[f64], n: usize) -> Self {
        let (values, vectors) = eigen(correlation.to_vec(), n);
        let kept: Vec<usize> = (0..n).filter(|&k| values[k] > LEAST).collect();
        let mut weights = Vec::with_capacity(n * kept.len());
        for i in 0..n {
            let row: Vec<f64> =
                kept.iter().map(|&k| vectors[i * n + k] * values[k].sqrt()).collect();
            let length = row.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-12);
            weights.extend(row.into_iter().map(|x| (x / length) as f32));
        }
        Self { weights, width: kept.len() }
    }

    /// How many independent variables there are.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The weights of one.
    pub(crate) fn row(&self, i: usize) -> &[f32] {
        &self.weights[i * self.width..(i + 1) * self.width]
    }
}

/// Eigenvalues and eigenvectors, the vectors as columns, by the cyclic Jacobi method (Golub and
/// Van Loan, Matrix Computations, 8.5).
fn eigen(mut a: Vec<f64>, n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut vectors = vec![0.0; n * n];
    (0..n).for_each(|i| vectors[i * n + i] = 1.0);
    for _ in 0..SWEEPS {
        let mut rotated = false;
        for p in 0..n {
            for q in p + 1..n {
                if a[p * n + q].abs() > NEGLIGIBLE {
                    rotate(&mut a, &mut vectors, n, p, q);
                    rotated = true;
                }
            }
        }
        if !rotated {
            break;
        }
    }
    ((0..n).map(|i| a[i * n + i]).collect(), vectors)
}

/// Turns two axes so that their off-diagonal is 0.
fn rotate(a: &mut [f64], vectors: &mut [f64], n: usize, p: usize, q: usize) {
    let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * a[p * n + q]);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let t = if theta == 0.0 { 1.0 } else { t };
    let cos = 1.0 / (t * t + 1.0).sqrt();
    let sin = t * cos;
    let turn = |x: usize, y: usize, matrix: &mut [f64]| {
        let (before, after) = (matrix[x], matrix[y]);
        matrix[x] = cos * before - sin * after;
        matrix[y] = sin * before + cos * after;
    };
    for k in 0..n {
        turn(k * n + p, k * n + q, a);
    }
    for k in 0..n {
        turn(p * n + k, q * n + k, a);
    }
    for k in 0..n {
        turn(k * n + p, k * n + q, vectors);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(loadings: &Loadings, i: usize, j: usize) -> f64 {
        let pairs = loadings.row(i).iter().zip(loadings.row(j));
        pairs.map(|(a, b)| f64::from(a * b)).sum()
    }

    #[test]
    fn loadings_give_the_correlations_back() {
        let n = 4;
        let at = |i: usize, j: usize| match i.abs_diff(j) {
            0 => 1.0,
            d => 0.7_f64.powi(d as i32) * if (i + j).is_multiple_of(2) { 1.0 } else { -1.0 },
        };
        let matrix: Vec<f64> = (0..n * n).map(|k| at(k / n, k % n)).collect();
        let loadings = Loadings::of(&matrix, n);
        for i in 0..n {
            for j in 0..n {
                assert!((product(&loadings, i, j) - at(i, j)).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn what_no_variables_can_have_becomes_something_near_it_that_they_can() {
        // The first goes with both others, which go against each other.
        let matrix = [1.0, 0.9, 0.9, 0.9, 1.0, -0.9, 0.9, -0.9, 1.0];
        let loadings = Loadings::of(&matrix, 3);
        assert_eq!(loadings.width(), 2);
        for i in 0..3 {
            assert!((product(&loadings, i, i) - 1.0).abs() < 1e-5);
        }
        assert!(product(&loadings, 0, 1) > 0.3 && product(&loadings, 1, 2) < 0.0);
    }
}
