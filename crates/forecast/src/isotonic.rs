//! Isotonic regression: the nearest sequence that never falls.
//!
//! Pool adjacent violators (Ayer et al., 1955), linear time. Survival must not rise with the
//! horizon, quantiles must not cross: forecasts made one by one are put right here.

/// The non-decreasing sequence with the least weighted squared distance to `values`.
///
/// # Panics
/// There are not as many weights as values.
#[must_use]
pub fn rising(values: &[f64], weights: &[f64]) -> Vec<f64> {
    assert_eq!(values.len(), weights.len(), "each value has a weight");
    let mut blocks: Vec<(f64, f64, usize)> = Vec::with_capacity(values.len());
    for (&value, &weight) in values.iter().zip(weights) {
        let mut block = (value, weight.max(1e-300), 1);
        while let Some(&(mean, mass, count)) = blocks.last()
            && mean > block.0
        {
            let total = mass + block.1;
            block = ((mean * mass + block.0 * block.1) / total, total, count + block.2);
            blocks.pop();
        }
        blocks.push(block);
    }
    blocks.into_iter().flat_map(|(mean, _, count)| std::iter::repeat_n(mean, count)).collect()
}

/// The non-increasing sequence with the least squared distance to `values`.
#[must_use]
pub fn falling(values: &[f64]) -> Vec<f64> {
    let negated: Vec<f64> = values.iter().map(|value| -value).collect();
    rising(&negated, &vec![1.0; values.len()]).into_iter().map(|value| -value).collect()
}

/// `first`, and then the non-increasing sequence nearest to `values` that does not exceed it.
#[must_use]
pub fn falling_from(first: f64, values: &[f64]) -> Vec<f64> {
    let rest = falling(values).into_iter().map(|value| value.min(first));
    std::iter::once(first).chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The least squared distance over all ways to cut the sequence into blocks of equal values
    /// whose means do not fall: what the definition asks for, by trying everything.
    fn least_distance(values: &[f64], weights: &[f64]) -> f64 {
        let n = values.len();
        let mut least = f64::INFINITY;
        for cuts in 0..1_u32 << (n - 1) {
            let (mut from, mut last, mut distance, mut is_rising) =
                (0, f64::NEG_INFINITY, 0.0, true);
            for to in 1..=n {
                if to < n && cuts & (1 << (to - 1)) == 0 {
                    continue;
                }
                let mass: f64 = weights[from..to].iter().sum();
                let mean = (from..to).map(|i| values[i] * weights[i]).sum::<f64>() / mass;
                is_rising &= mean >= last - 1e-12;
                distance +=
                    (from..to).map(|i| weights[i] * (values[i] - mean).powi(2)).sum::<f64>();
                (from, last) = (to, mean);
            }
            if is_rising {
                least = least.min(distance);
            }
        }
        least
    }

    proptest! {
        #[test]
        fn no_rising_sequence_is_nearer(
            pairs in prop::collection::vec((-1.0..1.0, 0.1..3.0), 1..9),
        ) {
            let (values, weights): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let found = rising(&values, &weights);
            prop_assert!(found.windows(2).all(|pair| pair[0] <= pair[1]));
            let distance: f64 = (0..values.len())
                .map(|i| weights[i] * (values[i] - found[i]).powi(2))
                .sum();
            prop_assert!((distance - least_distance(&values, &weights)).abs() < 1e-9);
        }
    }

    #[test]
    fn what_falls_already_is_left_alone() {
        assert_eq!(falling(&[0.9, 0.5, 0.5, 0.1]), [0.9, 0.5, 0.5, 0.1]);
        assert_eq!(falling(&[0.4, 0.6]), [0.5, 0.5]);
        assert!(falling(&[]).is_empty());
    }
}
