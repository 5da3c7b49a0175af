//! Quantities with a unit, as people write them and as the machine counts them.
//!
//! Text forms are strict: `2h30m`, `1.5GiB`, `500ms`; a bare number is seconds or bytes.

use serde::{Deserialize, Serialize};

/// Microseconds since the Unix epoch. Comes from a clock outside the pure core.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A span of time in microseconds; never negative.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Duration(pub u64);

/// A number of bytes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Bytes(pub u64);

const MICROS_PER_SECOND: u64 = 1_000_000;

impl Timestamp {
    /// The span since `earlier`; zero when the clock was set back in between.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.0).unwrap_or(i64::MAX)))
    }
}

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// Whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(MICROS_PER_SECOND))
    }

    /// Whole milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Fractional seconds; negative and non-finite values become zero.
    #[must_use]
    pub fn from_secs_f64(seconds: f64) -> Self {
        if seconds.is_finite() && seconds > 0.0 {
            Self((seconds * MICROS_PER_SECOND as f64).round() as u64)
        } else {
            Self::ZERO
        }
    }

    /// In seconds.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / MICROS_PER_SECOND as f64
    }

    /// Scaled by a factor, saturating.
    #[must_use]
    pub fn mul_f64(self, factor: f64) -> Self {
        Self::from_secs_f64(self.as_secs_f64() * factor)
    }

    /// For the standard library's timers.
    #[must_use]
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_micros(self.0)
    }
}

impl std::ops::Add for Duration {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// Why a text is not a quantity; reads after "`x` is not a duration: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Nothing there, or no digits where a number must start.
    #[error("a number must come first, as in `{example}`")]
    NoNumber {
        /// A correct text to imitate.
        example: &'static str,
    },
    /// The unit is none of the known ones.
    #[error("unknown unit `{unit}`; use one of {known}")]
    UnknownUnit {
        /// As written.
        unit: String,
        /// The accepted ones.
        known: &'static str,
    },
    /// More than one point, or a number that is no number.
    #[error("`{text}` is not a number")]
    NotANumber {
        /// As written.
        text: String,
    },
    /// Past what 64 bits hold.
    #[error("too large; at most {max}")]
    TooLarge {
        /// The bound, as people write it.
        max: &'static str,
    },
}

impl std::str::FromStr for Duration {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        const EXAMPLE: &str = "1h30m";
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(QuantityError::NoNumber { example: EXAMPLE });
        }
        let mut total = 0.0;
        while !rest.is_empty() {
            let (number, unit, tail) = split_quantity(rest, EXAMPLE)?;
            total += number * seconds_per(unit)?;
            rest = tail.trim_start();
        }
        // A century: beyond it a limit is no limit and arithmetic on timestamps would saturate.
        if total > 3.156e9 {
            return Err(QuantityError::TooLarge { max: "100 years" });
        }
        Ok(Self::from_secs_f64(total))
    }
}

impl std::str::FromStr for Bytes {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        const EXAMPLE: &str = "4GiB";
        let (number, unit, tail) = split_quantity(text.trim(), EXAMPLE)?;
        if !tail.is_empty() {
            return Err(QuantityError::NotANumber { text: text.to_owned() });
        }
        let bytes = number * bytes_per(unit)?;
        if bytes >= i64::MAX as f64 {
            return Err(QuantityError::TooLarge { max: "8EiB" });
        }
        Ok(Self(bytes.round() as u64))
    }
}

/// Cuts `12.5GiB rest` into the number, the unit and what follows.
fn split_quantity<'a>(
    text: &'a str,
    example: &'static str,
) -> Result<(f64, &'a str, &'a str), QuantityError> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(digits);
    if !number.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(QuantityError::NoNumber { example });
    }
    let value =
        number.parse().map_err(|_| QuantityError::NotANumber { text: number.to_owned() })?;
    let rest = rest.trim_start();
    let unit_end = rest.find(|c: char| !c.is_alphabetic() && c != '/').unwrap_or(rest.len());
    let (unit, tail) = rest.split_at(unit_end);
    Ok((value, unit, tail))
}

fn seconds_per(unit: &str) -> Result<f64, QuantityError> {
    Ok(match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "" | "s" | "sec" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        "w" => 604_800.0,
        _ => {
            let known = "us, ms, s, m, h, d, w";
            return Err(QuantityError::UnknownUnit { unit: unit.to_owned(), known });
        }
    })
}

fn bytes_per(unit: &str) -> Result<f64, QuantityError> {
    Ok(match unit {
        "" | "B" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        "K" | "KiB" => 1024.0,
        "M" | "MiB" => 1_048_576.0,
        "G" | "GiB" => 1_073_741_824.0,
        "T" | "TiB" => 1_099_511_627_776.0,
        _ => {
            let known = "B, KiB, MiB, GiB, TiB, kB, MB, GB, TB (K, M, G, T mean KiB, MiB, …)";
            return Err(QuantityError::UnknownUnit { unit: unit.to_owned(), known });
        }
    })
}

impl std::fmt::Display for Duration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.as_secs_f64();
        match seconds {
            s if s < 0.001 => write!(f, "{}us", self.0),
            s if s < 1.0 => write!(f, "{:.0}ms", s * 1e3),
            s if s < 10.0 => write!(f, "{s:.2}s"),
            s if s < 60.0 => write!(f, "{s:.1}s"),
            s if s < 3_600.0 => write!(f, "{}m{:02}s", s as u64 / 60, s as u64 % 60),
            s => write!(f, "{}h{:02}m", s as u64 / 3_600, s as u64 % 3_600 / 60),
        }
    }
}

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const STEPS: [(&str, u64); 4] =
            [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        for (unit, size) in STEPS {
            if self.0 >= size {
                let scaled = self.0 as f64 / size as f64;
                let decimals = usize::from(scaled < 10.0 && !self.0.is_multiple_of(size));
                return write!(f, "{scaled:.decimals$} {unit}");
            }
        }
        write!(f, "{} B", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        let micros = |text: &str| text.parse::<Duration>().map(|d| d.0);
        assert_eq!(micros("90"), Ok(90_000_000));
        assert_eq!(micros("1h30m"), Ok(5_400_000_000));
        assert_eq!(micros("1.5 s"), Ok(1_500_000));
        assert_eq!(micros("250ms"), Ok(250_000));
        assert!(micros("").is_err());
        assert!(micros("-1s").is_err());
        assert!(micros("1e400").is_err());
        assert!(micros("5 parsecs").is_err());
    }

    #[test]
    fn byte_counts_read_as_people_write_them() {
        let bytes = |text: &str| text.parse::<Bytes>().map(|b| b.0);
        assert_eq!(bytes("4GiB"), Ok(4 << 30));
        assert_eq!(bytes("4G"), Ok(4 << 30));
        assert_eq!(bytes("2 MB"), Ok(2_000_000));
        assert_eq!(bytes("17"), Ok(17));
        assert!(bytes("1.5.2 GB").is_err());
        assert!(bytes("9223372036854775808").is_err());
        assert!(bytes("-1").is_err());
        assert!(bytes("1GiB 2").is_err());
    }
}
