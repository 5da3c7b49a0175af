//! Log-odds, in which models add up and experts are pooled, and back.

/// The log-odds of a probability, no farther from 0 than 7 (odds of a thousand to one).
#[must_use]
pub fn log_odds(p: f64) -> f32 {
    logit(p).clamp(-7.0, 7.0) as f32
}

/// The log-odds of a probability, all but unbounded.
#[must_use]
pub fn logit(p: f64) -> f64 {
    let p = p.clamp(1e-6, 1.0 - 1e-6);
    (p / (1.0 - p)).ln()
}

/// The probability of log-odds.
#[must_use]
pub fn sigmoid(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// The same in single precision, for loops over many rows.
#[must_use]
pub fn sigmoid_f32(log_odds: f32) -> f32 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// `ln(1 + e^x)` without overflow: the log loss of log-odds `-x` where it comes true.
#[must_use]
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_is_where_it_was_and_nothing_is_ever_sure() {
        for p in [0.01, 0.5, 0.9] {
            assert!((sigmoid(f64::from(log_odds(p))) - p).abs() < 1e-6);
            assert!((f64::from(sigmoid_f32(log_odds(p))) - p).abs() < 1e-6);
        }
        assert!(sigmoid(f64::from(log_odds(1.0))) < 1.0);
        assert!((softplus(-2.0) + sigmoid(2.0).ln()).abs() < 1e-12);
        assert!(softplus(1e6).is_finite());
    }
}
