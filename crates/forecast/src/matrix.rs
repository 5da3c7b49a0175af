//! Correlation matrices that are measured pair by pair, made into ones that can be drawn from.
//!
//! Knows symmetric matrices as rows on end. What is measured pair by pair need not be a correlation
//! matrix of anything. The nearest thing that is comes from cutting off negative eigenvalues
//! (Higham, 2002, its first step), the diagonal set back to 1; where there are too many rows for
//! that, from drawing all pairs towards 0 until it is.

/// Sweeps after which eigenvalues of any matrix of this kind have long settled.
const SWEEPS: usize = 12;
/// An off-diagonal that is taken for 0.
const NEGLIGIBLE: f64 = 1e-9;
/// An eigenvalue, or a part of a variance, that is left out.
const LEAST: f64 = 1e-4;
/// How many rows eigenvalues are found of.
const EIGEN_MAX: usize = 64;
/// How far pairs are drawn towards 0, the least that helps.
const DRAWN: [f64; 8] = [0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.6, 1.0];
/// Weights that are added up together.
const LANES: usize = 8;

/// Weights of independent standard variables, `width` for each row, whose weighted sums have this
/// correlation.
#[derive(Clone, Debug)]
pub(crate) struct Loadings {
    weights: Vec<f32>,
    width: usize,
}

impl Loadings {
    /// Of `n` variables with these correlations, `n` rows of `n` or fewer.
    pub(crate) fn of(correlation: &[f64], n: usize) -> Self {
        let by = |drawn: &f64| lower(correlation, n, 1.0 - drawn);
        let exact = lower(correlation, n, 1.0);
        let near = || if n > EIGEN_MAX { DRAWN.iter().find_map(by) } else { None };
        exact.or_else(near).unwrap_or_else(|| by_eigenvalues(correlation, n))
    }

    /// How many independent variables there are.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The weighted sums of one row for many draws at once: `factors` holds, for each independent
    /// variable, as many values as `out`.
    pub(crate) fn mix(&self, row: usize, factors: &[f32], out: &mut [f32]) {
        let weights = &self.weights[row * self.width..(row + 1) * self.width];
        let draws = factors.len() / self.width.max(1);
        out.fill(0.0);
        for (weights, factors) in weights.chunks(LANES).zip(factors.chunks(LANES * draws.max(1))) {
            if weights.iter().all(|&weight| weight == 0.0) {
                continue;
            }
            if let &[a, b, c, d, e, f, g, h] = weights {
                let of = |k: usize| factors[k * draws..(k + 1) * draws].iter();
                let low = of(0).zip(of(1)).zip(of(2).zip(of(3)));
                let high = of(4).zip(of(5)).zip(of(6).zip(of(7)));
                for (sum, (((xa, xb), (xc, xd)), ((xe, xf), (xg, xh)))) in
                    out.iter_mut().zip(low.zip(high))
                {
                    let low = (a * xa + b * xb) + (c * xc + d * xd);
                    *sum += low + ((e * xe + f * xf) + (g * xg + h * xh));
                }
            } else {
                for (weight, factor) in weights.iter().zip(factors.chunks(draws.max(1))) {
                    out.iter_mut().zip(factor).for_each(|(sum, x)| *sum += weight * x);
                }
            }
        }
    }
}

/// By Cholesky's decomposition, all pairs being multiplied by `kept`; none where that is no
/// correlation matrix.
fn lower(correlation: &[f64], n: usize, kept: f64) -> Option<Loadings> {
    let mut lower = vec![0.0_f64; n * n];
    for i in 0..n {
        for j in 0..=i {
            let wanted = if i == j { 1.0 } else { kept * correlation[i * n + j] };
            let (row, other) = (&lower[i * n..i * n + j], &lower[j * n..j * n + j]);
            let left = wanted - row.iter().zip(other).map(|(a, b)| a * b).sum::<f64>();
            lower[i * n + j] = if i != j {
                left / lower[j * n + j]
            } else if left > LEAST {
                left.sqrt()
            } else {
                // Also where something is not a number.
                return None;
            };
        }
    }
    Some(Loadings { weights: lower.into_iter().map(|x| x as f32).collect(), width: n })
}

fn by_eigenvalues(correlation: &[f64], n: usize) -> Loadings {
    let (values, vectors) = eigen(correlation.to_vec(), n);
    let kept: Vec<usize> = (0..n).filter(|&k| values[k] > LEAST).collect();
    let mut weights = Vec::with_capacity(n * kept.len());
    for i in 0..n {
        let row: Vec<f64> = kept.iter().map(|&k| vectors[i * n + k] * values[k].sqrt()).collect();
        let length = row.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-12);
        weights.extend(row.into_iter().map(|x| (x / length) as f32));
    }
    Loadings { weights, width: kept.len() }
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

    /// The correlation of two rows, with draws that stand for each variable alone.
    fn product(loadings: &Loadings, i: usize, j: usize) -> f64 {
        let n = loadings.width();
        let each: Vec<f32> = (0..n * n).map(|k| f32::from(u8::from(k / n == k % n))).collect();
        let [mut a, mut b] = [vec![0.0; n], vec![0.0; n]];
        loadings.mix(i, &each, &mut a);
        loadings.mix(j, &each, &mut b);
        a.iter().zip(&b).map(|(a, b)| f64::from(a * b)).sum()
    }

    #[test]
    fn loadings_give_the_correlations_back() {
        let n = 11;
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
    #[test]
    fn many_rows_that_contradict_each_other_are_drawn_towards_nothing() {
        let n = EIGEN_MAX + 2;
        // Of three rows in turn, the first goes with both others, which go against each other.
        let at = |i: usize, j: usize| match (i % 3).min(j % 3) {
            _ if i == j => 1.0,
            _ if i % 3 == j % 3 => 0.0,
            0 => 0.2,
            _ => -0.2,
        };
        let matrix: Vec<f64> = (0..n * n).map(|k| at(k / n, k % n)).collect();
        let loadings = Loadings::of(&matrix, n);
        assert!((product(&loadings, 5, 5) - 1.0).abs() < 1e-5);
        assert!((0.0..0.2).contains(&product(&loadings, 3, 4)), "{}", product(&loadings, 3, 4));
    }
}
