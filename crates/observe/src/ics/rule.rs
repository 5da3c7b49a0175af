//! Rules of recurrence (RFC 5545, 3.3.10), spread out by the clock that the event is written in.
//!
//! Knows one period after another: its candidates, those of them that a rule keeps, and the budget
//! of work. Begins near the stretch that is asked for wherever the rule does not count.

use jiff::civil::{Date, DateTime, Weekday};
use jiff::{Span, ToSpan};

use super::{Moment, property};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Freq {
    /// Seconds.
    Short(i64),
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// A rule.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    freq: Freq,
    interval: i64,
    count: Option<u64>,
    until: Option<DateTime>,
    months: Vec<i8>,
    weeks: Vec<i8>,
    year_days: Vec<i16>,
    month_days: Vec<i8>,
    /// The how-manieth, 0 for each, and the day.
    days: Vec<(i16, Weekday)>,
    hours: Vec<i8>,
    minutes: Vec<i8>,
    seconds: Vec<i8>,
    positions: Vec<i32>,
    week_start: Weekday,
}

impl Rule {
    /// Reads a rule of an event that first begins at `start`, and says which of its parts are not
    /// read: without them it means more, not less.
    pub(super) fn parse(text: &str, start: &Moment) -> Result<(Self, Vec<String>), String> {
        let mut rule = Self {
            freq: Freq::Daily,
            interval: 1,
            count: None,
            until: None,
            months: Vec::new(),
            weeks: Vec::new(),
            year_days: Vec::new(),
            month_days: Vec::new(),
            days: Vec::new(),
            hours: Vec::new(),
            minutes: Vec::new(),
            seconds: Vec::new(),
            positions: Vec::new(),
            week_start: Weekday::Monday,
        };
        let (mut has_freq, mut unread) = (false, Vec::new());
        for part in text.trim().split(';').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = name.trim().to_ascii_uppercase();
            has_freq |= name == "FREQ";
            if rule.part(&name, value, start).is_some() {
                continue;
            }
            // Without these, a rule would mean something else altogether.
            if ["FREQ", "INTERVAL", "COUNT", "UNTIL"].contains(&name.as_str()) {
                return Err(format!("`{}` is not understood", super::shown(part)));
            }
            unread.push(super::shown(part));
        }
        if has_freq { Ok((rule, unread)) } else { Err("the rule has no FREQ".to_owned()) }
    }

    fn part(&mut self, name: &str, value: &str, start: &Moment) -> Option<()> {
        match name {
            "FREQ" => self.freq = freq(value)?,
            "INTERVAL" => {
                self.interval = value.parse().ok().filter(|n| (1..=100_000).contains(n))?;
            }
            "COUNT" => self.count = Some(value.parse().ok()?),
            "UNTIL" => self.until = Some(until(value, start)?),
            "BYMONTH" => self.months = numbers(value, 1..=12)?,
            "BYWEEKNO" => self.weeks = numbers(value, -53..=53)?,
            "BYYEARDAY" => self.year_days = numbers(value, -366..=366)?,
            "BYMONTHDAY" => self.month_days = numbers(value, -31..=31)?,
            "BYHOUR" => self.hours = numbers(value, 0..=23)?,
            "BYMINUTE" => self.minutes = numbers(value, 0..=59)?,
            // A leap second is the one before.
            "BYSECOND" => {
                self.seconds = numbers(value, 0..=60)?.into_iter().map(|n: i8| n.min(59)).collect();
                self.seconds.dedup();
            }
            "BYDAY" => self.days = value.split(',').map(day).collect::<Option<_>>()?,
            "BYSETPOS" => {
                let positions = value.split(',').map(|n| n.trim().parse().ok());
                self.positions = positions.collect::<Option<_>>()?;
            }
            "WKST" => self.week_start = day(value)?.1,
            _ => return None,
        }
        Some(())
    }

    /// The occurrences from about `from` to `to`, and whether these are all: `work` is what may
    /// still be looked at.
    pub(super) fn occurrences(
        &self,
        start: DateTime,
        from: DateTime,
        to: DateTime,
        work: &mut usize,
    ) -> (Vec<DateTime>, bool) {
        let to = self.until.map_or(to, |until| until.min(to));
        let mut found = Vec::new();
        let mut left = self.count;
        let mut period = if self.count.is_some() { 0 } else { self.skipped(start, from) };
        loop {
            if *work == 0 {
                return (found, false);
            }
            *work -= 1;
            let Some(begin) = self.begin(start, period) else { return (found, true) };
            if begin > to {
                return (found, true);
            }
            let candidates = self.candidates(begin, start);
            *work = work.saturating_sub(candidates.len());
            for at in self.chosen(candidates).into_iter().filter(|&at| at >= start) {
                if at > to || left == Some(0) {
                    return (found, true);
                }
                left = left.map(|left| left - 1);
                if at >= from {
                    found.push(at);
                }
            }
            period += 1;
        }
    }

    /// Periods that are over before `from`, a few less.
    fn skipped(&self, start: DateTime, from: DateTime) -> i64 {
        if from <= start {
            return 0;
        }
        let days = i64::from(start.date().until(from.date()).map_or(0, |span| span.get_days()));
        let periods = match self.freq {
            Freq::Short(seconds) => days * 86_400 / (seconds * self.interval),
            Freq::Daily => days / self.interval,
            Freq::Weekly => days / (7 * self.interval),
            Freq::Monthly => days / (31 * self.interval),
            Freq::Yearly => days / (366 * self.interval),
        };
        let less = match self.freq {
            Freq::Short(seconds) => 86_400 / (seconds * self.interval) + 1,
            _ => 2,
        };
        (periods - less).max(0)
    }

    /// Where a period begins, in the sense that later ones begin later.
    fn begin(&self, start: DateTime, period: i64) -> Option<DateTime> {
        let n = period.checked_mul(self.interval)?;
        let first = |date: Date| DateTime::from_parts(date, jiff::civil::Time::midnight());
        let add = |date: Date, span: Result<Span, jiff::Error>| {
            span.ok().and_then(|span| date.checked_add(span).ok()).map(first)
        };
        match self.freq {
            Freq::Short(seconds) => {
                let seconds = n.checked_mul(seconds)?;
                start.checked_add(Span::new().try_seconds(seconds).ok()?).ok()
            }
            Freq::Daily => add(start.date(), Span::new().try_days(n)),
            Freq::Weekly => {
                let since = start.date().weekday().since(self.week_start);
                let week = start.date().checked_sub(i64::from(since).days()).ok()?;
                add(week, Span::new().try_weeks(n))
            }
            Freq::Monthly => add(start.date().first_of_month(), Span::new().try_months(n)),
            Freq::Yearly => add(start.date().first_of_year(), Span::new().try_years(n)),
        }
    }

    /// All times of a period that a rule may mean, in order.
    fn candidates(&self, begin: DateTime, start: DateTime) -> Vec<DateTime> {
        let date = begin.date();
        let dates = match self.freq {
            Freq::Short(unit) => return self.times_of_unit(begin, unit),
            Freq::Daily => vec![date].into_iter().filter(|&d| self.is_day(d)).collect(),
            Freq::Weekly => {
                let days = date.series(1.day()).take(7);
                let usual = start.date().weekday();
                days.filter(|d| {
                    if self.days.is_empty() { d.weekday() == usual } else { self.is_day(*d) }
                })
                .collect()
            }
            Freq::Monthly => self.days_of_month(date, start),
            Freq::Yearly => self.days_of_year(date, start),
        };
        let dates = dates.into_iter().filter(|&date| self.keeps(date));
        dates.flat_map(|date| self.times(date, start)).collect()
    }

    /// The times of an hour, a minute or a second: what is shorter is spread out, what is longer
    /// decides whether there are any.
    fn times_of_unit(&self, begin: DateTime, unit: i64) -> Vec<DateTime> {
        let is_in = |given: &[i8], value: i8| given.is_empty() || given.contains(&value);
        let is_kept = self.keeps(begin.date())
            && self.is_day(begin.date())
            && is_in(&self.hours, begin.hour())
            && (unit > 60 || is_in(&self.minutes, begin.minute()))
            && (unit > 1 || is_in(&self.seconds, begin.second()));
        if !is_kept {
            return Vec::new();
        }
        let or =
            |given: &[i8], usual: i8| if given.is_empty() { vec![usual] } else { given.to_vec() };
        let minutes =
            if unit > 60 { or(&self.minutes, begin.minute()) } else { vec![begin.minute()] };
        let seconds =
            if unit > 1 { or(&self.seconds, begin.second()) } else { vec![begin.second()] };
        let at = |minute: i8, second: i8| begin.date().at(begin.hour(), minute, second, 0);
        let of = |&minute: &i8| seconds.iter().map(move |&second| at(minute, second));
        minutes.iter().flat_map(of).collect()
    }

    fn days_of_month(&self, first: Date, start: DateTime) -> Vec<Date> {
        let month = first.series(1.day()).take(first.days_in_month() as usize);
        let is_usual = self.month_days.is_empty() && self.days.is_empty();
        month
            .filter(|date| {
                let nth = (date.day() - 1) / 7 + 1;
                let last = (first.days_in_month() - date.day()) / 7 + 1;
                if is_usual {
                    date.day() == start.day()
                } else {
                    self.is_nth(*date, nth.into(), last.into())
                }
            })
            .collect()
    }

    fn days_of_year(&self, first: Date, start: DateTime) -> Vec<Date> {
        let days = first.days_in_year();
        let year = first.series(1.day()).take(days as usize);
        if !self.weeks.is_empty() {
            let is_usual =
                self.days.is_empty() && self.month_days.is_empty() && self.year_days.is_empty();
            let usual = start.date().weekday();
            let is_wanted = |date: &Date| {
                self.is_week(*date) && self.is_day(*date) && (!is_usual || date.weekday() == usual)
            };
            return year.filter(is_wanted).collect();
        }
        let is_usual =
            self.month_days.is_empty() && self.days.is_empty() && self.year_days.is_empty();
        year.filter(|date| {
            let is_month = !self.months.is_empty() || is_usual && date.month() == start.month();
            if is_usual {
                return is_month && date.day() == start.day();
            }
            let (nth, last) = if self.months.is_empty() {
                ((date.day_of_year() - 1) / 7 + 1, (days - date.day_of_year()) / 7 + 1)
            } else {
                let (day, in_month) = (i16::from(date.day()), i16::from(date.days_in_month()));
                ((day - 1) / 7 + 1, (in_month - day) / 7 + 1)
            };
            self.is_nth(*date, nth, last)
        })
        .collect()
    }

    /// Whether a date is one of the days of the week that are named: the `nth` of its kind, and the
    /// `last`-th from the end.
    fn is_nth(&self, date: Date, nth: i16, last: i16) -> bool {
        self.days.is_empty()
            || self
                .days
                .iter()
                .any(|&(n, day)| day == date.weekday() && (n == 0 || n == nth || n == -last))
    }

    fn is_day(&self, date: Date) -> bool {
        self.days.is_empty() || self.days.iter().any(|day| day.1 == date.weekday())
    }

    /// Whether a date is in one of the weeks of its year, of which the first has at least four days in
    /// it; weeks belong to the year with most of their days.
    fn is_week(&self, date: Date) -> bool {
        let number = |date: Date| {
            let into = i64::from(date.weekday().since(self.week_start));
            let middle = date.checked_add((3 - into).days()).ok()?;
            Some((middle.year(), (middle.day_of_year() - 1) / 7 + 1))
        };
        let of = || {
            let (year, n) = number(date)?;
            let (_, last) = number(Date::new(year, 12, 28).ok()?)?;
            Some(self.weeks.iter().any(|&w| i16::from(w) == n || i16::from(w) == n - last - 1))
        };
        of().unwrap_or(false)
    }

    /// Whether months, days of months and days of years allow a date.
    fn keeps(&self, date: Date) -> bool {
        let from_end = date.day() - date.days_in_month() - 1;
        let is_day = self.month_days.is_empty()
            || self.month_days.iter().any(|&day| day == date.day() || day == from_end);
        let of_year = date.day_of_year();
        let is_of_year = self.year_days.is_empty()
            || self
                .year_days
                .iter()
                .any(|&day| day == of_year || day == of_year - date.days_in_year() - 1);
        is_day && is_of_year && (self.months.is_empty() || self.months.contains(&date.month()))
    }

    fn times(&self, date: Date, start: DateTime) -> Vec<DateTime> {
        let or =
            |given: &[i8], usual: i8| if given.is_empty() { vec![usual] } else { given.to_vec() };
        let (minutes, seconds) =
            (or(&self.minutes, start.minute()), or(&self.seconds, start.second()));
        let mut times = Vec::new();
        for hour in or(&self.hours, start.hour()) {
            for &minute in &minutes {
                times.extend(seconds.iter().map(|&second| date.at(hour, minute, second, 0)));
            }
        }
        times
    }

    fn chosen(&self, candidates: Vec<DateTime>) -> Vec<DateTime> {
        if self.positions.is_empty() {
            return candidates;
        }
        let n = candidates.len() as i32;
        let is_chosen = |i: i32| self.positions.iter().any(|&p| p == i + 1 || p == i - n);
        (0..n).filter(|&i| is_chosen(i)).map(|i| candidates[i as usize]).collect()
    }
}

fn freq(text: &str) -> Option<Freq> {
    Some(match text.trim().to_ascii_uppercase().as_str() {
        "SECONDLY" => Freq::Short(1),
        "MINUTELY" => Freq::Short(60),
        "HOURLY" => Freq::Short(3600),
        "DAILY" => Freq::Daily,
        "WEEKLY" => Freq::Weekly,
        "MONTHLY" => Freq::Monthly,
        "YEARLY" => Freq::Yearly,
        _ => return None,
    })
}

/// The last moment that counts, by the clock of the event.
fn until(text: &str, start: &Moment) -> Option<DateTime> {
    let (civil, is_date, is_utc) = property::moment(text.trim())?;
    if is_date {
        return Some(civil.date().at(23, 59, 59, 0));
    }
    match &start.clock {
        clock if is_utc => clock.civil(jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?),
        _ => Some(civil),
    }
}

/// Whole numbers between commas, ascending.
fn numbers<T: std::str::FromStr + Ord>(
    text: &str,
    range: std::ops::RangeInclusive<T>,
) -> Option<Vec<T>> {
    let number = |part: &str| part.trim().parse().ok().filter(|n| range.contains(n));
    let mut numbers: Vec<T> = text.split(',').map(number).collect::<Option<_>>()?;
    numbers.sort_unstable();
    numbers.dedup();
    Some(numbers)
}

/// `MO`, `2TU` or `-1FR`.
fn day(text: &str) -> Option<(i16, Weekday)> {
    let text = text.trim();
    let (number, name) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let n = if number.is_empty() {
        0
    } else {
        number.parse().ok().filter(|n| (-53..=53).contains(n))?
    };
    let day = match name.to_ascii_uppercase().as_str() {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    };
    Some((n, day))
}
