//! Whether such forecasts would have come true: the past once more, in order.
//!
//! Knows the attempts of one template. Each is forecast from those before it alone, so the shares
//! that are told are of forecasts as they would have been made.

use super::{Demand, Prior, Quantity, Seen};

/// What forecasts of the past would have been worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// How many attempts were forecast.
    pub n: usize,
    /// The share of them between the 10 % and the 90 % quantile: 0.8 if forecasts are honest.
    pub within_80: f64,
    /// The share of them not above the 95 % quantile: 0.95 if forecasts are honest.
    pub below_95: f64,
}

/// Fewer attempts are not scored.
const FIRST: usize = 5;
/// At most so many refits: the latest attempts are forecast in as many stretches.
const REFITS: usize = 40;

/// Forecasts each attempt from those before it; none with too few of them.
#[must_use]
pub fn replay(quantity: Quantity, seen: &[Seen], prior: Prior) -> Option<Calibration> {
    if seen.len() <= FIRST {
        return None;
    }
    let stretch = (seen.len() - FIRST).div_ceil(REFITS);
    let (mut n, mut within, mut below) = (0_usize, 0_usize, 0_usize);
    for from in (FIRST..seen.len()).step_by(stretch) {
        let demand = Demand::learn(quantity, &seen[..from], prior);
        for next in &seen[from..(from + stretch).min(seen.len())] {
            let quantile = |level| demand.quantile(next.input_bytes, level);
            let amount = next.amount.max(quantity.least());
            n += 1;
            within += usize::from((quantile(0.1)..=quantile(0.9)).contains(&amount));
            below += usize::from(amount <= quantile(0.95));
        }
    }
    let share = |count: usize| count as f64 / n as f64;
    Some(Calibration { n, within_80: share(within), below_95: share(below) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Stream;

    #[test]
    fn forecasts_of_lognormal_tasks_come_true_as_often_as_they_say() {
        let mut stream = Stream::new(5);
        // The sum of twelve uniform draws less six is close to a standard normal.
        let mut normal = || (0..12).map(|_| stream.uniform()).sum::<f64>() - 6.0;
        let seen: Vec<Seen> = (0..400)
            .map(|i| {
                let size = (1_u64 << 20) * (1 + i * 37 % 101);
                let amount = 5.0 + size as f64 / 2e6 * (0.4 * normal()).exp();
                Seen { input_bytes: Some(size), amount }
            })
            .collect();
        let prior = Prior::anything(Quantity::Duration);
        let calibration = replay(Quantity::Duration, &seen, prior).unwrap();
        assert!(calibration.n > 350);
        assert!((0.74..0.88).contains(&calibration.within_80), "{calibration:?}");
        assert!((0.91..0.99).contains(&calibration.below_95), "{calibration:?}");
        assert_eq!(replay(Quantity::Duration, &seen[..5], prior), None);
    }
}
