//! The clock on the wall of a zone: what it reads at an instant, and at which instant it reads what.
//!
//! Knows offsets from UTC and when they change, as values; a database of time zones is somebody
//! else's. A day of 23 or 25 hours is one day.

use spec::Timestamp;

const DAY_SECONDS: i64 = 86_400;

/// Offsets from UTC over time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalClock {
    /// Seconds east of UTC before the first change.
    first: i32,
    /// From this Unix second on, so many seconds east; ascending.
    changes: Vec<(i64, i32)>,
}

/// What a clock on the wall and the calendar beside it show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Hours since midnight, from 0 to less than 24.
    pub hour: f32,
    /// Days since Monday, 0 to 6.
    pub weekday: u8,
    /// Days since 1970-01-01.
    pub day: i64,
}

impl LocalClock {
    /// Coordinated universal time.
    #[must_use]
    pub fn utc() -> Self {
        Self::default()
    }

    /// A clock that is `first` seconds east of UTC until the first of the changes, each a Unix
    /// second and the seconds east from then on.
    #[must_use]
    pub fn new(first: i32, mut changes: Vec<(i64, i32)>) -> Self {
        changes.sort_unstable();
        Self { first, changes }
    }

    /// What it reads at an instant.
    #[must_use]
    pub fn reading(&self, at: Timestamp) -> Reading {
        let civil = self.civil(at);
        let day = civil.div_euclid(DAY_SECONDS);
        Reading {
            hour: civil.rem_euclid(DAY_SECONDS) as f32 / 3600.0,
            // The first of January 1970 was a Thursday.
            weekday: (day + 3).rem_euclid(7) as u8,
            day,
        }
    }

    /// Seconds since it read 1970-01-01 00:00, counted as if every day had 24 hours.
    #[must_use]
    pub fn civil(&self, at: Timestamp) -> i64 {
        let second = at.0.div_euclid(1_000_000);
        second + i64::from(self.offset(second))
    }

    /// The instant at which it reads so many such seconds: the earlier one where it reads them
    /// twice, and as much later as the clock is put forward where it skips them.
    #[must_use]
    pub fn instant(&self, civil: i64) -> Timestamp {
        let before = i64::from(self.offset(civil.saturating_sub(2 * DAY_SECONDS)));
        let after = i64::from(self.offset(civil.saturating_add(2 * DAY_SECONDS)));
        let reads = |offset: i64| i64::from(self.offset(civil.saturating_sub(offset))) == offset;
        let offset = if reads(before) || !reads(after) { before } else { after };
        Timestamp(civil.saturating_sub(offset).saturating_mul(1_000_000))
    }

    fn offset(&self, second: i64) -> i32 {
        let next = self.changes.partition_point(|change| change.0 <= second);
        next.checked_sub(1).map_or(self.first, |i| self.changes[i].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-29 01:00 UTC: Berlin goes from +1 to +2; 2026-10-25 01:00 UTC: back.
    const SPRING: i64 = 1_774_746_000;
    const AUTUMN: i64 = 1_792_890_000;

    fn berlin() -> LocalClock {
        LocalClock::new(3600, vec![(AUTUMN, 3600), (SPRING, 7200)])
    }

    fn at(second: i64) -> Timestamp {
        Timestamp(second * 1_000_000)
    }

    #[test]
    fn the_hour_skips_one_in_spring_and_comes_twice_in_autumn() {
        let clock = berlin();
        let hour = |second| clock.reading(at(second)).hour;
        assert_eq!([hour(SPRING - 1).floor(), hour(SPRING)], [1.0, 3.0]);
        assert_eq!([hour(AUTUMN - 3600), hour(AUTUMN)], [2.0, 2.0]);
        assert_eq!(clock.reading(at(SPRING)).weekday, 6, "it is a Sunday");
        let day = |second| clock.reading(at(second)).day;
        let midnight = clock.instant(day(SPRING) * DAY_SECONDS).0 / 1_000_000;
        assert_eq!(day(midnight + 23 * 3600 - 1), day(SPRING), "that day has 23 hours");
        assert_eq!(day(midnight + 23 * 3600), day(SPRING) + 1);
        let midnight = clock.instant(day(AUTUMN) * DAY_SECONDS).0 / 1_000_000;
        assert_eq!(day(midnight + 25 * 3600 - 1), day(AUTUMN), "that day has 25 hours");
        assert_eq!(day(midnight + 25 * 3600), day(AUTUMN) + 1);
    }

    #[test]
    fn what_it_reads_at_an_instant_leads_back_to_that_instant() {
        let clock = berlin();
        for change in [SPRING, AUTUMN] {
            for second in (change - 9000..change + 9000).step_by(300) {
                let back = clock.instant(clock.civil(at(second))).0 / 1_000_000;
                let is_second_time = (AUTUMN..AUTUMN + 3600).contains(&second);
                assert_eq!(back, if is_second_time { second - 3600 } else { second });
            }
        }
    }

    #[test]
    fn an_hour_that_is_skipped_is_that_much_later() {
        let clock = berlin();
        // Half past two does not exist on that day: half past three is meant.
        let half_past_two = SPRING + 3600 + 1800;
        assert_eq!(clock.instant(half_past_two), at(SPRING + 1800));
        assert_eq!(clock.reading(at(SPRING + 1800)).hour, 3.5);
    }
}
