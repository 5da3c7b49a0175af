//! Recordings into the history of a project, and out of it.
//!
//! Knows both sides: recordings of `forecast` and series of `journal`. What goes in is tidied first,
//! and counters become rates, so that what is in the history is a plain series.

use std::ops::Range;

use forecast::recording::{Flaw, Measure, Recording, Sample};
use forecast::wait::Asked;
use forecast::{counter, tidy, unit_change};
use journal::history::series::{self, Fold, Measured, Point, Taken};
use journal::history::{Error, History};
use spec::Timestamp;

/// What values are, where they may be readings of a counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A counter where they look like one.
    #[default]
    Guessed,
    /// Totals, of which the change per second counts.
    Counter,
    /// Values as they are.
    Gauge,
}

/// A recording as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming {
    /// The samples, in the unit of the measure.
    pub recording: Recording,
    /// The unit, of a series of another name.
    pub unit: String,
    /// Where it comes from, in a few words.
    pub source: String,
    /// What the values are.
    pub kind: Kind,
}

/// A recording that can be put into the history, and what was wrong with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tidied {
    /// For the history.
    pub measured: Measured,
    /// Whether it was a counter, and is now its change per second.
    pub was_counter: bool,
    /// What was wrong.
    pub flaws: Vec<Flaw>,
}

/// Puts samples in order, leaves out what cannot be, and turns counters into rates. Times after
/// `latest` cannot be.
#[must_use]
pub fn tidied(incoming: Incoming, latest: Timestamp) -> Tidied {
    let Incoming { recording, unit, source, kind } = incoming;
    let Recording { zone, measure, asked, samples } = recording;
    let (mut samples, mut flaws) = tidy::tidy(&samples);
    let before = samples.len();
    samples.retain(|sample| sample.at <= latest);
    let count = before - samples.len();
    flaws.extend((count > 0).then_some(Flaw::BadTime { count }));
    let (min, max) = measure.bounds();
    // A total is never negative either, and may be more than any rate.
    let negative = tidy::bound(&mut samples, min, f64::INFINITY);
    let was_counter = match kind {
        Kind::Guessed => measure.may_be_counter() && counter::is_counter(&samples),
        Kind::Counter => true,
        Kind::Gauge => false,
    };
    if was_counter {
        let count = counter::resets(&samples);
        flaws.extend((count > 0).then_some(Flaw::CounterReset { count }));
        samples = counter::rates(&samples);
    }
    flaws.extend(both(negative, tidy::bound(&mut samples, min, max)));
    // A total that never moved looks like this; so does a rate that is none.
    let is_constant = samples.windows(2).all(|pair| pair[0].value.eq(&pair[1].value));
    let is_doubtful = is_constant && samples.len() > 1 && samples[0].value > 0.0;
    flaws.extend(
        (is_doubtful && !was_counter && measure.may_be_counter()).then_some(Flaw::Constant),
    );
    // Said, but kept: which of both units is right is not known here.
    if let Some(change) = unit_change::find(&samples).filter(|_| !was_counter) {
        let (at, factor) = (samples[change.index].at, change.factor);
        flaws.push(Flaw::UnitChanged { at, factor });
    }
    let unit = match measure.unit() {
        "" if was_counter => format!("{unit}/s"),
        "" => unit,
        unit => unit.to_owned(),
    };
    let points = samples.iter().map(|sample| (sample.at.0, sample.value)).collect();
    let (fold, measure) = (fold(&measure), measure.to_string());
    let asked = kept(asked);
    let measured = Measured { zone, measure, unit, source, fold, asked, points };
    Tidied { measured, was_counter, flaws }
}

/// What was out of range before and after, told once.
fn both(before: Option<Flaw>, after: Option<Flaw>) -> Option<Flaw> {
    match (before, after) {
        (Some(Flaw::OutOfRange { count }), Some(Flaw::OutOfRange { count: more })) => {
            Some(Flaw::OutOfRange { count: count + more })
        }
        (before, after) => before.or(after),
    }
}

fn fold(measure: &Measure) -> Fold {
    match measure {
        Measure::Up | Measure::Count => Fold::Least,
        Measure::Wait => Fold::Middle,
        _ => Fold::Mean,
    }
}

/// What had been asked for, as the history keeps it.
fn kept(asked: Asked) -> series::Asked {
    let size = |size: Option<f64>| size.filter(|size| size.is_finite()).unwrap_or(0.0);
    let Asked { cpus, memory, walltime } = asked;
    series::Asked { cpus: size(cpus), memory: size(memory), walltime: size(walltime) }
}

/// And back.
fn known(asked: series::Asked) -> Asked {
    let size = |size: f64| Some(size).filter(|size| *size > 0.0);
    let series::Asked { cpus, memory, walltime } = asked;
    Asked { cpus: size(cpus), memory: size(memory), walltime: size(walltime) }
}

/// Puts recordings into the history, all or none of them; says of each what became of it.
///
/// # Errors
/// The history cannot be written.
pub fn put(history: &mut History, tidied: &[Tidied]) -> Result<Vec<Taken>, Error> {
    let measured: Vec<Measured> = tidied.iter().map(|one| one.measured.clone()).collect();
    history.put_series(&measured)
}

/// What the history knows of one measure in one zone, from a time up to before another, whatever had
/// been asked for.
///
/// # Errors
/// The history cannot be read.
pub fn read(
    history: &mut History,
    zone: &str,
    measure: &Measure,
    range: Range<Timestamp>,
) -> Result<Recording, Error> {
    let points = history.samples(zone, measure.name(), range.start.0..range.end.0)?;
    let sample = |(at, value): Point| Sample { at: Timestamp(at), value };
    let samples = points.into_iter().map(sample).collect();
    let (zone, asked) = (zone.to_owned(), Asked::default());
    Ok(Recording { zone, measure: measure.clone(), asked, samples })
}

/// The same as a recording for each request; all but waits are one recording.
///
/// # Errors
/// The history cannot be read.
pub fn read_asked(
    history: &mut History,
    zone: &str,
    measure: &Measure,
    range: Range<Timestamp>,
) -> Result<Vec<Recording>, Error> {
    if *measure != Measure::Wait {
        return Ok(vec![read(history, zone, measure, range)?]);
    }
    let all = history.samples_asked(zone, measure.name(), range.start.0..range.end.0)?;
    let recording = |(asked, points): (series::Asked, Vec<Point>)| Recording {
        zone: zone.to_owned(),
        measure: measure.clone(),
        asked: known(asked),
        samples: points
            .into_iter()
            .map(|(at, value)| Sample { at: Timestamp(at), value })
            .collect(),
    };
    Ok(all.into_iter().map(recording).collect())
}

/// Any time at all.
pub const EVER: Range<Timestamp> = Timestamp(i64::MIN)..Timestamp(i64::MAX);

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(measure: &str, values: &[f64], kind: Kind) -> Incoming {
        let at = |i: usize| Timestamp(1_700_000_000_000_000 + i as i64 * 60_000_000);
        let samples = values.iter().enumerate().map(|(i, &value)| Sample { at: at(i), value });
        let measure = measure.parse().unwrap();
        let (zone, asked) = ("z".into(), Asked::default());
        let recording = Recording { zone, measure, asked, samples: samples.collect() };
        Incoming { recording, unit: "apples".into(), source: "test".into(), kind }
    }

    const LATEST: Timestamp = Timestamp(1_800_000_000_000_000);

    #[test]
    fn what_goes_in_comes_out() {
        let dir = tempfile::tempdir().unwrap();
        let mut history = History::open(&dir.path().join("history.db")).unwrap();
        let given = incoming("cpu", &[0.1, 0.2, 0.3], Kind::Guessed);
        put(&mut history, &[tidied(given.clone(), LATEST)]).unwrap();
        assert_eq!(read(&mut history, "z", &Measure::Cpu, EVER).unwrap(), given.recording);
        let summary = &history.series().unwrap()[0];
        assert_eq!((summary.unit.as_str(), summary.source.as_str()), ("share", "test"));
    }

    #[test]
    fn a_counter_goes_in_as_its_change_per_second() {
        let totals: Vec<f64> = (0..40).map(|i| f64::from(i) * 120.0).collect();
        let guessed = tidied(incoming("network_in", &totals, Kind::Guessed), LATEST);
        assert!(guessed.was_counter);
        assert_eq!(guessed.measured.points.len(), 39);
        assert!(guessed.measured.points.iter().all(|point| point.1 == 2.0));
        let gauge = tidied(incoming("network_in", &totals, Kind::Gauge), LATEST);
        assert_eq!(gauge.measured.points.len(), 40);
        let told = tidied(incoming("eaten", &[0.0, 60.0], Kind::Counter), LATEST);
        assert_eq!(told.measured.unit, "apples/s");
        assert_eq!(told.measured.points[0].1.to_bits(), 1.0_f64.to_bits());
    }

    #[test]
    fn a_counter_that_was_negative_for_a_while_is_one_and_what_no_machine_has_is_left_out() {
        let totals: Vec<f64> = (0..60).map(|i| f64::from(i) * 120.0 - 600.0).collect();
        let odd = tidied(incoming("network_in", &totals, Kind::Guessed), LATEST);
        assert!(odd.was_counter && odd.measured.points.iter().all(|point| point.1 == 2.0));
        assert_eq!(odd.flaws, [Flaw::OutOfRange { count: 5 }]);
        let huge = tidied(incoming("memory", &[5e9, 1e308, -1.0, 6e9], Kind::Guessed), LATEST);
        assert_eq!(huge.measured.points.len(), 2);
        assert_eq!(huge.flaws, [Flaw::OutOfRange { count: 2 }]);
    }

    #[test]
    fn a_wait_keeps_what_had_been_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let mut history = History::open(&dir.path().join("history.db")).unwrap();
        let waits = |cpus, memory| {
            let mut given = incoming("wait", &[5.0, 7.0], Kind::Guessed);
            given.recording.asked = Asked { cpus, memory, walltime: None };
            given
        };
        let given = [waits(None, None), waits(Some(8.0), Some(1e9)), waits(Some(64.0), None)];
        let tidy = given.iter().map(|given| tidied(given.clone(), LATEST));
        put(&mut history, &tidy.collect::<Vec<_>>()).unwrap();
        let found = read_asked(&mut history, "z", &Measure::Wait, EVER).unwrap();
        assert_eq!(found, given.map(|given| given.recording));
        assert_eq!(read(&mut history, "z", &Measure::Wait, EVER).unwrap().samples.len(), 6);
        assert_eq!(history.series().unwrap().len(), 1);
    }

    #[test]
    fn the_future_was_not_measured() {
        let early = Timestamp(1_700_000_000_000_000);
        let given = tidied(incoming("cpu", &[0.1, 0.2, 0.3], Kind::Guessed), early);
        assert_eq!(given.measured.points.len(), 1);
        assert_eq!(given.flaws, [Flaw::BadTime { count: 2 }]);
    }
}
