//! Quantities as reports show them: units are part of the type, and of the JSON.
//!
//! In JSON, spans are seconds, sizes are bytes, moments are RFC 3339 in UTC, work is
//! core-seconds; the names of fields end in the unit.

use serde::{Serialize, Serializer};
use spec::resources::MilliCpus;
use spec::{Duration, Timestamp};

/// A span of time; seconds in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub Duration);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_secs_f64())
    }
}

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 == Duration::ZERO { f.write_str("0s") } else { self.0.fmt(f) }
    }
}

/// A point in time; RFC 3339 in UTC, in JSON with microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Timestamp);

impl Moment {
    fn civil(self) -> jiff::Timestamp {
        // Outside the years -9999 to 9999 there is no date to show.
        jiff::Timestamp::from_microsecond(self.0.0).unwrap_or_default()
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{:.6}", self.civil()))
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:.0}", self.civil());
        f.write_str(&text.replace('T', " ").replace('Z', " UTC"))
    }
}

/// Cpus set aside, times how long; exact, in thousandths of a cpu times microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CoreSeconds(u128);

impl CoreSeconds {
    const PER_CORE_SECOND: f64 = 1e9;

    /// So many cpus for so long.
    #[must_use]
    pub fn of(cpus: MilliCpus, span: Duration) -> Self {
        Self(u128::from(cpus.0) * u128::from(span.0))
    }

    /// As a number.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / Self::PER_CORE_SECOND
    }

    /// How long the work takes on so many cpus, rounded down to a microsecond; zero without cpus.
    #[must_use]
    pub fn spread_over(self, cpus: MilliCpus) -> Duration {
        let micros = self.0.checked_div(u128::from(cpus.0)).unwrap_or(0);
        Duration(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

impl std::ops::Add for CoreSeconds {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::ops::AddAssign for CoreSeconds {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for CoreSeconds {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), std::ops::Add::add)
    }
}

impl Serialize for CoreSeconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_f64())
    }
}

impl std::fmt::Display for CoreSeconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.as_f64();
        match seconds {
            s if s >= 36_000.0 => write!(f, "{:.1} core-hours", s / 3_600.0),
            s if s >= 100.0 => write!(f, "{s:.0} core-seconds"),
            s if s >= 1.0 => write!(f, "{s:.1} core-seconds"),
            s if s > 0.0 => write!(f, "{s:.3} core-seconds"),
            _ => f.write_str("0 core-seconds"),
        }
    }
}

/// A count with thousands set apart, as people read it: `12,480`.
#[must_use]
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share between 0 and 1, as people read it: `74 %`.
#[must_use]
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 9.95 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}

/// `1 task`, `2 tasks`.
#[must_use]
pub fn plural(n: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_set_apart_by_thousands() {
        let shown = [0, 7, 999, 1_000, 12_480, 1_000_000].map(count);
        assert_eq!(shown, ["0", "7", "999", "1,000", "12,480", "1,000,000"]);
    }

    #[test]
    fn work_is_exact_and_divides_into_time() {
        let work = CoreSeconds::of(MilliCpus(2_500), Duration::from_secs(4));
        assert_eq!(work.as_f64(), 10.0);
        assert_eq!(work.spread_over(MilliCpus::whole(4)), Duration::from_millis(2_500));
        assert_eq!(work.spread_over(MilliCpus(0)), Duration::ZERO);
    }

    #[test]
    fn moments_are_dates_in_utc() {
        let moment = Moment(Timestamp(1_751_500_000_250_000));
        assert_eq!(moment.to_string(), "2025-07-02 23:46:40 UTC");
        assert_eq!(serde_json::to_string(&moment).unwrap(), "\"2025-07-02T23:46:40.250000Z\"");
    }
}
