//! Exponential and logarithm from additions and multiplications alone.
//!
//! Those of the standard library come from the machine's own library and may differ in the last
//! bit from one machine to the next. These give the same bits everywhere, to about 1e-14.

/// `e` to the power of `x`; zero or infinity where that is what a double can hold.
#[must_use]
pub(crate) fn exp(x: f64) -> f64 {
    if x.is_nan() || x > 709.0 {
        return if x > 0.0 { f64::INFINITY } else { x };
    }
    if x < -700.0 {
        return 0.0;
    }
    // x = k ln 2 + r with |r| <= ln 2 / 2, and e^x = 2^k e^r.
    let k = (x / std::f64::consts::LN_2).round();
    let r = x - k * std::f64::consts::LN_2;
    let mut term = 1.0;
    let mut sum = 1.0;
    for i in 1..=16 {
        term *= r / f64::from(i);
        sum += term;
    }
    sum * f64::from_bits(((1_023 + k as i64) as u64) << 52)
}

/// The natural logarithm of a positive, normal number.
#[must_use]
pub(crate) fn ln(x: f64) -> f64 {
    // x = 2^k m with m in [1, 2), and ln m = 2 artanh((m - 1) / (m + 1)).
    let bits = x.to_bits();
    let k = ((bits >> 52) as i64 - 1_023) as f64;
    let m = f64::from_bits((bits & ((1 << 52) - 1)) | (1_023 << 52));
    let z = (m - 1.0) / (m + 1.0);
    let (mut power, mut sum) = (z, 0.0);
    for i in 0..18 {
        sum += power / f64::from(2 * i + 1);
        power *= z * z;
    }
    k * std::f64::consts::LN_2 + 2.0 * sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_agree_with_the_machines_own(x in -50.0..50.0_f64, y in 1e-6..1e12_f64) {
            prop_assert!((exp(x) / x.exp() - 1.0).abs() < 1e-13);
            prop_assert!((ln(y) - y.ln()).abs() < 1e-13 * (1.0 + y.ln().abs()));
        }
    }
}
