//! One series up to now: what it was a while ago, at this hour on other days, and how it spreads.
//!
//! Knows values by step and nothing later than the last; a step that is not known is NaN, and what
//! is asked of it is NaN too. Holds two weeks whole and the rest as running means.

use std::collections::VecDeque;

use super::levels::Window;

/// Days that are kept value by value.
const DAYS: usize = 15;
/// The least share by which a mean for an hour of the day moves to the newest value.
const RECENT_HOUR_RATE: f64 = 0.3;
/// What part of the range of all that was seen is believed beyond it.
const BEYOND: f64 = 0.1;
/// Days after which a value counts half in level and spread.
const SPREAD_HALF_LIFE: f64 = 4.0;

/// How steps and origins lie in time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// Steps in a day.
    pub(super) day: usize,
    /// Steps over which a value is the mean.
    pub(super) mean_over: usize,
    /// Steps from one mean for an hour of the day to the next.
    pub(super) bin: usize,
    /// Steps from one origin to the next.
    pub(super) stride: usize,
}

impl Clock {
    /// Steps in so many hours.
    pub(super) fn hours(self, hours: f64) -> usize {
        (hours * self.day as f64 / 24.0).round() as usize
    }

    /// Origins in so many days, at least one.
    pub(super) fn origins(self, days: usize) -> usize {
        (days * self.day / self.stride).max(1)
    }

    fn bin_of(self, t: usize) -> usize {
        (t % self.day) / self.bin
    }
}

/// A running mean for a time of the day.
#[derive(Clone, Copy, Debug, Default)]
struct Hour {
    n: f64,
    mean: f64,
    recent: f64,
}

/// A series.
#[derive(Clone, Debug)]
pub(super) struct Past {
    clock: Clock,
    /// The last raw steps that a mean is taken over.
    raw: VecDeque<f64>,
    /// Means, the newest last.
    values: VecDeque<f32>,
    len: usize,
    hours: Vec<Hour>,
    last: f64,
    level: f64,
    spread: f64,
    /// How many values were learned from, one of each bin.
    known: f64,
    least: f64,
    most: f64,
    day: Window,
    week: Window,
    last_day: (f64, f64),
    unknown_for: usize,
}

impl Past {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            raw: VecDeque::new(),
            values: VecDeque::new(),
            len: 0,
            hours: vec![Hour::default(); clock.day.div_ceil(clock.bin)],
            last: f64::NAN,
            level: 0.0,
            spread: 0.0,
            known: 0.0,
            least: f64::INFINITY,
            most: f64::NEG_INFINITY,
            day: Window::new(clock.day / clock.bin),
            week: Window::new(7 * clock.day / clock.bin),
            last_day: (f64::NAN, f64::NAN),
            unknown_for: 0,
        }
    }

    /// The next step.
    pub(super) fn push(&mut self, raw: f64) {
        self.raw.push_back(raw);
        if self.raw.len() > self.clock.mean_over {
            self.raw.pop_front();
        }
        if self.values.len() == DAYS * self.clock.day {
            self.values.pop_front();
        }
        let value = self.mean_of_raw();
        self.values.push_back(value as f32);
        let t = self.len;
        self.len += 1;
        if value.is_nan() {
            self.unknown_for += 1;
            return;
        }
        self.unknown_for = 0;
        self.last = value;
        self.least = self.least.min(value);
        self.most = self.most.max(value);
        if t.is_multiple_of(self.clock.bin) {
            self.learn(t, value);
        }
    }

    /// The mean of the last steps, where at least half of them are known.
    fn mean_of_raw(&self) -> f64 {
        let known = self.raw.iter().filter(|raw| !raw.is_nan());
        let (n, sum) = known.fold((0_usize, 0.0), |(n, sum), raw| (n + 1, sum + raw));
        if n > 0 && 2 * n >= self.clock.mean_over { sum / n as f64 } else { f64::NAN }
    }

    fn learn(&mut self, t: usize, value: f64) {
        let hour = &mut self.hours[self.clock.bin_of(t)];
        hour.n += 1.0;
        hour.mean += (value - hour.mean) / hour.n;
        hour.recent += (value - hour.recent) * (1.0 / hour.n).max(RECENT_HOUR_RATE);
        self.known += 1.0;
        let a_day = (self.clock.day / self.clock.bin) as f64;
        let rate = 1.0 - 0.5_f64.powf(1.0 / (SPREAD_HALF_LIFE * a_day));
        let rate = rate.max(1.0 / self.known);
        self.level += (value - self.level) * rate;
        self.spread += ((value - self.level).abs() - self.spread) * rate;
        self.day.push(value as f32);
        self.week.push(value as f32);
        self.last_day = self.day_now();
    }

    /// Steps seen.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The value at a step; NaN where it is not known, not kept or not yet there.
    pub(super) fn at(&self, t: usize) -> f64 {
        let first = self.len - self.values.len();
        t.checked_sub(first).and_then(|i| self.values.get(i)).map_or(f64::NAN, |&v| f64::from(v))
    }

    /// The value so many steps ago.
    pub(super) fn ago(&self, steps: usize) -> f64 {
        (self.len - 1).checked_sub(steps).map_or(f64::NAN, |t| self.at(t))
    }

    /// The raw value of the last step.
    pub(super) fn newest(&self) -> f64 {
        self.raw.back().copied().unwrap_or(f64::NAN)
    }

    /// The last known value; NaN before the first.
    pub(super) fn last(&self) -> f64 {
        self.last
    }

    /// Of how many hours something is known.
    pub(super) fn hours_known(&self) -> f64 {
        self.known * self.clock.bin as f64 * 24.0 / self.clock.day as f64
    }

    /// For how many steps nothing has been known.
    pub(super) fn unknown_for(&self) -> usize {
        self.unknown_for
    }

    /// The least and the most that was ever seen.
    pub(super) fn range(&self) -> (f64, f64) {
        (self.least, self.most)
    }

    /// A value no farther beyond all that was seen than a part of its range.
    pub(super) fn believable(&self, value: f64) -> f64 {
        let slack = BEYOND * (self.most - self.least);
        value.clamp(self.least - slack, self.most + slack)
    }

    /// The mean at this time of the day, of all days; NaN where none is known.
    pub(super) fn hour_mean(&self, t: usize) -> f64 {
        let hour = self.hours[self.clock.bin_of(t)];
        if hour.n > 0.0 { hour.mean } else { f64::NAN }
    }

    /// The same, of the last few days.
    pub(super) fn recent_hour_mean(&self, t: usize) -> f64 {
        let hour = self.hours[self.clock.bin_of(t)];
        if hour.n > 0.0 { hour.recent } else { f64::NAN }
    }

    /// The level of the last days.
    pub(super) fn level(&self) -> f64 {
        self.level
    }

    /// Mean distance from the level in the last days; above 0.
    pub(super) fn spread(&self) -> f64 {
        self.spread.max(1e-4 * self.level.abs()).max(1e-12)
    }

    /// Mean and standard deviation of the last day, by the hour.
    pub(super) fn last_day(&self) -> (f64, f64) {
        self.last_day
    }

    fn day_now(&self) -> (f64, f64) {
        let hour = self.clock.hours(1.0).max(1);
        let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for i in 0..24 {
            let value = self.ago(i * hour) - self.last;
            if !value.is_nan() {
                n += 1.0;
                sum += value;
                squares += value * value;
            }
        }
        if n < 1.0 {
            return (f64::NAN, f64::NAN);
        }
        let mean = sum / n;
        (self.last + mean, (squares / n - mean * mean).max(0.0).sqrt())
    }

    /// The values of the last day and of the last week, ascending.
    pub(super) fn windows(&self) -> (&Window, &Window) {
        (&self.day, &self.week)
    }

    /// Values within an hour of a time of the day, on each of the last two weeks' days, ascending.
    pub(super) fn around(&self, target: usize) -> Vec<f32> {
        let step = self.clock.hours(0.5).max(1);
        let mut values = Vec::with_capacity(5 * DAYS);
        for days in 1..DAYS {
            let Some(centre) = target.checked_sub(days * self.clock.day) else { break };
            for i in 0..5 {
                let Some(t) = (centre + i * step).checked_sub(2 * step) else { continue };
                let value = self.at(t);
                if !value.is_nan() {
                    values.push(value as f32);
                }
            }
        }
        values.sort_unstable_by(f32::total_cmp);
        values
    }
}
