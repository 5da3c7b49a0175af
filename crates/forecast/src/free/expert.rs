//! The experts: what each says of a target from what is known at an origin.
//!
//! Three kinds. A *point* is one number, made a distribution by the errors it made before; its
//! errors are taken as differences, and for some also as ratios, which suit what is bursty. An
//! *empirical* expert says that what comes is drawn from a part of the past. The *boosted* one
//! gives quantiles of its own. Knows one series and nothing of how experts are weighed.

use super::levels::{self, Quantiles};
use super::line;
use super::past::{Clock, Past};

/// Points, in order.
pub(super) const LAST: usize = 0;
const SEASONAL: usize = 1;
const HOUR: usize = 2;
const RECENT_HOUR: usize = 3;
const DEVIATION: usize = 4;
pub(super) const LINE: usize = 5;
const DAY: usize = 6;
pub(super) const BOOSTED: usize = 7;
/// How many points there are.
pub(super) const POINTS: usize = 8;
/// The points that are also taken with their errors as ratios.
pub(super) const RATIOS: [usize; 3] = [LAST, HOUR, BOOSTED];
/// How many experts learn from errors.
pub(super) const ERRORS: usize = POINTS + RATIOS.len();
/// How many empirical experts there are.
const EMPIRICAL: usize = 3;
/// The logarithm of the largest ratio that is believed to come again.
const RATIO_MAX: f64 = 3.0;
/// How many experts there are.
pub(super) const EXPERTS: usize = ERRORS + EMPIRICAL + 1;

/// The one whose quantiles are its own.
const BOOSTED_QUANTILES: usize = EXPERTS - 1;
/// What an expert that learns from all the others know counts before anything came: many of those are
/// nearly the same as each other.
const LEARNED: f64 = 3.0;

/// Names of the experts, in order.
pub(super) const NAMES: [&str; EXPERTS] = [
    "last value",
    "same time yesterday",
    "hour of day",
    "recent hour of day",
    "deviation from hour of day",
    "line",
    "last day's mean",
    "boosted median",
    "last value, ratios",
    "hour of day, ratios",
    "boosted median, ratios",
    "last day",
    "last week",
    "around that hour",
    "boosted quantiles",
];

/// What is known at an origin about a target.
#[derive(Clone, Debug)]
pub(super) struct Outlook {
    /// The points; the boosted one is filled in later.
    pub(super) points: [f64; POINTS],
    /// The unit of differences.
    pub(super) spread: f64,
    /// What is added before ratios are taken.
    pub(super) lift: f64,
    /// What the line takes.
    pub(super) row: [f64; line::WIDTH],
}

impl Outlook {
    /// Of the target `k` steps after the last; the point of the line is filled in later. None before
    /// anything is known.
    pub(super) fn of(past: &Past, clock: Clock, k: usize, decay: f64) -> Option<Self> {
        let last = past.last();
        if last.is_nan() {
            return None;
        }
        let now = past.len() - 1;
        let target = now + k;
        let or = |value: f64, otherwise: f64| if value.is_nan() { otherwise } else { value };
        let days_before = |days: usize| {
            let days = days.max(k.div_ceil(clock.day));
            target.checked_sub(days * clock.day).map_or(f64::NAN, |t| past.at(t))
        };
        let hour = or(past.hour_mean(target), last);
        let recent_hour = or(past.recent_hour_mean(target), hour);
        let seasonal = or(days_before(1), hour);
        let deviation = recent_hour + decay * (last - or(past.recent_hour_mean(now), recent_hour));
        let day = or(past.last_day().0, last);
        let spread = past.spread();
        let unit = |value: f64| ((or(value, last) - last) / spread).clamp(-8.0, 8.0);
        let row = [
            0.3,
            unit(seasonal),
            unit(hour),
            unit(recent_hour),
            unit(day),
            unit(past.ago(clock.hours(1.0))),
            unit(past.newest()),
            unit(past.hour_mean(now)) - unit(hour),
            unit(days_before(7)),
        ];
        let mut points = [last; POINTS];
        points[SEASONAL] = seasonal;
        points[HOUR] = hour;
        points[RECENT_HOUR] = recent_hour;
        points[DEVIATION] = deviation;
        points[DAY] = day;
        Some(Self { points, spread, lift: 0.1 * past.level().abs() + 0.1 * spread, row })
    }

    /// The error of an expert that learns from its errors.
    pub(super) fn error(&self, expert: usize, value: f64) -> f32 {
        match RATIOS.get(expert.wrapping_sub(POINTS)) {
            Some(&point) => (self.lifted(value) / self.lifted(self.points[point])).ln() as f32,
            None => (value - self.points[expert]) as f32,
        }
    }

    /// What an expert says whose error would be this.
    pub(super) fn after(&self, expert: usize, error: f64) -> f64 {
        match RATIOS.get(expert.wrapping_sub(POINTS)) {
            Some(&point) => {
                self.lifted(self.points[point]) * error.clamp(-RATIO_MAX, RATIO_MAX).exp()
                    - self.lift
            }
            None => self.points[expert] + error,
        }
    }

    fn lifted(&self, value: f64) -> f64 {
        (value + self.lift).max(1e-3 * self.lift)
    }
}

/// What an expert weighs before anything came, against the others.
pub(super) fn before_all(expert: usize) -> f64 {
    if matches!(expert, LINE | BOOSTED_QUANTILES) { LEARNED } else { 1.0 }
}

/// What the empirical experts say of a target; none of those of which nothing is known.
pub(super) fn empirical(past: &Past, target: usize) -> [Option<Quantiles>; EMPIRICAL] {
    let (day, week) = past.windows();
    [
        levels::of_sorted(day.sorted()),
        levels::of_sorted(week.sorted()),
        levels::of_sorted(&past.around(target)),
    ]
}
