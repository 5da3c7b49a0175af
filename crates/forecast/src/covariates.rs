//! What is known ahead about a zone besides its own past: a row of named numbers for each target.
//!
//! Knows where steps lie in time, calendars, external series and the site's recurring runs, each
//! an input that can be left out. Says at an origin only what is known then. Without inputs the
//! row is empty, and forecasts are what they are without this module.

use crate::calendar::{Axis, Kind, Spans, When};
use crate::local_clock::LocalClock;
use crate::recurrence::{self, Demand, Pattern, Run};
use crate::regressor::Regressor;
use spec::Timestamp;

/// The name of the input of hours and weekdays.
pub const CLOCK: &str = "clock";
/// The name of the input of the site's own recurring runs.
pub const RUNS: &str = "runs";

/// The inputs of one zone.
#[derive(Clone, Debug, Default)]
pub struct Covariates {
    axis: Option<Axis>,
    clock: LocalClock,
    inputs: Vec<Input>,
    columns: Vec<String>,
}

#[derive(Clone, Debug)]
struct Input {
    name: String,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Clock,
    Events(Kind, Spans),
    Regressor(Regressor),
    Runs(Vec<Rhythms>),
    /// Something of which nothing is known here, with the columns it has elsewhere.
    Silent(&'static [&'static str]),
}

/// What was known of recurring runs from a step on.
#[derive(Clone, Debug)]
struct Rhythms {
    from: i64,
    patterns: Vec<Pattern>,
}

/// The most horizons between those that are learned at which a forecast is asked for.
pub const TURNS_MAX: usize = 200;

/// Names of the columns of hours and weekdays at the target.
const CLOCK_COLUMNS: [&str; 12] = [
    "hour",
    "hour sin",
    "hour cos",
    "half-day sin",
    "half-day cos",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];
/// Names of the columns of a calendar.
const EVENT_COLUMNS: [&str; 3] = ["at the target", "now", "on the way"];
/// Names of the columns of recurring runs.
const RUN_COLUMNS: [&str; 4] =
    ["cpus at the target", "probability at the target", "cpus on the way", "cpus now"];
/// Rhythms are learned again at so many midnights after a run has begun: by then one that has
/// stopped is forgotten.
const DAYS_RELEARNED: i64 = 30;
/// The latest midnights at which they are learned.
const DAYS_LEARNED: usize = 150;
/// At so many points between origin and target it is asked what runs hold.
const RUN_POINTS: i64 = 6;

impl Covariates {
    /// No inputs: nothing is known but the past of the zone.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Inputs of a zone whose steps lie in absolute time; none yet. The clock is that on its wall.
    #[must_use]
    pub fn new(axis: Axis, clock: LocalClock) -> Self {
        Self { axis: Some(axis), clock, ..Self::default() }
    }

    /// With the hour and the weekday of the target, by the zone's clock.
    #[must_use]
    pub fn with_clock(self) -> Self {
        if self.axis.is_none() {
            return self;
        }
        self.with(CLOCK, Source::Clock, &CLOCK_COLUMNS)
    }

    /// With the events of a calendar. One without events has columns too, so that all zones of a
    /// group have the same.
    #[must_use]
    pub fn with_events(self, name: &str, kind: Kind, events: &[When]) -> Self {
        let Some(axis) = self.axis else { return self };
        let spans = Spans::new(axis, &self.clock, events);
        self.with(name, Source::Events(kind, spans), &EVENT_COLUMNS)
    }

    /// With an external series.
    #[must_use]
    pub fn with_regressor(self, name: &str, regressor: Regressor) -> Self {
        let columns = regressor.columns();
        self.with(name, Source::Regressor(regressor), columns)
    }

    /// With the site's own recurring runs, learned at each midnight in UTC from those that had begun
    /// by then.
    #[must_use]
    pub fn with_runs(self, runs: &[Run]) -> Self {
        let Some(axis) = self.axis else { return self };
        let day = 86_400_000_000;
        let days = runs.iter().map(|run| run.start.0.div_euclid(day) + 1);
        let mut days: Vec<i64> = days.flat_map(|first| first..first + DAYS_RELEARNED).collect();
        days.sort_unstable();
        days.dedup();
        days.drain(..days.len().saturating_sub(DAYS_LEARNED));
        let rhythms = days.into_iter().map(|since| {
            let since = Timestamp(since.saturating_mul(day));
            let patterns = recurrence::learn(runs, since, &self.clock);
            Rhythms { from: axis.step_from(since), patterns }
        });
        let rhythms = rhythms.collect();
        self.with(RUNS, Source::Runs(rhythms), &RUN_COLUMNS)
    }

    /// What the site's own recurring runs are expected to hold at step `origin + k`, as was known at
    /// step `origin`: the probability that each is under way, and what it takes.
    pub fn demands(&self, origin: usize, k: usize) -> Vec<(f64, &Pattern)> {
        let Some(axis) = self.axis else { return Vec::new() };
        let at = axis.at((origin + k) as i64);
        let of = |pattern| (Pattern::at(pattern, at, &self.clock), pattern);
        let patterns = self.inputs.iter().filter_map(|input| match &input.source {
            Source::Runs(rhythms) => Some(patterns_at(rhythms, origin as i64)),
            _ => None,
        });
        patterns.flatten().map(of).collect()
    }

    /// The same without the inputs of this name.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut left = Self { axis: self.axis, clock: self.clock.clone(), ..Self::default() };
        for input in self.inputs.iter().filter(|input| input.name != name) {
            let columns = columns_of(&input.source);
            left = left.with(&input.name, input.source.clone(), columns);
        }
        left
    }

    /// The same inputs, of which nothing is known: for a zone that nobody says anything about, beside
    /// zones with these.
    #[must_use]
    pub fn silent(&self) -> Self {
        let mut silent = self.clone();
        for input in &mut silent.inputs {
            input.source = Source::Silent(columns_of(&input.source));
        }
        silent
    }

    /// The calendars, by name, each with the steps at which an event of it is under way.
    pub fn events(&self) -> impl Iterator<Item = (&str, &Spans)> {
        self.inputs.iter().filter_map(|input| match &input.source {
            Source::Events(_, spans) => Some((input.name.as_str(), spans)),
            _ => None,
        })
    }

    /// Names of the inputs, in order.
    pub fn inputs(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().map(|input| input.name.as_str())
    }

    /// Names of the columns of a row.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Where steps lie in time, if that is known.
    #[must_use]
    pub fn axis(&self) -> Option<Axis> {
        self.axis
    }

    /// The hour at a step by the zone's clock, where that is an input.
    #[must_use]
    pub fn hour(&self, step: usize) -> Option<f32> {
        let axis = self.axis?;
        let is_on = self.inputs.iter().any(|input| matches!(input.source, Source::Clock));
        is_on.then(|| self.clock.reading(axis.at(step as i64)).hour)
    }

    /// Adds what is known at step `origin` about step `origin + k`; NaN where it is not known.
    pub fn extend(&self, origin: usize, k: usize, row: &mut Vec<f32>) {
        let Some(axis) = self.axis else { return };
        let (origin, k) = (origin as i64, k as i64);
        for input in &self.inputs {
            match &input.source {
                Source::Clock => row.extend(self.clock_row(axis, origin + k)),
                Source::Events(_, spans) => {
                    let is_at = |step| f32::from(u8::from(spans.at(step).is_some()));
                    row.extend([is_at(origin + k), is_at(origin), spans.share(origin, origin + k)]);
                }
                Source::Regressor(regressor) => row.extend(regressor.row(origin, k)),
                Source::Silent(columns) => row.extend(columns.iter().map(|_| f32::NAN)),
                Source::Runs(rhythms) => {
                    row.extend(self.run_row(axis, patterns_at(rhythms, origin), origin, k));
                }
            }
        }
    }

    /// The row of a target.
    #[must_use]
    pub fn row(&self, origin: usize, k: usize) -> Vec<f32> {
        let mut row = Vec::with_capacity(self.columns.len());
        self.extend(origin, k, &mut row);
        row
    }

    /// The stretches in which drains are scheduled.
    #[must_use]
    pub fn drains(&self) -> Spans {
        let drains = self.inputs.iter().filter_map(|input| match &input.source {
            Source::Events(Kind::Drain, spans) => Some(spans),
            _ => None,
        });
        Spans::union(drains)
    }

    /// The minutes after step `t`, up to so many, at which a forecast may turn: just before and
    /// when an event begins or ends, and every hour. In ascending order, at most [`TURNS_MAX`].
    #[must_use]
    pub fn turns(&self, t: usize, minutes: u32) -> Vec<u32> {
        let Some(axis) = self.axis else { return Vec::new() };
        let now = t as i64;
        let mut turns: Vec<u32> = (1..=minutes / 60).map(|hour| hour * 60).collect();
        let minute = |step: i64| (step - now) * i64::from(axis.step_seconds) / 60;
        for input in &self.inputs {
            let Source::Events(_, spans) = &input.source else { continue };
            let until = now + i64::from(minutes) * 60 / i64::from(axis.step_seconds) + 1;
            let ahead = spans.from(now).iter().take_while(|span| span.from <= until);
            for step in ahead.take(TURNS_MAX).flat_map(|span| [span.from, span.to]) {
                // Whatever lies after a step and up to the next counts as that next one.
                let before = minute(step - 1);
                turns.extend([before, before + 1].iter().filter_map(|&m| u32::try_from(m).ok()));
            }
        }
        turns.retain(|&turn| (1..=minutes).contains(&turn));
        turns.sort_unstable();
        turns.dedup();
        turns.truncate(TURNS_MAX);
        turns
    }

    fn with(mut self, name: &str, source: Source, columns: &[&str]) -> Self {
        self.columns.extend(columns.iter().map(|column| format!("{name}: {column}")));
        self.inputs.push(Input { name: name.to_owned(), source });
        self
    }

    fn run_row(
        &self,
        axis: Axis,
        patterns: &[Pattern],
        origin: i64,
        k: i64,
    ) -> [f32; RUN_COLUMNS.len()] {
        if patterns.is_empty() {
            return [0.0; RUN_COLUMNS.len()];
        }
        let at = |step| recurrence::demand(patterns, axis.at(step), &self.clock);
        let Demand { cpus, probability, .. } = at(origin + k);
        let way = (1..RUN_POINTS).map(|i| at(origin + k * i / RUN_POINTS).cpus);
        let way = (way.sum::<f64>() + cpus) / RUN_POINTS as f64;
        [cpus as f32, probability as f32, way as f32, at(origin).cpus as f32]
    }

    fn clock_row(&self, axis: Axis, step: i64) -> [f32; CLOCK_COLUMNS.len()] {
        let reading = self.clock.reading(axis.at(step));
        let angle = reading.hour / 24.0 * std::f32::consts::TAU;
        let mut row = [0.0; CLOCK_COLUMNS.len()];
        row[..5].copy_from_slice(&[
            reading.hour,
            angle.sin(),
            angle.cos(),
            (2.0 * angle).sin(),
            (2.0 * angle).cos(),
        ]);
        row[5 + usize::from(reading.weekday)] = 1.0;
        row
    }
}

/// What was known at a step.
fn patterns_at(rhythms: &[Rhythms], step: i64) -> &[Pattern] {
    let next = rhythms.partition_point(|one| one.from <= step);
    next.checked_sub(1).map_or(&[], |i| &rhythms[i].patterns)
}

fn columns_of(source: &Source) -> &'static [&'static str] {
    match source {
        Source::Clock => &CLOCK_COLUMNS,
        Source::Events(..) => &EVENT_COLUMNS,
        Source::Regressor(regressor) => regressor.columns(),
        Source::Runs(_) => &RUN_COLUMNS,
        Source::Silent(columns) => columns,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regressor::Known;
    use spec::Timestamp;

    /// Monday, 2026-01-05 00:00 UTC.
    const MONDAY: Timestamp = Timestamp(1_767_571_200_000_000);

    fn covariates() -> Covariates {
        let axis = Axis { start: MONDAY, step_seconds: 3600 };
        let clock = LocalClock::new(-5 * 3600, Vec::new());
        let feed = [(MONDAY, 3.0), (Timestamp(MONDAY.0 + 7_200_000_000), 5.0)];
        let feed = Regressor::new(axis, Known::Ahead, &feed).expect("sound");
        Covariates::new(axis, clock)
            .with_clock()
            .with_events("public", Kind::Holiday, &[When::day(MONDAY.0 / 86_400_000_000)])
            .with_regressor("load", feed)
    }

    #[test]
    fn a_row_is_of_the_target_by_the_clock_of_the_zone() {
        let covariates = covariates();
        let row = covariates.row(0, 6);
        assert_eq!(row.len(), covariates.columns().len());
        assert_eq!(row[0], 1.0, "six hours after midnight in UTC it is one in the morning");
        assert_eq!(row[5..12], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], "of Monday");
        // At the origin it was still Sunday there: the holiday begins at the fifth hour.
        assert_eq!(row[12..15], [1.0, 0.0, 2.0 / 6.0]);
        assert_eq!([row[15], row[18]], [5.0, 3.0]);
    }

    #[test]
    fn an_input_can_be_left_out_and_leaves_the_others_as_they_are() {
        let all = covariates();
        let left = all.without("public");
        assert_eq!(left.inputs().collect::<Vec<_>>(), ["clock", "load"]);
        let (all, left) = (all.row(0, 6), left.row(0, 6));
        assert_eq!([&all[..12], &all[15..]].concat(), left);
    }

    #[test]
    fn a_silent_zone_has_the_columns_of_the_others_and_knows_nothing() {
        let (all, silent) = (covariates(), covariates().silent());
        assert_eq!(silent.columns(), all.columns());
        let row = silent.row(0, 6);
        assert!(row.len() == all.columns().len() && row.iter().all(|value| value.is_nan()));
        assert_eq!((silent.hour(3), silent.events().count()), (None, 0));
        assert_eq!(silent.without("public").columns(), all.without("public").columns());
    }

    #[test]
    fn without_absolute_time_there_is_nothing_to_say() {
        let none = Covariates::none().with_clock().with_events("public", Kind::Holiday, &[]);
        assert!(none.columns().is_empty() && none.row(3, 4).is_empty());
        assert_eq!(none.inputs().count(), 0);
    }
}
