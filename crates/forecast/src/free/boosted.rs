//! Boosted quantiles: trees on the pinball loss, shared by the series of a group.
//!
//! Knows rows of features in units of each series' spread, so that series of any size go together.
//! Trees start from the line's forecast and are held to it: with little history they say what it
//! says. Seven levels are learned and the others lie between them.

use crate::boost::{self, bins::Binned, loss::Pinball};
use crate::rows::Rows;

use super::expert::{LINE, Outlook};
use super::levels::{LEVELS, Quantiles};
use super::past::{Clock, Past};

/// How many features a row has, without those known ahead.
pub(super) const WIDTH: usize = 24;
/// The indices of the levels that are learned.
const LEARNED: [usize; 7] = [0, 1, 4, 9, 14, 17, 18];
/// Targets are kept within so many spreads.
const FAR: f64 = 20.0;

/// What is learned from at one horizon: the newest rows, in order.
#[derive(Clone, Debug)]
pub(super) struct Lesson {
    rows: Rows,
    targets: Vec<f32>,
    capacity: usize,
}

impl Lesson {
    pub(super) fn new(width: usize, capacity: usize) -> Self {
        Self { rows: Rows::new(width), targets: Vec::new(), capacity: capacity.max(2) }
    }

    pub(super) fn push(&mut self, row: &[f32], target: f32) {
        if self.targets.len() >= self.capacity {
            let half = self.capacity / 2;
            self.rows.forget(half);
            self.targets.drain(..half);
        }
        self.rows.push(row);
        self.targets.push(target);
    }

    pub(super) fn len(&self) -> usize {
        self.targets.len()
    }
}

/// Trees for each learned level.
#[derive(Clone, Debug)]
pub(super) struct Boosted {
    models: Vec<boost::Model>,
}

impl Boosted {
    pub(super) fn fit(lesson: &Lesson, settings: &boost::Settings) -> Self {
        let binned = Binned::of(&lesson.rows);
        let of = boost::Lesson {
            rows: &lesson.rows,
            targets: &lesson.targets,
            weights: None,
            offsets: None,
        };
        let fit = |&i: &usize| {
            let loss = Pinball::new(super::levels::level(i));
            boost::Model::fit_binned(of, &binned, &loss, settings)
        };
        Self { models: LEARNED.iter().map(fit).collect() }
    }

    /// Quantiles of a target, in its unit.
    pub(super) fn at(&self, row: &[f32], outlook: &Outlook) -> Quantiles {
        let mut learned = [0.0; LEARNED.len()];
        for (value, model) in learned.iter_mut().zip(&self.models) {
            *value = outlook.points[LINE] + outlook.spread * model.score(row);
        }
        learned.sort_by(f64::total_cmp);
        spread_out(&learned)
    }
}

fn spread_out(learned: &[f64; LEARNED.len()]) -> Quantiles {
    let mut all = [0.0; LEVELS];
    for (pair, values) in LEARNED.windows(2).zip(learned.windows(2)) {
        for (i, value) in all.iter_mut().enumerate().take(pair[1] + 1).skip(pair[0]) {
            let part = (i - pair[0]) as f64 / (pair[1] - pair[0]) as f64;
            *value = values[0] + (values[1] - values[0]) * part;
        }
    }
    all
}

/// What a row's target is: the value against the line, in spreads.
pub(super) fn target(outlook: &Outlook, value: f64) -> f32 {
    ((value - outlook.points[LINE]) / outlook.spread).clamp(-FAR, FAR) as f32
}

/// The features of a target `k` steps after the last step.
pub(super) fn row(past: &Past, clock: Clock, k: usize, outlook: &Outlook, into: &mut Vec<f32>) {
    let (last, spread) = (outlook.points[0], outlook.spread);
    let now = past.len() - 1;
    let unit = |value: f64| ((value - last) / spread).clamp(-50.0, 50.0) as f32;
    let (mean, deviation) = past.last_day();
    let (day, week) = past.windows();
    let of = |window: &super::levels::Window, level| window.quantile(level).unwrap_or(f64::NAN);
    into.extend(outlook.points[1..7].iter().map(|&point| unit(point)));
    into.extend([0.25, 1.0, 2.0, 3.0, 6.0, 12.0].map(|h| unit(past.ago(clock.hours(h)))));
    let before = |days: usize| (now + k).checked_sub(days * clock.day);
    into.extend([2, 7].map(|days| before(days).map_or(f32::NAN, |t| unit(past.at(t)))));
    let [sin, cos] = round(now + k, clock.day);
    into.extend([sin, cos, ((now + k) / clock.day % 7) as f32]);
    into.push(unit(past.newest()));
    into.push((deviation / spread) as f32);
    into.push(unit(mean) - unit(past.level()));
    into.push((last / spread).clamp(-1e3, 1e3) as f32);
    into.extend([unit(of(day, 0.0)), unit(of(day, 1.0)), unit(of(week, 0.9))]);
}

fn round(t: usize, day: usize) -> [f32; 2] {
    let angle = (t % day) as f32 / day as f32 * std::f32::consts::TAU;
    [angle.sin(), angle.cos()]
}
